"""Statistics on plain arrays: intervals, tests and curves, which know nothing of folds or arms."""

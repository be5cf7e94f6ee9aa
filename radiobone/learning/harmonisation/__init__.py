"""Batch effects of centres and scanners, taken out by training rows only."""

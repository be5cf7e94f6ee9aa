"""VOIs: label schemes, levels, versioned recipes, quality."""

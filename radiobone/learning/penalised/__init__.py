"""LASSO and elastic net: certified paths, and the selector that walks them."""

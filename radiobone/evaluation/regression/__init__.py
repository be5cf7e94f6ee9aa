"""Regression tables of clinical papers, and nomograms, by statsmodels."""

"""Cohort and feature tables: keys, columns, labels, exclusions, from long to wide."""

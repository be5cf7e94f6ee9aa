"""Figures and pages from tables, arrays and text."""

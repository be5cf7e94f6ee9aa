"""Validation in which every learned step stays inside the fold."""

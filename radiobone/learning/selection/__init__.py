"""In-fold selection: filters and rankings of columns, fitted on training rows only."""

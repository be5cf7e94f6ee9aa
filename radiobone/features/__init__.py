"""Features of VOIs: radiomics engines, density, and the extraction of a cohort into a table."""

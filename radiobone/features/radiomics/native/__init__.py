"""PyRadiomics' features on plain arrays: no files, no SimpleITK images, no PyRadiomics."""

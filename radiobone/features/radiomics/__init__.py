"""Radiomics engines behind one call, fed with PyRadiomics parameter files."""

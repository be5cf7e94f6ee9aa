"""Masks with names in many forms: DICOM SEG, RTSTRUCT, 3D Slicer, folders of label files, BIDS."""

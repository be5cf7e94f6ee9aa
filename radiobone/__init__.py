"""radiobone: vertebral CT radiomics, from masks to an honestly validated two-level osteoporosis model.

The data walk one way: cohort table, image and mask, VOI, feature table, model with nested
cross-validation, report. Each room of the package is imported on its own (``radiobone.voi``,
``radiobone.learning``, ...); this module loads none of them.
"""

__version__ = "0.1.0"

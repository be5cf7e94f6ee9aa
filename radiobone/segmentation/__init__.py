"""Segmentation by nnU-Net v2, in process: models, prediction in one pass or two, names of levels, cohorts."""

from radiobone.segmentation.batch import SegmentationSummary, segment_cohort, segment_file
from radiobone.segmentation.cascade import Cascade
from radiobone.segmentation.model import Model, ModelNotes, read_model
from radiobone.segmentation.naming import Anchor, Named, name_levels, parse_anchor
from radiobone.segmentation.segmenter import Segmenter

__all__ = [
    "Anchor",
    "Cascade",
    "Model",
    "ModelNotes",
    "Named",
    "SegmentationSummary",
    "Segmenter",
    "name_levels",
    "parse_anchor",
    "read_model",
    "segment_cohort",
    "segment_file",
]

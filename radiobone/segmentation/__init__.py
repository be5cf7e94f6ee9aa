"""Segmentation by nnU-Net v2, in process: models, prediction, names of levels, cohorts, training."""

from radiobone.segmentation.batch import SegmentationSummary, segment_cohort, segment_file
from radiobone.segmentation.cascade import Cascade
from radiobone.segmentation.model import Model, ModelNotes, read_model
from radiobone.segmentation.naming import Anchor, Named, name_levels, parse_anchor
from radiobone.segmentation.options import SegmentOptions, make_predictor
from radiobone.segmentation.segmenter import Segmenter
from radiobone.segmentation.training import TrainingSummary, train_model
from radiobone.segmentation.training_request import TrainingRequest

__all__ = [
    "Anchor",
    "Cascade",
    "Model",
    "ModelNotes",
    "Named",
    "SegmentOptions",
    "SegmentationSummary",
    "Segmenter",
    "TrainingRequest",
    "TrainingSummary",
    "make_predictor",
    "name_levels",
    "parse_anchor",
    "read_model",
    "segment_cohort",
    "segment_file",
    "train_model",
]

"""Segmentation by nnU-Net v2, in process: models, prediction in one pass or two, names of levels, cohorts."""

from radiobone.segmentation.model import Model, ModelNotes, read_model
from radiobone.segmentation.segmenter import Segmenter

__all__ = ["Model", "ModelNotes", "Segmenter", "read_model"]

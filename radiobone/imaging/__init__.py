"""Images and masks with their geometry: reading, checking, aligning, writing."""

from radiobone.imaging.geometry import Geometry
from radiobone.imaging.volumes import Image, Mask

__all__ = ["Geometry", "Image", "Mask"]

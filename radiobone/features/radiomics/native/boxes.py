"""The one check of the boxes that filters are asked for."""

from __future__ import annotations

from radiobone.core.errors import EngineError
from radiobone.imaging.volumes import Box


def check_inside(box: Box, shape: tuple[int, ...]) -> None:
    """Refuse a box that holds no voxel, or voxels that an image does not have.

    Parameters
    ----------
    box : Box
        Along (z, y, x).
    shape : tuple of int
        Number of voxels of the image along (z, y, x).

    Raises
    ------
    EngineError
        If the box is empty or not inside the image.
    """
    if not all(0 <= part.start < part.stop <= size for part, size in zip(box, shape, strict=True)):
        raise EngineError("the box is empty or leaves the image", got=box, expected=f"inside {shape}")

"""A scan as the body sees it: its axes turned to those of the body, so that the order of storage plays no part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.imaging import Image, Mask
from radiobone.imaging.orientation import turn_to
from radiobone.imaging.volumes import Box


@dataclass(frozen=True, eq=False)
class Body:
    """A scan and a VOI in it, with axes that run to the head, to the back and to the left.

    Nothing is resampled for it, nor copied: the scan's own axes are put in order and turned round. In an oblique
    scan each is taken for the nearest axis of the body.

    Parameters
    ----------
    hu : ndarray of shape (z, y, x)
        The scan, in its own pixel type: z grows to the head, y to the back, x to the left.
    voi : ndarray of shape (z, y, x), bool
        The VOI in the smallest box that holds it.
    box : Box
        Where that box lies in the scan.
    spacing_mm : tuple of float
        Distance of voxel centres along (z, y, x).
    """

    hu: NDArray[Any]
    voi: NDArray[np.bool_]
    box: Box
    spacing_mm: tuple[float, float, float]

    @property
    def middle(self) -> tuple[float, float, float]:
        """The middle of the VOI's box along (z, y, x), counted in voxels."""
        z, y, x = ((part.start + part.stop - 1) / 2 for part in self.box)
        return z, y, x

    @property
    def extent_mm(self) -> tuple[float, float, float]:
        """Edges of the VOI's box along (z, y, x)."""
        z, y, x = ((part.stop - part.start) * edge for part, edge in zip(self.box, self.spacing_mm, strict=True))
        return z, y, x


def body(image: Image, voi: Mask) -> Body:
    """Turn a scan and a VOI in it to the axes of the body.

    Parameters
    ----------
    image : Image
        The scan.
    voi : Mask
        The VOI on the scan's grid; every voxel that is not 0 belongs to it.
    """
    turn = turn_to(image.geometry, "LPS")
    tight = voi.tight()
    parts = [
        slice(size - part.stop, size - part.start) if number in turn.flipped else part
        for number, (part, size) in enumerate((tight.box[axis], image.geometry.shape[axis]) for axis in turn.order)
    ]
    return Body(
        hu=turn.there(image.array),
        voi=turn.there(tight.array) != 0,
        box=(parts[0], parts[1], parts[2]),
        spacing_mm=turn.values(image.geometry.spacing_mm),
    )

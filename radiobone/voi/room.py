"""How much of the image lies above and below a vertebra: whether it, or the next one, can be whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radiobone.imaging import Mask
from radiobone.voi.spine import HEAD


@dataclass(frozen=True)
class Room:
    """Distance of a mask from the ends of its image.

    Parameters
    ----------
    above_mm, below_mm : float
        Towards the head and towards the feet, along the image axis that runs closest to the patient's.
    """

    above_mm: float
    below_mm: float


def find_room(mask: Mask) -> Room:
    """Measure the distance of a mask from the ends of its image.

    Parameters
    ----------
    mask : Mask
        Boolean, in its tight box.

    Returns
    -------
    Room
        In mm, to the outer faces of the image; 0 where the mask reaches it.
    """
    geometry = mask.geometry
    along = geometry.axes @ HEAD
    axis = int(np.argmax(np.abs(along)))
    part, edge = mask.box[axis], geometry.spacing_mm[axis]
    first, last = part.start * edge, (geometry.shape[axis] - part.stop) * edge
    return Room(last, first) if along[axis] > 0 else Room(first, last)

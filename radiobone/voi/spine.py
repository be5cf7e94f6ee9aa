"""The labels of a mask as a spine: where each level lies, and whether their order is that of a body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from radiobone.imaging import Mask
from radiobone.imaging.volumes import Box
from radiobone.tables.vertebrae import VARIANTS, VERTEBRAE

Floats = NDArray[np.float64]

SPINE: tuple[str, ...] = (*VERTEBRAE, "sacrum", "coccyx")
"""Everything that a label scheme may name along the spine, from head to foot."""

STEP_MM = (8.0, 70.0)
"""Plausible distance of the centroids of two neighbours.

From about 15 mm in the neck to 45 mm in the loin, with room for collapsed vertebrae, for masks that are cut
by the image border, and for the sacrum.
"""

MANY_LABELS = 65535
"""Above this label value a table of all values up to it costs more than it saves."""

HEAD: Floats = np.array([0.0, 0.0, 1.0])
"""World direction to the patient's head (LPS)."""


def find_labels(mask: Mask) -> dict[int, Box]:
    """Find all labels of a mask.

    Parameters
    ----------
    mask : Mask
        The label map.

    Returns
    -------
    dict of int to tuple of slice
        Box of each label inside the mask's own array, by ascending value.
    """
    from scipy import ndimage

    array = mask.array.view(np.uint8) if mask.array.dtype == bool else mask.array
    if array.max(initial=0) > MANY_LABELS:
        z, y, x = (slice(0, size) for size in array.shape)
        return dict.fromkeys(mask.labels(), (z, y, x))
    return {value: box for value, box in enumerate(ndimage.find_objects(array), start=1) if box is not None}


def take_label(mask: Mask, value: int, box: Box) -> Mask:
    """Return one label as a boolean mask in its tight box.

    Parameters
    ----------
    mask : Mask
        The label map.
    value : int
        The label value.
    box : tuple of slice
        A box of the mask's array that holds the label.

    Returns
    -------
    Mask
        The label.
    """
    z, y, x = (start + part.start for start, part in zip(mask.offset, box, strict=True))
    return Mask(mask.array[box] == value, mask.geometry, (z, y, x)).tight()


def centroid_mm(mask: Mask) -> Floats:
    """Return the world coordinates of the middle of a mask.

    Parameters
    ----------
    mask : Mask
        Boolean, not empty.

    Returns
    -------
    ndarray of shape (3,)
        World coordinates in mm.
    """
    return mask.geometry.world(np.argwhere(mask.array).mean(axis=0) + mask.offset)


def count_steps(upper: str, lower: str) -> int:
    """Count the steps from one level of the spine to a lower one; T13 and L6, which most people lack, are none.

    Parameters
    ----------
    upper, lower : str
        The levels.

    Returns
    -------
    int
        1 for neighbours.
    """
    between = SPINE[SPINE.index(upper) + 1 : SPINE.index(lower)]
    return 1 + sum(name not in VARIANTS for name in between)


@dataclass(frozen=True)
class Spine:
    """Centroids of the levels of a mask, in world coordinates.

    Parameters
    ----------
    centroids_mm : mapping of str to ndarray of shape (3,)
        Level to centroid; levels that are no part of the spine are allowed and play no role.
    """

    centroids_mm: Mapping[str, Floats]

    @property
    def levels(self) -> list[str]:
        """The levels along the spine that are present, from head to foot."""
        return [level for level in SPINE if level in self.centroids_mm]

    def order_ok(self) -> bool | None:
        """Say whether all neighbours are in order.

        Returns
        -------
        bool or None
            None if there are fewer than two levels.
        """
        pairs = list(pairwise(self.levels))
        return all(self._pair_ok(upper, lower) for upper, lower in pairs) if pairs else None

    def level_ok(self, level: str) -> bool | None:
        """Say whether one level is in order with its neighbours.

        Parameters
        ----------
        level : str
            The level.

        Returns
        -------
        bool or None
            None if it has no neighbours.
        """
        pairs = [pair for pair in pairwise(self.levels) if level in pair]
        return all(self._pair_ok(upper, lower) for upper, lower in pairs) if pairs else None

    def towards_head(self, level: str) -> Floats:
        """Return the direction of the spine at a level.

        Parameters
        ----------
        level : str
            The level.

        Returns
        -------
        ndarray of shape (3,)
            Unit vector, from its neighbours; straight to the head if it has none, or is out of order.
        """
        levels = self.levels
        if level not in levels or not self.level_ok(level):
            return HEAD
        place = levels.index(level)
        upper, lower = levels[max(place - 1, 0)], levels[min(place + 1, len(levels) - 1)]
        line = self.centroids_mm[upper] - self.centroids_mm[lower]
        direction: Floats = line / np.linalg.norm(line)
        return direction

    def step_mm(self, upper: str, lower: str) -> float:
        """Return the distance of two levels, divided by the number of steps between them.

        Parameters
        ----------
        upper, lower : str
            The levels.

        Returns
        -------
        float
            In mm, between centroids.
        """
        line = self.centroids_mm[upper] - self.centroids_mm[lower]
        return float(np.linalg.norm(line)) / count_steps(upper, lower)

    def _pair_ok(self, upper: str, lower: str) -> bool:
        line = self.centroids_mm[upper] - self.centroids_mm[lower]
        return bool(line @ HEAD > 0) and STEP_MM[0] <= self.step_mm(upper, lower) <= STEP_MM[1]

"""What a VOI recipe works on, and what it makes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiobone.imaging import Image, Mask
from radiobone.voi.body import BodyMask


@dataclass(frozen=True, eq=False)
class Source:
    """What a recipe works on: one level of one scan.

    Parameters
    ----------
    level : str
        Name of the level.
    value : int
        Its label value.
    label : Mask
        The label, boolean, in its tight box.
    image : Image or None
        The scan on the same grid, if there is one.
    body_mask : BodyMask or None
        A mask that tells bodies from arches, if there is one.
    towards_head : ndarray of shape (3,)
        Direction of the spine at this level, in the world.
    """

    level: str
    value: int
    label: Mask
    image: Image | None
    body_mask: BodyMask | None
    towards_head: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Made:
    """A VOI as a recipe made it.

    Parameters
    ----------
    mask : Mask
        The VOI, boolean, in its tight box.
    body_source : str, default ""
        Where the body came from: ``cut``, or the kind of body mask; empty if the recipe needs none.
    warnings : tuple of str
        What a user should look at.
    """

    mask: Mask
    body_source: str = ""
    warnings: tuple[str, ...] = ()

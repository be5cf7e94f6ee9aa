"""Which VOIs of a scan share one Laplacian of Gaussian.

Vertebrae lie within a few centimetres of each other, and the filter reaches far, so that the crops of
neighbours overlap nearly everywhere: filtering the box round both costs little more than filtering the box of one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from radiobone.features.radiomics.crops import margin
from radiobone.features.radiomics.settings import Settings
from radiobone.imaging.volumes import Box, expand

SHARED_BYTES = 64 * 2**20
"""Most that the filtered boxes of one group, held for its VOIs, may take."""

_BYTES = 4
"""Of one filtered voxel."""


def groups(
    boxes: Mapping[str, Box],
    settings: Settings,
    spacing_mm: tuple[float, float, float],
    shape: tuple[int, int, int],
) -> list[list[str]]:
    """Put VOIs together for as long as one filter for all is less work than one for each.

    Parameters
    ----------
    boxes : mapping of str to Box
        The VOIs' boxes in voxels of the scan.
    settings : Settings
        Of the image type ``LoG``.
    spacing_mm : tuple of float
        Of the scan along (z, y, x).
    shape : tuple of int
        Of the scan along (z, y, x).

    Returns
    -------
    list of list of str
        The keys, each in one group; neighbours along z stand together.
    """

    def work(box: Box) -> int:
        crops = (
            expand(box, margin("LoG", settings.model_copy(update={"sigma": (sigma,)}), spacing_mm), shape)
            for sigma in settings.sigma
        )
        return sum(volume(crop) for crop in crops)

    found: list[tuple[list[str], Box]] = []
    for key in sorted(boxes, key=lambda name: (boxes[name][0].start, name)):
        box = boxes[key]
        if found:
            members, held = found[-1]
            joined = union(held, box)
            small = volume(joined) * _BYTES * len(settings.sigma) <= SHARED_BYTES
            if small and work(joined) <= work(held) + work(box):
                found[-1] = ([*members, key], joined)
                continue
        found.append(([key], box))
    return [members for members, _ in found]


def union(first: Box, second: Box) -> Box:
    """Return the smallest box that holds both.

    Parameters
    ----------
    first, second : Box
        Along (z, y, x).
    """
    z, y, x = (
        slice(min(one.start, other.start), max(one.stop, other.stop))
        for one, other in zip(first, second, strict=True)
    )
    return z, y, x


def volume(box: Box) -> int:
    """Return the number of voxels of a box.

    Parameters
    ----------
    box : Box
        Along (z, y, x).
    """
    return math.prod(part.stop - part.start for part in box)

"""Heights of a vertebral body at its front, middle and back, and how much of them seems to be lost.

The losses are those of the semiquantitative reading (Genant et al., J Bone Miner Res 1993;8:1137, doi
10.1002/jbmr.5650080915): within the vertebra, front and middle against the back; and all three against the
vertebrae next to it. They say where to look, not that there is a fracture: endplate dents, short vertebrae and
masks with rough edges lose height, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np

from radiobone.imaging import Mask
from radiobone.voi.axes import VertebraAxes
from radiobone.voi.frame import RAY_STEP_MM, measure_frame, sample

GRADES_PERCENT = (20.0, 25.0, 40.0)
"""Loss of height from which on a deformity is mild (1), moderate (2) and severe (3), by Genant et al. 1993."""

WALL_SHARE = 0.1
"""Heights of front and back are taken so far inside the walls, as a share of the depth: corners are round."""

SPAN_SHARE = 0.1
"""Share of the depth over which a height is averaged."""

WIDTH_SHARE = 0.3
"""Share of the width over which a height is averaged, about the middle of the body."""

RAYS = (7, 5)
"""Number of rays over that width and that depth."""


@dataclass(frozen=True)
class Heights:
    """Heights of a body along its back wall, in its mid-sagittal plane.

    Parameters
    ----------
    anterior_mm, middle_mm, posterior_mm : float
        At the front wall, in the middle, and at the back wall.
    """

    anterior_mm: float
    middle_mm: float
    posterior_mm: float


@dataclass(frozen=True)
class Losses:
    """What heights lack, in percent; negative where there is more than expected, None where it cannot be said.

    Parameters
    ----------
    wedge, biconcave : float
        Of the anterior and of the middle height, against the posterior one.
    anterior, middle, posterior : float or None
        Of each height, against that of the neighbours.
    """

    wedge: float
    biconcave: float
    anterior: float | None
    middle: float | None
    posterior: float | None

    @property
    def grade(self) -> int:
        """0 to 3, by the largest loss (see ``GRADES_PERCENT``)."""
        largest = max(loss for loss in astuple(self) if loss is not None)
        return sum(largest >= limit for limit in GRADES_PERCENT)


def measure_heights(body: Mask, axes: VertebraAxes) -> Heights | None:
    """Measure the heights of a body.

    Parameters
    ----------
    body : Mask
        The body, boolean.
    axes : VertebraAxes
        Its axes; the upright one runs along the back wall.

    Returns
    -------
    Heights or None
        None if no bone is met at one of the three places.

    Raises
    ------
    VoiError
        If the middle of the body is empty.

    Notes
    -----
    Each height is the mean length of rays from the lowest to the highest bone. Front and back are measured
    ``WALL_SHARE`` inside their walls, and carried on to the walls by the slope between both. Along the back wall
    both heights of a wedge are those that a reader measures; along the axis that halves it, they are not.

    In slices of up to 3 mm heights are right within 1 mm. In slices of 5 mm those of the test suite's spines are
    off by 2 mm, so that one healthy vertebra in ten is suspected of a fracture.
    """
    frame = measure_frame(body, axes)
    side, back = (np.linspace(-0.5, 0.5, count) for count in RAYS)
    steps = np.arange(-frame.depth_mm, frame.depth_mm, RAY_STEP_MM)
    measured = []
    for place in (WALL_SHARE - 0.5, 0.0, 0.5 - WALL_SHARE):
        rays = (side * WIDTH_SHARE * frame.width_mm, (place + back * SPAN_SHARE) * frame.depth_mm, steps)
        points = np.stack(np.meshgrid(*rays, indexing="ij"), axis=-1).reshape(-1, len(steps), 3)
        inside = sample(body, frame.axes.origin_mm + points @ frame.axes.directions)
        inside = inside[inside.any(axis=1)]
        if len(inside) == 0:
            return None
        ends = inside.shape[1] - np.argmax(inside[:, ::-1], axis=1)
        measured.append(float(np.mean(ends - np.argmax(inside, axis=1))) * RAY_STEP_MM)
    anterior, middle, posterior = measured
    slope = (posterior - anterior) / (1.0 - 2.0 * WALL_SHARE)
    anterior, posterior = anterior - WALL_SHARE * slope, posterior + WALL_SHARE * slope
    return Heights(anterior, middle, posterior) if min(anterior, posterior) > 0 else None


def find_losses(heights: Heights, neighbours: Sequence[Heights]) -> Losses:
    """Say what heights lack.

    Parameters
    ----------
    heights : Heights
        Of the vertebra.
    neighbours : sequence of Heights
        Of the vertebrae next to it; their mean is what is expected. None are needed.

    Returns
    -------
    Losses
        In percent.
    """
    wedge, biconcave = (_loss(height, heights.posterior_mm) for height in (heights.anterior_mm, heights.middle_mm))
    if not neighbours:
        return Losses(wedge, biconcave, None, None, None)
    expected = np.mean([astuple(neighbour) for neighbour in neighbours], axis=0)
    anterior, middle, posterior = (
        _loss(height, float(mean)) for height, mean in zip(astuple(heights), expected, strict=True)
    )
    return Losses(wedge, biconcave, anterior, middle, posterior)


def _loss(height: float, expected: float) -> float:
    return 100.0 * (1.0 - height / expected)

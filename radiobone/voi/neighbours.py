"""A vertebra among the others of its mask: whether its size, its distances and its heights follow theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from radiobone.core.errors import VoiError
from radiobone.tables.vertebrae import VERTEBRAE
from radiobone.voi.axes import VertebraAxes
from radiobone.voi.erosion import touches_border
from radiobone.voi.fracture import Heights, measure_heights
from radiobone.voi.frame import frame_body
from radiobone.voi.room import Room
from radiobone.voi.source import Source
from radiobone.voi.spine import Spine, count_steps
from radiobone.voi.trabecular import build_body

ALIKE: tuple[str, ...] = VERTEBRAE[VERTEBRAE.index("C3") : VERTEBRAE.index("S1")]
"""Vertebrae that resemble the next ones; atlas, axis and sacrum do not."""

GRADED: tuple[str, ...] = VERTEBRAE[VERTEBRAE.index("T1") : VERTEBRAE.index("S1")]
"""Vertebrae whose heights are measured. The grades were made for T4 to L4."""

REACH = 2
"""How many steps away a vertebra may be to tell what is expected of another."""

GROWTH = 1.06
"""Growth of the volume from one vertebra to the next below; 0.97 to 1.15 in the spines of the test suite."""


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """All named labels of a mask.

    Parameters
    ----------
    sources : mapping of str to Source
        By level.
    spine : Spine
        Their centroids.
    """

    sources: Mapping[str, Source]
    spine: Spine

    def whole(self) -> list[str]:
        """List the vertebrae that resemble each other and do not reach the image border, from head to foot."""
        return [
            level for level in self.spine.levels if level in ALIKE and not self.sources[level].once(_label_is_cut)
        ]

    def volume_ratio(self, level: str) -> float | None:
        """Return the volume of a label as a ratio to what those next to it let expect.

        Parameters
        ----------
        level : str
            The level.

        Returns
        -------
        float or None
            1 is as expected; None if the label reaches the border, or no whole label is within ``REACH``.

        Notes
        -----
        Each label within ``REACH`` steps lets expect its own volume, times ``GROWTH`` for each step down. What is
        expected is their usual value (see `_usual`), so that one wrong label does not make the others wrong.
        """
        whole = self.whole()
        if level not in whole:
            return None
        own = self.sources[level].label.volume_ml
        others = [
            self.sources[other].label.volume_ml * GROWTH**steps
            for other in whole
            if other != level and abs(steps := _steps_down(other, level)) <= REACH
        ]
        return own / _usual(own, others) if others else None

    def steps_mm(self, level: str) -> list[float]:
        """Return the distances from a level to those next to it.

        Parameters
        ----------
        level : str
            The level.

        Returns
        -------
        list of float
            In mm for each step, upper one first.
        """
        return [self.spine.step_mm(*pair) for pair in pairwise(self.spine.levels) if level in pair]

    def step_ratio(self, level: str) -> float | None:
        """Return the distance to the next level as a ratio to the distances nearby.

        Parameters
        ----------
        level : str
            The level.

        Returns
        -------
        float or None
            Of the two distances the one that differs more; None if there is nothing to compare.

        Notes
        -----
        A distance is compared with the usual one (see `_usual`) of those whose upper ends lie within ``REACH``
        steps. Labels at the border are left out: their centroids are not those of the vertebrae.
        """
        pairs = list(pairwise(self.whole()))
        ratios = []
        for upper, lower in (pair for pair in pairs if level in pair):
            own = self.spine.step_mm(upper, lower)
            others = [
                self.spine.step_mm(*pair)
                for pair in pairs
                if pair != (upper, lower) and abs(_steps_down(upper, pair[0])) <= REACH
            ]
            if others:
                ratios.append(own / _usual(own, others))
        return max(ratios, key=lambda ratio: abs(float(np.log(ratio))), default=None)

    def is_at_the_end(self, level: str, room: Room) -> bool | None:
        """Say whether the image ends before the next vertebra above or below could be whole.

        Parameters
        ----------
        level : str
            The level.
        room : Room
            Its distance from the ends of the image.

        Returns
        -------
        bool or None
            None if there is no other level, whose distance would tell how much room a vertebra takes.
        """
        steps = self.steps_mm(level)
        if level not in ALIKE or not steps:
            return None
        levels, whole, needed = self.spine.levels, self.whole(), float(np.mean(steps))
        place = levels.index(level)
        above, below = levels[max(place - 1, 0) : place], levels[place + 1 : place + 2]
        ends = ((room.above_mm, above), (room.below_mm, below))
        return any(left < needed and not set(near) & set(whole) for left, near in ends)

    def heights(self, level: str) -> Heights | None:
        """Return the heights of a body.

        Parameters
        ----------
        level : str
            The level.

        Returns
        -------
        Heights or None
            None where they are not measured, or the body or its axes are not found.
        """
        return self.sources[level].once(_find_heights) if level in GRADED else None

    def heights_nearby(self, level: str) -> list[Heights]:
        """Return the heights of the next body above and of the next below, where there are any within ``REACH``.

        Parameters
        ----------
        level : str
            The level.

        Returns
        -------
        list of Heights
            At most two.
        """
        graded = [other for other in self.spine.levels if other in GRADED]
        if level not in graded:
            return []
        place = graded.index(level)
        found = []
        for side in (reversed(graded[:place]), graded[place + 1 :]):
            near = (other for other in side if abs(_steps_down(other, level)) <= REACH)
            measured = (self.heights(other) for other in near)
            found.append(next((heights for heights in measured if heights is not None), None))
        return [heights for heights in found if heights is not None]


def _usual(own: float, others: Sequence[float]) -> float:
    """Return the median of values, the judged one among them: a wrong one so spoils no right one beside it.

    Of two values nobody can say which is wrong, so that each is judged by the other.
    """
    return float(np.exp(np.median(np.log([own, *others])))) if len(others) > 1 else others[0]


def _label_is_cut(source: Source) -> bool:
    return touches_border(source.label)


def _find_heights(source: Source) -> Heights | None:
    try:
        body = source.once(build_body).mask
        return None if touches_border(body) else measure_heights(body, _axes(source))
    except VoiError:
        return None


def _axes(source: Source) -> VertebraAxes:
    """Return the axes of the vertebra; those of its body alone where only a body mask says what is body."""
    try:
        return source.axes()
    except VoiError:
        return frame_body(source).frame.axes


def _steps_down(level: str, other: str) -> int:
    """Count the steps from a level down to another; negative if that lies above."""
    if level == other:
        return 0
    down = VERTEBRAE.index(level) < VERTEBRAE.index(other)
    return count_steps(level, other) if down else -count_steps(other, level)

"""The order of a grid's axes: turning an array to another one, and back, without touching a voxel's value.

Files store the same body in any of 48 orders, and networks know one of them: nnU-Net's usual reader hands the
voxels over in the order of the file, and a network that learned from files of one order returns rubbish, or a
mirrored mask, for files of another; a picture of a vertebra is to have its front on the same side however it is
stored. So arrays are brought to an order by a permutation and flips of their axes, never by resampling.

An order is named as NIfTI tools and ITK name it: three letters for the axes x, y and z, each the side of the body
to which the index grows. ``LPS`` grows to the left, to the back (posterior) and to the head (superior).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import UsageError
from radiobone.imaging.geometry import Geometry

AS_IS = "as_is"
"""No turning: the network takes the axes of the file."""

_SIDES = {"L": (0, 1), "R": (0, -1), "P": (1, 1), "A": (1, -1), "S": (2, 1), "I": (2, -1)}
"""Letter to world axis (LPS) and sign."""

_LETTERS = {place: letter for letter, place in _SIDES.items()}


@dataclass(frozen=True)
class Turn:
    """A permutation and flips of the axes of an array.

    Parameters
    ----------
    order : tuple of int
        Axis of the source for each axis of the result.
    flipped : tuple of int
        Axes of the result that run backwards.
    """

    order: tuple[int, int, int]
    flipped: tuple[int, ...]

    def there(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return a view of an array in the new order.

        Parameters
        ----------
        array : ndarray of shape (z, y, x)
            In the source's order.
        """
        return np.flip(array.transpose(self.order), self.flipped)

    def values(self, values: tuple[float, float, float]) -> tuple[float, float, float]:
        """Return one value for each axis in the new order, such as the spacing.

        Parameters
        ----------
        values : tuple of float
            For the axes of the source.
        """
        first, second, third = (values[axis] for axis in self.order)
        return first, second, third


def orientation_of(geometry: Geometry) -> str:
    """Name the order of a grid's axes; an oblique grid has that of the nearest straight one.

    Parameters
    ----------
    geometry : Geometry
        The grid.

    Returns
    -------
    str
        Three letters for x, y and z.

    Examples
    --------
    >>> orientation_of(Geometry((4, 4, 4), (1.0, 1.0, 1.0)))
    'LPS'
    """
    axes = geometry.axes
    # All three axes at once: one by one, two axes of an oblique grid might claim the same side.
    best = max(itertools.permutations(range(3)), key=lambda order: _share(axes, order))
    letters = [_LETTERS[world, 1 if axes[axis, world] >= 0 else -1] for axis, world in enumerate(best)]
    return "".join(reversed(letters))


def turn_to(geometry: Geometry, orientation: str) -> Turn:
    """Return how to turn arrays of a grid to an order of axes.

    Parameters
    ----------
    geometry : Geometry
        The grid.
    orientation : str
        Three letters for x, y and z, or ``as_is``.

    Returns
    -------
    Turn
        For arrays (z, y, x) of the grid.
    """
    if orientation == AS_IS:
        return Turn((0, 1, 2), ())
    source = [_SIDES[letter] for letter in reversed(orientation_of(geometry))]
    target = [_SIDES[letter] for letter in reversed(orientation)]
    worlds = [world for world, _ in source]
    first, second, third = (worlds.index(world) for world, _ in target)
    order = (first, second, third)
    flipped = tuple(axis for axis, (_, sign) in enumerate(target) if source[order[axis]][1] != sign)
    return Turn(order, flipped)


def check_orientation(orientation: str, where: str | None = None) -> str:
    """Return an order of axes in capitals, or refuse what is none.

    Parameters
    ----------
    orientation : str
        Three letters, one of each of R/L, A/P and S/I, or ``as_is``.
    where : str, optional
        The file, for the message.

    Raises
    ------
    UsageError
        If it is none.
    """
    letters = orientation.upper()
    if letters == AS_IS.upper():
        return AS_IS
    if sorted(_SIDES[letter][0] for letter in letters if letter in _SIDES) != [0, 1, 2] or len(letters) != 3:
        raise UsageError(
            "no order of axes",
            where=where,
            got=orientation,
            expected="three letters for x, y and z, each the side to which the index grows, such as RAS or LPS; "
            f"or {AS_IS}",
        )
    return letters


def head_axis(orientation: str) -> int:
    """Return the array axis (0 is z) that runs along the body in an order of axes.

    Parameters
    ----------
    orientation : str
        Three letters for x, y and z.
    """
    worlds = [_SIDES[letter][0] for letter in reversed(orientation)]
    return worlds.index(2)


def _share(axes: NDArray[np.float64], order: tuple[int, ...]) -> float:
    # Rounded, so that an axis at 45 degrees is decided by the order of the permutations and not by the last bit.
    return round(float(sum(abs(axes[axis, world]) for axis, world in enumerate(order))), 9)

"""One stack of parallel slices: sorted by position, and refused unless it is whole and even."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import ImageError
from radiobone.imaging.dicom.frames import Plane
from radiobone.imaging.dicom.headers import Header

PLACE_TOLERANCE_MM = 0.1
"""Largest distance of a slice from its place in an even stack: some archives round positions to tenths of a mm."""

PLACE_TOLERANCE = 0.3
"""The same as a share of the slice distance, for thin slices; a missing one moves another by a third at least."""

NOTED = 0.01
"""Share of the slice distance from which on slices off their places are worth a note."""

TILT_TOLERANCE_DEGREES = 0.1
"""Largest angle between the line of slice positions and the slice normal; more is a tilted gantry."""

TURN_TOLERANCE = 1e-4
"""Largest difference of direction cosines in one stack."""

SKEW_TOLERANCE = 1e-3
"""Largest cosine between rows and columns; headers give directions in few digits."""

SPACING_TOLERANCE = 1e-4
"""Largest difference of pixel spacing in one stack, as a share of it."""

_DOUBLED_MM = 1e-3
_ROUNDING_MM = 1e-6

_ODD = "take the files that do not belong to the series out of it"
_ANEW = "let the archive export the series anew"


@dataclass(frozen=True, eq=False)
class Slice:
    """One slice of a stack: a file, or a frame of one.

    Parameters
    ----------
    header : Header
        Of its file.
    frame : int
        Number of the frame in the file, from 0.
    """

    header: Header
    frame: int = 0

    @property
    def plane(self) -> Plane:
        """Where the slice lies."""
        return self.header.planes[self.frame]

    @property
    def position(self) -> NDArray[np.float64]:
        """World (x, y, z) of the first pixel, in mm."""
        return np.array(self.plane.position)

    @property
    def normal(self) -> NDArray[np.float64]:
        """World direction across the slice, of length 1."""
        a, b, c, d, e, f = self.plane.orientation
        # Written out, since it is asked for of every slice of an archive.
        normal = np.array([b * f - c * e, c * d - a * f, a * e - b * d])
        length = float(np.sqrt(normal @ normal))
        return normal / (length or 1.0)

    @property
    def name(self) -> str:
        """Name for messages."""
        name = self.header.name
        return f"{name}, frame {self.frame + 1}" if self.header.frames > 1 else name


@dataclass(frozen=True, eq=False)
class Stack:
    """Slices in ascending order along their normal, at even distances.

    Parameters
    ----------
    slices : tuple of Slice
        At least two.
    gap_mm : float
        Distance of neighbouring slices along their normal.
    step_mm : ndarray of shape (3,)
        World vector from each slice to the next one; along the normal unless the gantry was tilted.
    off_mm : float, default 0
        Largest distance of a slice from its place on the even line from the first to the last.
    """

    slices: tuple[Slice, ...]
    gap_mm: float
    step_mm: NDArray[np.float64]
    off_mm: float = 0.0

    @property
    def tilt_degrees(self) -> float:
        """Angle between the line of slice positions and the slice normal."""
        return tilt_degrees(self.step_mm, self.slices[0].normal)

    @property
    def is_tilted(self) -> bool:
        """Whether the gantry was tilted."""
        return self.tilt_degrees > TILT_TOLERANCE_DEGREES

    @property
    def note(self) -> str:
        """What a user should know of the places of its slices; empty if they are even."""
        if self.off_mm <= NOTED * self.gap_mm:
            return ""
        return f"slices lie up to {self.off_mm:.2g} mm from even places, as where positions are rounded"


def place_tolerance_mm(gap_mm: float) -> float:
    """Return the largest distance along the normal of a slice from its place in an even stack.

    Parameters
    ----------
    gap_mm : float
        Distance of neighbouring slices.
    """
    return min(PLACE_TOLERANCE_MM, PLACE_TOLERANCE * gap_mm) + _ROUNDING_MM


def tilt_degrees(step: NDArray[np.float64], normal: NDArray[np.float64]) -> float:
    """Return the angle between two world vectors, in degrees.

    Parameters
    ----------
    step, normal : ndarray of shape (3,)
        Neither is 0.
    """
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(step, normal)), step @ normal)))


def make_stack(slices: Sequence[Slice], where: str) -> Stack:
    """Sort slices and check that they are one stack; a tilt is found and not refused here.

    Parameters
    ----------
    slices : sequence of Slice
        In any order.
    where : str
        The source, for messages.

    Raises
    ------
    ImageError
        If there are fewer than two slices, sizes, pixel spacings or orientations differ or make
        no grid, or slices are missing, doubled, uneven or shifted sideways.
    """
    _check_one_grid(slices, where)
    normal = slices[0].normal
    ordered = sorted(slices, key=lambda item: float(item.position @ normal))
    positions = np.array([item.position for item in ordered])
    depth = positions @ normal
    _check_gaps(ordered, depth, where)
    step = (positions[-1] - positions[0]) / (len(ordered) - 1)
    gap_mm = float((depth[-1] - depth[0]) / (len(ordered) - 1))
    off = positions - positions[0] - np.outer(np.arange(len(ordered)), step)
    _check_sideways(off - np.outer(off @ normal, normal), where)
    return Stack(tuple(ordered), gap_mm, step, float(np.linalg.norm(off, axis=1).max()))


def _check_one_grid(slices: Sequence[Slice], where: str) -> None:
    if len(slices) < 2:
        raise ImageError(
            "a DICOM series has too few slices",
            where=where,
            got=len(slices),
            expected="at least two slices",
            do="give the folder with all of them",
        )
    sizes = sorted({item.header.size[::-1] for item in slices})
    if len(sizes) > 1:
        raise ImageError(
            "slices have different sizes",
            where=where,
            got=f"(x, y) {sizes[0]} and {sizes[-1]}",
            expected="one size",
            do=_ODD,
        )
    along = np.array([item.plane.orientation for item in slices])
    turned = float(np.abs(along - along[0]).max())
    if turned > TURN_TOLERANCE:
        raise ImageError(
            "slices have different orientations",
            where=where,
            got=f"direction cosines up to {turned:.3g} apart",
            expected="one orientation",
            do=_ODD,
        )
    _check_directions(along[0], where)
    spacing = np.array([item.plane.spacing_mm for item in slices])
    if not (spacing > 0).all():
        raise ImageError(
            "pixel spacing is not above 0", where=where, got=f"{spacing.min():g} mm", expected="a length", do=_ANEW
        )
    if (np.abs(spacing - spacing[0]) > SPACING_TOLERANCE * spacing[0]).any():
        raise ImageError(
            "slices have different pixel spacings",
            where=where,
            got=f"from {spacing.min():.6g} to {spacing.max():.6g} mm",
            expected="one spacing",
            do=_ODD,
        )


def _check_directions(along: NDArray[np.float64], where: str) -> None:
    """Refuse rows and columns that are no perpendicular directions."""
    row, column = along[:3], along[3:]
    off = max(abs(float(row @ column)), abs(float(row @ row) - 1), abs(float(column @ column) - 1))
    if not off < SKEW_TOLERANCE:
        raise ImageError(
            "the directions of rows and columns are not perpendicular, or not of length 1",
            where=where,
            got="\\".join(f"{value:.4g}" for value in along),
            expected="an image orientation of two unit vectors",
            do=_ANEW,
        )


def _check_gaps(slices: Sequence[Slice], depth: NDArray[np.float64], where: str) -> None:
    """Refuse slices that are not at even distances, from their ascending places along the normal in mm."""
    gaps = np.diff(depth)
    doubled = int(np.count_nonzero(gaps < _DOUBLED_MM))
    if doubled:
        copies = len(slices) - len({(item.header.instance or item.name, item.frame) for item in slices})
        told = f", {copies} of them copies of the same image" if copies else ""
        raise ImageError(
            "slices are doubled",
            where=where,
            got=f"{doubled} slices at the place of another{told}",
            expected="each slice once",
            do="remove the copies, or choose one acquisition",
        )
    usual = float(np.sort(gaps)[(len(gaps) - 1) // 2])  # of two gaps the smaller: a missing slice makes one larger
    off = float(np.abs(depth - np.linspace(depth[0], depth[-1], len(depth))).max())
    tolerance = place_tolerance_mm(usual)
    if off > tolerance:
        first = int(np.abs(gaps - usual).argmax())
        raise ImageError(
            "slices are missing or unevenly spaced",
            where=f"{where}, between {slices[first].name} and {slices[first + 1].name}",
            got=f"{gaps[first]:.4g} mm between slices {first + 1} and {first + 2} of {len(slices)}",
            expected=f"{usual:.4g} mm, each slice within {tolerance:.2g} mm of its place",
            do="complete the series",
        )


def _check_sideways(off: NDArray[np.float64], where: str) -> None:
    """Refuse slices that are shifted in their planes, by world vectors of shape (n, 3), from the line of all."""
    if np.abs(off).max() > PLACE_TOLERANCE_MM + _ROUNDING_MM:
        raise ImageError(
            "slices do not lie on one line",
            where=where,
            got=f"slices shifted sideways by up to {np.linalg.norm(off, axis=1).max():.4g} mm",
            expected=f"each within {PLACE_TOLERANCE_MM} mm of the line from the first to the last",
            do=_ODD,
        )

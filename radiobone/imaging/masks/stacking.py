"""Frames that lie in parallel planes, with gaps where a segment is empty, as one grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import ImageError
from radiobone.imaging.dicom.frames import Plane
from radiobone.imaging.dicom.stack import SKEW_TOLERANCE, place_tolerance_mm
from radiobone.imaging.geometry import Geometry
from radiobone.imaging.volumes import Image

SIDEWAYS_TOLERANCE = 0.01
"""Largest distance sideways of a frame from the others, as a share of a pixel."""

GAP_TOLERANCE = 0.01
"""Largest deviation of the distance of planes from the one that is told, as a share of it."""

MOST_PLANES = 10_000
"""Planes of a grid; a person at a fifth of a millimetre."""

TURN_TOLERANCE = 1e-4
"""Largest difference of direction cosines among frames."""

SAME_PLACE_MM = 1e-3
"""Frames that are nearer than this lie in one plane."""


@dataclass(frozen=True, eq=False)
class FrameGrid:
    """The grid that frames fill.

    Parameters
    ----------
    geometry : Geometry
        The grid: all planes from the first frame to the last, whether they hold a frame or not.
    places : list of int
        Number of the plane of each frame, from 0.
    """

    geometry: Geometry
    places: list[int]


def frame_grid(
    planes: Sequence[Plane], size: tuple[int, int], stated_mm: float | None, image: Image | None, where: str
) -> FrameGrid:
    """Find the grid of frames that may lie apart.

    The distance of planes is the one that the file states; else that of the image's slices; else that of frames
    which lie next to each other; else the thickness of the only one. The first of these counts of which all
    distances are whole multiples.

    Parameters
    ----------
    planes : sequence of Plane
        Of each frame; several frames may lie in one plane.
    size : tuple of int
        Rows and columns.
    stated_mm : float or None
        Distance of planes as the file states it.
    image : Image or None
        The scan.
    where : str
        The file, for messages.

    Returns
    -------
    FrameGrid
        With planes that are slices of the image, where they lie as near to these as slices do to their places.

    Raises
    ------
    ImageError
        If frames are no grids, not parallel, not one above the other, at uneven distances, or so far apart that
        too many planes would lie between them.
    """
    along = np.array([plane.orientation for plane in planes])
    spacing = np.array([plane.spacing_mm for plane in planes])
    _check_plane(along[0].reshape(2, 3), spacing[0], where)
    if np.abs(along - along[0]).max() > TURN_TOLERANCE or np.abs(spacing / spacing[0] - 1).max() > TURN_TOLERANCE:
        raise ImageError("frames have different orientations or spacings", where=where, expected="one stack")
    column, normal = _axes(along[0])
    row = np.cross(column, normal)
    positions = np.array([plane.position for plane in planes])
    drift = (positions - positions[0]) @ np.stack([row, column], axis=1)
    if np.abs(drift / spacing[0][::-1]).max() > SIDEWAYS_TOLERANCE:
        raise ImageError(
            "frames do not lie straight above each other",
            where=where,
            got=f"shifted by up to {np.abs(drift).max():.4g} mm",
            expected="one stack along its normal",
        )
    depth = positions @ normal
    depth = depth - depth.min()
    gap_mm = _gap(depth, _candidates(depth, normal, stated_mm, planes[0].thickness_mm, image), where)
    places = np.rint(depth / gap_mm).astype(int)
    first = positions[depth.argmin()]
    if image is not None:
        gap_mm, shift = _as_in_image(first @ normal, gap_mm, int(places.max()), normal, image.geometry)
        first = first + shift * normal
    x, y, z = (float(value) for value in first)
    geometry = Geometry(
        (int(places.max()) + 1, *size),
        (gap_mm, float(spacing[0][0]), float(spacing[0][1])),
        (x, y, z),
        tuple(float(value) for value in np.stack([row, column, normal], axis=1).ravel()),
    )
    return FrameGrid(geometry, places.tolist())


def _check_plane(along: NDArray[np.float64], spacing: NDArray[np.float64], where: str) -> None:
    """Refuse a frame whose rows and columns are no perpendicular directions, or have no distance."""
    skew = np.abs(along @ along.T - np.eye(2)).max()
    if not (skew < SKEW_TOLERANCE and np.isfinite(spacing).all() and spacing.min() > 0):
        directions, distances = (
            ", ".join(f"{value:.4g}" for value in found) for found in (along.ravel(), spacing)
        )
        raise ImageError(
            "frames have no valid orientation or spacing",
            where=where,
            got=f"orientation {directions}; spacing {distances} mm",
            expected="two perpendicular unit vectors, and two distances above 0",
            do="export the segmentation again",
        )


def _axes(along: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the direction of a column of pixels and of the normal, both of length 1."""
    column = along[3:] / np.linalg.norm(along[3:])
    normal = np.cross(along[:3], column)
    return column, normal / np.linalg.norm(normal)


def _candidates(
    depth: NDArray[np.float64],
    normal: NDArray[np.float64],
    stated_mm: float | None,
    thickness_mm: float | None,
    image: Image | None,
) -> list[float]:
    """List the distances that planes may have, the best known first."""
    found = [stated_mm]
    if image is not None:
        cosines = np.abs(image.geometry.axes @ normal)
        found.append(image.geometry.spacing_mm[int(cosines.argmax())])
    gaps = np.diff(np.unique(depth))
    apart = gaps[gaps > SAME_PLACE_MM]
    # Positions are often rounded, so that the smallest of many gaps is too small.
    found.append(float(apart[apart < 1.5 * apart.min()].mean()) if apart.size else thickness_mm)
    return [gap for gap in found if gap and gap > 0]


def _gap(depth: NDArray[np.float64], candidates: Sequence[float], where: str) -> float:
    """Return the first distance of which all others are multiples, as it follows from the whole stack."""
    most = 0
    for gap in candidates:
        last = round(float(depth.max() / gap))
        # The distance over all planes is known better than one between two, which adds up its rounding.
        even = float(depth.max() / last) if last else gap
        tolerance = place_tolerance_mm(even)
        steps = depth / even
        if (
            abs(even - gap) <= max(GAP_TOLERANCE * gap, tolerance / max(last, 1))
            and np.abs(steps - np.rint(steps)).max() * even <= tolerance
        ):
            if last < MOST_PLANES:
                return even
            most = last + 1
    if most:
        raise ImageError(
            "frames of the SEG would fill too large a grid",
            where=where,
            got=f"{most} planes over {depth.max():.4g} mm",
            expected=f"at most {MOST_PLANES}",
            do="export it again, with the true positions of its frames and distance of its slices",
        )
    raise ImageError(
        "frames lie at uneven distances" if candidates else "the distance of slices is not known",
        where=where,
        got=f"planes at {', '.join(f'{value:.4g}' for value in np.unique(depth)[:8])} mm",
        expected="whole multiples of one distance",
        do="give the image that the segmentation was drawn on",
    )


def _as_in_image(
    depth: float, gap_mm: float, last: int, normal: NDArray[np.float64], grid: Geometry
) -> tuple[float, float]:
    """Return the distance of planes, and the shift in mm that makes the first one a slice of the image.

    Positions that are rounded make both a little wrong; by more than that, nothing is changed.
    """
    axis = int(np.abs(grid.axes @ normal).argmax())
    own = grid.spacing_mm[axis]
    tolerance = place_tolerance_mm(own)
    if abs(float(grid.axes[axis] @ normal)) < 1 - SKEW_TOLERANCE or abs(own - gap_mm) * last > 2 * tolerance:
        return gap_mm, 0.0
    from_first = depth - float(np.array(grid.origin_mm) @ normal)
    shift = own * round(from_first / own) - from_first
    return (own, shift) if abs(shift) <= tolerance else (gap_mm, 0.0)

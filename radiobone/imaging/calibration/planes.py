"""Axial planes through the spine, sampled in mm, so that no search depends on axes or voxels of a scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from radiobone.core.errors import CalibrationError
from radiobone.imaging.volumes import Image, Mask

Floats = NDArray[np.float64]

SLICES_AVERAGED = 3
"""Neighbouring slices whose mean a plane shows, against noise; thick ones have less of it and are taken alone."""

THICK_MM = 3.5


@dataclass(frozen=True, eq=False)
class Plane:
    """One axial plane.

    Parameters
    ----------
    hu : ndarray of shape (rows, columns)
        Rows run to the back, columns to the patient's left; NaN outside the scan.
    spine : ndarray of bool, of the same shape
        Where the scan's mask has any label.
    corner_mm : tuple of (float, float)
        World x and y of the first pixel.
    z_mm : float
        World z.
    step_mm : float
        Edge of a pixel.
    """

    hu: Floats
    spine: NDArray[np.bool_]
    corner_mm: tuple[float, float]
    z_mm: float
    step_mm: float

    @property
    def spine_mm2(self) -> float:
        """Area of the spine's labels."""
        return float(np.count_nonzero(self.spine)) * self.step_mm**2

    @property
    def middle(self) -> tuple[float, float] | None:
        """Row and column of the middle of the spine; None where the plane has none."""
        rows, columns = np.nonzero(self.spine)
        return (float(rows.mean()), float(columns.mean())) if len(rows) else None


def spine_heights(mask: Mask, n_planes: int, margin: float = 0.0) -> Floats:
    """Return the world z of planes spread evenly over all labels of a mask.

    Parameters
    ----------
    mask : Mask
        The scan's mask; which levels are asked for plays no role, so that every level gets one calibration.
    n_planes : int
        How many; fewer where there are fewer slices.
    margin : float, default 0.0
        Share of the height that is left out above, and below.

    Raises
    ------
    CalibrationError
        If the mask is empty.
    """
    tight = mask.tight()
    if not tight.array.size:
        raise CalibrationError("the mask is empty, so that nothing tells where the spine is")
    geometry = mask.geometry
    along = int(np.argmax(np.abs(geometry.axes[:, 2])))
    filled = np.flatnonzero(tight.array.any(axis=tuple(axis for axis in range(3) if axis != along)))
    index = [(part.start + part.stop - 1) / 2 for part in tight.box]
    last = len(filled) - 1
    places = np.linspace(margin * last, (1.0 - margin) * last, min(n_planes, len(filled)))
    chosen = np.unique(places.round().astype(int))
    points = np.repeat(np.array([index]), len(chosen), axis=0)
    points[:, along] = tight.offset[along] + filled[chosen]
    heights: Floats = geometry.world(points)[:, 2]
    return heights


def sample(image: Image, world: ArrayLike) -> Floats:
    """Interpolate a scan linearly at world points.

    Parameters
    ----------
    image : Image
        The scan.
    world : array_like of shape (..., 3)
        World (x, y, z) in mm.

    Returns
    -------
    ndarray of shape (...)
        HU; NaN outside the scan.
    """
    from scipy import ndimage

    index = np.moveaxis(image.geometry.index(world), -1, 0)
    values: Floats = ndimage.map_coordinates(
        image.array, index, output=np.float64, order=1, cval=np.nan, prefilter=False
    )
    return values


def slice_distance(image: Image) -> float:
    """Return the distance of slices along the patient in mm.

    Parameters
    ----------
    image : Image
        The scan.
    """
    along = int(np.argmax(np.abs(image.geometry.axes[:, 2])))
    return image.geometry.spacing_mm[along]


def axial_planes(image: Image, mask: Mask, heights: Sequence[float] | Floats, step_mm: float) -> list[Plane]:
    """Sample axial planes over the whole width of a scan.

    Parameters
    ----------
    image : Image
        The scan.
    mask : Mask
        Its labels, on its grid.
    heights : sequence of float
        World z of each plane.
    step_mm : float
        Edge of a pixel.

    Returns
    -------
    list of Plane
        One for each height.
    """
    from scipy import ndimage

    corners = image.geometry.corners()
    (x0, y0), (x1, y1) = corners[:, :2].min(axis=0), corners[:, :2].max(axis=0)
    x, y = np.arange(x0, x1 + step_mm / 2, step_mm), np.arange(y0, y1 + step_mm / 2, step_mm)
    tight = mask.tight()
    # An edge of background, so that the nearest voxel of what lies outside the box is none of its own.
    labels = np.pad((tight.array != 0).astype(np.uint8), 1)
    offset = np.array(tight.offset) - 1
    distance = slice_distance(image)
    n_averaged = SLICES_AVERAGED if distance < THICK_MM else 1
    steps = (np.arange(n_averaged) - n_averaged // 2) * distance
    planes = []
    for z in heights:
        world = np.empty((len(y), len(x), 3))
        world[..., 0], world[..., 1] = x[None, :], y[:, None]
        shown = []
        for step in steps:
            world[..., 2] = z + step
            shown.append(sample(image, world))
        world[..., 2] = z
        index = np.moveaxis(mask.geometry.index(world) - offset, -1, 0)
        spine = ndimage.map_coordinates(labels, index, order=0, cval=0, prefilter=False) != 0
        planes.append(Plane(_mean(shown), spine, (float(x0), float(y0)), float(z), step_mm))
    return planes


def _mean(parts: Sequence[Floats]) -> Floats:
    """Return the mean of what lies in the scan; at its ends there are fewer slices."""
    stack = np.stack(parts)
    known = np.isfinite(stack)
    count = known.sum(axis=0)
    total = np.where(known, stack, 0.0).sum(axis=0)
    mean: Floats = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean

"""Volumes of a tilted gantry, brought onto an orthogonal grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiobone.imaging.dicom.stack import Stack
from radiobone.imaging.geometry import Geometry
from radiobone.imaging.volumes import Image

OUTSIDE_HU = -1024
"""What fills the corners that no slice covered: air."""


def straighten(image: Image, stack: Stack) -> tuple[Image, str]:
    """Resample the slices of a tilted gantry onto a grid whose axes are orthogonal.

    Slices of a tilted gantry are parallel, but each is shifted in its own plane against the one before. Each slice
    stays where it is, and is sampled at the pixels of one common grid: so nothing is blurred across slices, and
    within a slice only by a fraction of a pixel (linear interpolation).

    Parameters
    ----------
    image : Image
        The voxels, on the grid that the slices would have without tilt.
    stack : Stack
        Where the slices lie.

    Returns
    -------
    Image
        On an orthogonal grid that holds all slices; the first slice is unchanged. Integers are rounded.
    str
        What was done.
    """
    import SimpleITK as sitk

    grid, sheared = _wider(image.geometry, stack), image.to_sitk()
    across = image.geometry.axes[0]
    direction = np.array(image.geometry.direction).reshape(3, 3)
    direction[:, 2] = stack.step_mm / np.linalg.norm(stack.step_mm)
    spacing = image.geometry.spacing_mm
    # The true distance along the line of positions, so that a step across slices is exactly the grid's.
    sheared.SetSpacing((spacing[2], spacing[1], spacing[0] / float(direction[:, 2] @ across)))
    sheared.SetDirection(tuple(direction.ravel()))
    resampled = sitk.Resample(
        sheared,
        grid.shape[::-1],
        sitk.Transform(),
        sitk.sitkLinear,
        grid.origin_mm,
        grid.spacing_mm[::-1],
        grid.direction,
        float(OUTSIDE_HU),
        sitk.sitkFloat64,
    )
    values: NDArray[np.float64] = sitk.GetArrayFromImage(resampled)
    dtype = image.array.dtype
    array = np.rint(values).astype(dtype) if dtype.kind in "iu" else values.astype(dtype)
    new, old = ("x".join(map(str, shape[::-1])) for shape in (grid.shape, image.array.shape))
    note = (
        f"gantry tilt of {stack.tilt_degrees:.2f}°: slices resampled within their planes (linear) onto an "
        f"orthogonal grid, of {new} instead of {old} voxels"
    )
    return Image(array, grid), note


def _wider(geometry: Geometry, stack: Stack) -> Geometry:
    """Return the grid, with as many rows and columns more as the shift of the last slice needs."""
    slices, rows, columns = geometry.shape
    _, dy, dx = geometry.spacing_mm
    _, along_y, along_x = geometry.axes
    shift = stack.step_mm * (slices - 1)
    more_y, more_x = float(shift @ along_y) / dy, float(shift @ along_x) / dx
    # A shift below a thousandth of a pixel needs no column of its own.
    added = [int(np.sign(more)) * int(np.ceil(abs(more) - 1e-3)) for more in (more_y, more_x)]
    before = [min(more, 0) for more in added]
    origin = geometry.world((0, *before))
    return Geometry(
        (slices, rows + abs(added[0]), columns + abs(added[1])),
        geometry.spacing_mm,
        (float(origin[0]), float(origin[1]), float(origin[2])),
        geometry.direction,
    )

"""The grid of an image: voxel indices, world coordinates, and differences between two grids.

Vocabulary
----------
index
    ``(z, y, x)`` of a voxel centre, as arrays are indexed.
world
    ``(x, y, z)`` in mm in the patient's LPS system (to the left, to the back, to the head), as in DICOM and ITK.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

SAME_GRID_TOLERANCE = 0.01
"""Two grids are one if no voxel centre is displaced by more than this share of the smallest voxel edge.

NIfTI keeps its geometry in single precision, so that exact equality would refuse good pairs.
"""


@dataclass(frozen=True)
class Geometry:
    """Size, spacing, origin and direction of a 3D grid.

    Parameters
    ----------
    shape : tuple of int
        Number of voxels along (z, y, x).
    spacing_mm : tuple of float
        Distance of voxel centres along (z, y, x), in mm.
    origin_mm : tuple of float
        World (x, y, z) of the voxel with index (0, 0, 0), in mm.
    direction : tuple of 9 floats
        Row-major 3 x 3 matrix whose columns are the world directions of the image axes x, y and z
        (ITK's convention, kept to the last bit).
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel in mm³."""
        return math.prod(self.spacing_mm)

    @property
    def axes(self) -> NDArray[np.float64]:
        """World unit vectors of the array axes, of shape (3, 3): row 0 is the world direction of axis z."""
        axes: NDArray[np.float64] = np.asarray(self.direction, dtype=np.float64).reshape(3, 3).T[::-1].copy()
        return axes

    def world(self, index: ArrayLike) -> NDArray[np.float64]:
        """Return the world coordinates of voxel indices.

        Parameters
        ----------
        index : array_like of shape (..., 3)
            Indices (z, y, x), whole or not, inside the grid or not.

        Returns
        -------
        ndarray of shape (..., 3)
            World (x, y, z) in mm.
        """
        steps = np.asarray(index, dtype=np.float64) * np.asarray(self.spacing_mm)
        world: NDArray[np.float64] = np.asarray(self.origin_mm) + steps @ self.axes
        return world

    def index(self, world: ArrayLike) -> NDArray[np.float64]:
        """Return the continuous voxel indices of world points; the inverse of `world`.

        Parameters
        ----------
        world : array_like of shape (..., 3)
            World (x, y, z) in mm.

        Returns
        -------
        ndarray of shape (..., 3)
            Indices (z, y, x); whole numbers are voxel centres.
        """
        offset = np.asarray(world, dtype=np.float64) - np.asarray(self.origin_mm)
        index: NDArray[np.float64] = offset @ np.linalg.inv(self.axes) / np.asarray(self.spacing_mm)
        return index

    def corners(self) -> NDArray[np.float64]:
        """Return the world coordinates of the eight outermost voxel centres, of shape (8, 3), in mm."""
        ends = [(0, size - 1) for size in self.shape]
        return self.world(np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3))


def differences(one: Geometry, other: Geometry) -> list[str]:
    """List how two grids differ, each with its magnitude; empty if they are one grid.

    Parameters
    ----------
    one, other : Geometry
        Typically of the image and of its mask.

    Returns
    -------
    list of str
        Size in voxels, spacing in mm, origin in mm and direction in degrees, as far as they differ.
    """
    same_shape = one.shape == other.shape
    if same_shape:
        displacement = np.linalg.norm(one.corners() - other.corners(), axis=1).max()
        if displacement <= SAME_GRID_TOLERANCE * min(one.spacing_mm):
            return []
    found = []
    if not same_shape:
        found.append(f"size (x, y, z) {one.shape[::-1]} and {other.shape[::-1]}")
    spacing = np.abs(np.subtract(one.spacing_mm, other.spacing_mm))
    if (spacing > 1e-5 * np.asarray(one.spacing_mm)).any():
        found.append(
            f"spacing (x, y, z) {_text(one.spacing_mm[::-1])} and {_text(other.spacing_mm[::-1])} mm, "
            f"up to {spacing.max():.4g} mm apart"
        )
    origin = float(np.linalg.norm(np.subtract(one.origin_mm, other.origin_mm)))
    if origin > SAME_GRID_TOLERANCE * min(one.spacing_mm):
        found.append(f"origin {_text(one.origin_mm)} and {_text(other.origin_mm)}, {origin:.4g} mm apart")
    cosine = np.clip((one.axes * other.axes).sum(axis=1), -1.0, 1.0)
    angles = np.degrees(np.arccos(cosine))[::-1]
    if angles.max() > 0.01:
        turned = ", ".join(
            f"{axis} by {angle:.4g}°" for axis, angle in zip("xyz", angles, strict=True) if angle > 0.01
        )
        found.append(f"direction: {turned}")
    return found or [f"voxel centres up to {displacement:.4g} mm apart"]


def _text(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:.6g}" for value in values) + ")"

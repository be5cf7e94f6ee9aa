"""Whether the voxels of a mask are those of an image, in whatever order and box they are stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiobone.imaging.geometry import SAME_GRID_TOLERANCE, Geometry, differences
from radiobone.imaging.volumes import Box, Mask

AXES = "zyx"

TURNED = "mask stored with other axes than the image"
"""Begins the note on a mask whose axes were turned, by which no voxel is changed."""


@dataclass(frozen=True, eq=False)
class _Turn:
    """Where the voxels of one grid lie in another: ``first + index @ steps``.

    Parameters
    ----------
    first : ndarray of int, shape (3,)
        Index in the other grid of the first voxel.
    steps : ndarray of int, shape (3, 3)
        Each row has one entry, 1 or -1: a step along an axis, in the other grid.
    """

    first: NDArray[np.int_]
    steps: NDArray[np.int_]

    def box(self, box: Box) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
        """Return the lowest index of a box in the other grid, and its size."""
        ends = np.array([[part.start for part in box], [part.stop - 1 for part in box]])
        placed = self.first + ends @ self.steps
        return placed.min(axis=0), np.ptp(placed, axis=0) + 1

    def array(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return an array in the order of the other grid."""
        backwards = tuple(axis for axis, row in enumerate(self.steps) if row.sum() < 0)
        order = np.abs(self.steps).argmax(axis=0)
        return np.ascontiguousarray(np.flip(array, backwards).transpose(order))

    def note(self) -> str:
        """Say which axes were turned; empty if none were."""
        if (self.steps == np.eye(3)).all():
            return ""
        runs = [f"{'-' if row.sum() < 0 else ''}{AXES[np.abs(row).argmax()]}" for row in self.steps[::-1]]
        return f"{TURNED}: its x, y, z are the image's {', '.join(runs)}"


def place_on(grid: Geometry, mask: Mask, *, boxed: bool) -> Mask:
    """Return a mask on an image's grid, if its voxels are voxels of the image.

    Programs store masks with their axes in another order or direction than the image, and some store only a box
    of it. Both are undone without any resampling: no label changes its place in the patient.

    Parameters
    ----------
    grid : Geometry
        The image's grid.
    mask : Mask
        A label map with its own grid.
    boxed : bool
        Whether its form may hold only a box of the image. A mask of another form that has not all voxels of the
        image was probably made from other slices, and stays as it is.

    Returns
    -------
    Mask
        On the image's grid, with a note if axes were turned; or the same mask, if it is there already, is empty,
        its voxels lie between those of the image, or labels lie outside.
    """
    if not boxed and not differences(grid, mask.geometry):
        return mask
    part = mask.tight()
    if not part.array.size:
        return mask
    # Of a box, only what holds labels must fit.
    whole = part.box if boxed else _whole(mask.geometry)
    turn = _turn(grid, mask.geometry, whole)
    if turn is None:
        return mask
    lowest, size = turn.box(whole)
    if (lowest < 0).any() or (lowest + size > grid.shape).any() or not (boxed or tuple(size) == grid.shape):
        return mask
    z, y, x = (int(value) for value in turn.box(part.box)[0])
    notes = filter(None, [*mask.notes, turn.note()])
    return Mask(turn.array(part.array), grid, (z, y, x), mask.names, tuple(notes))


def _whole(grid: Geometry) -> Box:
    z, y, x = (slice(0, size) for size in grid.shape)
    return z, y, x


def _turn(grid: Geometry, own: Geometry, box: Box) -> _Turn | None:
    """Return where the voxels of a box lie in a grid; None if they are not voxels of that grid."""
    start = [part.start for part in box]
    # Each axis in voxels of the grid: a step of one along one of its axes, or it does not fit.
    along = grid.index(own.world(np.eye(3) + start)) - grid.index(own.world(start))
    axes = np.abs(along).argmax(axis=1)
    if sorted(axes) != [0, 1, 2]:
        return None
    steps = np.zeros((3, 3), dtype=int)
    steps[np.arange(3), axes] = np.sign(along[np.arange(3), axes])
    turn = _Turn(np.rint(grid.index(own.world(start))).astype(int) - start @ steps, steps)
    ends = np.stack(np.meshgrid(*[(part.start, part.stop - 1) for part in box], indexing="ij"), -1).reshape(-1, 3)
    apart = np.linalg.norm(own.world(ends) - grid.world(turn.first + ends @ steps), axis=1).max()
    return turn if apart <= SAME_GRID_TOLERANCE * min(grid.spacing_mm) else None

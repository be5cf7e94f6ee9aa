"""Where texture matrices look around the voxels of a VOI: found once, used for every image in it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import EngineError
from radiobone.features.radiomics.kernels.stretches import stretches
from radiobone.features.radiomics.native.angles import texture_angles
from radiobone.features.radiomics.native.levels import GreyLevels, VoiGrid

INT32_MAX = 2**31 - 1


class Surroundings:
    """The offsets between the voxels of a VOI that are compared, as angles and as steps in its padded box.

    Each of them is found when it is first asked for, since some settings have no angles for a matrix that is not
    wanted.

    Parameters
    ----------
    voi : GreyLevels or VoiGrid
        Where the voxels of the VOI stand.
    distances : sequence of int, default (1,)
        Distances to the neighbours in voxels (see `texture_angles`).
    force_2d_dimension : int, optional
        The axis (0 for z) across which voxels are not compared.
    """

    def __init__(
        self, voi: GreyLevels | VoiGrid, distances: Sequence[int] = (1,), force_2d_dimension: int | None = None
    ) -> None:
        depth, height, width = voi.padded.shape if isinstance(voi, GreyLevels) else voi.padded_shape
        self.pad = voi.pad
        self.inside = voi.inside
        self._padded_shape = depth, height, width
        self._distances = tuple(distances)
        self._plane = force_2d_dimension

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """The VOI's box without its border; counts of voxels in it, and places in it, must fit in 32 bits."""
        depth, height, width = self._padded_shape
        if depth * height * width > INT32_MAX:
            raise EngineError(
                "the box of the VOI is too large",
                got=f"{depth * height * width:,} voxels with its border",
                expected=f"{INT32_MAX:,} at most",
                do="resample to larger voxels, or divide the VOI",
            )
        return depth - 2 * self.pad, height - 2 * self.pad, width - 2 * self.pad

    @cached_property
    def angles(self) -> NDArray[np.int64]:
        """Offsets (z, y, x) for GLCM, GLDM and NGTDM, shape (A, 3)."""
        return texture_angles(self.shape, self._distances, self._plane)

    @cached_property
    def steps(self) -> NDArray[np.int64]:
        """The same in the flattened padded box, shape (A,); positive, since angles lead forward."""
        return self._flat(self.angles)

    @cached_property
    def run_angles(self) -> NDArray[np.int64]:
        """Offsets at distance 1, for GLRLM, shape (A', 3)."""
        return self.angles if self._distances == (1,) else texture_angles(self.shape, (1,), self._plane)

    @cached_property
    def run_steps(self) -> NDArray[np.int64]:
        """The same in the flattened padded box, shape (A',)."""
        return self._flat(self.run_angles)

    @cached_property
    def touching(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The offsets at distance 1 and their steps, for GLSZM, those along the axes first.

        The voxel right above, if it is like, touches all others that could be.
        """
        order = np.argsort(np.abs(self.run_angles).sum(axis=1), kind="stable")
        return self.run_angles[order], self.run_steps[order]

    @cached_property
    def stretches(self) -> NDArray[np.int64]:
        """Where stretches of voxels begin (see the kernel of this name)."""
        return stretches(self.inside)

    def _flat(self, angles: NDArray[np.int64]) -> NDArray[np.int64]:
        if np.abs(angles).max() > self.pad:
            raise ValueError(f"a border of {self.pad} is too narrow for a distance of {np.abs(angles).max()}")
        _, height, width = self._padded_shape
        return angles @ np.array([height * width, width, 1], np.int64)

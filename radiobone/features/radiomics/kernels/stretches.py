"""Stretches of a padded box that hold voxels of the VOI close together.

What is done for each voxel and each offset is done for whole stretches, voxels outside the VOI included: one
offset is then a plain loop over neighbouring numbers, which processors do many at a time. A VOI that fills little
of its box costs no more than its own voxels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiobone.features.radiomics.kernels.jit import jit

LONGEST = 1024
"""Most voxels in a stretch: few enough to stay in fast memory while all offsets are worked on."""

GAP = 32
"""Voxels of the VOI that are no farther apart than this belong to one stretch."""


@jit
def stretches(inside: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where in `inside` each stretch begins, and at the end the number of voxels.

    Parameters
    ----------
    inside : ndarray of int64, shape (n,)
        Flat indices of the VOI's voxels, ascending.
    """
    firsts = np.empty(inside.size + 1, np.int64)
    n, start, last = 0, 0, -LONGEST - GAP
    for k in range(inside.size):
        here = inside[k]
        if here - last > GAP or here - start >= LONGEST:
            firsts[n] = k
            n += 1
            start = here
        last = here
    firsts[n] = inside.size
    return firsts[: n + 1].copy()

"""One walk over a VOI of one slice: cases of marching squares, and outermost outline points of each row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiobone.features.radiomics.kernels.jit import jit
from radiobone.features.radiomics.kernels.mesh import clear


@jit
def count_squares(
    mask: NDArray[np.uint8], across_x: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count the cases of all squares of four pixels, and find the outermost outline points of each row.

    Parameters
    ----------
    mask : ndarray of uint8, shape (1, y, x)
        1 inside the VOI, 0 outside and in a border of at least one pixel along y and x.
    across_x : ndarray of int32, shape (2, 1, 2 y)
        Is filled with the smallest and the largest X of the points at each Y, all in half pixels.

    Returns
    -------
    counts : ndarray of int64, shape (16,)
        Number of squares of each case: bits 0 to 3 for inner corners (0, 0), (0, 1), (1, 1), (1, 0), as (y, x).
    places : ndarray of int64, shape (16, 2)
        Sums of the first corners (y, x) of these squares.
    """
    clear(across_x)
    counts = np.zeros(16, np.int64)
    places = np.zeros((16, 2), np.int64)
    for y in range(mask.shape[1] - 1):
        for x in range(mask.shape[2] - 1):
            corner = mask[0, y + 1, x]
            case = mask[0, y, x] | (mask[0, y, x + 1] << 1) | (mask[0, y + 1, x + 1] << 2) | (corner << 3)
            counts[case] += 1
            places[case, 0] += y
            places[case, 1] += x
            if mask[0, y, x] != corner:
                widen(2 * y + 1, 2 * x, across_x)
            if mask[0, y + 1, x + 1] != corner:
                widen(2 * y + 2, 2 * x + 1, across_x)
    return counts, places


@jit
def widen(y: int, x: int, across_x: NDArray[np.int32]) -> None:
    """Widen a row so that it holds a point."""
    across_x[0, 0, y] = min(across_x[0, 0, y], x)
    across_x[1, 0, y] = max(across_x[1, 0, y], x)

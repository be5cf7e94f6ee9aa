"""The directions in which texture matrices compare voxels, in PyRadiomics' order.

Distance is that of the infinity norm: at distance 2 lie all offsets whose largest part is 2, 98 in 3D. Of each
offset and its opposite one is kept, the one that leads forward in raster order; matrices that look all round use
both. Defined by `generate_angles` of PyRadiomics 3.0.1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import EngineError, UsageError


def texture_angles(
    shape: tuple[int, int, int], distances: Sequence[int] = (1,), force_2d_dimension: int | None = None
) -> NDArray[np.int64]:
    """Return the offsets between voxels that texture is counted at.

    Parameters
    ----------
    shape : tuple of int
        Shape of the VOI's tight box, (z, y, x). An offset that is as long as the box along any axis finds no
        neighbour and is left out; so a box that is one voxel thick has the 4 directions of its plane.
    distances : sequence of int, default (1,)
        Distances to the neighbours in voxels, each at least 1, none twice.
    force_2d_dimension : int, optional
        The axis (0 for z) across which voxels are not compared, for matrices that are counted plane by plane.

    Returns
    -------
    ndarray of int64, shape (A, 3)
        Offsets (z, y, x), from the largest to the smallest: (1, 1, 1) is the first, (0, 0, 1) the last of 13.

    Raises
    ------
    UsageError
        If a distance is below 1 or given twice, or the axis is not 0, 1 or 2. (Given one twice, PyRadiomics
        repeats the list of angles from its start until it has twice as many.)
    EngineError
        If the box is too small for any offset. PyRadiomics fails there, too.

    Examples
    --------
    >>> texture_angles((5, 5, 1))
    array([[ 1,  1,  0],
           [ 1,  0,  0],
           [ 1, -1,  0],
           [ 0,  1,  0]])
    """
    if not distances or min(distances) < 1 or len(set(distances)) < len(distances):
        raise UsageError(
            "distances cannot be used", got=list(distances), expected="whole numbers from 1 on, none of them twice"
        )
    if force_2d_dimension not in (None, 0, 1, 2):
        raise UsageError(
            "force2Ddimension is not an axis", got=force_2d_dimension, expected="0 (z), 1 (y) or 2 (x)"
        )
    reach = [min(max(distances), size - 1) for size in shape]
    if force_2d_dimension is not None:
        reach[force_2d_dimension] = 0
    offsets = np.indices([2 * r + 1 for r in reach]).reshape(3, -1).T
    forward = np.array(reach) - offsets[: len(offsets) // 2]
    angles = forward[np.isin(np.abs(forward).max(axis=1, initial=0), distances)]
    if not len(angles):
        raise EngineError(
            "no voxel of the VOI can have a neighbour",
            got=f"a box of {' x '.join(map(str, shape))} voxels (z, y, x)",
            expected=f"a longer side than {min(distances)}, along an axis that is compared",
            do="check distances, force2D and force2Ddimension, or leave this VOI out",
        )
    return np.ascontiguousarray(angles, np.int64)

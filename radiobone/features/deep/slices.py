"""Which slices of a view are shown."""

from __future__ import annotations

import numpy as np

from radiobone.features.deep.body import Body
from radiobone.features.deep.params import DeepParams


def chosen_slices(body: Body, axis: int, params: DeepParams) -> list[int]:
    """Return the slices of one view, ascending.

    Parameters
    ----------
    body : Body
        The scan and the VOI.
    axis : int
        The axis across which slices lie: 0 (z) of axial ones, 1 (y) of coronal and 2 (x) of sagittal ones.
    params : DeepParams
        Which ones are wanted.

    Returns
    -------
    list of int
        Slices of the scan, each of which holds a part of the VOI. Of slices with the same, largest area it is the
        one nearest to the middle. Where the VOI fills fewer slices than are wanted, each is there once.
    """
    # All slices of a scan have voxels of one size, so that the count of voxels stands for the area in mm².
    areas = np.count_nonzero(body.voi, axis=tuple(other for other in range(3) if other != axis))
    filled = np.flatnonzero(areas)
    first = int(body.box[axis].start)
    if params.slices == "largest":
        largest = np.flatnonzero(areas == areas.max())
        return [first + int(largest[np.argmin(np.abs(2 * largest - (len(areas) - 1)))])]
    wanted = params.n_slices if params.slices == "even" else 1
    return [first + int(number) for number in np.unique(filled[evenly(wanted, len(filled))])]


def middle_slice(body: Body, axis: int) -> int:
    """Return the slice through the middle of the VOI's box; of two the one nearer to the head, back or left.

    Parameters
    ----------
    body : Body
        The scan and the VOI.
    axis : int
        The axis across which slices lie.
    """
    box = body.box[axis]
    return int(box.start + box.stop) // 2


def evenly(n_wanted: int, n_there: int) -> list[int]:
    """Cut a row into equal parts and return the middle of each, counted from 0.

    Parameters
    ----------
    n_wanted : int
        Number of parts.
    n_there : int
        Length of the row.

    Examples
    --------
    >>> evenly(1, 9), evenly(3, 9)
    ([4], [1, 4, 7])
    """
    return [(2 * part + 1) * n_there // (2 * n_wanted) for part in range(n_wanted)]

"""First-order features: what the histogram of a VOI says, wherever its voxels stand.

Definitions are those of PyRadiomics 3.0.1 (and, but for Kurtosis, which is 3 for a normal distribution, of
IBSI, doi:10.1148/radiol.2020191145). All but Entropy and Uniformity look at the voxels themselves, before
grey levels are made.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import EngineError
from radiobone.features.radiomics.catalogue import FEATURES
from radiobone.features.radiomics.kernels.firstorder import (
    deviation_between,
    keep_between,
    order_statistics,
    power_sums,
)
from radiobone.features.radiomics.native.levels import VoiGrid

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)


def first_order_features(
    image: NDArray[Any],
    mask: NDArray[Any],
    spacing_mm: tuple[float, float, float],
    *,
    bin_width: float = 25,
    bin_count: int | None = None,
    voxel_array_shift: float = 0,
) -> dict[str, float]:
    """Compute all first-order features of a VOI.

    Parameters
    ----------
    image : ndarray of shape (z, y, x)
        In its own pixel type; finite inside the VOI.
    mask : ndarray of shape (z, y, x)
        Not 0 inside the VOI.
    spacing_mm : tuple of float
        Size of a voxel along (z, y, x).
    bin_width : float, default 25
        Width of a bin of grey levels (Entropy, Uniformity), in the unit of the image.
    bin_count : int, optional
        Number of bins over the range of the VOI; takes the place of `bin_width`.
    voxel_array_shift : float, default 0
        Added to every voxel for Energy, TotalEnergy and RootMeanSquared.

    Returns
    -------
    dict of str to float
        By the names of `catalogue.FEATURES`, in its order. RobustMeanAbsoluteDeviation is NaN where no voxel lies
        between the 10th and the 90th percentile, as between the only two of a VOI.

    Raises
    ------
    ValueError
        If image and mask differ in shape.
    EngineError
        If the mask is empty, or there would be too many grey levels.

    Examples
    --------
    >>> image = np.array([[[1, 2, 3, 4, 10]]])
    >>> found = first_order_features(image, np.ones((1, 1, 5)), (2.0, 1.0, 1.0))
    >>> found["Mean"], found["Median"], found["Energy"], found["TotalEnergy"]
    (4.0, 3.0, 130.0, 260.0)
    """
    grid = VoiGrid.of(mask)
    values = grid.gather(image)
    grey = grid.discretise(values, bin_width=bin_width, bin_count=bin_count, dtype=image.dtype)
    depth, height, width = spacing_mm
    vector = first_order_vector(
        values, grey.counts, voxel_volume_mm3=width * height * depth, voxel_array_shift=voxel_array_shift
    )
    return dict(zip(FEATURES["firstorder"], vector.tolist(), strict=True))


def first_order_vector(
    values: NDArray[np.float64],
    counts: NDArray[np.int64],
    *,
    voxel_volume_mm3: float,
    voxel_array_shift: float = 0,
) -> NDArray[np.float64]:
    """Compute all first-order features from voxels and from the counts of their grey levels.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        The voxels of the VOI, finite, in raster order.
    counts : ndarray of int64, shape (G,)
        Number of voxels of each grey level that occurs (`GreyLevels.counts`).
    voxel_volume_mm3 : float
        Volume of a voxel, for TotalEnergy.
    voxel_array_shift : float, default 0
        Added to every voxel for Energy, TotalEnergy and RootMeanSquared.

    Returns
    -------
    ndarray of float64, shape (19,)
        In the order of ``catalogue.FEATURES["firstorder"]``.

    Raises
    ------
    EngineError
        If there is no voxel.
    """
    n = values.size
    if n == 0:
        raise EngineError("the VOI is empty", got="0 voxels", expected="at least 1")
    values = np.require(values, np.float64, ["C", "W"])  # numba would compile anew for a read-only array
    minimum, maximum = float(values.min()), float(values.max())
    p10, p25, median, p75, p90 = _percentiles(values, minimum, maximum)
    # NumPy's own sum, as in PyRadiomics: in a constant VOI the last bit of the mean makes Skewness 0, 1 or -1
    mean = float(values.sum()) / n
    absolute, squares, cubes, fourth, energy = power_sums(values, mean, float(voxel_array_shift)).tolist()
    variance = math.sqrt(squares / n) ** 2
    spread = squares / n or 1.0
    shares = counts / counts.sum()
    return np.array(
        [
            p10,
            p90,
            energy,
            -np.sum(shares * np.log2(shares + np.spacing(1))),
            p75 - p25,
            fourth / n / spread**2,
            maximum,
            absolute / n,
            mean,
            median,
            minimum,
            maximum - minimum,
            _robust_deviation(values, p10, p90),
            math.sqrt(energy / n),
            cubes / n / spread**1.5,
            math.sqrt(squares / n),
            energy * voxel_volume_mm3,
            np.sum(shares**2),
            variance,
        ]
    )


def _percentiles(values: NDArray[np.float64], minimum: float, maximum: float) -> list[float]:
    """Return the percentiles of `QUANTILES`, interpolated linearly with `numpy.percentile`'s roundings."""
    last = values.size - 1
    places = [last * quantile for quantile in QUANTILES]
    lower = [math.floor(place) for place in places]
    ranks = sorted({*lower, *(min(rank + 1, last) for rank in lower)})
    chosen = order_statistics(values, minimum, maximum, np.array(ranks, dtype=np.int64)).tolist()
    at = dict(zip(ranks, chosen, strict=True))
    below, above = [at[rank] for rank in lower], [at[min(rank + 1, last)] for rank in lower]
    found = []
    for low, high, place, rank in zip(below, above, places, lower, strict=True):
        share = place - rank
        step = high - low
        found.append(high - step * (1 - share) if share >= 0.5 else low + step * share)
    if last % 2:
        found[2] = (below[2] + above[2]) / 2
    return found


def _robust_deviation(values: NDArray[np.float64], p10: float, p90: float) -> float:
    """Return the mean distance from the mean of what lies between two percentiles, NaN where nothing does."""
    kept, n_kept = keep_between(values, p10, p90)
    if n_kept == 0:
        return math.nan
    return deviation_between(values, p10, p90, float(kept.sum()) / n_kept) / n_kept

"""Laplacian of Gaussian with the bits of ITK's recursive filter, computed only where a box needs it.

PyRadiomics calls SimpleITK's ``LaplacianRecursiveGaussian`` with normalisation across scale. That filter stands
for the Gaussian and its second derivative by fourth-order recursions (G. Farnebäck and C.-F. Westin, Improving
Deriche-style recursive Gaussian filters, J. Math. Imaging Vis. 26, 2006), one axis after the other, and rounds
each axis' result to single precision. Here the same sums are made in the same order.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import EngineError
from radiobone.features.radiomics.crops import log_sigmas, log_voxels
from radiobone.features.radiomics.kernels.gaussian import FEWEST, LANES, laplacian
from radiobone.features.radiomics.native.boxes import check_inside
from radiobone.features.radiomics.whole import bound
from radiobone.imaging.volumes import Box

_PHASES = (0.6681, 2.0787)
_DECAYS = (-1.3932, -1.3732)
_GAUSSIAN = ((1.3530, 1.8151), (-0.3531, 0.0902))
_SECOND = ((-1.3563, 5.2318), (0.3446, -2.2355))
"""Frequencies, decays and weights of the two damped waves that stand for the Gaussian and its derivative."""

_LINE = 8
"""Numbers in a cache line."""

_EXACT = {np.dtype(np.int16), np.dtype(np.float32), np.dtype(np.float64)}
"""Pixel types that the kernels read as they are."""


def log_of_box(
    image: NDArray[Any],
    box: Box,
    spacing_mm: tuple[float, float, float],
    sigma_mm: float,
    n_sigma: float | None = None,
) -> NDArray[np.float32]:
    """Return the Laplacian of Gaussian of an image inside a box.

    Parameters
    ----------
    image : ndarray of shape (z, y, x)
        The whole region, or a crop that goes `n_sigma` beyond the box or as far as the region goes, and begins
        and ends an even number of voxels from its border. Finite numbers; C-contiguous int16, float32 and float64
        are read where they lie. At least 4 voxels along each axis.
    box : Box
        The wanted voxels, not empty and inside the image.
    spacing_mm : tuple of float
        Along (z, y, x).
    sigma_mm : float
        Standard deviation of the Gaussian, above 0. PyRadiomics also wants at least ``ceil(sigma / spacing) + 1``
        voxels along each axis of the whole image.
    n_sigma : float, optional
        How far the filter reads, in sigma: a voxel's distances from the box along the three axes add up to this
        at most. By default what the values in ``image`` need (see `crops.log_sigmas`).

    Returns
    -------
    ndarray of float32, shape of the box
        In the unit of the image: the Laplacian (per mm²) of the smoothed image, times ``sigma_mm ** 2``.

    Raises
    ------
    EngineError
        If an axis has fewer than 4 voxels or the box is empty or not inside the image.

    Examples
    --------
    >>> plane = np.tile(np.arange(12.0), (12, 12, 1))
    >>> log_of_box(plane, (slice(5, 6), slice(5, 6), slice(5, 7)), (1.0, 1.0, 1.0), 0.5).round(6) + 0
    array([[[0., 0.]]], dtype=float32)
    """
    _check(image, box)
    reach = log_voxels(log_sigmas(bound(image)) if n_sigma is None else n_sigma, sigma_mm, spacing_mm)
    # Rounding errors can swing between two values from voxel to voxel: an even number of them is left out.
    lows = [max(part.start - far, 0) // 2 * 2 for part, far in zip(box, reach, strict=True)]
    highs = [
        size - max(size - part.stop - far, 0) // 2 * 2
        for part, far, size in zip(box, reach, image.shape, strict=True)
    ]
    if image.dtype not in _EXACT or not image.flags.c_contiguous:
        z, y, x = (slice(low, high) for low, high in zip(lows, highs, strict=True))
        image = np.ascontiguousarray(image[z, y, x], dtype=_exact_type(image.dtype))
        origin = [0, 0, 0]
    else:
        origin = lows
    strides = [image.shape[1] * image.shape[2], image.shape[2], 1]
    begin = sum(start * stride for start, stride in zip(origin, strides, strict=True))
    voxels: NDArray[np.float32] = laplacian(
        image.reshape(-1)[begin:],
        np.array(strides),
        np.array(highs) - np.array(lows),
        np.array([part.start for part in box]) - np.array(lows),
        np.array([part.stop for part in box]) - np.array(lows),
        np.array(reach),
        np.array([second_derivative(sigma_mm, spacing).flat() for spacing in spacing_mm]),
        np.array([gaussian(sigma_mm, spacing).flat() for spacing in spacing_mm]),
        np.array([float(spacing) * float(spacing) for spacing in spacing_mm]),
        _aligned_blocks(max(high - low for low, high in zip(lows, highs, strict=True))),
    )
    return voxels


class Recursion(NamedTuple):
    """Coefficients of a symmetric recursive filter, four of each kind, by ITK's names.

    The forward pass is ``y[i] = Σ N[k] x[i-k] - Σ D[k] y[i-1-k]``, the backward pass
    ``w[i] = Σ M[k] x[i+1+k] - Σ D[k] w[i+1+k]``, and the response is their sum. ``BN`` and ``BM`` take the
    place of ``D`` for samples beyond the ends of a line, where the input stands for the output.
    """

    N: list[float]
    D: list[float]
    M: list[float]
    BN: list[float]
    BM: list[float]

    def flat(self) -> list[float]:
        """Return all twenty coefficients in the order N, D, M, BN, BM."""
        return [*self.N, *self.D, *self.M, *self.BN, *self.BM]


def gaussian(sigma_mm: float, spacing_mm: float) -> Recursion:
    """Return the recursion that stands for a Gaussian of unit sum.

    Parameters
    ----------
    sigma_mm, spacing_mm : float
        Standard deviation, and distance of the samples.
    """
    width = sigma_mm / spacing_mm
    denominator = _denominator(width)
    numerator = _numerator(width, _GAUSSIAN)
    scale = 1.0 / (2 * _moments(numerator)[0] / _with_one(denominator)[0] - numerator[0])
    return _recursion([value * scale for value in numerator], denominator)


def second_derivative(sigma_mm: float, spacing_mm: float) -> Recursion:
    """Return the recursion that stands for the second derivative of a Gaussian, times ``sigma_mm ** 2``.

    Parameters
    ----------
    sigma_mm, spacing_mm : float
        Standard deviation, and distance of the samples. The derivative is by samples, not by mm.

    Notes
    -----
    So much of the Gaussian itself is mixed in that a constant gives 0, and the scale is such that a parabola gives
    its second derivative.
    """
    width = sigma_mm / spacing_mm
    denominator = _denominator(width)
    sd, dd, ed = _with_one(denominator)
    smooth = _numerator(width, _GAUSSIAN)
    curved = _numerator(width, _SECOND)
    s0, d0, e0 = _moments(smooth)
    s2, d2, e2 = _moments(curved)
    beta = -(2 * s2 - sd * curved[0]) / (2 * s0 - sd * smooth[0])
    numerator = [high + beta * low for high, low in zip(curved, smooth, strict=True)]
    sn, dn, en = s2 + beta * s0, d2 + beta * d0, e2 + beta * e0
    alpha = en * sd * sd - ed * sn * sd - 2 * dn * dd * sd + 2 * dd * dd * sn
    alpha /= sd * sd * sd
    scale = sigma_mm * sigma_mm / alpha
    return _recursion([value * scale for value in numerator], denominator)


def _waves(width: float) -> tuple[list[float], list[float], list[float]]:
    """Return sines, cosines and decays of the two waves, from one sample to the next."""
    sines = [math.sin(phase / width) for phase in _PHASES]
    cosines = [math.cos(phase / width) for phase in _PHASES]
    return sines, cosines, [math.exp(decay / width) for decay in _DECAYS]


def _denominator(width: float) -> list[float]:
    _, (cos1, cos2), (exp1, exp2) = _waves(width)
    third = -2 * cos1 * exp1 * exp2 * exp2
    third += -2 * cos2 * exp2 * exp1 * exp1
    second = 4 * cos2 * cos1 * exp1 * exp2
    second += exp1 * exp1 + exp2 * exp2
    return [-2 * (exp2 * cos2 + exp1 * cos1), second, third, exp1 * exp1 * exp2 * exp2]


def _numerator(width: float, weights: tuple[tuple[float, float], tuple[float, float]]) -> list[float]:
    (sin1, sin2), (cos1, cos2), (exp1, exp2) = _waves(width)
    (a1, b1), (a2, b2) = weights
    first = exp2 * (b2 * sin2 - (a2 + 2 * a1) * cos2)
    first += exp1 * (b1 * sin1 - (a1 + 2 * a2) * cos1)
    second = (a1 + a2) * cos2 * cos1
    second -= b1 * cos2 * sin1 + b2 * cos1 * sin2
    second *= 2 * exp1 * exp2
    second += a2 * exp1 * exp1 + a1 * exp2 * exp2
    third = exp2 * exp1 * exp1 * (b2 * sin2 - a2 * cos2)
    third += exp1 * exp2 * exp2 * (b1 * sin1 - a1 * cos1)
    return [a1 + a2, first, second, third]


def _moments(numerator: list[float]) -> tuple[float, float, float]:
    """Return the sums of coefficients, of coefficients times their index, and times its square."""
    n0, n1, n2, n3 = numerator
    return n0 + n1 + n2 + n3, n1 + 2 * n2 + 3 * n3, n1 + 4 * n2 + 9 * n3


def _with_one(denominator: list[float]) -> tuple[float, float, float]:
    """Return the same three sums of the denominator, whose coefficient of index 0 is 1."""
    d1, d2, d3, d4 = denominator
    return 1.0 + d1 + d2 + d3 + d4, d1 + 2 * d2 + 3 * d3 + 4 * d4, d1 + 4 * d2 + 9 * d3 + 16 * d4


def _recursion(numerator: list[float], denominator: list[float]) -> Recursion:
    """Add the backward pass and the ends of the lines to a symmetric filter's forward pass."""
    n0, n1, n2, n3 = numerator
    d1, d2, d3, d4 = denominator
    backward = [n1 - d1 * n0, n2 - d2 * n0, n3 - d3 * n0, -d4 * n0]
    m1, m2, m3, m4 = backward
    sn, sm, sd = n0 + n1 + n2 + n3, m1 + m2 + m3 + m4, _with_one(denominator)[0]
    return Recursion(
        numerator,
        denominator,
        backward,
        [value * sn / sd for value in denominator],
        [value * sm / sd for value in denominator],
    )


def _aligned_blocks(samples: int) -> NDArray[np.float64]:
    """Return room for three blocks of lines whose rows begin at cache lines, which saves a third of the time."""
    rows = samples + 2 * FEWEST
    raw = np.zeros(3 * rows * LANES + _LINE)
    skipped = -(raw.ctypes.data // raw.itemsize) % _LINE
    return raw[skipped : skipped + 3 * rows * LANES].reshape(3, rows, LANES)


def _exact_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the smallest type of the kernels that holds every value of a pixel type."""
    if dtype in _EXACT:
        return dtype
    return np.dtype(np.float32) if np.can_cast(dtype, np.float32) else np.dtype(np.float64)


def _check(image: NDArray[Any], box: Box) -> None:
    if min(image.shape) < FEWEST:
        raise EngineError(
            "the image is too small for the Laplacian of Gaussian",
            got=" x ".join(str(size) for size in image.shape[::-1]) + " voxels (x, y, z)",
            expected=f"at least {FEWEST} along each axis",
            do="leave LoG out of imageType, or take the whole image",
        )
    check_inside(box, image.shape)

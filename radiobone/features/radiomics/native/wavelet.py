"""Stationary wavelet images with the bits of PyWavelets, computed only where a box needs them.

PyRadiomics filters the whole image by the low and the high pass of a wavelet along x, y and z in turn, and
repeats this, undilated, on the approximation. Beyond the last voxel of an axis comes the first one again, after
an odd axis has been made even by a copy of its first voxel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.features.radiomics.crops import circumference, on_circle
from radiobone.features.radiomics.kernels.stationary import along_lines, along_rows
from radiobone.features.radiomics.native.boxes import check_inside
from radiobone.features.radiomics.region import Indices
from radiobone.imaging.volumes import Box, relative

Voxels = NDArray[np.floating[Any]]
Spans = Box
"""Voxels along (z, y, x) on the circle that each axis is; they may lie below 0 or beyond its last one."""


def wavelet_images(
    image: NDArray[Any],
    box: Box,
    *,
    wavelet: str = "coif1",
    level: int = 1,
    start_level: int = 0,
    flat_axis: int | None = None,
) -> Iterator[tuple[str, Voxels]]:
    """Yield each wavelet image inside a box, with its name, in PyRadiomics' order.

    Parameters
    ----------
    image : ndarray of shape (z, y, x)
        The whole region, which is taken as periodic, or a crop whose ends may be joined because they lie out of
        the box's reach (see `crops.wavelet_crop`). Finite numbers.
    box : Box
        The wanted voxels, not empty and inside the image.
    wavelet : str
        Name of a discrete wavelet of PyWavelets.
    level : int
        How many depths are yielded, each the transform of the one before's approximation; at least 1.
    start_level : int
        How many depths are skipped before.
    flat_axis : int, optional
        An axis (0 for z) that is not transformed: PyRadiomics' ``force2Ddimension`` with ``force2D``.

    Yields
    ------
    name : str
        Such as ``wavelet-LLH`` or ``wavelet2-HLL``; the letters stand for the axes x, y, z in this order.
    voxels : ndarray of the box's shape
        float32 if the image is float32, else float64, as PyWavelets has it. The details of each depth come
        first, the approximation of the last depth comes last.

    Raises
    ------
    EngineError
        If the box is empty or not inside the image.

    Examples
    --------
    >>> box = (slice(1, 3), slice(1, 3), slice(1, 3))
    >>> [name for name, _ in wavelet_images(np.ones((4, 4, 4)), box, wavelet="haar", flat_axis=0)]
    ['wavelet-LH', 'wavelet-HL', 'wavelet-HH', 'wavelet-LL']
    """

    def take(indices: Indices) -> NDArray[Any]:
        return image[np.ix_(*indices)]

    return periodic_images(
        take, image.shape, box, wavelet=wavelet, level=level, start_level=start_level, flat_axis=flat_axis
    )


def periodic_images(
    take: Callable[[Indices], NDArray[Any]],
    shape: tuple[int, ...],
    box: Box,
    *,
    wavelet: str = "coif1",
    level: int = 1,
    start_level: int = 0,
    flat_axis: int | None = None,
) -> Iterator[tuple[str, Voxels]]:
    """Yield the same as `wavelet_images` of an image that is asked for no more than it needs to give.

    Parameters
    ----------
    take : callable
        Takes indices along (z, y, x), in any order and some of them often, and gives the voxels at all their
        combinations. It is called once, at the first image.
    shape : tuple of int
        Number of voxels of the whole image along (z, y, x).
    box : Box
        The wanted voxels, not empty and inside the image.
    wavelet, level, start_level, flat_axis
        See `wavelet_images`.

    Yields
    ------
    name, voxels
        See `wavelet_images`.

    Raises
    ------
    EngineError
        If the box is empty or not inside the image.
    """
    check_inside(box, shape)
    axes = [axis for axis in (2, 1, 0) if axis != flat_axis]
    depths = start_level + level
    n_taps = _n_taps(wavelet)
    spans = _widened(box, axes, n_taps, depths)
    z, y, x = (on_circle(np.arange(span.start, span.stop), size) for span, size in zip(spans, shape, strict=True))
    voxels = take((z, y, x))
    voxels = voxels.astype(np.float32 if voxels.dtype == np.float32 else np.float64, copy=False)
    passes = _taps(wavelet, voxels.dtype)
    circles = [circumference(size) for size in shape]
    for depth in range(depths):
        held, spans = spans, _widened(box, axes, n_taps, depths - 1 - depth)
        last = depth == depths - 1
        stem = f"wavelet{depth - start_level + 1}" if depth > start_level else "wavelet"
        inner = relative(box, spans)
        for letters, band in _bands(voxels, held, spans, axes, circles, passes, details=depth >= start_level):
            if "H" in letters:
                yield f"{stem}-{letters}", np.ascontiguousarray(band[inner])
            else:
                approximation = band
        voxels = approximation
        if last:
            yield f"{stem}-{'L' * len(axes)}", voxels


def _bands(
    voxels: Voxels,
    held: Spans,
    spans: Spans,
    axes: list[int],
    circles: list[int],
    passes: dict[str, Voxels],
    *,
    details: bool,
) -> Iterator[tuple[str, Voxels]]:
    """Yield the bands of one depth, the approximation first; a pass that bands share is computed once."""
    kept: list[tuple[str, Voxels]] = [("", voxels)]
    for letters in product("LH", repeat=len(axes)) if details else [("L",) * len(axes)]:
        band = "".join(letters)
        while not band.startswith(kept[-1][0]):
            kept.pop()
        for axis, letter in zip(axes[len(kept) - 1 :], letters[len(kept) - 1 :], strict=True):
            done, source = kept[-1]
            kept.append(
                (done + letter, _filtered(source, axis, held[axis], spans[axis], circles[axis], passes[letter]))
            )
        yield kept.pop()


def _filtered(source: Voxels, axis: int, held: slice, span: slice, circle: int, taps: Voxels) -> Voxels:
    """Filter along one axis; the axis then covers ``span`` instead of ``held``."""
    half = taps.size // 2
    # Outputs that reach beyond the end of the circle, and how many of their taps do.
    turned = np.maximum(np.arange(span.start, span.stop) % circle + half - circle + 1, 0)
    offset = span.start + half - held.start
    shape = list(source.shape)
    shape[axis] = n = span.stop - span.start
    out: Voxels = np.empty(shape, dtype=source.dtype)
    if axis == 2:
        along_lines(source.reshape(-1, source.shape[2]), offset, taps, turned, out.reshape(-1, n))
    else:
        outer, inner = (source.shape[0], source.shape[2]) if axis == 1 else (1, source.shape[1] * source.shape[2])
        along_rows(
            source.reshape(outer, source.shape[axis], inner), offset, taps, turned, out.reshape(outer, n, inner)
        )
    return out


def _widened(box: Box, axes: list[int], n_taps: int, depths: int) -> Spans:
    """Return what the transforms of so many further depths read for a box."""
    half = n_taps // 2
    z, y, x = (
        slice(part.start - depths * (n_taps - 1 - half), part.stop + depths * half)
        if axis in axes
        else slice(part.start, part.stop)
        for axis, part in enumerate(box)
    )
    return z, y, x


def _n_taps(wavelet: str) -> int:
    import pywt

    taps: int = pywt.Wavelet(wavelet).dec_len
    return taps


def _taps(wavelet: str, dtype: np.dtype[Any]) -> dict[str, Voxels]:
    """Return the low (L) and high (H) pass of a wavelet as PyWavelets has them in one precision.

    The single-precision taps of some wavelets are not those of double precision, rounded; so they are read off
    the transform of an impulse.
    """
    import pywt

    discrete = pywt.Wavelet(wavelet)
    impulse = np.zeros(discrete.dec_len, dtype=dtype)
    impulse[discrete.dec_len // 2] = 1
    [(low, high)] = pywt.swt(impulse, discrete, level=1)
    return {"L": low, "H": high}

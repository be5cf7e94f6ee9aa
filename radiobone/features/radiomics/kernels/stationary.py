"""The stationary wavelet transform along one axis, with the sums of PyWavelets in their order.

An output is the sum of the taps times the voxels from half a filter ahead of it to half a filter behind it, the
first tap first. Where the voxels ahead lie beyond the end of the image, which is periodic, PyWavelets adds those
that it finds at the image's beginning in reverse order; ``turned`` counts them for each output.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.features.radiomics.kernels.jit import jit

Voxels = NDArray[Any]


@jit
def along_rows(source: Voxels, offset: int, taps: Voxels, turned: NDArray[np.int64], out: Voxels) -> None:
    """Filter along the middle axis of an array of shape (a, n, b) into one of shape (a, m, b).

    The first tap of output 0 meets voxel ``offset``, the others those before it. Voxels, taps and outputs are
    all float64 or all float32, and so are the sums.
    """
    for a in range(out.shape[0]):
        for i in range(out.shape[1]):
            row = out[a, i]
            row[:] = 0
            for k in range(taps.size):
                tap = turned[i] - 1 - k if k < turned[i] else k
                weight = taps[tap]
                voxels = source[a, i + offset - tap]
                for b in range(row.size):
                    row[b] += weight * voxels[b]


@jit
def along_lines(source: Voxels, offset: int, taps: Voxels, turned: NDArray[np.int64], out: Voxels) -> None:
    """Filter along the last axis of an array of shape (a, n) into one of shape (a, m); see `along_rows`."""
    for a in range(out.shape[0]):
        line = out[a]
        voxels = source[a]
        line[:] = 0
        for k in range(taps.size):
            weight = taps[k]
            ahead = voxels[offset - k :]
            for i in range(line.size):
                line[i] += weight * ahead[i]
        for i in range(line.size):
            if turned[i] > 0:
                line[i] = 0
                for k in range(taps.size):
                    tap = turned[i] - 1 - k if k < turned[i] else k
                    line[i] += taps[tap] * voxels[i + offset - tap]

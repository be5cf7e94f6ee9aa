"""ITK's recursive Gaussian filters and the Laplacian that is built of them, for a box inside an image.

Every sum keeps the order in which ITK adds, and every pass rounds to single precision as ITK's does, so a
voxel whose lines are long enough has ITK's very bits. A pass filters lines side by side in blocks of `LANES`, with
the lanes innermost in memory: the recursion along a line cannot be put into vector instructions, the lanes can.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.features.radiomics.kernels.jit import jit

LANES = 72
"""Most lines that are filtered side by side; so many numbers fill a whole and odd number of cache lines."""

FEWEST = 4
"""The least number of voxels of a line, and the least margin that is kept on either side of what is wanted."""

Flat = NDArray[Any]
Block = NDArray[np.float64]


@jit
def recurse(
    x: Block, causal: Block, anticausal: Block, n: int, first: int, stop: int, lanes: int, c: NDArray[np.float64]
) -> None:
    """Filter the first ``lanes`` lines of a block forwards up to ``stop`` and backwards down to ``first``.

    Row ``i + 4`` of each array of shape (rows, LANES) is sample ``i``; the response is the sum of the rows of
    ``causal`` and ``anticausal``. ``c`` holds ITK's coefficients N, D, M, BN and BM, four of each. Beyond its
    ends a line goes on with the value at the end.
    """
    lanes = min(lanes, LANES)
    for k in range(FEWEST):
        for lane in range(lanes):
            x[k, lane] = x[FEWEST, lane]
            x[n + FEWEST + k, lane] = x[n + FEWEST - 1, lane]
            causal[k, lane] = x[FEWEST, lane]
            anticausal[n + FEWEST + k, lane] = x[n + FEWEST - 1, lane]
    c0, c1, c2, c3 = c[0], c[1], c[2], c[3]
    for i in range(stop):
        d1 = c[4] if i > 0 else c[12]
        d2 = c[5] if i > 1 else c[13]
        d3 = c[6] if i > 2 else c[14]
        d4 = c[7] if i > 3 else c[15]
        for lane in range(lanes):
            causal[i + 4, lane] = (
                x[i + 4, lane] * c0 + x[i + 3, lane] * c1 + x[i + 2, lane] * c2 + x[i + 1, lane] * c3
            ) - (
                causal[i + 3, lane] * d1
                + causal[i + 2, lane] * d2
                + causal[i + 1, lane] * d3
                + causal[i, lane] * d4
            )
    c0, c1, c2, c3 = c[8], c[9], c[10], c[11]
    for i in range(n - 1, first - 1, -1):
        d1 = c[4] if i < n - 1 else c[16]
        d2 = c[5] if i < n - 2 else c[17]
        d3 = c[6] if i < n - 3 else c[18]
        d4 = c[7] if i < n - 4 else c[19]
        for lane in range(lanes):
            anticausal[i + 4, lane] = (
                x[i + 5, lane] * c0 + x[i + 6, lane] * c1 + x[i + 7, lane] * c2 + x[i + 8, lane] * c3
            ) - (
                anticausal[i + 5, lane] * d1
                + anticausal[i + 6, lane] * d2
                + anticausal[i + 7, lane] * d3
                + anticausal[i + 8, lane] * d4
            )


@jit
def gather(source: Flat, base: int, along: int, across: int, n: int, lanes: int, x: Block) -> None:
    """Copy lines of ``n`` voxels into the rows of a block; either the lanes or the lines lie without gaps."""
    if across == 1:
        for i in range(n):
            start = base + i * along
            row = source[start : start + lanes]
            for lane in range(lanes):
                x[i + FEWEST, lane] = row[lane]
    else:
        for lane in range(lanes):
            start = base + lane * across
            line = source[start : start + n]
            for i in range(n):
                x[i + FEWEST, lane] = line[i]


@jit
def outside(position: int, first: int, stop: int) -> int:
    """Return how many voxels a position lies outside a range."""
    return max(first - position, position - stop + 1, 0)


@jit
def filter_plane(
    source: Flat,
    base: int,
    along: int,
    across: int,
    n: int,
    first: int,
    stop: int,
    reach: int,
    lanes_from: int,
    lanes_to: int,
    lanes_first: int,
    lanes_stop: int,
    lanes_reach: int,
    share: float,
    c: NDArray[np.float64],
    target: NDArray[np.float32],
    target_base: int,
    target_along: int,
    x: Block,
    causal: Block,
    anticausal: Block,
) -> None:
    """Filter lines ``lanes_from`` to ``lanes_to`` of a plane, and write samples ``first`` to ``stop`` of each.

    A line is read from ``reach`` voxels before ``first`` to as many behind ``stop``, within 0 to ``n``. The reach
    shrinks by the part of ``share`` that the lane's own distance from its wanted range uses up.
    """
    n_blocks = (lanes_to - lanes_from + LANES - 1) // LANES
    width = ((lanes_to - lanes_from + n_blocks - 1) // n_blocks + 7) // 8 * 8
    for lane in range(lanes_from, lanes_to, width):
        lanes = min(width, lanes_to - lane)
        distance = 0
        if lane >= lanes_stop:
            distance = outside(lane, lanes_first, lanes_stop)
        elif lane + lanes <= lanes_first:
            distance = outside(lane + lanes - 1, lanes_first, lanes_stop)
        margin = max(int(reach * (share - distance / lanes_reach)), FEWEST)
        # An even number of voxels is left out, lest rounding errors that swing to and fro arrive out of step.
        start = max(first - margin, 0) // 2 * 2
        end = n - max(n - stop - margin, 0) // 2 * 2
        gather(source, base + start * along + lane * across, along, across, end - start, lanes, x)
        recurse(x, causal, anticausal, end - start, first - start, stop - start, (lanes + 7) // 8 * 8, c)
        for i in range(first, stop):
            row = i - start + FEWEST
            begin = target_base + (i - first) * target_along + lane
            written = target[begin : begin + lanes]
            for k in range(lanes):
                written[k] = np.float32(causal[row, k] + anticausal[row, k])


@jit
def laplacian(
    image: Flat,
    strides: NDArray[np.int64],
    size: NDArray[np.int64],
    first: NDArray[np.int64],
    stop: NDArray[np.int64],
    reach: NDArray[np.int64],
    second: NDArray[np.float64],
    smooth: NDArray[np.float64],
    area: NDArray[np.float64],
    blocks: Block,
) -> NDArray[np.float32]:
    """Return ITK's Laplacian of Gaussian for voxels ``first`` to ``stop`` of an image.

    All arrays have one entry (or row) for each axis (z, y, x). ``image`` is flat, ``strides`` count voxels, and
    the last stride is 1; ``size`` is what may be read, ``reach`` how far it is read at most beyond the wanted
    voxels. ``second`` and ``smooth`` are the coefficients of the second derivative and of the Gaussian,
    ``area`` is the squared spacing; ``blocks``, of shape (3, largest size + 8, LANES) and 0 at first, is room for
    lines and both passes. A voxel is read if its distances from the wanted box, each as a part of the reach along
    its axis, add up to 1 at most.
    """
    wanted = stop - first
    none, one = (
        int(np.int64(0)),
        int(np.int64(1)),
    )  # a plain 0 or 1 would have `filter_plane` compiled anew for itself
    out = np.zeros((wanted[0], wanted[1], wanted[2]), dtype=np.float32)
    x, causal, anticausal = blocks[0], blocks[1], blocks[2]
    for p in range(2, -1, -1):
        q = 1 if p == 2 else 2  # ITK differentiates along p, then smooths along q, then along r
        r = 3 - p - q
        plane = np.empty(wanted[p] * size[q], dtype=np.float32)
        stage = np.empty(size[r] * wanted[q] * wanted[p], dtype=np.float32)
        for k in range(size[r]):
            share = max(1.0 - outside(k, first[r], stop[r]) / reach[r], 0.0)
            margin = max(int(reach[q] * share), FEWEST)
            start = max(first[q] - margin, 0) // 2 * 2
            end = size[q] - max(size[q] - stop[q] - margin, 0) // 2 * 2
            filter_plane(
                image, k * strides[r], strides[p], strides[q], size[p], first[p], stop[p], reach[p],
                start, end, first[q], stop[q], reach[q], share,
                second[p], plane, none, size[q], x, causal, anticausal,
            )  # fmt: skip
            filter_plane(
                plane, start, one, size[q], end - start, first[q] - start, stop[q] - start, reach[q],
                none, wanted[p], none, wanted[p], reach[p], share,
                smooth[q], stage, k * wanted[q] * wanted[p], wanted[p], x, causal, anticausal,
            )  # fmt: skip
        n = wanted[q] * wanted[p]
        final = np.empty(wanted[r] * n, dtype=np.float32)
        filter_plane(
            stage, none, n, one, size[r], first[r], stop[r], reach[r], none, n, none, n, one, 1.0,
            smooth[r], final, none, n, x, causal, anticausal,
        )  # fmt: skip
        add(out, final, p, q, r, 1.0 / area[p])
    return out


@jit
def add(out: NDArray[np.float32], term: NDArray[np.float32], p: int, q: int, r: int, factor: float) -> None:
    """Add a term whose axes are (r, q, p) to an image whose axes are (z, y, x)."""
    shape = out.shape
    strides = (shape[1] * shape[2], shape[2], 1)
    flat = out.ravel()
    at = 0
    for k in range(shape[r]):
        for j in range(shape[q]):
            start = k * strides[r] + j * strides[q]
            row = term[at : at + shape[p]]
            for i in range(row.size):
                here = start + i * strides[p]
                flat[here] = np.float32(np.float64(flat[here]) + np.float64(row[i]) * factor)
            at += row.size

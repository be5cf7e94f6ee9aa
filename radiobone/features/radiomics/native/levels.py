"""Grey levels: from the voxels of a VOI to the whole numbers that texture is counted on.

Bins are those of PyRadiomics 3.0.1. With a bin width, edges are multiples of it, from the last one that is not
above the smallest voxel; with a bin count, the range of the VOI is divided evenly and its largest voxel
belongs to the last bin. Levels count from 1. Edges are computed in the type that NumPy gives a sum of a pixel and
the bin width, as PyRadiomics does: in float32 they round as the pixels do. Whole pixels and a decimal bin width
give double precision, and a parameter file's ``binWidth: 25`` is read as 25.0; so here no edge wraps round. A bin
width that is an int, which only a caller of `discretise` can give, keeps edges in the pixel type, where they wrap
round beyond its largest number, as those of PyRadiomics do with ``binWidth: 25`` and NumPy 2.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from radiobone.core.errors import EngineError
from radiobone.features.radiomics.kernels.grey import gather, rank_levels

MAX_BINS = 10_000_000
"""More bins than this over the range of one VOI are refused, since their edges alone need 80 MB."""


@dataclass(frozen=True, eq=False)
class GreyLevels:
    """The grey levels of one image inside one VOI, laid out for the texture matrices.

    Parameters
    ----------
    padded : ndarray of int32, shape (z + 2 pad, y + 2 pad, x + 2 pad)
        0 outside the VOI and in the border; inside, the rank 1..G of the voxel's level among `values`.
    pad : int
        Width of the border in voxels.
    inside : ndarray of int64, shape (n,)
        Flat indices of the VOI's voxels in `padded`, in raster order (z slowest).
    values : ndarray of int64, shape (G,)
        The grey levels that occur, ascending; the last one is PyRadiomics' Ng.
    counts : ndarray of int64, shape (G,)
        The number of voxels of each.
    """

    padded: NDArray[np.int32]
    pad: int
    inside: NDArray[np.int64]
    values: NDArray[np.int64]
    counts: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class VoiGrid:
    """Where the voxels of a VOI stand: made once for a mask, used for every image in it.

    Parameters
    ----------
    shape : tuple of int
        The VOI's box, (z, y, x).
    pad : int
        Width of the border around it in voxels.
    inside : ndarray of int64, shape (n,)
        Flat indices of the VOI's voxels in the padded box, in raster order.
    inside_box : ndarray of int64, shape (n,)
        Flat indices of the same voxels in the box itself.

    Examples
    --------
    >>> grid = VoiGrid.of(np.array([[[1, 0, 1]]]))
    >>> grid.inside_box
    array([0, 2])
    >>> grid.discretise(np.array([40.0, 100.0]), bin_width=25).values
    array([1, 4])
    """

    shape: tuple[int, int, int]
    pad: int
    inside: NDArray[np.int64]
    inside_box: NDArray[np.int64]

    @classmethod
    def of(cls, mask: NDArray[Any], pad: int = 1) -> VoiGrid:
        """Find the voxels of a VOI.

        Parameters
        ----------
        mask : ndarray of shape (z, y, x)
            Not 0 inside the VOI.
        pad : int, default 1
            Width of the border in voxels: the largest of the distances of the texture matrices.

        Raises
        ------
        ValueError
            If the mask is not 3D, or `pad` is not positive.
        EngineError
            If the mask is empty.
        """
        if mask.ndim != 3 or pad < 1:
            raise ValueError(f"needs a 3D mask and a border of 1 at least, got {mask.ndim}D and {pad}")
        box = np.asarray(mask) != 0
        inside_box = np.flatnonzero(box).astype(np.int64, copy=False)
        if inside_box.size == 0:
            raise EngineError("the VOI is empty", got="0 voxels", expected="at least 1")
        depth, height, width = box.shape
        padded = np.zeros((depth + 2 * pad, height + 2 * pad, width + 2 * pad), dtype=np.bool_)
        padded[pad:-pad, pad:-pad, pad:-pad] = box
        return cls((depth, height, width), pad, np.flatnonzero(padded).astype(np.int64, copy=False), inside_box)

    @property
    def n_voxels(self) -> int:
        """Number of voxels of the VOI."""
        return self.inside_box.size

    @property
    def padded_shape(self) -> tuple[int, int, int]:
        """Shape of the box with its border, (z, y, x)."""
        depth, height, width = (size + 2 * self.pad for size in self.shape)
        return depth, height, width

    def indices_in(self, shape: tuple[int, int, int], corner: tuple[int, int, int]) -> NDArray[np.int64]:
        """Return flat indices of the VOI's voxels in a larger array.

        Parameters
        ----------
        shape : tuple of int
            Shape of that array, (z, y, x).
        corner : tuple of int
            Where the first voxel of the VOI's box stands in it, (z, y, x).
        """
        plane, width = self.shape[1] * self.shape[2], self.shape[2]
        planes, rest = np.divmod(self.inside_box, plane)
        rows, columns = np.divmod(rest, width)
        return ((planes + corner[0]) * shape[1] + rows + corner[1]) * shape[2] + columns + corner[2]

    def gather(self, array: NDArray[Any], indices: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """Return the VOI's voxels in raster order, as float64.

        Parameters
        ----------
        array : ndarray of shape (z, y, x)
            An image of the VOI's box, or the larger one that `indices` were made for.
        indices : ndarray of int64, shape (n,), optional
            From `indices_in`; those of the box itself by default.

        Raises
        ------
        ValueError
            If the image is not of the VOI's box, or smaller than `indices` say.
        """
        if indices is None and array.shape != self.shape:
            raise ValueError(f"an image of shape {array.shape} for a VOI in a box of {self.shape}")
        chosen = self.inside_box if indices is None else indices
        flat = np.ascontiguousarray(array).reshape(-1)
        if chosen[-1] >= flat.size:
            raise ValueError(f"an image of {flat.size} voxels for indices up to {chosen[-1]}")
        if flat.dtype == np.float64 and flat.flags.writeable:  # numba would compile anew for a read-only array
            return gather(flat, chosen)
        return flat[chosen].astype(np.float64)

    def discretise(
        self,
        values: NDArray[Any],
        *,
        bin_width: float = 25,
        bin_count: int | None = None,
        dtype: DTypeLike | None = None,
    ) -> GreyLevels:
        """Turn the VOI's voxels into grey levels.

        Parameters
        ----------
        values : ndarray of shape (n,)
            The voxels in raster order (see `gather`), finite.
        bin_width : float, default 25
            Width of a bin, in the unit of the image; an int and a float round differently on float32 pixels.
        bin_count : int, optional
            Number of bins over the range of the VOI; takes the place of `bin_width`.
        dtype : dtype-like, optional
            The pixel type of the image; that of `values` by default. Needed for what `gather` returned.

        Raises
        ------
        ValueError
            If there are not as many values as voxels.
        EngineError
            If a voxel is not finite, if there would be more than `MAX_BINS` bins, or if the edges leave the range
            of the pixel type.
        """
        if values.shape != (self.n_voxels,):
            raise ValueError(f"values of shape {values.shape} for a VOI of {self.n_voxels} voxels")
        low, high = values.min(), values.max()
        if not (np.isfinite(low) and np.isfinite(high)):
            raise EngineError(
                "the VOI has voxels that are not finite, and no grey levels",
                got=f"{int(values.size - np.isfinite(values).sum())} of {values.size} voxels",
                expected="finite voxels",
                do="leave out this image type: its filter is not defined here (LBP3D in a constant region)",
            )
        kind: Any = np.dtype(values.dtype if dtype is None else dtype).type
        edges = bin_edges(kind(low), kind(high), bin_width=bin_width, bin_count=bin_count)
        padded = np.zeros(self.padded_shape, dtype=np.int32)
        levels, counts = rank_levels(
            np.require(values, np.float64, ["C", "W"]),
            edges,
            _per_unit(edges),
            self.inside,
            padded.reshape(-1),
        )
        if levels[0] == 0:
            raise _out_of_range(values.max(), np.dtype(kind), bin_width)
        return GreyLevels(padded, self.pad, self.inside, levels, counts)


def border(shape: tuple[int, ...], distances: Iterable[int]) -> int:
    """Return how wide a border a VOI needs: no two of its voxels are further apart than its box is long.

    Parameters
    ----------
    shape : tuple of int
        The VOI's box, (z, y, x).
    distances : iterable of int
        Of the texture matrices, in voxels.

    Examples
    --------
    >>> border((5, 5, 9), (1, 3)), border((5, 5, 9), (1, 3000))
    (3, 8)
    """
    return max(1, min(max(distances), max(shape) - 1))


def discretise(
    image: NDArray[Any],
    mask: NDArray[Any],
    *,
    bin_width: float = 25,
    bin_count: int | None = None,
    pad: int = 1,
) -> GreyLevels:
    """Turn an image inside a VOI into grey levels, as PyRadiomics does.

    Parameters
    ----------
    image : ndarray of shape (z, y, x)
        In its own pixel type; finite inside the VOI.
    mask : ndarray of shape (z, y, x)
        Not 0 inside the VOI.
    bin_width : float, default 25
        Width of a bin, in the unit of the image.
    bin_count : int, optional
        Number of bins over the range of the VOI; takes the place of `bin_width`.
    pad : int, default 1
        Width of the border in voxels: the largest of the distances of the texture matrices.

    Raises
    ------
    ValueError
        If image and mask differ in shape, or the mask is not 3D.
    EngineError
        If the mask is empty, if there would be more than `MAX_BINS` bins, or if the edges leave the range of
        the pixel type.

    Examples
    --------
    >>> discretise(np.array([[[-10, 0, 24, 25]]]), np.ones((1, 1, 4))).padded[1, 1]
    array([0, 1, 2, 2, 3, 0], dtype=int32)
    """
    grid = VoiGrid.of(mask, pad)
    return grid.discretise(grid.gather(image), bin_width=bin_width, bin_count=bin_count, dtype=image.dtype)


def bin_edges(
    minimum: np.number[Any], maximum: np.number[Any], *, bin_width: float = 25, bin_count: int | None = None
) -> NDArray[np.float64]:
    """Return the edges between grey levels, as PyRadiomics computes them.

    Parameters
    ----------
    minimum, maximum : numpy scalar
        Smallest and largest voxel of the VOI, in the pixel type of the image. Edges are rounded as that type has
        it; with whole pixels and an int as bin width they may wrap round, with NumPy's warning.
    bin_width : float, default 25
        Width of a bin, in the unit of the image.
    bin_count : int, optional
        Number of bins; takes the place of `bin_width`.

    Returns
    -------
    ndarray of float64
        Ascending; level k holds values from edge k - 1 (counted from 0) up to but without edge k.

    Raises
    ------
    EngineError
        If there would be more than `MAX_BINS` bins, or the edges wrap round until they fall.

    Examples
    --------
    >>> bin_edges(np.int16(54), np.int16(166))
    array([ 50.,  75., 100., 125., 150., 175., 200.])
    """
    n_bins = (float(maximum) - float(minimum)) / bin_width if bin_count is None else bin_count
    if n_bins > MAX_BINS:
        raise EngineError(
            "too many grey levels",
            got=f"{n_bins:.3g} bins over {minimum} to {maximum}",
            expected=f"at most {MAX_BINS:,}",
            do="choose a larger binWidth for this image type",
        )
    if bin_count is not None:
        edges = np.histogram_bin_edges(np.array([minimum, maximum]), bin_count)
        edges[-1] += 1
        return edges.astype(np.float64)
    lowest = minimum - minimum % bin_width  # type: ignore[operator] # any real scalar has %
    edges = np.arange(lowest, maximum + 2 * bin_width, bin_width)
    if edges.size == 1:
        edges = np.array([edges[0] - 0.5, edges[0] + 0.5])
    if edges.dtype.kind in "iu" and (edges[1:] < edges[:-1]).any():
        raise _out_of_range(maximum, edges.dtype, bin_width)
    return edges.astype(np.float64)


def _out_of_range(maximum: object, dtype: np.dtype[Any], bin_width: float) -> EngineError:
    return EngineError(
        "grey levels leave the range of the pixel type",
        got=f"values up to {maximum} in {dtype}",
        expected=f"room for two bins above the largest value (bin width {bin_width})",
        do="convert the image to a wider pixel type",
    )


def _per_unit(edges: NDArray[np.float64]) -> float:
    """Return the number of bins in a unit of intensity, or 0 where rounding leaves no width."""
    if edges.size < 2:
        return 0.0
    width = float(edges[1] - edges[0])
    return 1.0 / width if width > 1e-300 else 0.0

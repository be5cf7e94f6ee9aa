"""The one image type and the one mask type: an array with its geometry."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radiobone.imaging.geometry import Geometry
from radiobone.imaging.itk import geometry_of

if TYPE_CHECKING:
    import SimpleITK as sitk

Box = tuple[slice, slice, slice]
"""A box of a grid: one slice along each of (z, y, x), with start and stop inside the grid."""


@dataclass(frozen=True, eq=False)
class Image:
    """A scan.

    Parameters
    ----------
    array : ndarray of shape (z, y, x)
        HU (or the file's own unit), in the file's own pixel type.
    geometry : Geometry
        The grid; ``geometry.shape == array.shape``.
    series_uid : str, default ""
        SeriesInstanceUID of a DICOM series, to tell whether a SEG or RTSTRUCT was drawn on it. It never goes into
        an output.
    """

    array: NDArray[Any]
    geometry: Geometry
    series_uid: str = ""

    def __post_init__(self) -> None:
        if self.array.shape != self.geometry.shape:
            raise ValueError(f"array of shape {self.array.shape} on a grid of shape {self.geometry.shape}")

    def to_sitk(self) -> sitk.Image:
        """Return a SimpleITK image with the same voxels, pixel type and geometry."""
        return _to_sitk(self.array, self.geometry)

    @staticmethod
    def from_sitk(image: sitk.Image) -> Image:
        """Make an image from a SimpleITK image, to the last bit.

        Parameters
        ----------
        image : SimpleITK.Image
            3D, with one value in each voxel.
        """
        import SimpleITK as sitk

        return Image(sitk.GetArrayFromImage(image), geometry_of(image))


@dataclass(frozen=True, eq=False)
class Mask:
    """A label map, or one VOI, on the grid of an image.

    A VOI fills a small part of a CT, so a mask may hold only a box of its grid.

    Parameters
    ----------
    array : ndarray of shape (z, y, x), integer or bool
        Labels (0 is background) inside the box.
    geometry : Geometry
        The whole grid.
    offset : tuple of int, default (0, 0, 0)
        Index (z, y, x) of the box's first voxel in the whole grid.
    names : mapping of int to str
        What the file calls its labels, by value; empty where it does not say.
    notes : tuple of str
        What was decided while it was read, such as the threshold of a fractional segmentation.
    """

    array: NDArray[Any]
    geometry: Geometry
    offset: tuple[int, int, int] = (0, 0, 0)
    names: Mapping[int, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        ends = [start + size for start, size in zip(self.offset, self.array.shape, strict=True)]
        if min(self.offset) < 0 or any(end > size for end, size in zip(ends, self.geometry.shape, strict=True)):
            raise ValueError(f"box {self.offset} to {ends} leaves the grid of shape {self.geometry.shape}")

    @property
    def box(self) -> Box:
        """The box of the whole grid that ``array`` fills."""
        z, y, x = (slice(start, start + size) for start, size in zip(self.offset, self.array.shape, strict=True))
        return z, y, x

    @property
    def n_voxels(self) -> int:
        """Number of voxels that are not background."""
        return int(np.count_nonzero(self.array))

    @property
    def volume_ml(self) -> float:
        """Volume of all voxels that are not background, in ml."""
        return self.n_voxels * self.geometry.voxel_volume_mm3 / 1000.0

    def labels(self) -> list[int]:
        """List the label values that are present, without background, ascending."""
        flat = self.array.ravel()
        # Labels lie in runs, so that to sort the first voxel of each run is enough.
        firsts = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        return [int(value) for value in np.unique(np.append(flat[:1], flat[firsts])) if value != 0]

    def select(self, label: int) -> Mask:
        """Return one label as a boolean mask in its tight box, without names; empty if it is not present.

        Parameters
        ----------
        label : int
            Value of the label.
        """
        box = _tight_box(self.array, np.equal, label)
        return Mask(np.ascontiguousarray(self.array[box] == label), self.geometry, self._moved(box))

    def tight(self) -> Mask:
        """Return the same mask in the smallest box that holds it (of size 0 if it is empty)."""
        box = _tight_box(self.array, np.not_equal, 0)
        return replace(self, array=np.ascontiguousarray(self.array[box]), offset=self._moved(box))

    def _moved(self, box: Box) -> tuple[int, int, int]:
        """Return where a box of ``array`` begins in the whole grid."""
        z, y, x = (part.start + begin for part, begin in zip(box, self.offset, strict=True))
        return z, y, x

    def within(self, box: Box) -> NDArray[Any]:
        """Return the labels in any box of the whole grid, with background where the mask holds nothing.

        Parameters
        ----------
        box : Box
            Voxels of the whole grid along (z, y, x); it may lie partly or wholly outside the mask's own box.

        Returns
        -------
        ndarray of shape (z, y, x)
            As large as ``box``, of the type of ``array``.
        """
        result = np.zeros([part.stop - part.start for part in box], dtype=self.array.dtype)
        source, target = [], []
        for part, own in zip(box, self.box, strict=True):
            low, high = max(part.start, own.start), max(max(part.start, own.start), min(part.stop, own.stop))
            source.append(slice(low - own.start, high - own.start))
            target.append(slice(low - part.start, high - part.start))
        result[tuple(target)] = self.array[tuple(source)]
        return result

    def full(self) -> NDArray[Any]:
        """Return the labels on the whole grid."""
        z, y, x = (slice(0, size) for size in self.geometry.shape)
        return self.within((z, y, x))

    def to_sitk(self) -> sitk.Image:
        """Return a SimpleITK image of the whole grid; booleans become 8-bit integers."""
        array = self.full()
        return _to_sitk(array.astype(np.uint8) if array.dtype == bool else array, self.geometry)


def union(first: Box, second: Box) -> Box:
    """Return the smallest box that holds two.

    Parameters
    ----------
    first, second : Box
        Along (z, y, x).
    """
    z, y, x = (
        slice(min(one.start, other.start), max(one.stop, other.stop))
        for one, other in zip(first, second, strict=True)
    )
    return z, y, x


def box_size(box: Box) -> int:
    """Return the number of voxels of a box.

    Parameters
    ----------
    box : Box
        Along (z, y, x).
    """
    return math.prod(part.stop - part.start for part in box)


def relative(box: Box, outer: Box) -> Box:
    """Return a box counted from the first voxel of another one.

    Parameters
    ----------
    box : Box
        Along (z, y, x), in voxels of the grid.
    outer : Box
        What holds the box, in voxels of the same grid. It may go beyond the grid.

    Returns
    -------
    Box
        The same voxels, in voxels of ``outer``.
    """
    z, y, x = (
        slice(part.start - edge.start, part.stop - edge.start) for part, edge in zip(box, outer, strict=True)
    )
    return z, y, x


def expand(box: Box, margin: tuple[int, int, int], shape: tuple[int, int, int]) -> Box:
    """Return a box widened on all sides, as far as the grid reaches.

    Parameters
    ----------
    box : Box
        The box, (z, y, x).
    margin : tuple of int
        Voxels to add on either side along (z, y, x).
    shape : tuple of int
        Number of voxels of the grid along (z, y, x).
    """
    z, y, x = (
        slice(max(part.start - width, 0), min(part.stop + width, size))
        for part, width, size in zip(box, margin, shape, strict=True)
    )
    return z, y, x


def _tight_box(array: NDArray[Any], compare: np.ufunc, value: int) -> Box:
    """Return the smallest box of an array that holds all voxels that compare true, in one pass over its slices."""
    if array.dtype == bool:
        array = array.view(np.uint8)  # NumPy compares a boolean with a number by way of 64-bit integers
    found = np.empty(array.shape[1:], dtype=bool)
    shadow = np.zeros(array.shape[1:], dtype=bool)
    filled = []
    for number, plane in enumerate(array):
        compare(plane, value, out=found)
        if found.any():
            filled.append(number)
            shadow |= found
    spans = (filled, np.flatnonzero(shadow.any(axis=1)), np.flatnonzero(shadow.any(axis=0)))
    z, y, x = (slice(int(span[0]), int(span[-1]) + 1) if filled else slice(0, 0) for span in spans)
    return z, y, x


def _to_sitk(array: NDArray[Any], geometry: Geometry) -> sitk.Image:
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.ascontiguousarray(array))
    image.SetSpacing(geometry.spacing_mm[::-1])
    image.SetOrigin(geometry.origin_mm)
    image.SetDirection(geometry.direction)
    return image

"""The region that PyRadiomics sees of a scan for one VOI, and the crops of it that filters need.

Without resampling and ``preCrop`` PyRadiomics filters the whole image. With one of them it filters the box
of the VOI and ``padDistance`` voxels round it, and nothing else, so its filters end there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import EngineError
from radiobone.features.radiomics.bspline import Splines, needed, resample_bspline
from radiobone.features.radiomics.grid import ResamplingGrid, header, resampling_grid
from radiobone.features.radiomics.settings import Settings
from radiobone.features.radiomics.whole import Normalisation, WholeScan, bound
from radiobone.imaging import Geometry, Image, Mask
from radiobone.imaging.volumes import Box, expand, relative

if TYPE_CHECKING:
    import SimpleITK as sitk

Indices = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]
"""Voxels to take along (z, y, x)."""


@dataclass(frozen=True, eq=False)
class Region:
    """What PyRadiomics sees: voxels, their spacing, and where the VOI lies in them.

    Parameters
    ----------
    array : ndarray of shape (z, y, x)
        Voxels; for a whole scan this is the scan's own array.
    spacing_mm : tuple of float
        Along (z, y, x).
    mask : ndarray of uint8
        The VOI in its box, 1 inside.
    box : Box
        The smallest box of ``array`` that holds the VOI.
    normalisation : Normalisation or None
        Still to be applied to what is read.
    scan : WholeScan or None
        The scan, if the region is all of it: its statistics are kept there.
    pad_distance : int or None
        Voxels round the VOI that PyRadiomics keeps; None if it keeps all.
    """

    array: NDArray[Any]
    spacing_mm: tuple[float, float, float]
    mask: NDArray[np.uint8]
    box: Box
    normalisation: Normalisation | None = None
    scan: WholeScan | None = None
    pad_distance: int | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along (z, y, x)."""
        z, y, x = self.array.shape
        return z, y, x

    def read(self, box: Box) -> NDArray[Any]:
        """Return the voxels of a box, normalised if the parameter file asks for it.

        Parameters
        ----------
        box : Box
            In voxels of the region, (z, y, x).

        Returns
        -------
        ndarray of shape (z, y, x)
            In the image's own type, or float64 if normalised.
        """
        return self._ready(self.array[box])

    def take(self, indices: Indices) -> NDArray[Any]:
        """Return the voxels at any indices along each axis, normalised if the parameter file asks for it.

        Parameters
        ----------
        indices : Indices
            Along (z, y, x); an index may come again.

        Returns
        -------
        ndarray of shape (z, y, x)
            One voxel for each combination of indices, of the type that `read` gives.
        """
        return self._ready(self.array[np.ix_(*indices)])

    @cached_property
    def magnitude(self) -> float:
        """Largest absolute value in the region."""
        low, high = self.scan.extremes if self.scan else (self.array.min(), self.array.max())
        ends = self._ready(np.asarray([low, high], dtype=self.array.dtype))
        return float(np.abs(ends.astype(np.float64)).max())

    @cached_property
    def bound(self) -> float:
        """What no finite voxel of the region exceeds, up or down, before it is normalised."""
        return self.scan.bound if self.scan else bound(self.array)

    def _ready(self, array: NDArray[Any]) -> NDArray[Any]:
        return self.normalisation(array) if self.normalisation else np.ascontiguousarray(array)

    def to_sitk(self, array: NDArray[Any]) -> sitk.Image:
        """Return voxels as a SimpleITK image with the region's spacing.

        Parameters
        ----------
        array : ndarray of shape (z, y, x)
            Any crop of the region. Origin and direction stay ITK's defaults: no feature depends on them.
        """
        import SimpleITK as sitk

        image = sitk.GetImageFromArray(array)
        image.SetSpacing(self.spacing_mm[::-1])
        return image


def shared_splines(scan: WholeScan, vois: Iterable[Mask], settings: Settings) -> Splines | None:
    """Plan the resampling of several VOIs of one scan together; None if nothing is resampled by B-splines.

    Parameters
    ----------
    scan : WholeScan
        The whole scan.
    vois : iterable of Mask
        The VOIs. One that cannot be resampled is passed over: it has its error from `seen_region`.
    settings : Settings
        The parameter file's ``setting``.
    """
    spacing = settings.spacing_mm
    if spacing is None or settings.interpolator != "sitkBSpline":
        return None
    grids = (
        resampling_grid(voi.geometry, voi.box, spacing, settings.padDistance)
        for voi in (voi.tight() for voi in vois)
        if voi.n_voxels and voi.geometry.shape == scan.image.geometry.shape
    )
    source = scan.image.geometry
    planned = [needed(ResamplingGrid(source, grid.target)) for grid in grids if grid is not None]
    return Splines(_reader(scan, settings), source.shape, planned)


def _reader(scan: WholeScan, settings: Settings) -> Callable[[Box], NDArray[Any]]:
    def read(box: Box) -> NDArray[Any]:
        normalisation = scan.normalisation(settings)
        voxels = scan.image.array[box]
        return finite(normalisation(voxels) if normalisation else voxels, "resampling")

    return read


def seen_region(scan: WholeScan, voi: Mask, settings: Settings, splines: Splines | None = None) -> Region:
    """Return what PyRadiomics sees of a scan for one VOI.

    Parameters
    ----------
    scan : WholeScan
        The whole scan.
    voi : Mask
        The VOI in its tight box, not empty.
    settings : Settings
        The parameter file's ``setting``.
    splines : Splines, optional
        What several VOIs share (see `shared_splines`).

    Returns
    -------
    Region
        The whole scan (not copied), a crop of it, or resampled voxels.

    Raises
    ------
    EngineError
        If no voxel of the VOI is left on the new grid, or the image is not finite where it is read or cannot be
        normalised.
    """
    geometry = scan.image.geometry
    normalisation = scan.normalisation(settings)
    spacing = settings.spacing_mm
    grid = resampling_grid(voi.geometry, voi.box, spacing, settings.padDistance) if spacing else None
    if grid is not None:
        return _resampled(scan, voi, grid, settings, splines)
    mask = (voi.array != 0).astype(np.uint8)
    if spacing or settings.preCrop:
        pad = settings.padDistance
        outer = expand(voi.box, (pad, pad, pad), geometry.shape)
        inner = relative(voi.box, outer)
        return Region(scan.image.array[outer], geometry.spacing_mm, mask, inner, normalisation, pad_distance=pad)
    return Region(scan.image.array, geometry.spacing_mm, mask, voi.box, normalisation, scan)


def _resampled(
    scan: WholeScan, voi: Mask, grid: ResamplingGrid, settings: Settings, splines: Splines | None
) -> Region:
    held = Mask(grid.resample_mask(voi), grid.target).tight()
    if held.n_voxels == 0:
        raise EngineError(
            "no voxel of the VOI is left after resampling",
            got=f"{voi.n_voxels} voxels of {_text(grid.source)} mm",
            expected=f"a VOI that fills voxels of {_text(grid.target)} mm",
            do="check the mask, or resample to a finer spacing",
        )
    if voi.geometry != scan.image.geometry:
        # The headers agree, but not to the last bit: the mask's anchors the grid, the image's places its voxels.
        grid = ResamplingGrid(scan.image.geometry, grid.target)
    if settings.interpolator == "sitkBSpline":
        dtype = np.float64 if settings.normalize else scan.image.array.dtype
        own = splines or Splines(_reader(scan, settings), grid.source.shape)
        array = resample_bspline(own, grid, dtype)
    else:
        read = _reader(scan, settings)
        array = finite(_resampled_by_itk(read, grid, str(settings.interpolator)), "resampling")
    return Region(array, grid.target.spacing_mm, held.array, held.box, pad_distance=settings.padDistance)


def _resampled_by_itk(
    read: Callable[[Box], NDArray[Any]], grid: ResamplingGrid, interpolator: str
) -> NDArray[Any]:
    """Resample by one of ITK's local interpolators, which read only round the samples.

    The image keeps its first voxel, hence its origin and every bit of ITK's arithmetic; what lies beyond
    the samples and the widest interpolator's reach is left out.
    """
    import SimpleITK as sitk

    beyond = expand(grid.reach, (_ITK_REACH, _ITK_REACH, _ITK_REACH), grid.source.shape)
    z, y, x = (slice(0, part.stop) for part in beyond)
    image = Image(
        np.ascontiguousarray(read((z, y, x))), _with_shape(grid.source, (z.stop, y.stop, x.stop))
    ).to_sitk()
    resample = sitk.ResampleImageFilter()
    resample.SetReferenceImage(header(grid.target))
    resample.SetSize(grid.target.shape[::-1])
    resample.SetInterpolator(getattr(sitk, interpolator))
    resample.SetOutputPixelType(image.GetPixelID())
    result: NDArray[Any] = sitk.GetArrayFromImage(resample.Execute(image))
    return result


_ITK_REACH = 12
"""Voxels that ITK's Gaussian (4 sigma of 0.8 voxels) and windowed sinc (5 voxels) interpolators may read."""


def finite(array: NDArray[Any], reader: str) -> NDArray[Any]:
    """Return an array as it is, unless it holds NaN or infinity.

    Parameters
    ----------
    array : ndarray
        Voxels of any shape.
    reader : str
        Who reads them (a filter, say), for the message.

    Raises
    ------
    EngineError
        If a voxel is NaN or infinite.
    """
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        wrong = int(array.size - np.isfinite(array).sum())
        raise EngineError(
            f"the image holds NaN or infinite values where {reader} reads it",
            got=f"{wrong} of {array.size} voxels",
            expected="finite values",
            do="mend the image, for instance by giving these voxels the value of air",
        )
    return array


def _with_shape(geometry: Geometry, shape: tuple[int, int, int]) -> Geometry:
    return Geometry(shape, geometry.spacing_mm, geometry.origin_mm, geometry.direction)


def _text(geometry: Geometry) -> str:
    return " x ".join(f"{edge:g}" for edge in geometry.spacing_mm[::-1])

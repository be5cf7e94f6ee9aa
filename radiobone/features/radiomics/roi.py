"""What is settled for a VOI before anything is computed, alike for every engine: region, masks and size."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import EngineError
from radiobone.features.radiomics.bspline import Splines
from radiobone.features.radiomics.params import RadiomicsParams
from radiobone.features.radiomics.region import Region, finite, seen_region
from radiobone.features.radiomics.settings import Settings
from radiobone.features.radiomics.whole import WholeScan
from radiobone.imaging import Mask
from radiobone.imaging.geometry import differences
from radiobone.imaging.volumes import Box


@dataclass(frozen=True, eq=False)
class RegionOfInterest:
    """A VOI that can be computed.

    Parameters
    ----------
    region : Region
        What PyRadiomics sees of the scan; its mask and box are those of the voxels whose values count, so
        without those that ``resegmentRange`` takes out.
    shape_mask : ndarray of uint8
        The voxels whose shape counts, in the same box.
    """

    region: Region
    shape_mask: NDArray[np.uint8]


def region_of_interest(
    scan: WholeScan, voi: Mask, params: RadiomicsParams, splines: Splines | None = None
) -> RegionOfInterest:
    """Check a VOI as PyRadiomics does, and resegment it where the parameter file asks for it.

    Parameters
    ----------
    scan : WholeScan
        The whole scan.
    voi : Mask
        The VOI on the scan's grid; every voxel that is not 0 belongs to it.
    params : RadiomicsParams
        The parameter file.
    splines : Splines, optional
        What the VOIs of a scan share when they are resampled (see `shared_splines`).

    Raises
    ------
    EngineError
        If the VOI is empty, too small, not flat where it has to be, or not finite; if grids differ; if features
        are not defined for the image's pixel type.
    """
    _check_pixels(scan.image.array.dtype)
    voi = voi.tight()
    found = differences(scan.image.geometry, voi.geometry)
    if found:
        raise EngineError(
            "image and mask do not lie on the same grid",
            got="; ".join(found) + " (image, mask)",
            expected="one grid",
            do="check that they belong together, or resample the mask to the image's grid",
        )
    if voi.n_voxels == 0:
        raise EngineError("the VOI is empty", got="0 voxels", expected="at least 2", do="check the mask")
    settings = params.setting
    region = seen_region(scan, voi, settings, splines)
    _check_size(region.mask, settings)
    image = region.read(region.box)
    finite(image[region.mask != 0], "the VOI")
    shape_mask = region.mask
    if settings.resegmentRange is not None:
        region, shape_mask = _resegmented(region, image, settings)
        _check_size(region.mask, settings)
    if "shape2D" in params.families and settings.force2D and params.features("shape2D"):
        _check_flat(shape_mask, settings)
    return RegionOfInterest(region, shape_mask)


def _check_pixels(dtype: np.dtype[Any]) -> None:
    """Refuse pixel types that ITK, and so PyRadiomics, does not have."""
    if dtype.kind not in "iu" and dtype not in (np.float32, np.float64):
        raise EngineError(
            "the image's pixel type cannot be used",
            got=dtype,
            expected="whole numbers, float32 or float64",
            do="convert the image, for instance to float32",
        )


def _resegmented(region: Region, image: NDArray[Any], settings: Settings) -> tuple[Region, NDArray[np.uint8]]:
    """Return the region of the voxels whose values lie in ``resegmentRange``, and the shape's mask in its box."""
    inside = region.mask != 0
    values = image[inside]
    limits = _limits(values, settings)
    kept = values >= limits[0]
    if len(limits) == 2:
        kept &= values <= limits[1]
    n_kept = int(np.count_nonzero(kept))
    if n_kept <= 1:
        raise EngineError(
            "resegmentation leaves too little of the VOI",
            got=f"{n_kept} of {values.size} voxels within {' to '.join(f'{limit:g}' for limit in limits)}",
            expected="at least 2 voxels",
            do="check resegmentRange and resegmentMode against the values in the VOI",
        )
    mask = np.zeros_like(region.mask)
    mask[inside] = kept
    box = _filled(mask)
    z, y, x = (
        slice(outer.start + part.start, outer.start + part.stop)
        for outer, part in zip(region.box, box, strict=True)
    )
    mask = np.ascontiguousarray(mask[box])
    whole = np.ascontiguousarray(region.mask[box])
    return replace(region, mask=mask, box=(z, y, x)), mask if settings.resegmentShape else whole


def _limits(values: NDArray[Any], settings: Settings) -> list[float]:
    """Return the lower, and if there is one the upper, limit in the unit of the image."""
    given = sorted(settings.resegmentRange or ())
    if settings.resegmentMode == "relative":
        largest = values.max()
        return [largest * share for share in given]
    if settings.resegmentMode == "sigma":
        mean, sd = np.mean(values), np.std(values)
        return [mean + sd * distance for distance in given]
    return given


def _filled(mask: NDArray[np.uint8]) -> Box:
    z, y, x = (
        slice(int(filled[0]), int(filled[-1]) + 1)
        for filled in (np.flatnonzero(mask.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1)))
    )
    return z, y, x


def _check_size(mask: NDArray[np.uint8], settings: Settings) -> None:
    """Refuse what PyRadiomics refuses, in words that say what to do."""
    n_voxels = int(np.count_nonzero(mask))
    thick = sum(size > 1 for size in mask.shape)
    got = f"{n_voxels} voxels in a box of {' x '.join(str(size) for size in mask.shape[::-1])} (x, y, z)"
    if thick == 0:
        raise EngineError("the VOI is one voxel", got=got, expected="at least 2 voxels", do="check the mask")
    if thick < settings.minimumROIDimensions:
        raise EngineError(
            "the VOI has too few dimensions",
            got=got,
            expected=f"more than one voxel along {settings.minimumROIDimensions} axes (minimumROIDimensions)",
            do="check the mask, or lower minimumROIDimensions",
        )
    if settings.minimumROISize is not None and n_voxels <= settings.minimumROISize:
        raise EngineError(
            "the VOI is too small",
            got=got,
            expected=f"more than {settings.minimumROISize} voxels (minimumROISize)",
            do="check the mask, or lower minimumROISize",
        )


def _check_flat(mask: NDArray[np.uint8], settings: Settings) -> None:
    """Refuse 2D shape of a VOI that is not flat, or that is a line along PyRadiomics' own axis."""
    axis = settings.force2Ddimension
    if mask.shape[axis] > 1:
        raise EngineError(
            "shape2D needs a VOI of one slice",
            got=f"{mask.shape[axis]} slices along axis {'zyx'[axis]}",
            expected="1 slice (force2Ddimension)",
            do="leave shape2D out of featureClass, or give masks of one slice",
        )
    if axis != 1 and mask.shape[2 - axis] == 1:
        raise EngineError(
            "shape2D needs a VOI with an area",
            got=f"a line: one voxel along axis {'xyz'[axis]}",
            expected="more than one voxel along both axes of the slice",
            do="leave shape2D out of featureClass, or check the mask",
        )

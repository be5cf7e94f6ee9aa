"""The native engine: PyRadiomics' values under PyRadiomics' names, from compiled loops over the VOI alone."""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from radiobone.core.errors import CaseError, EngineError, one_line
from radiobone.features.radiomics.bspline import Splines
from radiobone.features.radiomics.catalogue import FEATURES
from radiobone.features.radiomics.columns import columns
from radiobone.features.radiomics.crops import border_warnings
from radiobone.features.radiomics.engine import VoiValues
from radiobone.features.radiomics.native.features import Vectors, image_features
from radiobone.features.radiomics.native.images import images
from radiobone.features.radiomics.native.levels import VoiGrid
from radiobone.features.radiomics.native.memory import MEMORY_LIMIT_GB, check_filter, check_matrices
from radiobone.features.radiomics.native.shape import shape_vector
from radiobone.features.radiomics.native.shape2d import shape_2d_vector
from radiobone.features.radiomics.native.surroundings import Surroundings
from radiobone.features.radiomics.params import RadiomicsParams
from radiobone.features.radiomics.region import shared_splines
from radiobone.features.radiomics.roi import RegionOfInterest, region_of_interest
from radiobone.features.radiomics.whole import WholeScan
from radiobone.imaging import Geometry, Image, Mask

logger = logging.getLogger(__name__)

Result = VoiValues | CaseError


class NativeEngine:
    """PyRadiomics' definitions in compiled loops (see `Engine`).

    Parameters
    ----------
    memory_limit_gb : float
        A VOI that would need more memory than this (GB, 10⁹ bytes) is refused before it is computed.
    """

    name: str = "native"
    values_revision: int = 1

    def __init__(self, memory_limit_gb: float = MEMORY_LIMIT_GB) -> None:
        self.memory_limit_gb = memory_limit_gb

    def prepare(self, params: RadiomicsParams) -> None:
        """Compile the kernels that a parameter file needs, by computing a small ball; see `Engine.prepare`."""
        side = 24
        distance = np.linalg.norm(np.indices((side, side, side)) - side / 2, axis=0)
        hu = (distance * 37 % 200).astype(np.int16)
        hu[side // 2] += 1000  # grey levels with a gap take a kernel of their own
        geometry = Geometry(hu.shape, (1.0, 1.0, 1.0))
        list(self.stream(Image(hu, geometry), {"ball": Mask(distance < 5.5, geometry)}, params))

    def extract(self, image: Image, vois: Mapping[str, Mask], params: RadiomicsParams) -> dict[str, Result]:
        """Compute the features of all VOIs of one scan; see `Engine.extract`."""
        return dict(self.stream(image, vois, params))

    def stream(
        self, image: Image, vois: Mapping[str, Mask], params: RadiomicsParams
    ) -> Iterator[tuple[str, Result]]:
        """Compute the features of one VOI after the other; see `Engine.stream`."""
        scan = WholeScan(image)
        splines = shared_splines(scan, vois.values(), params.setting)
        for key, voi in vois.items():
            yield key, self._attempt(key, scan, voi, params, splines)

    def _attempt(
        self, key: str, scan: WholeScan, voi: Mask, params: RadiomicsParams, splines: Splines | None
    ) -> Result:
        """Compute one VOI, or return its error, so that the other VOIs go on."""
        try:
            return self._values(region_of_interest(scan, voi, params, splines), params)
        except CaseError as error:
            if error.where is None:
                error.where = f"VOI {key}"
            return error
        except Exception as error:  # the border of a case: NumPy and ITK raise errors of any kind
            logger.debug("the native engine failed for VOI %s", key, exc_info=True)
            return EngineError(
                "the native engine cannot compute this VOI",
                where=f"VOI {key}",
                got=f"{type(error).__name__}: {one_line(error)}",
                do="look at the VOI in the image, and at binWidth (thousands of grey levels need memory)",
            )

    def _values(self, subject: RegionOfInterest, params: RadiomicsParams) -> VoiValues:
        """Compute one VOI, its image types in the order of the parameter file."""
        region = subject.region
        found: dict[str, Vectors] = {"original": _shape(subject, params)}
        n_grey: dict[str, int] = {}
        told: list[str] = []
        layouts: dict[tuple[tuple[int, ...], int | None], tuple[VoiGrid, Surroundings]] = {}
        for image_type in params.image_types:
            settings = params.settings_of(image_type)
            told += border_warnings(region, image_type, settings)
            check_filter(region, image_type, settings, self.memory_limit_gb)
            compared = tuple(settings.distances), settings.force2Ddimension if settings.force2D else None
            if compared not in layouts:
                grid = VoiGrid.of(region.mask, max(settings.distances))
                layouts[compared] = grid, Surroundings(grid, *compared)
            grid, surroundings = layouts[compared]
            for name, voxels in images(region, image_type, settings):
                values = grid.gather(voxels)
                levels = grid.discretise(
                    values, bin_width=settings.binWidth, bin_count=settings.binCount, dtype=voxels.dtype
                )
                check_matrices(levels, surroundings, params.families, name, self.memory_limit_gb)
                vectors = image_features(
                    values, levels, surroundings, settings, region.spacing_mm, params.families
                )
                found[name] = {**found.get(name, {}), **vectors}
                n_grey[name] = levels.values.size
        return _named(found, n_grey, told, _places(params))


def _shape(subject: RegionOfInterest, params: RadiomicsParams) -> Vectors:
    """Compute the families that depend on the mask alone."""
    spacing_mm, settings = subject.region.spacing_mm, params.setting
    found = {}
    if params.features("shape") and "shape" in params.families:
        found["shape"] = shape_vector(subject.shape_mask, spacing_mm)
    if params.features("shape2D") and "shape2D" in params.families and settings.force2D:
        found["shape2D"] = shape_2d_vector(subject.shape_mask, spacing_mm, settings.force2Ddimension)
    return found


@dataclass(frozen=True)
class _Place:
    """Where the value of a column is found: in which image, family and position."""

    column: str
    image: str
    family: str
    position: int


@functools.lru_cache(maxsize=8)
def _places(params: RadiomicsParams) -> tuple[_Place, ...]:
    """Return where the value of each column is found; the same for every VOI of a cohort."""
    positions = {family: {name: index for index, name in enumerate(names)} for family, names in FEATURES.items()}
    return tuple(
        _Place(column.name, column.filter, column.family, positions[column.family][column.name.rpartition("_")[2]])
        for column in columns(params)
    )


def _named(
    found: Mapping[str, Vectors], n_grey: dict[str, int], told: list[str], places: tuple[_Place, ...]
) -> VoiValues:
    """Give each value the name of its column, in the order of the columns."""
    values = {image: {family: row.tolist() for family, row in rows.items()} for image, rows in found.items()}
    features = {place.column: values[place.image][place.family][place.position] for place in places}
    undefined = [name for name, value in features.items() if not math.isfinite(value)]
    if undefined:
        shown = ", ".join(undefined[:3]) + (", ..." if len(undefined) > 3 else "")
        told = [*told, f"{len(undefined)} features are not defined for this VOI: {shown}"]
    return VoiValues(features, n_grey, tuple(dict.fromkeys(told)))

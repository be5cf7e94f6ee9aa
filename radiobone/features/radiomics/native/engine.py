"""The native engine: PyRadiomics' values under PyRadiomics' names, from compiled loops over the VOI alone."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from radiobone.core.errors import CaseError, EngineError, UsageError, one_line
from radiobone.features.radiomics.bspline import Splines
from radiobone.features.radiomics.catalogue import FEATURES
from radiobone.features.radiomics.columns import column_keys
from radiobone.features.radiomics.crops import border_warnings
from radiobone.features.radiomics.engine import VoiValues, undefined
from radiobone.features.radiomics.native.ball import ball, params_of_ball
from radiobone.features.radiomics.native.features import Vectors, image_features
from radiobone.features.radiomics.native.images import images
from radiobone.features.radiomics.native.levels import VoiGrid, border
from radiobone.features.radiomics.native.memory import (
    MEMORY_LIMIT_GB,
    check_filter,
    check_matrices,
    check_resampling,
    check_surroundings,
)
from radiobone.features.radiomics.native.shape import shape_vector
from radiobone.features.radiomics.native.shape2d import shape_2d_vector
from radiobone.features.radiomics.native.surroundings import Surroundings
from radiobone.features.radiomics.params import RadiomicsParams
from radiobone.features.radiomics.region import shared_splines
from radiobone.features.radiomics.roi import RegionOfInterest, region_of_interest
from radiobone.features.radiomics.settings import Settings
from radiobone.features.radiomics.whole import WholeScan
from radiobone.imaging import Image, Mask

logger = logging.getLogger(__name__)

Result = VoiValues | CaseError

_FOR_MEMORY = "use fewer --jobs, a larger binWidth, a coarser resampledPixelSpacing, or a lower memory limit"
_FOR_ALL_ELSE = "this is a defect of radiobone: please report it, with the parameter file"


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
        own = params_of_ball(params)
        for _, result in NativeEngine().stream(*ball(own), own):
            if isinstance(result, CaseError):
                logger.debug("not all kernels are compiled before the first scan: %s", result)

    def extract(self, image: Image, vois: Mapping[str, Mask], params: RadiomicsParams) -> dict[str, Result]:
        """Compute the features of all VOIs of one scan; see `Engine.extract`."""
        return dict(self.stream(image, vois, params))

    def stream(
        self, image: Image, vois: Mapping[str, Mask], params: RadiomicsParams
    ) -> Iterator[tuple[str, Result]]:
        """Compute the features of one VOI after the other; see `Engine.stream`."""
        scan, places = WholeScan(image), _places(params)
        splines = self._splines(scan, vois.values(), params.setting)
        for key, voi in vois.items():
            yield key, self._attempt(key, scan, voi, params, splines, places)

    def _splines(self, scan: WholeScan, vois: Iterable[Mask], settings: Settings) -> Splines | None:
        """Plan the resampling of all VOIs together, those left out that would need too much memory."""
        if settings.spacing_mm is None:
            return None
        try:
            return shared_splines(scan, [voi for voi in vois if self._fits(voi, settings)], settings)
        except Exception:  # the border of a case: what fails here fails again, and is told, for its VOI
            logger.debug("VOIs are resampled one by one", exc_info=True)
            return None

    def _fits(self, voi: Mask, settings: Settings) -> bool:
        """Tell whether a VOI may be resampled, as far as memory goes."""
        try:
            check_resampling(voi, settings, self.memory_limit_gb)
        except EngineError:
            return False
        return True

    def _attempt(
        self,
        key: str,
        scan: WholeScan,
        voi: Mask,
        params: RadiomicsParams,
        splines: Splines | None,
        places: Sequence[_Place],
    ) -> Result:
        """Compute one VOI, or return its error, so that the other VOIs go on."""
        try:
            check_resampling(voi, params.setting, self.memory_limit_gb)
            return self._values(region_of_interest(scan, voi, params, splines), params, places)
        except CaseError as error:
            if error.where is None:
                error.where = f"VOI {key}"
            return error
        except UsageError:  # such as a missing package: no VOI can be computed
            raise
        except Exception as error:  # the border of a case: NumPy and ITK raise errors of any kind
            logger.debug("the native engine failed for VOI %s", key, exc_info=True)
            return EngineError(
                "the native engine cannot compute this VOI",
                where=f"VOI {key}",
                got=f"{type(error).__name__}: {one_line(error)}",
                do=_FOR_MEMORY if isinstance(error, MemoryError) else _FOR_ALL_ELSE,
            )

    def _values(self, subject: RegionOfInterest, params: RadiomicsParams, places: Sequence[_Place]) -> VoiValues:
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
                check_surroundings(region.mask.shape, settings, self.memory_limit_gb)
                grid = VoiGrid.of(region.mask, border(region.mask.shape, settings.distances))
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
        return _named(found, n_grey, told, places)


def _shape(subject: RegionOfInterest, params: RadiomicsParams) -> Vectors:
    """Compute the families that depend on the mask alone."""
    spacing_mm, settings = subject.region.spacing_mm, params.setting
    found = {}
    if params.features("shape") and "shape" in params.families:
        found["shape"] = shape_vector(subject.shape_mask, spacing_mm)
    if params.features("shape2D") and "shape2D" in params.families and settings.force2D:
        found["shape2D"] = shape_2d_vector(subject.shape_mask, spacing_mm, settings.force2Ddimension)
    return found


class _Place(NamedTuple):
    """Where the value of a column is found: in which image, family and position."""

    column: str
    image: str
    family: str
    position: int


def _places(params: RadiomicsParams) -> list[_Place]:
    """Return where the value of each column is found; the same for every VOI of a scan."""
    positions = {family: {name: index for index, name in enumerate(names)} for family, names in FEATURES.items()}
    return [
        _Place(name, key.image, key.family, positions[key.family][key.feature])
        for name, key in column_keys(params).items()
    ]


def _named(
    found: Mapping[str, Vectors], n_grey: dict[str, int], told: list[str], places: Sequence[_Place]
) -> VoiValues:
    """Give each value the name of its column, in the order of the columns."""
    values = {image: {family: row.tolist() for family, row in rows.items()} for image, rows in found.items()}
    features = {place.column: values[place.image][place.family][place.position] for place in places}
    return VoiValues(features, n_grey, tuple(dict.fromkeys([*told, *undefined(features)])))

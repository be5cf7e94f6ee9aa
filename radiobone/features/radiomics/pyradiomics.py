"""The PyRadiomics engine: PyRadiomics' values on the whole files, at the cost of the VOI.

It makes the same calls in the same order as ``RadiomicsFeatureExtractor.execute``, on a crop that is
right for each image type (`region`, `crops`), so that all definitions remain PyRadiomics' own.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import CaseError, EngineError, MissingExtraError, one_line
from radiobone.core.extras import require
from radiobone.features.radiomics.border import RadiomicsMessages, radiomics_messages
from radiobone.features.radiomics.columns import column_keys
from radiobone.features.radiomics.crops import border_warnings, crop, margin, wavelet_crop
from radiobone.features.radiomics.engine import VoiValues, shown, undefined
from radiobone.features.radiomics.filters import POINTWISE, pointwise
from radiobone.features.radiomics.params import RadiomicsParams
from radiobone.features.radiomics.region import Region, finite
from radiobone.features.radiomics.roi import region_of_interest
from radiobone.features.radiomics.settings import Settings
from radiobone.features.radiomics.whole import WholeScan
from radiobone.imaging import Image, Mask
from radiobone.imaging.volumes import Box

if TYPE_CHECKING:
    import SimpleITK as sitk

LABEL = 1
"""Label of the VOI inside this engine; the file's own ``label`` has been used up when the VOI was chosen."""

logger = logging.getLogger(__name__)


class PyRadiomicsEngine:
    """PyRadiomics 3.0.1, or its fork pyradiomics-cuda, as an engine (see `Engine`)."""

    name: str = "pyradiomics"
    values_revision: int = 2

    def prepare(self, params: RadiomicsParams) -> None:
        """Load PyRadiomics, which was compiled when it was installed; see `Engine.prepare`.

        Raises
        ------
        MissingExtraError
            If PyRadiomics, or a package that one of its filters needs, is not installed.
        """
        require("radiomics", "pyradiomics")
        _require_filters(params)

    def extract(
        self, image: Image, vois: Mapping[str, Mask], params: RadiomicsParams
    ) -> dict[str, VoiValues | CaseError]:
        """Compute the features of all VOIs of one scan; see `Engine.extract`.

        Raises
        ------
        MissingExtraError
            If PyRadiomics, or a package that one of its filters needs, is not installed.
        """
        return dict(self.stream(image, vois, params))

    def stream(
        self, image: Image, vois: Mapping[str, Mask], params: RadiomicsParams
    ) -> Iterator[tuple[str, VoiValues | CaseError]]:
        """Compute the features of one VOI after the other; see `Engine.stream`.

        Raises
        ------
        MissingExtraError
            If PyRadiomics, or a package that one of its filters needs, is not installed.
        """
        self.prepare(params)
        scan = WholeScan(image)
        for key, voi in vois.items():
            try:
                yield key, _extract(scan, voi, params)
            except CaseError as error:
                yield key, _located(error, key)
            except Exception as error:  # the border of a case: PyRadiomics and ITK raise errors of any kind
                logger.debug("PyRadiomics failed for VOI %s", key, exc_info=True)
                yield key, _located(_refusal(error), key)


def whole_image_values(image: Image, voi: Mask, params: RadiomicsParams) -> VoiValues:
    """Compute a VOI by ``RadiomicsFeatureExtractor.execute`` on the whole image and mask.

    Nothing but the parameter file and the voxels comes from radiobone, so this shows errors that its engines
    share: in resampling, normalisation, resegmentation and crops. It may take minutes and gigabytes.

    Parameters
    ----------
    image : Image
        The whole scan.
    voi : Mask
        The VOI on the scan's grid; every voxel that is not 0 belongs to it.
    params : RadiomicsParams
        What to compute.

    Returns
    -------
    VoiValues
        Without ``n_grey``.

    Raises
    ------
    EngineError
        If PyRadiomics cannot compute the VOI, or leaves out columns.
    MissingExtraError
        If PyRadiomics is not installed.
    """
    require("radiomics", "pyradiomics")
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    whole = Mask((voi.full() != 0).astype(np.uint8), voi.geometry)
    with radiomics_messages() as messages:
        try:
            extractor = RadiomicsFeatureExtractor(_content(params))
            values = extractor.execute(image.to_sitk(), whole.to_sitk())
        except Exception as error:  # the border of a case: PyRadiomics and ITK raise errors of any kind
            logger.debug("PyRadiomics failed on the whole image", exc_info=True)
            raise _refusal(error) from error
    return _checked(values, {}, params, messages)


def _content(params: RadiomicsParams) -> dict[str, Any]:
    """Return a parameter file as PyRadiomics reads it; what it does not name keeps PyRadiomics' own default."""
    images = {name: getattr(params.imageType, name) for name in params.image_types}
    features = {family: list(params.features(family)) for family in params.families}
    return {
        "imageType": {
            name: given.model_dump(mode="json", exclude_unset=True) if given else {}
            for name, given in images.items()
        },
        # To PyRadiomics, an empty list means all features.
        "featureClass": {family: names for family, names in features.items() if names},
        "setting": {
            **params.setting.model_dump(mode="json", exclude_unset=True),
            "label": LABEL,
            "additionalInfo": False,
        },
    }


def _refusal(error: Exception) -> EngineError:
    return EngineError(
        "PyRadiomics cannot compute this VOI",
        got=f"{type(error).__name__}: {one_line(error)}",
        do="look at the VOI in the image, and at binWidth (thousands of grey levels need memory)",
    )


def _extract(scan: WholeScan, voi: Mask, params: RadiomicsParams) -> VoiValues:
    """Compute one VOI as ``execute`` does."""
    from radiomics import imageoperations

    subject = region_of_interest(scan, voi, params)
    region = subject.region
    image, mask = region.to_sitk(region.read(region.box)), region.to_sitk(region.mask)
    values: dict[str, float] = {}
    n_grey: dict[str, int] = {}
    with radiomics_messages() as messages:
        extractor = _extractor(params)
        common = _kwargs(params.setting)
        bounding_box, _ = imageoperations.checkMask(image, mask, **common)
        values.update(extractor.computeShape(image, region.to_sitk(subject.shape_mask), bounding_box, **common))
        for image_type in params.image_types:
            settings = params.settings_of(image_type)
            for warning in border_warnings(region, image_type, settings):
                messages.add(warning)
            kwargs = _kwargs(settings)
            for array, name in _images(region, image_type, settings):
                filtered = region.to_sitk(array)
                values.update(extractor.computeFeatures(filtered, mask, name, **kwargs))
                n_grey[name] = _count_grey(array, region.mask, kwargs)
    return _checked(values, n_grey, params, messages)


def _images(region: Region, image_type: str, settings: Settings) -> Iterator[tuple[NDArray[Any], str]]:
    """Yield each image of one type inside the VOI's box, with its name."""
    from radiomics import imageoperations

    if image_type == "Original":
        yield region.read(region.box), "original"
        return
    if image_type in POINTWISE:
        name, array = pointwise(region, image_type)
        yield array, name
        return
    for part in _one_crop_each(image_type, settings):
        array, inner = _crop(region, image_type, part)
        image = region.to_sitk(finite(array, image_type))
        label = np.zeros(array.shape, dtype=np.uint8)
        label[inner] = region.mask
        generate = getattr(imageoperations, f"get{image_type}Image")
        for filtered, name, _ in generate(image, region.to_sitk(label), **_kwargs(part)):
            yield _array(filtered)[inner], name


def _one_crop_each(image_type: str, settings: Settings) -> list[Settings]:
    """Give each sigma of LoG its own crop; all other types take one."""
    if image_type != "LoG":
        return [settings]
    return [settings.model_copy(update={"sigma": (sigma,)}) for sigma in settings.sigma]


def _crop(region: Region, image_type: str, settings: Settings) -> tuple[NDArray[Any], Box]:
    if image_type == "Wavelet":
        indices, inner = wavelet_crop(region, settings)
        return region.take(indices), inner
    outer, inner = crop(region, margin(image_type, settings, region))
    return region.read(outer), inner


def _extractor(params: RadiomicsParams) -> Any:
    """Return PyRadiomics' extractor with the wanted features; the parameter file has been checked already."""
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    extractor = RadiomicsFeatureExtractor()
    extractor.disableAllFeatures()
    for family in params.families:
        features = list(params.features(family))
        if features and (family != "shape2D" or params.setting.force2D):
            extractor.enableFeaturesByName(**{family: features})
    return extractor


def _kwargs(settings: Settings) -> dict[str, Any]:
    """Return settings as PyRadiomics takes them, for a mask whose VOI has this engine's label."""
    return {**settings.model_dump(), "label": LABEL}


def _count_grey(array: NDArray[Any], mask: NDArray[np.uint8], kwargs: dict[str, Any]) -> int:
    """Count the grey levels that occur in the VOI after discretisation."""
    from radiomics import imageoperations

    levels, _ = imageoperations.binImage(array, mask == LABEL, **kwargs)
    return int(np.unique(levels[mask == LABEL]).size)


def _checked(
    values: Mapping[str, Any], n_grey: dict[str, int], params: RadiomicsParams, messages: RadiomicsMessages
) -> VoiValues:
    """Return the values as numbers, in the order of the columns; PyRadiomics must have given every one."""
    expected = list(column_keys(params))
    missing = [name for name in expected if name not in values]
    if missing or len(values) != len(expected):
        reasons = f" ({'; '.join(messages.texts)})" if messages.texts else ""
        raise EngineError(
            f"PyRadiomics left out {len(missing)} of {len(expected)} features",
            got=f"no {shown(missing)}{reasons}",
            expected="every column of the parameter file",
            do="compare the size of the VOI and of the image with the filters (LoG needs 4 voxels and sigma)",
        )
    # From NumPy 2.5 on the eigenvalues behind the axis lengths are complex numbers without imaginary part.
    features = {name: float(np.real(np.squeeze(values[name]))) for name in expected}
    for text in undefined(features):
        messages.add(text)
    return VoiValues(features, n_grey, tuple(messages.texts))


def _require_filters(params: RadiomicsParams) -> None:
    """Refuse filters whose packages are missing: PyRadiomics itself would leave out their images in silence."""
    if "LBP2D" in params.image_types and not _importable("skimage.feature"):
        raise MissingExtraError("the image type LBP2D needs scikit-image", do='pip install "radiobone[lbp]"')
    if "LBP3D" in params.image_types and not (
        _importable("trimesh.creation") and hasattr(importlib.import_module("scipy.special"), "sph_harm")
    ):
        raise MissingExtraError(
            "the image type LBP3D needs trimesh, and SciPy's sph_harm, which was removed in SciPy 1.17",
            do='pip install "radiobone[lbp]", or remove LBP3D from the parameter file',
        )


def _importable(module: str) -> bool:
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True


def _located(error: CaseError, key: str) -> CaseError:
    if error.where is None:
        error.where = f"VOI {key}"
    return error


def _array(image: sitk.Image) -> NDArray[Any]:
    import SimpleITK as sitk

    array: NDArray[Any] = sitk.GetArrayFromImage(image)
    return array

"""The settings of PyRadiomics parameter files, with PyRadiomics' names, ranges and defaults.

``Settings`` is the file's ``setting``; the other models are what may stand under one image type. All names
and orders (x, y, z) are those of PyRadiomics 3.0.1, whose documentation explains each setting.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, model_validator

from radiobone.core.config import FileModel, nearest

Interpolator = Literal[
    "sitkNearestNeighbor",
    "sitkLinear",
    "sitkBSpline",
    "sitkGaussian",
    "sitkLabelGaussian",
    "sitkHammingWindowedSinc",
    "sitkCosineWindowedSinc",
    "sitkWelchWindowedSinc",
    "sitkLanczosWindowedSinc",
    "sitkBlackmanWindowedSinc",
]
_INTERPOLATORS = Interpolator.__args__  # type: ignore[attr-defined]

_BIORTHOGONAL = (1.1, 1.3, 1.5, 2.2, 2.4, 2.6, 2.8, 3.1, 3.3, 3.5, 3.7, 3.9, 4.4, 5.5, 6.8)
WAVELETS = (
    *(f"{family}{order}" for family in ("bior", "rbio") for order in _BIORTHOGONAL),
    *(f"coif{order}" for order in range(1, 18)),
    *(f"db{order}" for order in range(1, 39)),
    "dmey",
    "haar",
    *(f"sym{order}" for order in range(2, 21)),
)
"""The discrete wavelets of PyWavelets, by name."""


def _number_from_text(value: object) -> object:
    """Read ``1e-4``, which YAML 1.1 takes for text, as the number that is meant."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _interpolator_from_number(value: object) -> object:
    """Read PyRadiomics' numbers of interpolators, 1 to 10."""
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= len(_INTERPOLATORS):
        return _INTERPOLATORS[value - 1]
    return value


def _known_wavelet(value: object) -> object:
    if value not in WAVELETS:
        raise ValueError(f"no discrete wavelet of PyWavelets{nearest(str(value), list(WAVELETS))}")
    return value


def _sigma(value: object) -> int | float:
    number = _number_from_text(value)
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number < math.inf:
        raise ValueError("sigma should be a number of mm above 0")
    return number


def _distinct(distances: tuple[int, ...]) -> tuple[int, ...]:
    """Refuse a distance that is given twice: PyRadiomics would count some of its angles twice, and others not."""
    if len(set(distances)) < len(distances):
        raise ValueError("each distance should be given once")
    return distances


def _refuse_channel(value: object) -> object:
    raise ValueError("cannot be honoured: masks hold one label for each voxel, not channels; remove it")


Real = Annotated[float, Field(strict=True, allow_inf_nan=False), BeforeValidator(_number_from_text)]
Positive = Annotated[Real, Field(gt=0)]
Whole = Annotated[int, Field(strict=True)]
Natural = Annotated[Whole, Field(ge=0)]
Count = Annotated[Whole, Field(ge=1)]
Switch = Annotated[bool, Field(strict=True)]
# 1 and 1.0 give different column names, so a sigma stays as it was written.
Sigma = Annotated[int | float, PlainValidator(_sigma)]
Axis = Annotated[Whole, Field(ge=0, le=2)]
Distances = Annotated[tuple[Count, ...], Field(min_length=1), AfterValidator(_distinct)]
Weighting = Literal["euclidean", "manhattan", "infinity", "no_weighting"]
Wavelet = Annotated[str, BeforeValidator(_known_wavelet)]
LbpMethod = Literal["default", "ror", "uniform", "var"]


class Settings(FileModel):
    """What stands under ``setting``, each key with the default that PyRadiomics itself uses.

    Notes
    -----
    ``label``, ``correctMask``, ``geometryTolerance`` and ``additionalInfo`` are accepted and recorded but change
    no value: an engine gets masks that are already chosen and lie on the image's grid, and PyRadiomics'
    diagnostics are not part of a feature table (their content stands in the manifest).
    """

    minimumROIDimensions: Annotated[Whole, Field(ge=1, le=3)] = 2
    minimumROISize: Count | None = None
    geometryTolerance: Positive | None = None
    correctMask: Switch = False
    additionalInfo: Switch = True
    label: Count = 1
    label_channel: Annotated[None, BeforeValidator(_refuse_channel)] = Field(
        default=None, exclude=True, validate_default=False
    )
    binWidth: Positive = 25.0
    binCount: Count | None = None
    normalize: Switch = False
    normalizeScale: Positive = 1.0
    removeOutliers: Positive | None = None
    resampledPixelSpacing: (
        tuple[Annotated[Real, Field(ge=0)], Annotated[Real, Field(ge=0)], Annotated[Real, Field(ge=0)]] | None
    ) = None
    interpolator: Annotated[Interpolator | None, BeforeValidator(_interpolator_from_number)] = "sitkBSpline"
    padDistance: Natural = 5
    distances: Distances = (1,)
    force2D: Switch = False
    force2Ddimension: Axis = 0
    resegmentRange: Annotated[tuple[Real, ...], Field(min_length=1, max_length=2)] | None = None
    resegmentMode: Literal["absolute", "relative", "sigma"] = "absolute"
    resegmentShape: Switch = False
    preCrop: Switch = False
    sigma: tuple[Sigma, ...] = ()
    start_level: Natural = 0
    level: Count = 1
    wavelet: Wavelet = "coif1"
    gradientUseSpacing: Switch = True
    lbp2DRadius: Positive = 1.0
    lbp2DSamples: Count = 8
    lbp2DMethod: LbpMethod = "uniform"
    lbp3DLevels: Count = 2
    lbp3DIcosphereRadius: Positive = 1.0
    lbp3DIcosphereSubdivision: Natural = 1
    voxelArrayShift: Whole = 0
    symmetricalGLCM: Switch = True
    weightingNorm: Weighting | None = None
    gldm_a: Natural = 0

    @property
    def spacing_mm(self) -> tuple[float, float, float] | None:
        """Wanted spacing along (z, y, x) in mm, 0 keeping the image's; None if nothing is resampled."""
        if self.resampledPixelSpacing is None or self.interpolator is None:
            return None
        x, y, z = self.resampledPixelSpacing
        return z, y, x


_MAY_BE_NULL = {"binCount", "weightingNorm"}


class ImageType(FileModel):
    """What may stand under any image type: settings of discretisation and texture for its images alone.

    A key that is not given takes its value from ``setting``.
    """

    binWidth: Positive | None = None
    binCount: Count | None = None
    distances: Distances | None = None
    force2D: Switch | None = None
    force2Ddimension: Axis | None = None
    voxelArrayShift: Whole | None = None
    symmetricalGLCM: Switch | None = None
    weightingNorm: Weighting | None = None
    gldm_a: Natural | None = None

    @model_validator(mode="before")
    @classmethod
    def _only_what_takes_effect(cls, content: Any) -> Any:
        if content is None:
            return {}
        if isinstance(content, dict):
            for key in content:
                if key in Settings.model_fields and key not in cls.model_fields:
                    raise ValueError(f"{key} takes no effect under this image type; put it under 'setting'")
                if content[key] is None and key in cls.model_fields and key not in _MAY_BE_NULL:
                    raise ValueError(f"{key} needs a value; remove the key to take that of 'setting'")
        return content

    def overrides(self) -> dict[str, Any]:
        """Return the settings that the file gives for this image type."""
        return {name: getattr(self, name) for name in type(self).model_fields if name in self.model_fields_set}


class LoGType(ImageType):
    """Laplacian of Gaussian: one image for each sigma (mm)."""

    sigma: tuple[Sigma, ...] | None = None


class WaveletType(ImageType):
    """Stationary wavelet transform: all low and high pass combinations for each level."""

    wavelet: Wavelet | None = None
    level: Count | None = None
    start_level: Natural | None = None


class GradientType(ImageType):
    """Gradient magnitude."""

    gradientUseSpacing: Switch | None = None


class LBP2DType(ImageType):
    """Local binary pattern of each slice."""

    lbp2DRadius: Positive | None = None
    lbp2DSamples: Count | None = None
    lbp2DMethod: LbpMethod | None = None


class LBP3DType(ImageType):
    """Local binary pattern on a sphere."""

    lbp3DLevels: Count | None = None
    lbp3DIcosphereRadius: Positive | None = None
    lbp3DIcosphereSubdivision: Natural | None = None


class ImageTypes(FileModel):
    """What stands under ``imageType``."""

    Original: ImageType | None = None
    Wavelet: WaveletType | None = None
    LoG: LoGType | None = None
    Square: ImageType | None = None
    SquareRoot: ImageType | None = None
    Logarithm: ImageType | None = None
    Exponential: ImageType | None = None
    Gradient: GradientType | None = None
    LBP2D: LBP2DType | None = None
    LBP3D: LBP3DType | None = None

"""Parameter files of PyRadiomics, read strictly.

Every key of PyRadiomics 3.0.1 is known, with the default that PyRadiomics itself uses; an unknown key is an
error, and so is a setting that cannot be honoured. Files keep PyRadiomics' names and its (x, y, z) order; the
properties that code uses (`RadiomicsParams.spacing_mm`) reverse it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    field_validator,
    model_validator,
)

from radiobone.core.config import FileModel, nearest, read_yaml, validate
from radiobone.core.hashing import sha256_json
from radiobone.core.resources import find
from radiobone.features.radiomics.catalogue import FEATURES, WITHOUT_VALUE, default_features
from radiobone.features.radiomics.settings import ImageType, ImageTypes, Settings


def _refuse_voxel_based(value: object) -> object:
    raise ValueError("cannot be honoured: radiobone computes one value for each VOI, no feature maps; remove it")


class FeatureClasses(FileModel):
    """What stands under ``featureClass``: for each family the wanted features, or nothing for all."""

    firstorder: tuple[str, ...] = ()
    glcm: tuple[str, ...] = ()
    gldm: tuple[str, ...] = ()
    glrlm: tuple[str, ...] = ()
    glszm: tuple[str, ...] = ()
    ngtdm: tuple[str, ...] = ()
    shape: tuple[str, ...] = ()
    shape2D: tuple[str, ...] = ()

    @field_validator("*", mode="before")
    @classmethod
    def _empty_means_all(cls, value: object) -> object:
        return () if value is None else value

    @model_validator(mode="after")
    def _known_features(self) -> Self:
        for family in type(self).model_fields:
            known = [*FEATURES[family], *sorted(WITHOUT_VALUE.get(family, ()))]
            for name in getattr(self, family):
                if name not in known:
                    raise ValueError(f"{family}: unknown feature {name!r}{nearest(name, known)}")
        return self


class RadiomicsParams(FileModel):
    """A parameter file of PyRadiomics.

    Parameters
    ----------
    imageType : ImageTypes, optional
        Images to compute features on; the original image alone if empty or not given.
    featureClass : FeatureClasses, optional
        Families of features; all if empty or not given.
    setting : Settings, optional
        Everything else.

    Notes
    -----
    The order of image types and families in the file is the order of the columns, so it belongs to the
    effective parameters and to their SHA-256.
    """

    imageType: ImageTypes = Field(default_factory=ImageTypes)
    featureClass: FeatureClasses = Field(default_factory=FeatureClasses)
    setting: Settings = Field(default_factory=Settings)
    voxelSetting: Annotated[None, BeforeValidator(_refuse_voxel_based)] = Field(
        default=None, exclude=True, validate_default=False
    )
    _images: tuple[str, ...] = PrivateAttr(default=("Original",))
    _families: tuple[str, ...] = PrivateAttr(default=tuple(FEATURES))

    @model_validator(mode="wrap")
    @classmethod
    def _keep_order(cls, content: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(content, Mapping):
            content = {
                key: {} if value is None and key != "voxelSetting" else value for key, value in content.items()
            }
        params = handler(content)
        if isinstance(content, Mapping):
            params._images = tuple(content.get("imageType", ())) or params._images
            params._families = tuple(content.get("featureClass", ())) or params._families
        return params

    @model_validator(mode="after")
    def _log_has_sigma(self) -> Self:
        given = self.imageType.LoG
        if "LoG" in self.imageType.model_fields_set and not (self.setting.sigma or (given and given.sigma)):
            raise ValueError("imageType.LoG: sigma is missing, and without it there is no LoG image")
        return self

    @property
    def image_types(self) -> tuple[str, ...]:
        """Image types in the order of the file."""
        return self._images

    @property
    def families(self) -> tuple[str, ...]:
        """Families of features in the order of the file."""
        return self._families

    @property
    def spacing_mm(self) -> tuple[float, float, float] | None:
        """Wanted spacing along (z, y, x) in mm, 0 keeping the image's; None if nothing is resampled."""
        return self.setting.spacing_mm

    def features(self, family: str) -> tuple[str, ...]:
        """Return the features of a family that get a column, in order.

        Parameters
        ----------
        family : str
            One of `families`.

        Returns
        -------
        tuple of str
            Those that the file names, less those that have no value; PyRadiomics' default if it names none.
        """
        named = tuple(dict.fromkeys(getattr(self.featureClass, family)))
        without = WITHOUT_VALUE.get(family, set())
        return tuple(name for name in named if name not in without) if named else default_features(family)

    def settings_of(self, image_type: str) -> Settings:
        """Return the settings that hold for one image type: ``setting``, and what stands under the type.

        Parameters
        ----------
        image_type : str
            One of `image_types`, such as ``LoG``.
        """
        given: ImageType | None = getattr(self.imageType, image_type)
        return self.setting.model_copy(update=given.overrides() if given else {})

    def effective(self) -> dict[str, Any]:
        """Return all parameters as they take effect, defaults included, as a JSON-like value.

        Image types and families are lists, since their order is the order of the columns. Under each image
        type stand the settings of its filter and what it has of its own.
        """
        filters = {name for names in FILTER_SETTINGS.values() for name in names}
        common = self.setting.model_dump(mode="json")
        images = []
        for image_type in self.image_types:
            own = self.settings_of(image_type).model_dump(mode="json")
            kept = {
                key: value
                for key, value in own.items()
                if key in FILTER_SETTINGS.get(image_type, ()) or (key not in filters and value != common[key])
            }
            images.append({"name": image_type, **kept})
        return {
            "imageType": images,
            "featureClass": [
                {"name": family, "features": list(self.features(family))} for family in self.families
            ],
            "setting": {key: value for key, value in common.items() if key not in filters},
        }

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the effective parameters."""
        return sha256_json(self.effective())


FILTER_SETTINGS = {
    name: tuple(key for key in kind.model_fields if key not in ImageType.model_fields)
    for name, field in ImageTypes.model_fields.items()
    for kind in (getattr(field.annotation, "__args__", (ImageType,))[0],)
}
"""For each image type, the settings of its filter."""


def read_params(name_or_path: str | Path) -> RadiomicsParams:
    """Read a shipped preset by name, or the user's own parameter file by path.

    Parameters
    ----------
    name_or_path : str or Path
        A preset such as ``original``; with a folder or a ``.yaml`` suffix it is a path.

    Raises
    ------
    ConfigError
        If there is no such file, or if it is not valid: with the path of each wrong key.
    """
    path = find("params", name_or_path)
    return validate(RadiomicsParams, read_yaml(path), str(path))

"""The engine call that every radiomics engine answers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from radiobone.core.errors import CaseError
from radiobone.imaging import Image, Mask

if TYPE_CHECKING:
    from radiobone.features.radiomics.params import RadiomicsParams


@dataclass(frozen=True)
class VoiValues:
    """What a block of features gives for one VOI.

    Parameters
    ----------
    features : mapping of str to float
        Every column of the block, in its order; NaN where a feature is not defined for this VOI.
    n_grey : mapping of str to int
        For each image (``original``, ``wavelet-LLH``, ...): number of grey levels after discretisation; empty if
        nothing is discretised.
    warnings : tuple of str
        What a user should know of this VOI's values.
    """

    features: Mapping[str, float]
    n_grey: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def undefined(features: Mapping[str, float]) -> list[str]:
    """Say which features have no value; nothing if all have one.

    Parameters
    ----------
    features : mapping of str to float
        Values by column.
    """
    names = [name for name, value in features.items() if not math.isfinite(value)]
    return [f"{len(names)} features are not defined for this VOI: {shown(names)}"] if names else []


def shown(names: Sequence[str]) -> str:
    """Name a few of many.

    Parameters
    ----------
    names : sequence of str
        All of them.
    """
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


class Engine(Protocol):
    """A radiomics engine.

    Attributes
    ----------
    name : str
        Name on the command line and in the manifest.
    values_revision : int
        Raised with every change of a number.
    """

    name: str
    values_revision: int

    def prepare(self, params: RadiomicsParams) -> None:
        """Do what is done once for all scans, such as compiling, before workers start; may do nothing.

        Parameters
        ----------
        params : RadiomicsParams
            What will be computed.
        """
        ...

    def stream(
        self, image: Image, vois: Mapping[str, Mask], params: RadiomicsParams
    ) -> Iterator[tuple[str, VoiValues | CaseError]]:
        """Compute the features of all VOIs of one scan, and yield each VOI as soon as it is done.

        Parameters
        ----------
        image, vois, params
            As for `extract`.

        Yields
        ------
        key : str
            The VOI.
        values : VoiValues or CaseError
            Its values, or why there are none.
        """
        ...

    def extract(
        self, image: Image, vois: Mapping[str, Mask], params: RadiomicsParams
    ) -> dict[str, VoiValues | CaseError]:
        """Compute the features of all VOIs of one scan.

        Parameters
        ----------
        image : Image
            The whole scan, in the file's pixel type.
        vois : mapping of str to Mask
            Each VOI on the image's grid; every voxel that is not 0 belongs to it.
        params : RadiomicsParams
            What to compute, as PyRadiomics parameter files say it.

        Returns
        -------
        dict of str to VoiValues or CaseError
            For each VOI its values, equal to PyRadiomics' on the whole, uncropped files, or why there are none.
        """
        ...

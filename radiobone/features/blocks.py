"""Blocks of features: radiomics, density, and density with vBMD behind one call, each resumed on its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from radiobone.core.errors import CaseError
from radiobone.core.hashing import sha256_json
from radiobone.features import density
from radiobone.features.radiomics.columns import columns
from radiobone.features.radiomics.engine import Engine, VoiValues
from radiobone.features.radiomics.params import RadiomicsParams
from radiobone.features.radiomics.registry import find_engine
from radiobone.imaging import Image, Mask
from radiobone.imaging.calibration import Calibration, CalibrationSettings
from radiobone.imaging.calibration.calibrate import REVISION as CALIBRATION_REVISION
from radiobone.tables.features import BlockRecord


class Block(Protocol):
    """One block of feature columns; picklable, since workers get it."""

    @property
    def record(self) -> BlockRecord:
        """Everything that the values depend on, besides the image and the VOI."""
        ...

    @property
    def images(self) -> tuple[str, ...]:
        """The filtered images whose number of grey levels is reported."""
        ...

    def prepare(self, jobs: int) -> None:
        """Do what is done once for all scans, before the first one and before workers start.

        Parameters
        ----------
        jobs : int
            How many workers there will be; 1 is this process.
        """
        ...

    def stream(self, image: Image, vois: Mapping[str, Mask]) -> Iterator[tuple[str, VoiValues | CaseError]]:
        """Compute the block for all VOIs of one scan, and yield each one as soon as it is done.

        Parameters
        ----------
        image : Image
            The whole scan.
        vois : mapping of str to Mask
            Each VOI on the image's grid.

        Yields
        ------
        key : str
            The VOI.
        values : VoiValues or CaseError
            Its values, or why there are none.
        """
        ...


@dataclass(frozen=True)
class RadiomicsBlock:
    """Radiomics features of a parameter file, by one engine.

    Parameters
    ----------
    params : RadiomicsParams
        Which features on which images.
    engine_name : str
        Name of the engine, such as ``pyradiomics``.
    memory_limit_gb : float, optional
        Memory that one VOI may take; by default the engine's own limit. It is no part of the record, since it
        changes no value.
    """

    params: RadiomicsParams
    engine_name: str
    memory_limit_gb: float | None = None

    @property
    def engine(self) -> Engine:
        """The engine, found by its name (so that the block can be sent to a worker)."""
        return find_engine(self.engine_name, self.memory_limit_gb)

    @cached_property
    def record(self) -> BlockRecord:
        """The engine, its revision, the effective parameters and the columns."""
        engine = self.engine
        return BlockRecord(
            name="radiomics",
            engine=engine.name,
            values_revision=engine.values_revision,
            parameters=self.params.effective(),
            parameters_sha256=self.params.sha256,
            columns=[column.name for column in columns(self.params)],
        )

    @property
    def images(self) -> tuple[str, ...]:
        """The filtered images of the parameter file; shape belongs to none."""
        named = (column.filter for column in columns(self.params) if not column.family.startswith("shape"))
        return tuple(dict.fromkeys(named))

    def prepare(self, jobs: int) -> None:
        """Let the engine compile what it needs; see `Block.prepare`."""
        self.engine.prepare(self.params)

    def stream(self, image: Image, vois: Mapping[str, Mask]) -> Iterator[tuple[str, VoiValues | CaseError]]:
        """Call the engine; see `Block.stream`."""
        return self.engine.stream(image, vois, self.params)


@dataclass(frozen=True)
class DensityBlock:
    """HU statistics and volume on the scan's own grid."""

    @property
    def record(self) -> BlockRecord:
        """The revision and the columns; there are no parameters."""
        return BlockRecord(
            name="density",
            engine="radiobone",
            values_revision=density.VALUES_REVISION,
            parameters={},
            parameters_sha256=sha256_json({}),
            columns=[column.name for column in density.COLUMNS],
        )

    @property
    def images(self) -> tuple[str, ...]:
        """None: nothing is discretised."""
        return ()

    def prepare(self, jobs: int) -> None:
        """Do nothing; see `Block.prepare`."""

    def stream(self, image: Image, vois: Mapping[str, Mask]) -> Iterator[tuple[str, VoiValues | CaseError]]:
        """Compute the block of each VOI; see `Block.stream`."""
        for key, voi in vois.items():
            try:
                yield key, VoiValues(density.density(image, voi))
            except CaseError as error:
                yield key, error


@dataclass(frozen=True)
class CalibratedDensityBlock(DensityBlock):
    """The density block with vBMD.

    Parameters
    ----------
    settings : CalibrationSettings
        The calibration file.
    scan : mapping, optional
        What the calibration of one scan depends on besides image and mask: columns of its row, and the hash of its
        calibration mask. None before the block belongs to a scan.
    calibration : Calibration, optional
        Of that scan, once it is known.
    """

    settings: CalibrationSettings
    scan: Mapping[str, Any] | None = None
    calibration: Calibration | None = None

    @cached_property
    def record(self) -> BlockRecord:
        """The revision, the columns, and which kind of densities they hold.

        Before the block belongs to a scan, its parameters are what must be alike where densities are compared:
        kind and standard, not the copy of a phantom. Of one scan they are everything, since its values are kept
        under their hash.
        """
        parameters: dict[str, Any] = {"calibration": self.settings.kind, "standard": self.settings.standard}
        if self.scan is not None:
            parameters |= {
                "settings": self.settings_sha256,
                "scan": dict(self.scan),
                "revision": CALIBRATION_REVISION,
            }
        return BlockRecord(
            name="density",
            engine="radiobone",
            values_revision=density.VALUES_REVISION,
            parameters=parameters,
            parameters_sha256=sha256_json(parameters),
            columns=[column.name for column in density.calibrated_columns(self.settings.standard)],
        )

    @cached_property
    def settings_sha256(self) -> str:
        """SHA-256 of the calibration file's content."""
        return sha256_json(self.settings.model_dump(mode="json"))

    def stream(self, image: Image, vois: Mapping[str, Mask]) -> Iterator[tuple[str, VoiValues | CaseError]]:
        """Compute the block of each VOI; see `Block.stream`."""
        assert self.calibration is not None
        for key, found in super().stream(image, vois):
            if isinstance(found, VoiValues):
                features = {**found.features, **density.vbmd(found.features, self.calibration)}
                found = VoiValues(features, warnings=self.calibration.warnings)
            yield key, found

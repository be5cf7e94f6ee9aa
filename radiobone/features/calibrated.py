"""The density block with vBMD."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from radiobone.core.errors import CaseError
from radiobone.core.hashing import sha256_json
from radiobone.features import density
from radiobone.features.radiomics.engine import VoiValues
from radiobone.imaging import Image, Mask
from radiobone.imaging.calibration import Calibration, CalibrationSettings
from radiobone.imaging.calibration.calibrate import REVISION
from radiobone.tables.features import BlockRecord


@dataclass(frozen=True)
class CalibratedDensityBlock:
    """HU statistics, volume and vBMD.

    Parameters
    ----------
    settings : mapping
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
            parameters |= {"settings": self.settings_sha256, "scan": dict(self.scan), "revision": REVISION}
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

    @property
    def images(self) -> tuple[str, ...]:
        """None: nothing is discretised."""
        return ()

    def prepare(self) -> None:
        """Do nothing; see `Block.prepare`."""

    def stream(self, image: Image, vois: Mapping[str, Mask]) -> Iterator[tuple[str, VoiValues | CaseError]]:
        """Compute the block of each VOI; see `Block.stream`."""
        assert self.calibration is not None
        for key, voi in vois.items():
            try:
                values = density.density(image, voi)
            except CaseError as error:
                yield key, error
            else:
                features = values | density.vbmd(values, self.calibration)
                yield key, VoiValues(features, warnings=self.calibration.warnings)

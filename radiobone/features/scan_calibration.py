"""The calibration of each scan of an extraction, kept between runs like any value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from radiobone.core.errors import CalibrationError, GeometryError
from radiobone.core.hashing import sha256_json
from radiobone.core.provenance import numeric_versions
from radiobone.core.store import ResumeStore
from radiobone.features.blocks import Block, CalibratedDensityBlock
from radiobone.features.prepare import PreparedScan
from radiobone.features.resume import Plan, hash_mask
from radiobone.imaging import Mask
from radiobone.imaging.calibration import Calibration, Given, calibrate
from radiobone.imaging.geometry import differences
from radiobone.imaging.reading import read_mask
from radiobone.tables.cohort import Scan
from radiobone.tables.vertebrae import VERTEBRAE
from radiobone.voi import Scheme


def of_scan(blocks: Sequence[Block], scan: Scan, store: ResumeStore | None) -> tuple[Block, ...]:
    """Give blocks what they need to know of a scan before any of its voxels is read.

    Parameters
    ----------
    blocks : sequence of Block
        As asked for.
    scan : Scan
        The scan.
    store : ResumeStore or None
        Where hashes of untouched files are kept.
    """
    return tuple(
        _of_scan(block, scan, store) if isinstance(block, CalibratedDensityBlock) else block for block in blocks
    )


def _of_scan(block: CalibratedDensityBlock, scan: Scan, store: ResumeStore | None) -> CalibratedDensityBlock:
    path = scan.calibration_mask
    columns = dict(scan.columns)
    given = {
        "columns": {name: columns.get(name, "") for name in block.settings.columns},
        "calibration_mask": hash_mask(path, store) if path is not None else None,
    }
    return replace(block, scan=given)


def kept_calibrations(blocks: Sequence[Block], plan: Plan, store: ResumeStore | None) -> tuple[Block, ...] | None:
    """Take the calibration of a scan from the store.

    Parameters
    ----------
    blocks : sequence of Block
        From `of_scan`.
    plan : Plan
        The scan's plan.
    store : ResumeStore or None
        Where results are kept.

    Returns
    -------
    tuple of Block or None
        The blocks with their calibration; None if it is not there.
    """
    found: list[Block] = []
    for block in blocks:
        if isinstance(block, CalibratedDensityBlock):
            kept = store.get(_key(block, plan)) if store else None
            if kept is None:
                return None
            block = replace(block, calibration=Calibration.from_content(kept))
        found.append(block)
    return tuple(found)


def calibrated(
    blocks: Sequence[Block], scan: Scan, plan: Plan, prepared: PreparedScan, store: ResumeStore | None
) -> tuple[Block, ...]:
    """Calibrate a scan for the blocks that need it, and keep the result.

    Parameters
    ----------
    blocks : sequence of Block
        From `of_scan`.
    scan : Scan
        The scan.
    plan : Plan
        Its plan.
    prepared : PreparedScan
        Its image and masks.
    store : ResumeStore or None
        Where results are kept.

    Raises
    ------
    CalibrationError
        If there is no calibration for this scan.
    """
    kept = kept_calibrations(blocks, plan, store)
    if kept is not None:
        return kept
    return tuple(
        _calibrated(block, scan, plan, prepared, store) if isinstance(block, CalibratedDensityBlock) else block
        for block in blocks
    )


def _calibrated(
    block: CalibratedDensityBlock, scan: Scan, plan: Plan, prepared: PreparedScan, store: ResumeStore | None
) -> CalibratedDensityBlock:
    labels = _calibration_mask(scan, prepared)
    assert block.scan is not None
    given = Given(block.scan["columns"], labels, prepared.mask)
    try:
        found = calibrate(prepared.image, spine_of(prepared.mask, prepared.scheme), block.settings, given)
    except CalibrationError as error:
        where = ", ".join(filter(None, [scan.name, error.where]))
        raise CalibrationError(
            error.what, where=where, got=error.got, expected=error.expected, do=error.do
        ) from None
    if labels is not None:
        found = replace(found, notes=(*found.notes, *labels.notes))
    if store:
        store.put(_key(block, plan), found.content())
    return replace(block, calibration=found)


def _calibration_mask(scan: Scan, prepared: PreparedScan) -> Mask | None:
    """Read the labels of rods or tissues; HU of small rods do not bear that these are resampled."""
    if scan.calibration_mask is None:
        return None
    labels = read_mask(scan.calibration_mask, prepared.image)
    different = differences(prepared.image.geometry, labels.geometry)
    if different:
        raise GeometryError(
            "image and calibration mask do not lie on the same grid",
            where=f"{scan.name}, {scan.calibration_mask}",
            got="; ".join(different) + " (image, calibration mask)",
            expected="one grid",
            do="draw it on this image; --align does not resample it",
        )
    return labels


def spine_of(mask: Mask, scheme: Scheme) -> Mask:
    """Return the vertebrae of a mask, without organs and the sacrum, which tell nothing of where the spine is.

    Parameters
    ----------
    mask : Mask
        All labels.
    scheme : Scheme
        What they mean. Where it names no vertebra, all labels count.
    """
    named = {value for value, level in scheme.labels.items() if level in VERTEBRAE and level != "S1"}
    values = sorted(named & set(mask.labels()))
    return Mask(np.isin(mask.array, values), mask.geometry, mask.offset).tight() if values else mask


def calibration_record(blocks: Sequence[Block]) -> dict[str, Any] | None:
    """Return what the manifest says of a scan's calibration; None where there is none.

    Parameters
    ----------
    blocks : sequence of Block
        From `calibrated`.
    """
    for block in blocks:
        if isinstance(block, CalibratedDensityBlock) and block.calibration is not None:
            given = {name: value for name, value in (block.scan or {}).items() if value}
            return {**asdict(block.calibration), "settings_sha256": block.settings_sha256, "scan": given}
    return None


def _key(block: CalibratedDensityBlock, plan: Plan) -> str:
    return sha256_json(["calibration", plan.voi_key, block.record.parameters_sha256, numeric_versions()])

"""The checks of a cohort before hours are spent on it: one list of findings, scan by scan."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from radiobone.core.batch import run_cases
from radiobone.core.errors import CaseError, GeometryError, one_line
from radiobone.features.prepare import PreparedScan, RawScan, prepare_scan, refuse_unsegmented
from radiobone.features.request import ExtractionRequest
from radiobone.imaging import Image, Mask
from radiobone.imaging.masks.placing import TURNED
from radiobone.imaging.reading import read_image, read_mask
from radiobone.tables.cohort import Scan
from radiobone.tables.vertebrae import level_order

Severity = Literal["error", "warning", "note"]
Volume = TypeVar("Volume")

FACTS = ("size", "spacing_mm", "pixel_type", "hu_range", "scheme", "levels")
"""What a report says of a scan that could be read."""

HIGHEST_HU = 20000
"""No tissue or implant reaches this in HU (12-bit scanners end at 3,071, extended scales near 16,000)."""


@dataclass(frozen=True)
class Finding:
    """One thing that a check found.

    Parameters
    ----------
    scan : str
        Which scan.
    check : str
        Which check: ``file``, ``geometry``, ``labels``, ``level``, ``HU`` or ``VOI``.
    severity : {"error", "warning", "note"}
        An error means that extraction will fail there, a warning that somebody should look before it is used; a
        note is only worth knowing.
    message : str
        What was found.
    """

    scan: str
    check: str
    severity: Severity
    message: str


@dataclass(frozen=True)
class ScanReport:
    """What was found out about one scan.

    Parameters
    ----------
    scan : Scan
        The scan.
    findings : tuple of Finding
        What the checks found.
    facts : dict of str to str
        By the names of `FACTS`, for a table; empty where image and mask cannot be used together.
    """

    scan: Scan
    findings: tuple[Finding, ...]
    facts: dict[str, str]

    @property
    def needs_review(self) -> bool:
        """Whether somebody should look at the scan before it is used."""
        return any(finding.severity != "note" for finding in self.findings)

    def count(self, severity: Severity) -> int:
        """Return the number of findings of one severity.

        Parameters
        ----------
        severity : {"error", "warning", "note"}
            Which.
        """
        return sum(finding.severity == severity for finding in self.findings)


@dataclass(frozen=True, eq=False)
class CheckedScan:
    """A scan that was checked, with all that was read and made on the way.

    Parameters
    ----------
    report : ScanReport
        What was found.
    image : Image or None
        The scan, if it can be read.
    prepared : PreparedScan or None
        Mask and VOIs, if image and mask can be used together.
    """

    report: ScanReport
    image: Image | None = None
    prepared: PreparedScan | None = None


def inspect_scans(
    scans: Sequence[Scan], request: ExtractionRequest, *, jobs: int = 1, progress: bool = True
) -> list[ScanReport]:
    """Check every scan of a cohort; a scan that cannot be read is a finding, too.

    Parameters
    ----------
    scans : sequence of Scan
        The scans.
    request : ExtractionRequest
        Which VOIs are meant to be extracted.
    jobs : int, default 1
        Number of worker processes.
    progress : bool, default True
        Show a progress bar.

    Returns
    -------
    list of ScanReport
        In the order of ``scans``.
    """
    work = functools.partial(inspect_scan, request=request)
    outcomes = run_cases(
        scans, work, name=lambda scan: scan.name, jobs=jobs, description="inspecting scans", progress=progress
    )
    return [
        outcome.result or failed_report(scan, outcome.reason)
        for scan, outcome in zip(scans, outcomes, strict=True)
    ]


def failed_report(scan: Scan, reason: str) -> ScanReport:
    """Return the report of a scan whose check itself failed.

    Parameters
    ----------
    scan : Scan
        The scan.
    reason : str
        Why.
    """
    return ScanReport(scan, (Finding(scan.name, "file", "error", reason),), {})


def inspect_scan(scan: Scan, request: ExtractionRequest) -> ScanReport:
    """Check one scan: files, geometry, labels, levels, HU and VOIs.

    Parameters
    ----------
    scan : Scan
        The scan.
    request : ExtractionRequest
        Which VOIs are meant to be extracted.

    Returns
    -------
    ScanReport
        The findings; facts only where image and mask can be used together.
    """
    return check_scan(scan, request).report


def check_scan(scan: Scan, request: ExtractionRequest) -> CheckedScan:
    """Check one scan, and keep what was read, for pictures.

    Parameters
    ----------
    scan : Scan
        The scan.
    request : ExtractionRequest
        Which VOIs are meant to be extracted.

    Returns
    -------
    CheckedScan
        With the same findings as `inspect_scan`.
    """
    image, raw, findings = _read_files(scan)
    if raw is None:
        return CheckedScan(ScanReport(scan, findings, {}), image)
    try:
        prepared = prepare_scan(scan, request, raw)
    except CaseError as error:
        check = "geometry" if isinstance(error, GeometryError) else "labels"
        return CheckedScan(ScanReport(scan, (Finding(scan.name, check, "error", one_line(error)),), {}), image)
    levels = {value: prepared.scheme.level(value) for value in prepared.mask.labels()}
    findings = (
        *_check_hu(scan.name, prepared.image),
        *_check_labels(scan.name, prepared, levels),
        *_check_vois(scan.name, prepared),
    )
    return CheckedScan(ScanReport(scan, findings, _facts(prepared, levels)), image, prepared)


def _read_files(scan: Scan) -> tuple[Image | None, RawScan | None, tuple[Finding, ...]]:
    """Read each file on its own, so that a bad image does not hide a bad mask."""
    findings: list[Finding] = []

    def read(path: Path | None, reader: Callable[[Path], Volume]) -> Volume | None:
        try:
            return None if path is None else reader(path)
        except CaseError as error:
            findings.append(Finding(scan.name, "file", "error", one_line(error)))
            return None

    image = read(scan.image, functools.partial(read_image, series=scan.series))

    def read_segmented(path: Path) -> Mask:
        refuse_unsegmented(scan)
        return read_mask(path, image=image, segments=scan.segments)

    mask = read(scan.mask, read_segmented)
    body_mask = read(scan.body_mask, functools.partial(read_mask, image=image))
    if image is None or mask is None or findings:
        return image, None, tuple(findings)
    return image, RawScan(image, mask, body_mask), ()


def _check_hu(name: str, image: Image) -> Iterator[Finding]:
    low, high = _range(image)
    if low >= 0 and high <= 255:
        yield Finding(name, "HU", "warning", f"values from {low:g} to {high:g}: normalised, not HU?")
    elif low >= 0:
        # Every CT holds fat, at about -100 HU.
        yield Finding(name, "HU", "warning", f"no value below {low:g}: is the rescale intercept missing?")
    if high > HIGHEST_HU:
        yield Finding(name, "HU", "warning", f"values up to {high:g}: not HU?")
    array = image.array
    if array.dtype.kind == "f" and not np.array_equal(array, np.round(array)):
        yield Finding(name, "HU", "note", f"{array.dtype} with fractions: resampled or smoothed before?")


def _check_labels(name: str, prepared: PreparedScan, levels: Mapping[int, str | None]) -> Iterator[Finding]:
    for note in prepared.notes[1:]:
        # Many programs turn axes; were all their masks to be reviewed, nobody would look at any.
        severity: Severity = "note" if note.startswith(TURNED) else "warning"
        yield Finding(name, "geometry", severity, note)
    unnamed = [value for value, level in levels.items() if level is None]
    if unnamed:
        told = ", ".join(map(str, unnamed))
        yield Finding(name, "labels", "note", f"labels {told} are not named by the scheme {prepared.scheme.name}")


def _check_vois(name: str, prepared: PreparedScan) -> Iterator[Finding]:
    for level, outcome in prepared.vois.items():
        if outcome.result is None:
            severity: Severity = "error" if outcome.status == "failed" else "note"
            yield Finding(name, "level", severity, outcome.reason)
            continue
        quality = outcome.result.quality
        if quality.qc_needs_review:
            yield Finding(name, "VOI", "warning", f"{level}: {quality.qc_review_reason}")
        reasons = quality.qc_review_reason.split("; ")
        remarks = [text for text in quality.qc_warnings.split("; ") if text and text not in reasons]
        if remarks:
            yield Finding(name, "VOI", "note", f"{level}: {'; '.join(remarks)}")


def _facts(prepared: PreparedScan, levels: Mapping[int, str | None]) -> dict[str, str]:
    geometry = prepared.image.geometry
    low, high = _range(prepared.image)
    values = (
        "x".join(map(str, geometry.shape[::-1])),
        "x".join(f"{value:.3g}" for value in geometry.spacing_mm[::-1]),
        str(prepared.image.array.dtype),
        f"{low:g} to {high:g}",
        prepared.scheme.name,
        " ".join(sorted((level for level in levels.values() if level is not None), key=level_order)),
    )
    return dict(zip(FACTS, values, strict=True))


def _range(image: Image) -> tuple[float, float]:
    return float(image.array.min()), float(image.array.max())

"""Which series of an archive become scans of a cohort, and why the others do not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from radiobone.core.batch import Status
from radiobone.core.errors import ImageError, one_line
from radiobone.imaging.dicom.choice import SeriesChoice
from radiobone.imaging.dicom.kinds import MODALITY, not_hu
from radiobone.imaging.dicom.series import Series
from radiobone.imaging.dicom.stack import Stack
from radiobone.imaging.dicom.volume import tilted

MASK_MODALITIES = ("SEG", "RTSTRUCT")


@dataclass(frozen=True)
class ImportOptions:
    """What to take from an archive, and how.

    Parameters
    ----------
    choice : SeriesChoice or None
        Which series of each study: None for all.
    min_slices : int
        Shorter stacks are skipped: bolus tracking and test slices.
    convert : bool
        Write NIfTI files instead of lists of the series' files.
    fix_tilt : bool
        Resample series with a tilted gantry (they are always written as NIfTI) instead of refusing them.
    keep_identifiers : bool
        Keep patient numbers, UIDs, descriptions and full dates.
    """

    choice: SeriesChoice | None = None
    min_slices: int = 2
    convert: bool = False
    fix_tilt: bool = False
    keep_identifiers: bool = False


@dataclass(frozen=True, eq=False)
class Candidate:
    """One series of an archive, with its new name and what becomes of it.

    Parameters
    ----------
    patient_id, scan_id : str
        Pseudonyms.
    series : Series
        The series.
    status : {"ok", "failed", "skipped"}
        ``failed`` is a CT that cannot be used, ``skipped`` what was not wanted.
    reason : str
        Why it is not used.
    stack : Stack or None
        Its slices in order; None unless ``ok``.
    """

    patient_id: str
    scan_id: str
    series: Series
    status: Status
    reason: str = ""
    stack: Stack | None = None

    @property
    def name(self) -> str:
        """Name of its files."""
        return f"{self.patient_id}_{self.scan_id}"

    @property
    def needs_conversion(self) -> bool:
        """Whether a list of its files would not do: it is tilted, or shares its file with other stacks."""
        return self.stack is not None and (self.stack.is_tilted or self.series.shares_files)


def judge(
    named: Sequence[tuple[str, str, Series]], options: ImportOptions, chosen: Mapping[Path, bool]
) -> list[Candidate]:
    """Decide on every series of an archive.

    Parameters
    ----------
    named : sequence of (str, str, Series)
        Each series with the pseudonyms of its patient and its own.
    options : ImportOptions
        What is wanted.
    chosen : mapping of Path to bool
        Of each file, whether its series fits the choice.

    Returns
    -------
    list of Candidate
        In the same order.
    """
    found = [_judge_one(patient, scan, series, options, chosen) for patient, scan, series in named]
    if options.choice is None or not options.choice.is_largest:
        return found
    most: dict[str, int] = defaultdict(int)
    for one in found:
        if one.status == "ok":
            most[_study(one)] = max(most[_study(one)], len(one.series.slices))
    return [
        replace(one, status="skipped", reason="another series of this study has more slices", stack=None)
        if one.status == "ok" and len(one.series.slices) < most[_study(one)]
        else one
        for one in found
    ]


def _study(one: Candidate) -> str:
    return f"{one.patient_id}|{one.series.first.study}"


def _judge_one(
    patient: str, scan: str, series: Series, options: ImportOptions, chosen: Mapping[Path, bool]
) -> Candidate:
    skipped = _why_skipped(series, options, chosen)
    if skipped:
        return Candidate(patient, scan, series, "skipped", skipped)
    where = f"{patient} {scan}"
    try:
        stack = series.stack(where)
        if stack.is_tilted and not options.fix_tilt:
            raise tilted(stack, where)
        reason = not_hu(series.headers)
        if reason:
            raise ImageError("values are not HU", where=where, got=reason, expected="rescale type HU or none")
    except ImageError as error:
        return Candidate(patient, scan, series, "failed", one_line(error))
    return Candidate(patient, scan, series, "ok", stack=stack)


def _why_skipped(series: Series, options: ImportOptions, chosen: Mapping[Path, bool]) -> str:
    first = series.first
    if first.modality in MASK_MODALITIES:
        return f"a mask (modality {first.modality})"
    if first.modality not in ("", MODALITY):
        return f"no CT (modality {first.modality})"
    if any(header.fault for header in series.headers):
        return ""
    if not first.modality:
        return "no CT (modality not told)"
    if series.kind == "scout":
        return "a scout"
    if series.kind == "other":
        return "no slices in space (a picture or a report)"
    if not chosen[first.path]:
        return "not the series asked for"
    if len(series.slices) < options.min_slices:
        return f"{len(series.slices)} slices, fewer than {options.min_slices}"
    return ""

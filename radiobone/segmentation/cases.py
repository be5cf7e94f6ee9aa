"""What a cohort's masks have to teach: every mask is read and understood before anything is written."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from radiobone.core.batch import Outcome, run_cases
from radiobone.core.errors import TableError, UsageError, VoiError
from radiobone.core.hashing import sha256_file, sha256_json
from radiobone.imaging import Image, Mask
from radiobone.imaging.alignment import align_mask, check_same_grid
from radiobone.imaging.reading import mask_files, read_image, read_mask, source_files
from radiobone.segmentation.classes import VERTEBRA, Classes, check_kind, label_of, plan_classes
from radiobone.tables.cohort import Cohort, Scan
from radiobone.voi.schemes import AUTO, choose_scheme

Result = TypeVar("Result")

BACKGROUND, BEYOND = "background", "beyond"
"""What slices above and below all labels are: nothing of a vertebra, or not known."""

SHOWN_FAILURES = 10


@dataclass(frozen=True)
class ExportRequest:
    """How masks become labels.

    Parameters
    ----------
    labels : str, default "vertebra"
        ``vertebra``, ``vertebra+sacrum`` or ``levels``, as `plan_classes` says.
    scheme : str, default "auto"
        What values of the masks mean: ``auto``, ``totalsegmentator``, ``verse``, a YAML file; or ``raw``, where
        every value is a vertebra.
    unannotated : str, default "background"
        Which voxels teach nothing: none (``background``), those in slices above and below all labels (``beyond``),
        or those with a value of the mask, such as ``255``.
    unnamed : str, default "refuse"
        What becomes of values that the scheme does not name: ``refuse`` or ``background``.
    align : bool, default False
        Resample masks that lie on another grid.
    """

    labels: str = VERTEBRA
    scheme: str = AUTO
    unannotated: str = BACKGROUND
    unnamed: str = "refuse"
    align: bool = False

    def __post_init__(self) -> None:
        check_kind(self.labels)
        known = (BACKGROUND, BEYOND)
        if self.unannotated not in known and not (self.unannotated.isdecimal() and int(self.unannotated)):
            raise UsageError(
                "not known which voxels are not annotated",
                got=self.unannotated,
                expected=f"{BACKGROUND}, {BEYOND}, or a value of the masks above 0",
            )
        if self.unnamed not in ("refuse", BACKGROUND):
            raise UsageError("no use of unnamed labels", got=self.unnamed, expected=f"refuse or {BACKGROUND}")

    @property
    def ignored(self) -> tuple[int, ...]:
        """Values of masks that mean "not annotated"."""
        return (int(self.unannotated),) if self.unannotated.isdecimal() else ()


@dataclass(frozen=True)
class Case:
    """A scan with its mask, as it will be exported.

    Parameters
    ----------
    name : str
        In the data set: a number, so that no patient's name goes into a model folder.
    scan : Scan
        The row of the cohort table.
    levels : dict of int to str or None
        Level of each value in the mask; None is background.
    raw : bool
        Whether values have no names.
    how : str
        How the scheme was chosen.
    sha256 : str
        Of the files of image and mask.
    """

    name: str
    scan: Scan
    levels: dict[int, str | None]
    raw: bool
    how: str
    sha256: str


def survey_cohort(
    cohort: Cohort, request: ExportRequest, *, jobs: int = 1, progress: bool = True
) -> tuple[Case, ...]:
    """Read every mask of a cohort, and find out what its values mean.

    Parameters
    ----------
    cohort : Cohort
        With images and masks.
    request : ExportRequest
        How masks become labels.
    jobs : int, default 1
        Worker processes.
    progress : bool, default True
        Show a bar.

    Raises
    ------
    TableError
        If a file is missing or damaged, a scheme cannot be told, or masks hold values that it does not name; names
        the cases and files. None is left out, since nobody would miss it.
    """
    scans = cohort.scans()
    outcomes = run_cases(
        scans,
        functools.partial(_survey, request=request),
        name=lambda scan: scan.name,
        jobs=jobs,
        description="reading masks",
        progress=progress,
    )
    found = all_results(cohort, scans, outcomes)
    return tuple(
        Case(f"case_{number:04d}", scan, *item)
        for number, (scan, item) in enumerate(zip(scans, found, strict=True), start=1)
    )


def classes_of(cases: Sequence[Case], request: ExportRequest) -> Classes:
    """Return what a network is to learn from surveyed cases.

    Parameters
    ----------
    cases : sequence of Case
        From `survey_cohort`.
    request : ExportRequest
        How masks become labels.
    """
    levels = {level for case in cases for level in case.levels.values() if level is not None}
    raw = any(case.raw for case in cases)
    return plan_classes(request.labels, levels, ignored=request.unannotated != BACKGROUND, raw=raw)


def read_pair(scan: Scan, request: ExportRequest) -> tuple[Image, Mask]:
    """Read an image and its mask, on one grid.

    Parameters
    ----------
    scan : Scan
        The row of the cohort table.
    request : ExportRequest
        Whether a mask may be resampled.

    Raises
    ------
    CaseError
        If a file cannot be used, or they lie on different grids.
    """
    image = read_image(scan.image, scan.series)
    mask = read_mask(scan.mask, image, scan.segments)
    if request.align:
        return image, align_mask(mask, image, str(scan.mask))[0]
    check_same_grid(image, mask, str(scan.mask))
    return image, mask


def _survey(scan: Scan, request: ExportRequest) -> tuple[dict[int, str | None], bool, str, str]:
    """Return the level of each value of a mask, whether values are nameless, how that was told, and a hash."""
    _, mask = read_pair(scan, request)
    values = [value for value in mask.labels() if value not in request.ignored]
    scheme, how = choose_scheme(request.scheme, _without(mask, request.ignored))
    levels = {value: scheme.level(value) for value in values}
    unnamed = [value for value, level in levels.items() if level is None]
    if unnamed and request.unnamed == "refuse":
        raise VoiError(
            f"the mask holds labels that scheme {scheme.name!r} does not name",
            where=str(scan.mask),
            got=", ".join(map(str, unnamed)),
            expected=scheme.describe(sorted(scheme.labels)),
            do="name the right scheme (--scheme), or take them for background (--unnamed background)",
        )
    named = [level for level in levels.values() if level is not None]
    if not any(label_of(request.labels, level, raw=scheme.raw) for level in named):
        raise VoiError(
            f"the mask holds nothing to be learned as {request.labels}",
            where=str(scan.mask),
            got=scheme.describe(values),
            do="check the scheme (--scheme); 'raw' takes every label for a vertebra",
        )
    files = [*source_files(scan.image, scan.series), *mask_files(scan.mask, scan.segments)]
    return levels, scheme.raw, how, sha256_json(sorted(sha256_file(path) for path in files))


def _without(mask: Mask, ignored: Sequence[int]) -> Mask:
    """Return a mask without voxels that are not annotated: they would confuse the search for a scheme."""
    if not ignored:
        return mask
    return replace(mask, array=np.where(np.isin(mask.array, ignored), 0, mask.array).astype(mask.array.dtype))


def all_results(cohort: Cohort, scans: Sequence[Scan], outcomes: Sequence[Outcome[Result]]) -> list[Result]:
    """Return all results, or name every case that has none.

    Parameters
    ----------
    cohort : Cohort
        For the message.
    scans : sequence of Scan
        The cases.
    outcomes : sequence of Outcome
        What became of them.

    Raises
    ------
    TableError
        If any failed.
    """
    failed = [
        f"{scan.name}: {outcome.reason}"
        for scan, outcome in zip(scans, outcomes, strict=True)
        if outcome.status != "ok"
    ]
    if failed:
        more = f"; and {len(failed) - SHOWN_FAILURES} more" if len(failed) > SHOWN_FAILURES else ""
        raise TableError(
            f"{len(failed)} of {len(scans)} scans cannot be learned from",
            where=str(cohort.path),
            got="; ".join(failed[:SHOWN_FAILURES]) + more,
            expected="an image and a mask in each row: what is left out without notice is not missed",
            do="mend these rows, or take them out of the table",
        )
    return [outcome.result for outcome in outcomes if outcome.result is not None]

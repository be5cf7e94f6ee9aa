"""Both radiomics engines on the user's own scans, side by side."""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass

from radiobone.core.batch import Outcome, run_cases
from radiobone.core.errors import CaseError, one_line
from radiobone.features.prepare import prepare_scan
from radiobone.features.radiomics.agreement import Agreement, Difference, agreement, differences
from radiobone.features.radiomics.columns import columns
from radiobone.features.radiomics.engine import Engine, VoiValues
from radiobone.features.radiomics.params import RadiomicsParams
from radiobone.features.radiomics.registry import find_engine
from radiobone.features.request import ExtractionRequest
from radiobone.imaging import Image, Mask
from radiobone.tables.cohort import Scan

REFERENCE = "pyradiomics"
"""The engine whose values are the reference."""


@dataclass(frozen=True)
class Verification:
    """What both engines gave.

    Parameters
    ----------
    families : list of Agreement
        One for each family of features, in the order of the columns.
    n_vois : int
        Number of VOIs that both engines computed.
    failures : list of (str, str)
        Scans and VOIs that could not be compared, and why; a VOI that both engines refuse is not among them.
    n_refused : int
        Number of VOIs that neither engine computes.
    seconds, reference_seconds : float
        Time of either engine for all VOIs, in s.
    """

    families: list[Agreement]
    n_vois: int
    failures: list[tuple[str, str]]
    n_refused: int
    seconds: float
    reference_seconds: float

    @property
    def agrees(self) -> bool:
        """Whether every VOI was compared and no value lies beyond the tolerance."""
        return not self.failures and not any(family.beyond for family in self.families)


@dataclass(frozen=True)
class _ScanComparison:
    found: dict[str, list[Difference]]
    n_vois: int
    failures: list[tuple[str, str]]
    n_refused: int
    seconds: float
    reference_seconds: float


def spread(scans: Sequence[Scan], n: int) -> list[Scan]:
    """Choose scans evenly from the first to the last of a cohort.

    Parameters
    ----------
    scans : sequence of Scan
        The cohort.
    n : int
        How many; all if there are fewer.
    """
    if n >= len(scans):
        return list(scans)
    return [scans[round(index * (len(scans) - 1) / max(n - 1, 1))] for index in range(n)]


def verify_engine(
    scans: Sequence[Scan],
    request: ExtractionRequest,
    params: RadiomicsParams,
    engine_name: str,
    *,
    jobs: int = 1,
    progress: bool = True,
) -> Verification:
    """Run an engine and PyRadiomics on the VOIs of some scans and compare every value.

    Parameters
    ----------
    scans : sequence of Scan
        The scans, such as those that `spread` chooses.
    request : ExtractionRequest
        Which VOIs; its blocks play no role here.
    params : RadiomicsParams
        What both engines compute.
    engine_name : str
        The engine that is compared with PyRadiomics.
    jobs : int, default 1
        Number of worker processes; -1 is one for each core.
    progress : bool, default True
        Show a progress bar.

    Raises
    ------
    UsageError
        If an engine is not known.
    MissingExtraError
        If PyRadiomics is not installed.
    """
    for name in (engine_name, REFERENCE):
        find_engine(name).prepare(params)
    work = functools.partial(_compare_scan, request=request, params=params, engine_name=engine_name)
    outcomes = run_cases(
        scans, work, name=lambda scan: scan.name, jobs=jobs, description="comparing engines", progress=progress
    )
    done = [outcome.result for outcome in outcomes if outcome.result is not None]
    return Verification(
        [
            agreement(family, [item for result in done for item in result.found.get(family, ())])
            for family in dict.fromkeys(column.family for column in columns(params))
        ],
        sum(result.n_vois for result in done),
        [*_unread(scans, outcomes), *(failure for result in done for failure in result.failures)],
        sum(result.n_refused for result in done),
        sum(result.seconds for result in done),
        sum(result.reference_seconds for result in done),
    )


def _unread(scans: Sequence[Scan], outcomes: Sequence[Outcome[_ScanComparison]]) -> list[tuple[str, str]]:
    pairs = zip(scans, outcomes, strict=True)
    return [(scan.name, outcome.reason) for scan, outcome in pairs if outcome.result is None]


def _compare_scan(
    scan: Scan, request: ExtractionRequest, params: RadiomicsParams, engine_name: str
) -> _ScanComparison:
    """Compare both engines on all VOIs of one scan."""
    prepared = prepare_scan(scan, request)
    vois = {level: item.result.mask for level, item in prepared.vois.items() if item.result is not None}
    failures = [
        (f"{scan.name}, {level}", item.reason) for level, item in prepared.vois.items() if item.status == "failed"
    ]
    ours, seconds = _timed(find_engine(engine_name), prepared.image, vois, params)
    reference, reference_seconds = _timed(find_engine(REFERENCE), prepared.image, vois, params)
    found: dict[str, list[Difference]] = {}
    n_vois = n_refused = 0
    for level, mine in ours.items():
        case, theirs = f"{scan.name}, {level}", reference[level]
        if isinstance(mine, VoiValues) and isinstance(theirs, VoiValues):
            n_vois += 1
            for family, items in differences(case, columns(params), mine.features, theirs.features).items():
                found.setdefault(family, []).extend(items)
        elif isinstance(mine, CaseError) and isinstance(theirs, CaseError):
            n_refused += 1
        elif isinstance(mine, CaseError):
            failures.append((case, f"only {engine_name} fails: {one_line(mine)}"))
        elif isinstance(theirs, CaseError):
            failures.append((case, f"only {REFERENCE} fails: {one_line(theirs)}"))
    return _ScanComparison(found, n_vois, failures, n_refused, seconds, reference_seconds)


def _timed(
    engine: Engine, image: Image, vois: dict[str, Mask], params: RadiomicsParams
) -> tuple[dict[str, VoiValues | CaseError], float]:
    begin = time.perf_counter()
    values = engine.extract(image, vois, params)
    return values, time.perf_counter() - begin

"""An engine beside PyRadiomics, on the user's own scans."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from radiobone.core.batch import Outcome, run_cases
from radiobone.core.errors import CaseError, one_line
from radiobone.features.prepare import prepare_scan
from radiobone.features.radiomics.agreement import Agreement, Difference, agreements, differences
from radiobone.features.radiomics.columns import column_keys
from radiobone.features.radiomics.engine import VoiValues
from radiobone.features.radiomics.params import RadiomicsParams
from radiobone.features.radiomics.registry import find_engine
from radiobone.features.request import ExtractionRequest
from radiobone.imaging import Image, Mask
from radiobone.tables.cohort import Scan

_Result = TypeVar("_Result")

REFERENCE = "pyradiomics"
"""The engine that computes PyRadiomics' values on crops."""


@dataclass(frozen=True)
class Timing:
    """How long something took.

    Parameters
    ----------
    n_vois : int
        Number of VOIs.
    seconds : float
        Time for all of them, in s.
    """

    n_vois: int = 0
    seconds: float = 0.0

    def __add__(self, other: Timing) -> Timing:
        return Timing(self.n_vois + other.n_vois, self.seconds + other.seconds)

    @property
    def each(self) -> float:
        """Mean time of one VOI, in s."""
        return self.seconds / max(self.n_vois, 1)


@dataclass(frozen=True)
class Verification:
    """What an engine and PyRadiomics gave.

    Parameters
    ----------
    families : list of Agreement
        One for each family of features, in the order of the columns.
    n_whole : int
        Number of VOIs that were compared with PyRadiomics on the whole image.
    n_crops : int
        Number of VOIs that were compared with PyRadiomics on crops.
    failures : list of (str, str)
        Scans and VOIs that could not be compared, and why; a VOI that both engines refuse is not among them.
    n_refused : int
        Number of VOIs that neither engine computes.
    ours, whole, crops : Timing
        Time of the engine for all VOIs, and of PyRadiomics for those of either kind.
    """

    families: list[Agreement]
    n_whole: int
    n_crops: int
    failures: list[tuple[str, str]]
    n_refused: int
    ours: Timing
    whole: Timing
    crops: Timing

    @property
    def agrees(self) -> bool:
        """Whether there was a VOI to compare, every one was compared, and no value lies beyond the tolerance."""
        compared = self.n_whole + self.n_crops > 0 and not self.failures
        return compared and not any(family.beyond for family in self.families)


@dataclass
class _Comparison:
    """What is found in one scan."""

    found: list[Difference] = field(default_factory=list)
    n_whole: int = 0
    n_crops: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    n_refused: int = 0
    ours: Timing = Timing()
    whole: Timing = Timing()
    crops: Timing = Timing()


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
    whole: bool = True,
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
    whole : bool, default True
        Compare the first VOI of each scan that the engine computes with PyRadiomics on the whole image and mask.
        All other VOIs are compared with PyRadiomics on crops, to which radiobone itself has resampled, normalised
        and resegmented the scan.
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
    # PyRadiomics first: where it is missing, nothing else is worth its time.
    for name in (REFERENCE, engine_name):
        find_engine(name).prepare(params)
    work = functools.partial(
        _compare_scan, request=request, params=params, engine_name=engine_name, with_whole=whole
    )
    outcomes = run_cases(
        scans, work, name=lambda scan: scan.name, jobs=jobs, description="comparing engines", progress=progress
    )
    done = [outcome.result for outcome in outcomes if outcome.result is not None]
    return Verification(
        agreements(item for result in done for item in result.found),
        sum(result.n_whole for result in done),
        sum(result.n_crops for result in done),
        [*_unread(scans, outcomes), *(failure for result in done for failure in result.failures)],
        sum(result.n_refused for result in done),
        sum((result.ours for result in done), Timing()),
        sum((result.whole for result in done), Timing()),
        sum((result.crops for result in done), Timing()),
    )


def _unread(scans: Sequence[Scan], outcomes: Sequence[Outcome[_Comparison]]) -> list[tuple[str, str]]:
    pairs = zip(scans, outcomes, strict=True)
    return [(scan.name, outcome.reason) for scan, outcome in pairs if outcome.result is None]


def _compare_scan(
    scan: Scan, request: ExtractionRequest, params: RadiomicsParams, engine_name: str, with_whole: bool
) -> _Comparison:
    """Compare an engine with PyRadiomics on all VOIs of one scan."""
    prepared = prepare_scan(scan, request)
    image = prepared.image
    vois = {level: item.result.mask for level, item in prepared.vois.items() if item.result is not None}
    result = _Comparison()
    result.failures += [
        (f"{scan.name}, {level}", item.reason) for level, item in prepared.vois.items() if item.status == "failed"
    ]
    engine, reference = find_engine(engine_name), find_engine(REFERENCE)
    # A worker loads compiled kernels when it first needs them; that is no part of the time of a VOI.
    for each in (reference, engine):
        each.prepare(params)
    ours, result.ours = _timed(len(vois), lambda: engine.extract(image, vois, params))
    theirs: dict[str, VoiValues | CaseError] = {}
    chosen = _first_computed(ours) if with_whole else None
    if chosen is not None:
        theirs[chosen], result.whole = _timed(1, lambda: _whole(image, vois[chosen], params))
    others = {level: voi for level, voi in vois.items() if level != chosen}
    if others:
        found, result.crops = _timed(len(others), lambda: reference.extract(image, others, params))
        theirs.update(found)
    for level, mine in ours.items():
        _compare_voi(result, f"{scan.name}, {level}", params, mine, theirs[level], level == chosen, engine_name)
    return result


def _first_computed(ours: dict[str, VoiValues | CaseError]) -> str | None:
    """Return the first VOI that has values; the first of all if none has, since that may be the error."""
    return next((level for level, values in ours.items() if isinstance(values, VoiValues)), next(iter(ours), None))


def _whole(image: Image, voi: Mask, params: RadiomicsParams) -> VoiValues | CaseError:
    from radiobone.features.radiomics.pyradiomics import whole_image_values

    try:
        return whole_image_values(image, voi, params)
    except CaseError as error:
        return error


def _compare_voi(
    result: _Comparison,
    case: str,
    params: RadiomicsParams,
    ours: VoiValues | CaseError,
    theirs: VoiValues | CaseError,
    is_whole: bool,
    engine_name: str,
) -> None:
    """Add the comparison of one VOI to that of its scan."""
    reference = "PyRadiomics on the whole image" if is_whole else "PyRadiomics on crops"
    if isinstance(ours, VoiValues) and isinstance(theirs, VoiValues):
        result.n_whole += is_whole
        result.n_crops += not is_whole
        result.found += differences(case, column_keys(params), ours.features, theirs.features)
    elif isinstance(ours, CaseError) and isinstance(theirs, CaseError):
        result.n_refused += 1
    elif isinstance(ours, CaseError):
        result.failures.append((case, f"only {engine_name} fails: {one_line(ours)}"))
    elif isinstance(theirs, CaseError):
        result.failures.append((case, f"only {reference} fails: {one_line(theirs)}"))


def _timed(n_vois: int, work: Callable[[], _Result]) -> tuple[_Result, Timing]:
    begin = time.perf_counter()
    values = work()
    return values, Timing(n_vois, time.perf_counter() - begin)

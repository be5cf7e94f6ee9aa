"""The one loop over cases: case border, parallel workers, progress, outcomes, exit code."""

from __future__ import annotations

import logging
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, TypeVar

from radiobone.core.errors import RadioboneError, UsageError, one_line
from radiobone.core.threads import one_native_thread

logger = logging.getLogger(__name__)

Case = TypeVar("Case")
Result = TypeVar("Result")
Status = Literal["ok", "failed", "skipped"]

EXIT_OK = 0
EXIT_CRASH = 1
EXIT_USAGE = 2
EXIT_SOME_FAILED = 3

_SPEED_SECONDS = 6 * 3600.0
"""Over how long progress bars look back for the time left: a case, or an epoch, may take many minutes."""


@dataclass(frozen=True)
class Outcome(Generic[Result]):
    """What became of one case.

    Parameters
    ----------
    status : {"ok", "failed", "skipped"}
        ``skipped`` is a case that was deliberately not processed.
    reason : str
        Why a case failed or was skipped, on one line; empty for ``ok``.
    result : Result or None
        What the work gave; None unless ``ok``.
    traceback : str
        Of an unexpected error, for the debug log.
    """

    status: Status
    reason: str = ""
    result: Result | None = None
    traceback: str = ""


def exit_code(statuses: Iterable[str]) -> int:
    """Return 0 if nothing failed, else 3.

    Parameters
    ----------
    statuses : iterable of str
        One for each case or row; only ``failed`` counts.
    """
    return EXIT_SOME_FAILED if any(status == "failed" for status in statuses) else EXIT_OK


def run_cases(
    cases: Sequence[Case],
    work: Callable[[Case], Result],
    *,
    name: Callable[[Case], str],
    jobs: int = 1,
    description: str = "cases",
    progress: bool = True,
) -> list[Outcome[Result]]:
    """Do the work on every case; one bad case never stops the others.

    Parameters
    ----------
    cases : sequence
        The cases, each picklable.
    work : callable
        Called with one case in a worker that holds one native thread. Must be picklable.
    name : callable
        Gives the name of a case for the log.
    jobs : int, default 1
        Number of worker processes; -1 is one for each core.
    description : str, default "cases"
        What the progress bar counts.
    progress : bool, default True
        Show a progress bar with the time left, if standard error is a terminal.

    Returns
    -------
    list of Outcome
        In the order of ``cases``. A case whose worker was killed (out of memory, say) is ``failed``, too.

    Raises
    ------
    UsageError
        If ``jobs`` is 0 or below -1, or a case finds wrong use that would fail all others as well.
    """
    _check_jobs(jobs)
    outcomes: list[Outcome[Result] | None] = [None] * len(cases)
    with progress_bar(description, len(cases), progress) as advance:

        def record(index: int, outcome: Outcome[Result]) -> None:
            outcomes[index] = outcome
            if outcome.status == "failed":
                logger.info("%s failed: %s", name(cases[index]), outcome.reason)
                logger.debug("%s", outcome.traceback)
            advance()

        while None in outcomes:
            left = [index for index, outcome in enumerate(outcomes) if outcome is None]
            suspects = _run_parallel(cases, work, left, jobs, record)
            for index in suspects:
                if outcomes[index] is None:
                    record(index, _run_alone(cases[index], work))
    return [outcome for outcome in outcomes if outcome is not None]


def _check_jobs(jobs: int) -> None:
    """Refuse a number of jobs that means nothing."""
    if jobs == 0 or jobs < -1:
        raise UsageError("no number of jobs", got=jobs, expected="1 or more, or -1 for one for each core")


def _run_parallel(
    cases: Sequence[Case],
    work: Callable[[Case], Result],
    left: Sequence[int],
    jobs: int,
    record: Callable[[int, Outcome[Result]], None],
) -> list[int]:
    """Run cases in workers; where a worker is killed, stop and return the cases that may have killed it."""
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import BrokenProcessPool

    here = Path.cwd()
    sent: list[int] = []

    def tasks() -> Iterator[object]:
        for index in left:
            sent.append(index)
            yield delayed(_guarded)(index, cases[index], work, here)

    # One task at a time to each worker: cases are long and uneven.
    parallel = Parallel(
        n_jobs=min(jobs, len(left)), batch_size=1, pre_dispatch="2*n_jobs", return_as="generator_unordered"
    )
    try:
        for index, outcome in parallel(tasks()):
            record(index, outcome)
    except BrokenProcessPool:
        return sent
    return []


def _run_alone(case: Case, work: Callable[[Case], Result]) -> Outcome[Result]:
    """Run one case in a worker of its own, so that it can kill no other."""
    from joblib.externals.loky import get_reusable_executor
    from joblib.externals.loky.process_executor import BrokenProcessPool

    executor = get_reusable_executor(max_workers=1)
    try:
        outcome: Outcome[Result] = executor.submit(_guarded, 0, case, work, Path.cwd()).result()[1]
        return outcome
    except BrokenProcessPool:
        return Outcome(
            "failed",
            "the worker process was killed, most likely for want of memory | "
            "do: run this case alone, with fewer jobs, or on a machine with more memory",
        )
    finally:
        executor.shutdown(wait=True)


def _guarded(index: int, case: Case, work: Callable[[Case], Result], here: Path) -> tuple[int, Outcome[Result]]:
    """Do one case and record its error: this is the border of a case."""
    # A worker that joblib kept from an earlier batch may stand in another folder; relative paths mean this one.
    if Path.cwd() != here:
        os.chdir(here)
    try:
        with warnings.catch_warnings(), one_native_thread():
            return index, Outcome("ok", result=work(case))
    except UsageError:
        # Wrong use (a missing package, say) would fail every case in the same way.
        raise
    except RadioboneError as error:
        return index, Outcome("failed", one_line(error))
    except Exception as error:
        reason = f"unexpected {type(error).__name__}: {one_line(error)}"
        return index, Outcome("failed", reason, traceback=traceback.format_exc())


class progress_bar:
    """A context with a progress bar that tells the time left; silent where standard error is no terminal.

    Entering gives a function without arguments, to be called after each case.

    Parameters
    ----------
    description : str
        What is counted.
    total : int or None
        Number of cases; None where it is not known before, so that only what is done is told.
    enabled : bool
        False shows nothing, not even in a terminal.
    """

    def __init__(self, description: str, total: int | None, enabled: bool) -> None:
        self._description = description
        self._total = total
        self._enabled = enabled and sys.stderr.isatty()

    def __enter__(self) -> Callable[[], None]:
        if not self._enabled:
            return lambda: None
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            speed_estimate_period=_SPEED_SECONDS,
            # Text that goes to a file, or nowhere, is not to come up between bars.
            redirect_stdout=sys.stdout.isatty(),
        )
        self._progress.start()
        task = self._progress.add_task(self._description, total=self._total)
        return lambda: self._progress.advance(task)

    def __exit__(self, *_: object) -> None:
        if self._enabled:
            self._progress.stop()

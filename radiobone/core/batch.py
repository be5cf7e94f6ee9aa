"""The one loop over cases: case border, parallel workers, progress, outcomes, exit code."""

from __future__ import annotations

import logging
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Sequence
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
    """

    status: Status
    reason: str = ""
    result: Result | None = None


def exit_code(statuses: Iterable[str]) -> int:
    """Return 0 if nothing failed, else 3."""
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
    description : str
        What the progress bar counts.
    progress : bool, default True
        Show a progress bar with the time left, if standard error is a terminal.

    Returns
    -------
    list of Outcome
        In the order of ``cases``.
    """
    from joblib import Parallel, delayed

    here = Path.cwd()
    outcomes: list[Outcome[Result]] = [Outcome("skipped", "not reached")] * len(cases)
    tasks = (delayed(_guarded)(index, case, work, here) for index, case in enumerate(cases))
    # One task at a time to each worker: cases are long and uneven.
    parallel = Parallel(
        n_jobs=min(jobs, max(len(cases), 1)),
        batch_size=1,
        pre_dispatch="2*n_jobs",
        return_as="generator_unordered",
    )
    with progress_bar(description, len(cases), progress) as advance:
        for index, outcome in parallel(tasks):
            outcomes[index] = outcome
            if outcome.status == "failed":
                logger.warning("%s failed: %s", name(cases[index]), outcome.reason)
            advance()
    return outcomes


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
        logger.debug("unexpected error\n%s", traceback.format_exc())
        return index, Outcome("failed", f"unexpected {type(error).__name__}: {one_line(error)}")


class progress_bar:
    """A rich progress bar with the time left; silent where standard error is no terminal."""

    def __init__(self, description: str, total: int, enabled: bool) -> None:
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
        )
        self._progress.start()
        task = self._progress.add_task(self._description, total=self._total)
        return lambda: self._progress.advance(task)

    def __exit__(self, *_: object) -> None:
        if self._enabled:
            self._progress.stop()

"""nnU-Net's training as a library: its folders and switches for one block, its prints and warnings kept away."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

from radiobone.core.extras import require

DATASET = "Dataset001_radiobone"
"""Name of the one data set in a working folder; nnU-Net asks for a number and a name."""

PLANS = "nnUNetPlans"
"""nnU-Net's usual name of its plans."""

RAW, PREPROCESSED, RESULTS = "raw", "preprocessed", "results"


def check_nnunet() -> None:
    """Say at once if nnU-Net is not installed, before scans are read for an hour.

    Raises
    ------
    MissingExtraError
        If it is not.
    """
    require("nnunetv2", "segment")


@contextlib.contextmanager
def nnunet_session(work: Path, *, workers: int | None = None) -> Iterator[None]:
    """Let nnU-Net find its folders below a working folder, quietly; all is as before when the block ends.

    Parameters
    ----------
    work : Path
        Holds the folders ``raw``, ``preprocessed`` and ``results``.
    workers : int, optional
        Processes that prepare batches during a training, 0 for none. Planning must not see it, nor what the user
        set, since it takes it for a number of threads, which cannot be 0.

    Yields
    ------
    None
        While nnU-Net works.

    Raises
    ------
    MissingExtraError
        If nnU-Net is not installed.
    """
    settings: dict[str, str | None] = {
        "nnUNet_raw": str(work / RAW),
        "nnUNet_preprocessed": str(work / PREPROCESSED),
        "nnUNet_results": str(work / RESULTS),
        "nnUNet_compile": "f",
        "nnUNet_wandb_enabled": "0",
        "nnUNet_n_proc_DA": None if workers is None else str(workers),
    }
    with (
        _environment(settings),
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        check_nnunet()
        yield


@contextlib.contextmanager
def _environment(settings: Mapping[str, str | None]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in settings}
    _set(settings)
    try:
        yield
    finally:
        _set(before)


def _set(settings: Mapping[str, str | None]) -> None:
    for name, value in settings.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value

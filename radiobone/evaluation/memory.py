"""Whether a validation fits into memory, asked before the first fit."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from radiobone.core.errors import UsageError
from radiobone.core.memory import free_memory

COPIES = 3
"""Copies of the training rows that every fit holds at the least: as they are, standardised, and as selected."""


def check_memory(X: Any, jobs: int, where: str = "X") -> None:
    """Refuse a table whose fits cannot fit into the memory that is free.

    Parameters
    ----------
    X : anything with a shape
        Features; what has no two axes (a stack of patches) is the estimator's affair.
    jobs : int
        Fits at a time; -1 is one for each core.
    where : str
        The arm, for the message.

    Raises
    ------
    UsageError
        If the data, and `COPIES` of them as float64 in each job, need more than is free. This is a lower bound:
        a step may need more. Nothing is refused where the system does not tell how much is free.
    """
    shape: tuple[int, ...] = getattr(X, "shape", ())
    free = free_memory()
    if len(shape) != 2 or free is None:
        return
    n_jobs = (os.cpu_count() or 1) if jobs == -1 else jobs
    needed = int(shape[0]) * int(shape[1]) * np.dtype(np.float64).itemsize * COPIES * n_jobs
    if needed > free:
        raise UsageError(
            "more features than memory",
            where=where,
            got=f"{shape[0]} rows x {shape[1]} columns in {n_jobs} jobs: at least {_gib(needed)}",
            expected=f"no more than the {_gib(free)} that are free",
            do="use fewer jobs, drop blocks or levels before, or run on a machine with more memory",
        )


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"

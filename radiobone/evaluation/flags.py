"""What can be seen of leakage that happened before a validation began.

A validation proves what happens inside its folds. Steps that were taken before it, on all rows, are not its to
see, except where they leave traces: columns that are missing, a table that is standardised to the last digit,
components in place of features, an estimator that has already learned. Where there is no trace, and no list of the
columns that an extraction gave, the provenance of the columns is unknown, and that is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator

FEWER = "fewer columns than the preset"
FITTED = "already fitted"
FROZEN = "frozen"
STANDARDISED = "already standardised"
RESCALED = "already rescaled"
COMPONENTS = "components in place of features"
UNKNOWN = "provenance of columns unknown"

_SHOWN = 5
_EXACT = 1e-6
_COMPONENT = re.compile(r"(pc|pca|ica|nmf|lda|comp|component|latent|umap|tsne)[ _-]?\d+", re.IGNORECASE)


def flags(X: Any, estimator: Any, preset: Sequence[str] | None) -> list[dict[str, str]]:
    """Look for traces of steps that were taken on all rows.

    Parameters
    ----------
    X : anything indexable by row
        As it was given.
    estimator : classifier
        As it was given.
    preset : sequence of str or None
        Columns that the extraction gave, from its manifest.

    Returns
    -------
    list of dict
        ``flag``, ``where`` and ``told``; empty if the columns are those of the preset and nothing else was seen.
    """
    found = [*_of_columns(X, preset), *_of_values(X), *_of_parts(estimator, "estimator")]
    if preset is None and not any(item["flag"] in (STANDARDISED, RESCALED, COMPONENTS) for item in found):
        told = "no list of the columns that the extraction gave: whether any were taken away before is not known"
        found.append(_flag(UNKNOWN, "X", told))
    return found


def _of_columns(X: Any, preset: Sequence[str] | None) -> Iterator[dict[str, str]]:
    names = [str(name) for name in getattr(X, "columns", [])]
    if preset is not None:
        gone = [name for name in preset if name not in set(names)]
        if gone:
            yield _flag(
                FEWER,
                ", ".join(gone[:_SHOWN]) + (", ..." if len(gone) > _SHOWN else ""),
                f"{len(gone)} of {len(preset)} columns that the extraction gave are not in X: if they were "
                "dropped by a look at all rows, every figure is too good",
            )
    components = [name for name in names if _COMPONENT.fullmatch(name.split("__")[-1])]
    if len(components) > 1:
        told = f"{len(components)} columns are named like components, which are learned from rows"
        yield _flag(COMPONENTS, ", ".join(components[:_SHOWN]), told)


def _of_values(X: Any) -> Iterator[dict[str, str]]:
    values = _numbers(X)
    if values is None:
        return
    with np.errstate(invalid="ignore", over="ignore"):
        mean, low, high = values.mean(axis=0), values.min(axis=0), values.max(axis=0)
        spread = values.std(axis=0)
        by_sample = spread * np.sqrt(len(values) / (len(values) - 1))
    varied = spread > 0
    unit = (np.abs(spread - 1) < _EXACT) | (np.abs(by_sample - 1) < _EXACT)
    standard = varied & (np.abs(mean) < _EXACT) & unit
    # Columns of 0 and 1 are seen everywhere; a column with values between them that touches both is rescaled.
    between = ((values > low) & (values < high)).any(axis=0)
    rescaled = between & (np.abs(low) < _EXACT) & (np.abs(high - 1) < _EXACT)
    for flag, seen, how in (
        (STANDARDISED, standard, "mean 0 and SD 1"),
        (RESCALED, rescaled, "minimum 0 and maximum 1"),
    ):
        if seen.sum() >= max(2, varied.sum() / 2):
            told = f"{int(seen.sum())} of {int(varied.sum())} columns have {how} over all rows, test rows included"
            yield _flag(flag, "X", told)
    if not standard.any() and _uncorrelated(values[:, varied]):
        yield _flag(COMPONENTS, "X", "no two columns are correlated over all rows, as after a rotation")


def _uncorrelated(values: NDArray[np.float64]) -> bool:
    n_rows, n_columns = values.shape
    if not 2 <= n_columns < n_rows:
        return False
    correlation = np.corrcoef(values, rowvar=False)
    return bool(np.abs(correlation - np.eye(n_columns)).max() < _EXACT)


def _of_parts(part: Any, where: str) -> Iterator[dict[str, str]]:
    """Look through an estimator and its parts."""
    if isinstance(part, FrozenEstimator):
        yield _flag(FROZEN, where, "it is not fitted anew in any fold: what it knows, it learned before")
        return
    if isinstance(part, dict):
        for name, item in part.items():
            yield from _of_parts(item, f"{where}, {name}")
    elif isinstance(part, (list, tuple)):
        for item in part:
            yield from _of_parts(item, where)
    elif hasattr(part, "get_params") and not isinstance(part, type):
        learned = [name for name in vars(part) if name.endswith("_") and not name.startswith("_")]
        if learned:
            names = ", ".join(sorted(learned)[:_SHOWN])
            told = (
                f"{type(part).__name__} had learned ({names}) before the first fold; "
                "each fold fits a copy anew, but what was chosen by looking at it is not undone"
            )
            yield _flag(FITTED, where, told)
        for name, item in part.get_params(deep=False).items():
            yield from _of_parts(item, f"{where}, {name}")


def _numbers(X: Any) -> NDArray[np.float64] | None:
    if isinstance(X, pd.DataFrame):
        X = X.select_dtypes("number").to_numpy(dtype=np.float64, na_value=np.nan)
    if not isinstance(X, np.ndarray) or X.ndim != 2 or not np.issubdtype(X.dtype, np.number) or len(X) < 3:
        return None
    values: NDArray[np.float64] = X.astype(np.float64, copy=False)
    whole = np.isfinite(values).all(axis=0)
    return values[:, whole] if whole.any() else None


def _flag(flag: str, where: str, told: str) -> dict[str, str]:
    return {"flag": flag, "where": where, "told": told}

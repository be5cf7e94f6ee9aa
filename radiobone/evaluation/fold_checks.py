"""What is proven of every fold, and what plans ask of the rows' attributes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from radiobone.core.config import nearest
from radiobone.evaluation.inputs import StudyData
from radiobone.evaluation.splits import OuterFold
from radiobone.learning.data import DataError

SHOWN = 5
"""How many offenders a message names."""


def attribute(data: StudyData, column: str) -> pd.Series:
    """Return an attribute of the rows, without gaps.

    Parameters
    ----------
    data : StudyData
        The rows.
    column : str
        Name of the attribute.

    Returns
    -------
    Series
        One value for each row.

    Raises
    ------
    DataError
        If there is no such attribute, or a row has no value.
    """
    known = [] if data.attributes is None else [str(name) for name in data.attributes.columns]
    if data.attributes is None or column not in known:
        raise DataError(
            f"no attribute {column!r}{nearest(column, known)}",
            got=", ".join(known) or "no attributes",
            do="pass run(..., attributes=table) with this column",
        )
    values = data.attributes[column]
    missing = np.flatnonzero(values.isna() | (values.astype(str) == ""))
    if missing.size:
        raise DataError(
            f"rows without {column}",
            got="; ".join(data.row_name(row) for row in missing[:SHOWN]) + f" ({missing.size} rows)",
            do="fill it, or exclude these rows so that they are counted",
        )
    return values


def check_folds(data: StudyData, folds: Sequence[OuterFold]) -> None:
    """Refuse folds with a patient on both sides, an empty test set, or a class that training lacks.

    Parameters
    ----------
    data : StudyData
        The rows.
    folds : sequence of OuterFold
        As a plan cuts them.

    Raises
    ------
    DataError
        That names fold, and patients or classes.
    """
    for fold in folds:
        both = np.intersect1d(data.groups[fold.train], data.groups[fold.test])
        if both.size:
            raise DataError(
                "patients with rows on both sides of a split",
                where=fold.where,
                got="; ".join(both[:SHOWN].tolist()) + f" ({both.size} patients)",
                expected="all rows of a patient on one side",
                do="give all of a patient's rows the same value, or leave the others out",
            )
        if not fold.test.size:
            raise DataError("a test set without rows", where=fold.where)
        lacking = [str(name) for code, name in enumerate(data.classes) if code not in data.codes[fold.train]]
        if lacking:
            raise DataError(
                "the training rows of a fold lack a class",
                where=fold.where,
                got=f"no {', '.join(lacking)}",
                expected="every class that is to be told apart",
                do="use fewer folds or another cut, or merge classes",
            )


def missing_classes(data: StudyData, fold: OuterFold) -> list[str]:
    """Name the classes that a test fold lacks.

    Parameters
    ----------
    data : StudyData
        The rows.
    fold : OuterFold
        The fold.

    Returns
    -------
    list of str
        Usually empty; figures that need one of these classes are undefined in the fold.
    """
    return [str(name) for code, name in enumerate(data.classes) if code not in data.codes[fold.test]]

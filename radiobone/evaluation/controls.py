"""Arms that should fail, and arms that should be beaten.

A model that predicts the class from the scanner's settings alone, or from the size of the VOI alone, shows what
the features may have learned instead of bone. A model that does no better than the mean HU, a published threshold
or age and sex is not needed. Where columns are absent, the arm says which it needs, and is listed without figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from radiobone.evaluation.arm import Arm, Kind
from radiobone.evaluation.volume import VOLUMES, volume_columns
from radiobone.learning.data import DataError
from radiobone.learning.hierarchical import HierarchicalClassifier
from radiobone.learning.hu_rule import EROSION_MM, MEAN_HU, MEDIAN_HU, HuThresholdClassifier, hu_columns
from radiobone.learning.nodes import Node


def acquisition_control(table: pd.DataFrame, columns: Sequence[str], nodes: Sequence[Node] | None) -> Arm:
    """Return the control that knows the scanner's settings only.

    Parameters
    ----------
    table : DataFrame
        One line for each row, such as the cohort table.
    columns : sequence of str
        Acquisition columns: tube voltage, kernel, slice thickness, scanner, centre.
    nodes : sequence of Node or None
        Those of the study.

    Returns
    -------
    Arm
        Named ``acquisition only``.
    """
    return plain_arm("acquisition only", "control", table, columns, nodes)


def clinical_baseline(table: pd.DataFrame, columns: Sequence[str], nodes: Sequence[Node] | None) -> Arm:
    """Return the baseline of clinical covariates alone.

    Parameters
    ----------
    table : DataFrame
        One line for each row, such as the cohort table.
    columns : sequence of str
        Clinical columns: age, sex, body mass index.
    nodes : sequence of Node or None
        Those of the study.

    Returns
    -------
    Arm
        Named ``clinical covariates alone``.
    """
    return plain_arm("clinical covariates alone", "baseline", table, columns, nodes)


def volume_control(X: Any, nodes: Sequence[Node] | None) -> Arm:
    """Return the control that knows the volume of the VOIs only.

    Parameters
    ----------
    X : DataFrame
        Features, with a column of `radiobone.evaluation.volume.VOLUMES` for each VOI.
    nodes : sequence of Node or None
        Those of the study.

    Returns
    -------
    Arm
        Named ``VOI volume only``.
    """
    found = volume_columns(X)
    return plain_arm("VOI volume only", "control", X, found or [" or ".join(VOLUMES)], nodes)


def mean_hu_baseline(X: Any, nodes: Sequence[Node] | None) -> Arm:
    """Return the baseline of mean HU alone.

    Parameters
    ----------
    X : DataFrame
        Features, with ``density_mean_hu`` of one VOI.
    nodes : sequence of Node or None
        Those of the study.

    Returns
    -------
    Arm
        Named ``mean HU alone``.
    """
    return plain_arm("mean HU alone", "baseline", X, _hu(X, MEAN_HU) or [MEAN_HU], nodes)


def hu_rule_baseline(X: Any, erosion_mm: float, *, positive: Any = None) -> Arm:
    """Return TotalSegmentator's published rule as a baseline: nothing is learned but the other classes' shares.

    Parameters
    ----------
    X : DataFrame
        Features, with ``density_median_hu`` of one VOI, the vertebral body.
    erosion_mm : float
        How deep that VOI was eroded, in mm: the rule is that of 4 mm.
    positive : object, optional
        The class called below the threshold; by default as `HuThresholdClassifier` finds it.

    Returns
    -------
    Arm
        Named ``TotalSegmentator rule``; a flat classifier, judged at the study's nodes.
    """
    name = "TotalSegmentator rule"
    columns = _hu(X, MEDIAN_HU)
    if not columns or erosion_mm != EROSION_MM:
        return Arm(name, kind="baseline", needs=(f"{MEDIAN_HU} of the body, eroded by {EROSION_MM:g} mm",))
    return Arm(name, X[columns], HuThresholdClassifier(column=columns, positive=positive), kind="baseline")


def plain_arm(name: str, kind: Kind, table: Any, columns: Sequence[str], nodes: Sequence[Node] | None) -> Arm:
    """Return a logistic model on a few columns, at each node.

    Parameters
    ----------
    name : str
        Of the arm.
    kind : {"arm", "control", "baseline"}
        What it is for.
    table : DataFrame
        One line for each row; cells may be text.
    columns : sequence of str
        Columns of the table.
    nodes : sequence of Node or None
        Those of the study.

    Returns
    -------
    Arm
        Which says what it ``needs`` if a column is absent or empty.
    """
    known = [str(column) for column in getattr(table, "columns", [])]
    missing = tuple(column for column in columns if column not in known or _is_empty(table[column]))
    if missing or not columns:
        return Arm(name, kind=kind, needs=missing or ("a column",))
    X = pd.DataFrame({column: _numbers_or_text(table[column]) for column in columns})
    return Arm(name, X, HierarchicalClassifier(estimator=plain_model(X), nodes=nodes), kind=kind)


def plain_model(X: pd.DataFrame) -> Pipeline:
    """Return logistic regression on numbers and categories, not yet fitted.

    Parameters
    ----------
    X : DataFrame
        Its columns of text are categories; one that training has not seen counts as none of them.

    Returns
    -------
    Pipeline
        Gaps in numbers are filled by the training median, gaps in categories are a category.
    """
    numbers = [str(name) for name in X.columns if pd.api.types.is_numeric_dtype(X[name].dtype)]
    text = [str(name) for name in X.columns if name not in numbers]
    fill = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    parts = [("numbers", fill, numbers), ("categories", OneHotEncoder(handle_unknown="ignore"), text)]
    columns = ColumnTransformer([part for part in parts if part[2]], sparse_threshold=0.0)
    return Pipeline([("columns", columns), ("model", LogisticRegression(max_iter=1000))])


def _hu(X: Any, statistic: str) -> list[str]:
    try:
        return hu_columns(list(getattr(X, "columns", [])), statistic)
    except DataError:
        return []


def _is_empty(values: pd.Series) -> bool:
    return bool((values.isna() | (values.astype(str).str.strip() == "")).all())


def _numbers_or_text(values: pd.Series) -> pd.Series:
    """Return numbers where every cell that is filled is one, else text; empty cells are gaps."""
    if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype):
        return values.astype(np.float64)
    cells = [None if pd.isna(cell) or not str(cell).strip() else str(cell) for cell in values.tolist()]
    text = pd.Series(cells, index=values.index, dtype=object)
    numbers = pd.to_numeric(text, errors="coerce")
    if (numbers.notna() == text.notna()).all():
        return numbers.astype(np.float64)
    return text.fillna("missing").astype(object)

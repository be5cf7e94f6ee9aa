"""Who is left out of a study, and why."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from radiobone.core.errors import RadioboneWarning, TableError
from radiobone.study.blocks import arm_parts
from radiobone.study.columns import patient_values
from radiobone.study.recipe import Recipe
from radiobone.study.rows import REVIEW_COLUMNS, raised
from radiobone.tables.cohort import Cohort
from radiobone.tables.features import FeatureTable
from radiobone.tables.flow import EXCLUDED, Flow, short_reason, unusable_patients
from radiobone.tables.keys import PATIENT, STATUS, require_columns
from radiobone.tables.reading import numbers
from radiobone.tables.wide import incomplete_rows

if TYPE_CHECKING:
    import pandas as pd

SAME_SCAN_CORRELATION = 0.98
"""Correlation of mean HU with BMD above which the BMD was most likely measured in the same scan.

QCT in one scan is a straight line of HU; in another scan (other time, table position, tube voltage) it is not.
"""

_MEAN_HU = "density_mean_hu"
_SHOWN = 5


def exclusions(
    recipe: Recipe,
    main: FeatureTable | None,
    X: pd.DataFrame,
    blocks: dict[str, list[str]],
    labels: pd.Series[str],
    left_out: Sequence[str],
    cohort: Cohort,
) -> list[tuple[str, dict[str, str]]]:
    """Say step by step who is left out, and why.

    Parameters
    ----------
    recipe : Recipe
        The study.
    main : FeatureTable or None
        The rows of the main VOI, of all levels.
    X : DataFrame
        Every column, before anybody is left out.
    blocks : dict of str to list of str
        Columns by block and group.
    labels : Series of str
        The class of every patient of the cohort.
    left_out : sequence of str
        Classes of no node.
    cohort : Cohort
        Exclusions of the user, and what the plan needs.

    Returns
    -------
    list of (str, dict)
        For each step its name and ``{patient_id: reason}``, as `radiobone.tables.flow.count_flow` takes them.
    """
    found = [
        (
            "class",
            {str(name): f"class {label} is in no node" for name, label in labels.items() if label in left_out},
        ),
        ("by user", _excluded_by_user(cohort, recipe)),
        ("needs review", _to_be_reviewed(cohort, recipe)),
        ("needed columns", _without_attribute(cohort, recipe)),
    ]
    if main is not None and recipe.table.status == "drop":
        found.append(("features", _without_features(main, recipe, labels)))
    if not recipe.imputes:
        parts = (part for arm in recipe.all_arms for part in arm_parts(arm, blocks).values())
        used = X[list(dict.fromkeys(column for part in parts for column in part))]
        _refuse_empty_columns(used, str(cohort.path if main is None else main.path))
        gaps = incomplete_rows(used)
        found.append(("missing values", {name: short_reason(reason) for name, reason in gaps.items()}))
    return found


def _refuse_empty_columns(X: pd.DataFrame, where: str) -> None:
    """Refuse columns that would lose every patient."""
    empty = X.columns[~np.isfinite(X.to_numpy(dtype=np.float64)).any(axis=0)]
    if len(X) and len(empty):
        raise TableError(
            f"{len(empty)} columns hold no value of any patient",
            where=where,
            got=", ".join(empty[:_SHOWN]),
            do="leave them out of the arms, or add the step 'missing', which takes columns with many gaps away",
        )


def _excluded_by_user(cohort: Cohort, recipe: Recipe) -> dict[str, str]:
    found: dict[str, str] = {}
    for column in recipe.table.exclude:
        require_columns(list(cohort.table.columns), (column,), str(cohort.path))
        given = cohort.table[column].str.strip()
        # Sorted, so that the order of a patient's rows plays no part.
        texts = given[given != ""].groupby(cohort.table[PATIENT]).agg(lambda texts: "; ".join(sorted(set(texts))))
        found = {str(name): reason for name, reason in texts.items()} | found
    return found


def _to_be_reviewed(cohort: Cohort, recipe: Recipe) -> dict[str, str]:
    """Leave out flagged patients where there are no rows of VOIs, which are flagged one by one."""
    if recipe.table.needs_review == "keep" or recipe.voi is not None:
        return {}
    names = [name for name in REVIEW_COLUMNS if name in cohort.table.columns]
    if not names:
        raise TableError(
            "table.needs_review: drop, and no table says which rows need a review",
            where=str(cohort.path),
            expected=f"a column {' or '.join(REVIEW_COLUMNS)}",
            do="add it, or say keep",
        )
    flagged = cohort.table[PATIENT][raised(cohort.table[names[0]])]
    return dict.fromkeys(map(str, flagged), "flagged")


def _without_attribute(cohort: Cohort, recipe: Recipe) -> dict[str, str]:
    """Leave out patients of whom the plan could not say on which side they stand, or ComBat to which batch."""
    found: dict[str, str] = {}
    batches = (column for arm in recipe.all_arms for column in recipe.batches(arm))
    for column in dict.fromkeys([*recipe.validation.columns, *batches]):
        values = patient_values(cohort, column)
        found |= {str(name): f"no {column}" for name in values.index[values == ""]}
    return found


def _without_features(features: FeatureTable, recipe: Recipe, labels: pd.Series[str]) -> dict[str, str]:
    """Return why patients have no usable row; reasons lose their file names, so that they can be counted."""
    levels = None if recipe.voi is None else recipe.voi.level_names
    reasons = dict.fromkeys(set(labels.index) - set(features.table[PATIENT]), "not in the feature table")
    unusable = unusable_patients(features, levels)
    return reasons | {name: short_reason(reason) for name, reason in unusable.items()}


def refuse_empty_classes(recipe: Recipe, y: pd.Series[str], flow: Flow, where: str) -> None:
    """Refuse a class without patients, and say where its patients were lost: no flow.csv is written then.

    Parameters
    ----------
    recipe : Recipe
        The study.
    y : Series of str
        The classes of those who are left.
    flow : Flow
        Everybody.
    where : str
        The cohort table, for the message.

    Raises
    ------
    TableError
        That counts the patients of the class by the reason for which they were left out.
    """
    empty = [name for name in recipe.classes if not (y == name).any()]
    if not empty:
        return
    left = ", ".join(f"{int((y == name).sum())} {name}" for name in recipe.classes)
    table = flow.table
    lost = table[table["step"].str.startswith(EXCLUDED) & table["class"].isin(empty) & (table["patients"] > 0)]
    told = "; ".join(
        f"{row.patients} {row.label} {row.step}, {row.reason}"
        for row in lost.rename(columns={"class": "label"}).itertuples()
    )
    raise TableError(
        f"no patient of class {', '.join(empty)} is left",
        where=where,
        got=f"{left} ({told or 'none is in the cohort'})",
        expected=", ".join(recipe.classes),
        do="mend what lost them, or name other classes in the recipe",
    )


def warn_of_same_scan(recipe: Recipe, features: FeatureTable, cohort: Cohort) -> None:
    """Warn if mean HU and BMD lie on one straight line.

    Parameters
    ----------
    recipe : Recipe
        The study.
    features : FeatureTable
        The rows of the main VOI.
    cohort : Cohort
        With the BMD.

    Warns
    -----
    RadioboneWarning
        If they do: BMD was most likely measured in the same scans.
    """
    if recipe.label.source != "bmd" or _MEAN_HU not in features.features:
        return
    bmd = numbers(cohort.table, recipe.label.column, str(cohort.path)).groupby(cohort.table[PATIENT]).first()
    rows = features.table[features.table[STATUS] == "ok"]
    both = rows.groupby(PATIENT)[_MEAN_HU].mean().to_frame().join(bmd.rename("bmd"), how="inner").dropna()
    if len(both) < 10 or both.nunique().min() < 2:
        return
    correlation = float(np.corrcoef(both.to_numpy().T)[0, 1])
    if correlation > SAME_SCAN_CORRELATION:
        warnings.warn(
            f"{recipe.label.column} and mean HU correlate by {correlation:.3f}: BMD was most likely measured "
            "in the same scans, and the result is too good",
            RadioboneWarning,
            stacklevel=3,
        )

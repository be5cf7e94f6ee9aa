"""From tables to X and y: the patients of a study, with every loss counted."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from radiobone.core.errors import RadioboneWarning, TableError
from radiobone.study.recipe import Recipe
from radiobone.tables.cohort import Cohort
from radiobone.tables.features import FeatureTable
from radiobone.tables.flow import EXCLUDED, Flow, count_flow, short_reason, unusable_patients
from radiobone.tables.keys import LEVEL, PATIENT, STATUS, VOI, require_columns
from radiobone.tables.labels import patient_labels
from radiobone.tables.reading import numbers
from radiobone.tables.vertebrae import level_order
from radiobone.tables.wide import incomplete_rows, restrict_levels, wide
from radiobone.voi import find_recipe

if TYPE_CHECKING:
    import pandas as pd

SAME_SCAN_CORRELATION = 0.98
"""Correlation of mean HU with BMD above which the BMD was most likely measured in the same scan.

QCT in one scan is a straight line of HU; in another scan (other time, table position, tube voltage) it is not.
"""

_MEAN_HU = "density_mean_hu"


@dataclass(frozen=True, eq=False)
class Dataset:
    """What a study learns from: one row for each patient.

    Parameters
    ----------
    X : DataFrame of shape (n_patients, n_features)
        Index ``patient_id``, sorted.
    y : Series of str
        The class of each row of ``X``.
    flow : Flow
        Patients from the cohort to here.
    """

    X: pd.DataFrame
    y: pd.Series[str]
    flow: Flow


def assemble(recipe: Recipe, features: FeatureTable, cohort: Cohort) -> Dataset:
    """Label, exclude and widen.

    Parameters
    ----------
    recipe : Recipe
        The study.
    features : FeatureTable
        The long table.
    cohort : Cohort
        Labels and exclusions.

    Returns
    -------
    Dataset
        The patients of the recipe's classes, by the rows of the recipe's levels.

    Raises
    ------
    TableError
        If the feature table was not extracted as the recipe says, knows patients that the cohort does not, or
        a class has no patient left.

    Warns
    -----
    RadioboneWarning
        If the table's provenance is unknown, BMD seems to have been measured in the same scans, or many patients
        or rows are lost.
    """
    check_provenance(recipe, features)
    check_levels(recipe, features)
    labels = patient_labels(cohort.table, recipe.label, str(cohort.path))
    strangers = sorted(set(features.table[PATIENT]) - set(labels.index))
    if strangers:
        raise TableError(
            f"{len(strangers)} patients of the feature table are not in the cohort table",
            where=f"{features.path}, {cohort.path}",
            got=", ".join(strangers[:5]),
            do="give the cohort table that the features were extracted from",
        )
    left_out = [name for name in recipe.label.classes if name not in recipe.classes]
    levels = recipe.voi.level_names
    rows = restrict_levels(features, levels)
    X = wide(_restrict_blocks(rows, recipe), recipe.table.levels)
    exclusions = [
        (
            "class",
            {str(name): f"class {label} is in no node" for name, label in labels.items() if label in left_out},
        ),
        ("by user", _excluded_by_user(cohort, recipe)),
        ("features", _without_features(features, levels, labels)),
        ("missing values", {name: short_reason(reason) for name, reason in incomplete_rows(X).items()}),
    ]
    flow = count_flow(labels, exclusions, recipe.label.classes, rows=rows.table, left_out=left_out)
    X, y = X.loc[flow.analysed], labels.loc[flow.analysed]
    _refuse_empty_classes(recipe, y, flow, str(cohort.path))
    _warn_of_same_scan(recipe, rows, cohort)
    return Dataset(X, y, flow)


def check_provenance(recipe: Recipe, features: FeatureTable) -> None:
    """Check that a table was extracted with the recipe's VOI and parameters.

    Parameters
    ----------
    recipe : Recipe
        The study.
    features : FeatureTable
        The long table.

    Raises
    ------
    TableError
        If it was extracted in another way.

    Warns
    -----
    RadioboneWarning
        If it has no manifest.
    """
    others = sorted(set(features.table[VOI]) - {find_recipe(recipe.voi.recipe).name})
    if others:
        raise TableError(
            "the feature table holds VOIs of another recipe than the study's",
            where=str(features.path),
            got=", ".join(others),
            expected=find_recipe(recipe.voi.recipe).name,
            do="keep the rows of one VOI recipe",
        )
    manifest = features.manifest
    if manifest is None:
        warnings.warn(
            f"{features.path} has no manifest: the provenance of its columns is unknown",
            RadioboneWarning,
            stacklevel=3,
        )
        return
    voi = find_recipe(recipe.voi.recipe)
    options = {name: getattr(recipe.voi.options, name) for name in voi.options}
    expected: dict[str, tuple[object, object]] = {
        "VOI recipe": (voi.id, manifest.voi.recipe),
        "VOI options": (options, manifest.voi.options),
    }
    if "first" in (recipe.voi.missing_levels, manifest.voi.missing_levels):
        expected["policy for missing levels"] = (recipe.voi.missing_levels, manifest.voi.missing_levels)
        if recipe.voi.level_names is not None:
            # The first of other levels is another vertebra.
            expected["list of levels"] = (list(recipe.voi.level_names), manifest.voi.levels)
    for block in manifest.blocks:
        if block.name == "radiomics" and "radiomics" in recipe.table.blocks:
            expected["parameters"] = (recipe.params().sha256, block.parameters_sha256)
    for what, (wanted, got) in expected.items():
        if wanted != got:
            raise TableError(
                f"the feature table was extracted with another {what} than the recipe names",
                where=str(features.path),
                got=got,
                expected=wanted,
                do="extract with the recipe's settings, or change the recipe",
            )


def check_levels(recipe: Recipe, features: FeatureTable) -> None:
    """Check that the recipe's levels were extracted.

    Parameters
    ----------
    recipe : Recipe
        The study.
    features : FeatureTable
        The long table.

    Raises
    ------
    TableError
        That names the levels that were not.
    """
    wanted = recipe.voi.level_names
    if wanted is None or recipe.voi.missing_levels == "first":
        return
    # A level that was asked for has rows, if only failed ones; without a request, those of the masks have.
    asked = None if features.manifest is None else features.manifest.voi.levels
    held = list(dict.fromkeys(features.table[LEVEL])) if asked is None else asked
    missing = [level for level in wanted if level not in held]
    if missing:
        raise TableError(
            f"levels of the recipe were not extracted: {', '.join(missing)}",
            where=str(features.path),
            got=", ".join(sorted(filter(None, held), key=level_order)),
            expected=", ".join(wanted),
            do="extract with the recipe's levels, or change the recipe",
        )


def _restrict_blocks(features: FeatureTable, recipe: Recipe) -> FeatureTable:
    """Keep the columns of the recipe's blocks; a table without manifest is taken whole."""
    if features.manifest is None:
        return features
    blocks = {block.name: block.columns for block in features.manifest.blocks}
    missing = [name for name in recipe.table.blocks if name not in blocks]
    if missing:
        raise TableError(
            f"the feature table has no block {', '.join(missing)}", where=str(features.path), got=", ".join(blocks)
        )
    return replace(features, features=[column for name in recipe.table.blocks for column in blocks[name]])


def _excluded_by_user(cohort: Cohort, recipe: Recipe) -> dict[str, str]:
    column = recipe.table.exclude
    if column is None:
        return {}
    require_columns(list(cohort.table.columns), (column,), str(cohort.path))
    given = cohort.table[column].str.strip()
    # Sorted, so that the order of a patient's rows plays no part.
    reasons = given[given != ""].groupby(cohort.table[PATIENT]).agg(lambda texts: "; ".join(sorted(set(texts))))
    return {str(name): reason for name, reason in reasons.items()}


def _without_features(
    features: FeatureTable, levels: tuple[str, ...] | None, labels: pd.Series[str]
) -> dict[str, str]:
    """Return why patients have no usable row; reasons lose their file names, so that they can be counted."""
    reasons = dict.fromkeys(set(labels.index) - set(features.table[PATIENT]), "not in the feature table")
    unusable = unusable_patients(features, levels)
    return reasons | {name: short_reason(reason) for name, reason in unusable.items()}


def _refuse_empty_classes(recipe: Recipe, y: pd.Series[str], flow: Flow, where: str) -> None:
    """Refuse a class without patients, and say where its patients were lost: no flow.csv is written then."""
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


def _warn_of_same_scan(recipe: Recipe, features: FeatureTable, cohort: Cohort) -> None:
    """Warn if mean HU and BMD lie on one straight line."""
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

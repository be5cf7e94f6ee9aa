"""From tables to X and y: the patients of a study, with every loss counted."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from radiobone.core.errors import RadioboneWarning, TableError
from radiobone.features.radiomics.params import read_params
from radiobone.study.recipe import Recipe
from radiobone.tables.cohort import Cohort
from radiobone.tables.features import FeatureTable
from radiobone.tables.flow import Flow, count_flow, unusable_patients
from radiobone.tables.keys import PATIENT, STATUS, require_columns
from radiobone.tables.labels import patient_labels
from radiobone.tables.reading import numbers
from radiobone.tables.wide import wide
from radiobone.voi import VoiOptions, find_recipe

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

    Raises
    ------
    TableError
        If the feature table was not extracted as the recipe says, knows patients that the cohort does not, or
        a class has no patient left.

    Warns
    -----
    RadioboneWarning
        If the table's provenance is unknown, or BMD seems to have been measured in the same scans.
    """
    check_provenance(recipe, features)
    labels = patient_labels(cohort.table, recipe.label, str(cohort.path))
    strangers = sorted(set(features.table[PATIENT]) - set(labels.index))
    if strangers:
        raise TableError(
            f"{len(strangers)} patients of the feature table are not in the cohort table",
            where=f"{features.path}, {cohort.path}",
            got=", ".join(strangers[:5]),
            do="give the cohort table that the features were extracted from",
        )
    chosen = _restrict(features, recipe)
    X = wide(chosen, recipe.table.levels)
    gaps = X.index[X.isna().any(axis=1)]
    exclusions: list[tuple[str, dict[str, str]]] = [
        (
            "class",
            {
                str(name): f"class {label} is in no node"
                for name, label in labels.items()
                if label not in recipe.classes
            },
        ),
        ("by user", _excluded_by_user(cohort, recipe)),
        ("features", _without_features(features, labels)),
        ("missing values", dict.fromkeys(gaps, "a feature has no value")),
    ]
    flow = count_flow(labels, exclusions, recipe.label.classes)
    X, y = X.loc[flow.analysed], labels.loc[flow.analysed]
    empty = [name for name in recipe.classes if not (y == name).any()]
    if empty:
        raise TableError(
            f"no patient of class {', '.join(empty)} is left",
            where=str(cohort.path),
            got=", ".join(f"{count} {name}" for name, count in y.value_counts().items()),
            expected=", ".join(recipe.classes),
            do="see flow.csv for who was lost where, or name other classes in the recipe",
        )
    _warn_of_same_scan(recipe, features, cohort)
    return Dataset(X, y, flow)


def check_provenance(recipe: Recipe, features: FeatureTable) -> None:
    """Raise a TableError unless the table was extracted with the recipe's VOI and parameters."""
    manifest = features.manifest
    if manifest is None:
        warnings.warn(
            f"{features.path} has no manifest: the provenance of its columns is unknown",
            RadioboneWarning,
            stacklevel=3,
        )
        return
    voi = find_recipe(recipe.voi.recipe)
    options = VoiOptions(erosion_mm=recipe.voi.erosion_mm) if "erosion_mm" in voi.options else VoiOptions()
    expected = {
        "VOI recipe": (voi.id, manifest.voi.recipe),
        "VOI options": ({name: getattr(options, name) for name in voi.options}, manifest.voi.options),
    }
    for block in manifest.blocks:
        if block.name == "radiomics" and "radiomics" in recipe.table.blocks:
            expected["parameters"] = (read_params(recipe.extraction.params).sha256, block.parameters_sha256)
    for what, (wanted, got) in expected.items():
        if wanted != got:
            raise TableError(
                f"the feature table was extracted with another {what} than the recipe names",
                where=str(features.path),
                got=got,
                expected=wanted,
                do="extract with the recipe's settings, or change the recipe",
            )


def _restrict(features: FeatureTable, recipe: Recipe) -> FeatureTable:
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
    given = cohort.table[cohort.table[column].str.strip() != ""]
    return dict(zip(given[PATIENT], given[column].str.strip(), strict=True))


def _without_features(features: FeatureTable, labels: pd.Series[str]) -> dict[str, str]:
    """Return why patients have no usable row; reasons lose their file names, so that they can be counted."""
    reasons = dict.fromkeys(set(labels.index) - set(features.table[PATIENT]), "not in the feature table")
    return reasons | {name: reason.split(" | ")[0] for name, reason in unusable_patients(features).items()}


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

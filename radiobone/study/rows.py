"""Rows of a feature table: which of them a recipe learns from, and whether they were made as it says."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from radiobone.core.errors import RadioboneWarning, TableError
from radiobone.study.recipe import Recipe
from radiobone.study.recipe.extraction import DEEP, DENSITY, RADIOMICS, deep_blocks
from radiobone.study.recipe.images import VoiChoice
from radiobone.tables.features import BlockRecord, FeatureTable
from radiobone.tables.keys import LEVEL, PATIENT, REASON, SCAN, STATUS, VOI
from radiobone.tables.vertebrae import level_order
from radiobone.voi import find_recipe

if TYPE_CHECKING:
    import pandas as pd

    from radiobone.tables.cohort import Cohort

REVIEW_COLUMNS = ("needs_review", "qc_needs_review")
"""Flags that a VOI or a patient should be looked at; anything but the cells below raises one."""

_NO = ("", "0", "0.0", "no", "false", "nan", "none", "na")


def check_provenance(recipe: Recipe, features: FeatureTable, voi: VoiChoice | None = None) -> None:
    """Check that a table was extracted with the recipe's VOI and parameters.

    Parameters
    ----------
    recipe : Recipe
        The study.
    features : FeatureTable
        The long table.
    voi : VoiChoice, optional
        Which of the recipe's VOIs; by default the main one.

    Raises
    ------
    TableError
        If it was extracted in another way.

    Warns
    -----
    RadioboneWarning
        If it has no manifest.
    """
    voi = voi or recipe.voi
    assert voi is not None
    maker = find_recipe(voi.recipe)
    others = sorted(set(features.table[VOI]) - {maker.name})
    if others:
        raise TableError(
            "the feature table holds VOIs of another recipe than the study's",
            where=str(features.path),
            got=", ".join(others),
            expected=maker.name,
            do="keep the rows of one VOI recipe",
        )
    manifest = features.manifest
    if manifest is None:
        warnings.warn(
            f"{features.path} has no manifest: the provenance of its columns is unknown",
            RadioboneWarning,
            stacklevel=4,
        )
        return
    options = {name: getattr(voi.options, name) for name in maker.options}
    expected: dict[str, tuple[object, object]] = {
        "VOI recipe": (maker.id, manifest.voi.recipe),
        "VOI options": (options, manifest.voi.options),
    }
    if "first" in (voi.missing_levels, manifest.voi.missing_levels):
        expected["policy for missing levels"] = (voi.missing_levels, manifest.voi.missing_levels)
        if voi.level_names is not None:
            # The first of other levels is another vertebra.
            expected["list of levels"] = (list(voi.level_names), manifest.voi.levels)
    expected |= _blocks(recipe, manifest.blocks)
    for what, (wanted, got) in expected.items():
        if wanted != got:
            raise TableError(
                f"the feature table was extracted with another {what} than the recipe names",
                where=str(features.path),
                got=got,
                expected=wanted,
                do="extract with the recipe's settings, or change the recipe",
            )


def _blocks(recipe: Recipe, held: Sequence[BlockRecord]) -> dict[str, tuple[object, object]]:
    """Return what the recipe and the table say of each block that an arm uses, by what it is."""
    assert recipe.extraction is not None
    used = {block.rpartition(".")[2] for arm in recipe.all_arms for block in arm.blocks}
    deep = recipe.extraction.deep_records()
    expected: dict[str, tuple[object, object]] = {}
    if DEEP in used:
        expected["list of deep blocks"] = (list(deep), deep_blocks(block.name for block in held))
    for block in held:
        if block.name == RADIOMICS and RADIOMICS in used:
            radiomics = recipe.params()
            assert radiomics is not None
            expected["parameters"] = (radiomics.sha256, block.parameters_sha256)
        if block.name == DENSITY and DENSITY in used:
            expected["calibration"] = (recipe.extraction.density_parameters, block.parameters)
        if block.name in deep and used & {block.name, DEEP}:
            got = block.parameters
            differing = {key: value for key, value in deep[block.name].items() if got.get(key) != value}
            expected[f"set of parameters of {block.name}"] = (differing, {key: got.get(key) for key in differing})
    return expected


def check_levels(voi: VoiChoice, features: FeatureTable) -> None:
    """Check that the levels of a VOI were extracted.

    Parameters
    ----------
    voi : VoiChoice
        The VOI.
    features : FeatureTable
        The long table.

    Raises
    ------
    TableError
        That names the levels that were not.
    """
    wanted = voi.level_names
    if wanted is None or voi.missing_levels == "first":
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


def without_flagged(recipe: Recipe, features: FeatureTable, cohort: Cohort) -> FeatureTable:
    """Take the status from rows that need a review, where the recipe drops them.

    Parameters
    ----------
    recipe : Recipe
        The study.
    features : FeatureTable
        The long table.
    cohort : Cohort
        May hold flags of scans.

    Returns
    -------
    FeatureTable
        All rows; those that need a review have the status ``skipped``, and that as their reason.

    Raises
    ------
    TableError
        If flagged rows are to be dropped and neither table holds a flag.
    """
    if recipe.table.needs_review == "keep":
        return features
    flagged = _flagged(features, cohort)
    table = features.table.copy()
    dropped = flagged & (table[STATUS] == "ok")
    table.loc[dropped, STATUS] = "skipped"
    table.loc[dropped, REASON] = "needs review"
    return replace(features, table=table)


def _flagged(features: FeatureTable, cohort: Cohort) -> pd.Series[bool]:
    """Say which rows are flagged, by a column of either table."""
    table = features.table
    own = [name for name in REVIEW_COLUMNS if name in table.columns]
    theirs = [name for name in REVIEW_COLUMNS if name in cohort.table.columns]
    if not own and not theirs:
        raise TableError(
            "table.needs_review: drop, and neither table says which rows need a review",
            where=f"{features.path}, {cohort.path}",
            expected=f"a column {' or '.join(REVIEW_COLUMNS)}",
            do="add it, or say keep",
        )
    flagged = table[PATIENT] != table[PATIENT]
    for name in own:
        flagged |= raised(table[name].astype(str))
    if theirs:
        scans = cohort.table[raised(cohort.table[theirs[0]])]
        pairs = set(zip(scans[PATIENT], scans[SCAN], strict=True))
        here = [pair in pairs for pair in zip(table[PATIENT], table[SCAN], strict=True)]
        flagged |= np.array(here, dtype=bool)
    return flagged


def raised(cells: pd.Series[str]) -> pd.Series[bool]:
    """Say which cells raise a flag: anything but an empty cell, 0, no and false.

    Parameters
    ----------
    cells : Series of str
        As read.

    Returns
    -------
    Series of bool
        Index of ``cells``.
    """
    return ~cells.str.strip().str.casefold().isin(_NO)

"""Blocks of a feature table by their names, and feature tables that radiobone did not extract."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from radiobone.core.errors import TableError
from radiobone.study.recipe import Recipe
from radiobone.study.recipe.design import ArmChoice
from radiobone.study.recipe.extraction import DEEP, DENSITY, RADIOMICS, deep_blocks
from radiobone.study.recipe.study import EXTERNAL
from radiobone.study.rows import REVIEW_COLUMNS
from radiobone.tables.features import FeatureTable
from radiobone.tables.keys import (
    DEFAULT_SCAN,
    FEATURE_KEYS,
    LEVEL,
    PATIENT,
    REASON,
    SCAN,
    STATUS,
    VOI,
    forbid_duplicates,
    require_columns,
)
from radiobone.tables.reading import numbers, read_text_table

if TYPE_CHECKING:
    import pandas as pd

_DENSITY = "density_"
_DEEP = re.compile(r"(deep-.+)-([a-z]+)_[0-9]{4}")
"""How columns of blocks look, where no manifest tells; all others are radiomics."""

_SHOWN = 5


def block_columns(features: FeatureTable) -> dict[str, list[str]]:
    """Return the columns of each block, by the manifest or, without one, by their names.

    Parameters
    ----------
    features : FeatureTable
        The long table.

    Returns
    -------
    dict of str to list of str
        In the table's order; those of all deep blocks stand under ``deep``, too.
    """
    if features.manifest is not None:
        found = {block.name: block.columns for block in features.manifest.blocks}
    else:
        found = _by_names(features.features)
    deep = [column for block in deep_blocks(found) for column in found[block]]
    return found | ({DEEP: deep} if deep else {})


def _by_names(columns: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    views: dict[str, list[str]] = {}
    for column in columns:
        deep = _DEEP.fullmatch(column)
        network = deep.group(1) if deep else ""
        if deep and deep.group(2) not in views.setdefault(network, []):
            views[network].append(deep.group(2))
        block = network or (DENSITY if column.startswith(_DENSITY) else RADIOMICS)
        found.setdefault(block, []).append(column)
    # A deep block is named after its views, too.
    return {f"{name}-{'+'.join(views[name])}" if name in views else name: found[name] for name in found}


def single_blocks(blocks: Iterable[str], held: Iterable[str]) -> list[str]:
    """Put the names of single deep blocks in the place of the name of all.

    Parameters
    ----------
    blocks : iterable of str
        Names, as arms have them.
    held : iterable of str
        The blocks of the feature table.
    """
    deep = deep_blocks(held)
    return [single for name in blocks for single in (deep if name == DEEP else [name])]


def short_prefix(column: str) -> str:
    """Return the feature's own name of a column of X.

    Parameters
    ----------
    column : str
        Such as ``L1.trabecular__density_mean_hu``.

    Returns
    -------
    str
        Such as ``density_mean_hu``.
    """
    return column.partition("__")[2] or column


def arm_parts(arm: ArmChoice, blocks: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """List the columns of an arm by the block or group that they come from.

    Parameters
    ----------
    arm : ArmChoice
        Of the recipe.
    blocks : mapping of str to sequence of str
        The columns of X of each block, group and column of the cohort table.

    Returns
    -------
    dict of str to list of str
        In the recipe's order; of blocks, those columns that the arm's ``features`` name.
    """
    chosen = arm.features or ("*",)
    found = {
        name: [
            column
            for column in blocks.get(name, ())
            if any(fnmatchcase(short_prefix(column), pattern) for pattern in chosen)
        ]
        for name in arm.blocks
    }
    return found | {name: list(blocks.get(name, ())) for name in arm.columns}


def read_external(recipe: Recipe, path: Path) -> FeatureTable:
    """Read a feature table that radiobone did not extract.

    Parameters
    ----------
    recipe : Recipe
        With ``external``; columns that it uses for something else are no features.
    path : Path
        CSV or Parquet: one row for each patient.

    Returns
    -------
    FeatureTable
        Its rows all ``ok``, in the VOI ``external``; an empty cell is a missing value.

    Raises
    ------
    TableError
        If the patient's column is missing, a patient has two rows, a column named in full is missing or holds
        other text than numbers, or no column is left.
    """
    assert recipe.external is not None
    text = read_text_table(path)
    patient = None if recipe.cohort.rows == "patients" else recipe.external.patient
    return _external(text, path, patient, _feature_columns(recipe, text, str(path)))


def external_table(path: Path, patient: str | None, columns: Sequence[str]) -> FeatureTable:
    """Read named columns of a feature table that radiobone did not extract.

    Parameters
    ----------
    path : Path
        CSV or Parquet: one row for each patient.
    patient : str or None
        The column that names patients; None where each row is one.
    columns : sequence of str
        The features.

    Returns
    -------
    FeatureTable
        As `read_external` gives it.
    """
    text = read_text_table(path)
    require_columns(list(text.columns), columns, str(path))
    return _external(text, path, patient, list(columns))


def _external(text: pd.DataFrame, path: Path, patient: str | None, chosen: list[str]) -> FeatureTable:
    import pandas as pd

    where = str(path)
    patients = _patients(text, patient, where)
    keys = pd.DataFrame(
        {PATIENT: patients, SCAN: DEFAULT_SCAN, VOI: EXTERNAL, LEVEL: "", STATUS: "ok", REASON: ""},
        index=text.index,
    )
    forbid_duplicates(keys, [PATIENT], where, "give one row for each patient")
    values = {name: numbers(text, name, where) for name in chosen}
    table = pd.concat([keys, pd.DataFrame(values, index=text.index)], axis=1).reset_index(drop=True)
    return FeatureTable(table, chosen, None, path)


def _patients(text: pd.DataFrame, patient: str | None, where: str) -> pd.Series[str]:
    if patient is None:
        width = len(str(text.index.max()))
        return text.index.map(lambda number: f"{text.index.name}_{number:0{width}d}").to_series(index=text.index)
    require_columns(list(text.columns), (patient,), where)
    return text[patient].str.strip()


def _feature_columns(recipe: Recipe, text: pd.DataFrame, where: str) -> list[str]:
    assert recipe.external is not None
    batches = (name for arm in recipe.all_arms for name in recipe.batches(arm))
    used = {
        recipe.external.patient,
        recipe.label.column,
        *FEATURE_KEYS,
        *REVIEW_COLUMNS,
        *batches,
        *recipe.table.exclude,
        *recipe.validation.columns,
        *(column.column for column in (*recipe.clinical, *recipe.acquisition)),
        *(stratum.column for stratum in recipe.evaluation.strata),
    }
    patterns = recipe.external.columns
    exact = [name for name in patterns if not set(name) & set("*?[")]
    require_columns(list(text.columns), exact, where)
    found = [
        name
        for name in text.columns
        if name in exact
        or (
            name not in used
            and any(fnmatchcase(name, pattern) for pattern in patterns)
            and not any(fnmatchcase(name, pattern) for pattern in recipe.external.drop)
            and _holds_numbers(text[name])
        )
    ]
    if not found:
        raise TableError(
            "no feature column is left",
            where=where,
            got=", ".join(text.columns[:_SHOWN]) + f" ({len(text.columns)} columns)",
            expected=f"columns of numbers like {', '.join(patterns)}",
        )
    return found


def _holds_numbers(cells: pd.Series[str]) -> bool:
    import pandas as pd

    filled = cells.str.strip()
    filled = filled[~filled.str.casefold().isin(["", "na", "nan", "n/a"])]
    return len(filled) > 0 and bool(pd.to_numeric(filled, errors="coerce").notna().all())

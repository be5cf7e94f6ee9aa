"""From tables to X and y: the patients of a study, with every loss counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from radiobone.core.errors import TableError
from radiobone.study.blocks import arm_parts, block_columns, short_prefix
from radiobone.study.columns import code_columns, coded, patient_values, plain_values, present
from radiobone.study.exclusions import exclusions, refuse_empty_classes, warn_of_same_scan
from radiobone.study.recipe import Recipe
from radiobone.study.recipe.design import ArmChoice
from radiobone.study.recipe.images import HU_RULE
from radiobone.study.recipe.study import EXTERNAL
from radiobone.study.rows import check_levels, check_provenance, without_flagged
from radiobone.tables.cohort import Cohort
from radiobone.tables.features import FeatureTable
from radiobone.tables.flow import Flow, count_flow, mask_sources
from radiobone.tables.keys import LEVEL, PATIENT, REPEAT
from radiobone.tables.labels import patient_labels
from radiobone.tables.repeats import choose_repeat, repeat_names, repeated
from radiobone.tables.units import cohort_of_levels, features_of_levels, rows_of_units, unit_keys
from radiobone.tables.wide import restrict_levels, wide

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from radiobone.evaluation.inputs import LabelsBy
    from radiobone.learning.disk.source import ColumnSource
    from radiobone.learning.selection.repeats import Repeats

VOLUME = "VOI volume (ml)"
"""The attribute against which selected features are held."""

_VOLUME_COLUMN = "density_volume_ml"

Tables = Mapping[str, FeatureTable]
"""The feature tables of a study by the name of their VOI; the main one, or an external one, under ``""``."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """What a study learns from: one row for each patient, or for each level of each.

    Parameters
    ----------
    X : DataFrame of shape (n_patients, n_columns)
        Every column that an arm, a control or a baseline may use; index ``patient_id`` (or the names of
        patient and level), sorted.
    y : Series of str
        The class of each row of ``X``.
    flow : Flow
        Patients from the cohort to here.
    blocks : dict of str to list of str
        The columns of each block and group, in order.
    attributes : DataFrame
        What the plan and the strata need of each row, by the names of the cohort table.
    cohort_columns : DataFrame
        The clinical and acquisition columns of the cohort table: numbers where all cells are, else text.
    keys : DataFrame
        What identifies a row: ``patient_id``, and ``level`` where levels are rows.
    codes : list of ColumnSource
        How they became columns of ``X``.
    repeats : Repeats or None
        The rows of all readers, where there are several.
    """

    X: pd.DataFrame
    y: pd.Series[str]
    flow: Flow
    blocks: dict[str, list[str]]
    attributes: pd.DataFrame
    cohort_columns: pd.DataFrame
    keys: pd.DataFrame
    codes: list[ColumnSource] = field(default_factory=list)
    repeats: Repeats | None = None

    @property
    def patients(self) -> NDArray[Any]:
        """The patient of each row, who is whole in every split."""
        return self.keys[PATIENT].to_numpy()

    @property
    def labels_by(self) -> LabelsBy:
        """Whose the class is: the patient's, or each row's where levels are rows."""
        return "row" if LEVEL in self.keys.columns else "patient"

    def columns(self, arm: ArmChoice) -> list[str]:
        """List the columns of an arm, block after block, then those of the cohort table.

        Parameters
        ----------
        arm : ArmChoice
            Of the recipe.

        Returns
        -------
        list of str
            Columns of ``X``.

        Raises
        ------
        TableError
            If there is none.
        """
        found = [name for part in self.parts(arm).values() for name in part]
        if not found:
            raise TableError(
                f"arm {arm.name!r} has no column",
                got=", ".join((*arm.blocks, *arm.columns, *arm.features)),
                expected="features, or columns of the cohort table with two values or more",
                do="see the warnings above, or name other columns",
            )
        return found

    def parts(self, arm: ArmChoice) -> dict[str, list[str]]:
        """List the columns of an arm by the block or group that they come from.

        Parameters
        ----------
        arm : ArmChoice
            Of the recipe.

        Returns
        -------
        dict of str to list of str
            In the recipe's order.
        """
        return arm_parts(arm, self.blocks)


def assemble(recipe: Recipe, features: Tables | FeatureTable | None, cohort: Cohort) -> Dataset:
    """Label, exclude, widen, and join the columns of the cohort table.

    Parameters
    ----------
    recipe : Recipe
        The study.
    features : mapping of str to FeatureTable, FeatureTable or None
        The long tables by VOI; one alone is the main one; none for a recipe without features.
    cohort : Cohort
        Labels, exclusions, clinical and acquisition columns.

    Returns
    -------
    Dataset
        The patients of the recipe's classes, by the rows of the recipe's levels.

    Raises
    ------
    TableError
        If a feature table was not extracted as the recipe says, knows patients that the cohort does not, or
        a class has no patient left.

    Warns
    -----
    RadioboneWarning
        If the table's provenance is unknown, BMD seems to have been measured in the same scans, or many patients
        or rows are lost.
    """
    tables = _tables(recipe, features)
    _refuse_strangers(tables, cohort)
    masks = mask_sources(cohort.table)
    tables, cohort, keys = _units(recipe, tables, cohort)
    labels = patient_labels(cohort.table, recipe.label, str(cohort.path))
    main = None
    parts: list[pd.DataFrame] = []
    measured: list[pd.DataFrame | None] = []
    blocks: dict[str, list[str]] = {}
    for name, table in tables.items():
        every = _checked_rows(recipe, name, table, cohort)
        rows = choose_repeat(every, recipe.table.repeat if REPEAT in table.table.columns else None)
        measured.append(_repeated(recipe, name, every))
        main = rows if name == "" else main
        part, columns = _wide_part(recipe, name, _of_the_levels(recipe, name, rows))
        parts.append(part)
        blocks |= columns
    left_out = [name for name in recipe.label.names if name not in recipe.classes]
    codes = code_columns(recipe, cohort, _of_the_classes(recipe, labels))
    X = _joined(recipe, parts, codes, cohort, labels)
    blocks |= _groups(codes)
    left = exclusions(recipe, main, X, blocks, labels, left_out, cohort)
    counted = None if main is None else _of_the_levels(recipe, "", main)
    rows_there = None if counted is None else counted.table
    if counted is not None and recipe.unit_levels is not None:
        rows_there = rows_of_units(counted, list(labels.index))
    flow = count_flow(
        labels,
        left,
        recipe.label.names,
        rows=rows_there,
        left_out=left_out,
        patients=keys[PATIENT],
        masks=masks,
    )
    X, y = X.loc[flow.analysed], labels.loc[flow.analysed]
    refuse_empty_classes(recipe, y, flow, str(cohort.path))
    if counted is not None:
        warn_of_same_scan(recipe, counted, cohort)
    return Dataset(
        X,
        y,
        flow,
        blocks,
        _attributes(recipe, cohort, flow.analysed, X[blocks.get("density", [])]),
        _cohort_columns(recipe, cohort, flow.analysed),
        keys.loc[flow.analysed].rename_axis(PATIENT),
        codes,
        _repeats(measured, codes, cohort),
    )


def _tables(recipe: Recipe, features: Tables | FeatureTable | None) -> dict[str, FeatureTable]:
    given = {"": features} if isinstance(features, FeatureTable) else dict(features or {})
    wanted = [""] if recipe.external is not None else list(recipe.vois)
    used = {block.rpartition(".")[0] for arm in recipe.all_arms for block in arm.blocks}
    missing = [name for name in used if name not in given]
    if missing:
        raise TableError(
            "a feature table is missing",
            got=", ".join(name or "the main one" for name in given) or "none",
            expected=", ".join(name or "the main one" for name in wanted),
            do="give it with --features (for one more VOI: --features name=file), or use 'radiobone run'",
        )
    return {name: given[name] for name in wanted if name in given}


def _units(
    recipe: Recipe, tables: dict[str, FeatureTable], cohort: Cohort
) -> tuple[dict[str, FeatureTable], Cohort, pd.DataFrame]:
    """Name the rows of all tables by what a row of X stands for, and list these names with their patients."""
    import pandas as pd

    patients = cohort.table[PATIENT].unique().tolist()
    levels = recipe.unit_levels
    if levels is None:
        return tables, cohort, pd.DataFrame({PATIENT: patients}, index=patients)
    by_level = {name: features_of_levels(table, levels) for name, table in tables.items()}
    return by_level, cohort_of_levels(cohort, levels), unit_keys(patients, levels)


def _checked_rows(recipe: Recipe, name: str, table: FeatureTable, cohort: Cohort) -> FeatureTable:
    if recipe.external is not None:
        return table
    voi = recipe.vois[name]
    check_provenance(recipe, table, voi)
    check_levels(voi, table)
    return without_flagged(recipe, table, cohort)


def _of_the_levels(recipe: Recipe, name: str, rows: FeatureTable) -> FeatureTable:
    return restrict_levels(rows, recipe.vois[name].level_names if name in recipe.vois else None)


def _repeated(recipe: Recipe, name: str, rows: FeatureTable) -> pd.DataFrame | None:
    """Return the rows of all readers, if there are several."""
    if len(repeat_names(rows)) < 2 or recipe.unit_levels is not None:
        return None
    rows = _of_the_levels(recipe, name, rows)
    if name:
        rows = replace(rows, table=rows.table.assign(voi=name))
    return repeated(rows, recipe.table.levels)


def _repeats(
    measured: Sequence[pd.DataFrame | None], codes: Sequence[ColumnSource], cohort: Cohort
) -> Repeats | None:
    """Put what readers measured side by side; columns of the cohort table are the same for all of them."""
    import pandas as pd

    from radiobone.learning.selection.repeats import Repeats

    tables = [table for table in measured if table is not None]
    if not tables:
        return None
    joined = pd.concat(tables, axis=1)
    patients = joined.index.get_level_values(0)
    same = coded(codes, cohort, list(patients.unique())).loc[patients].set_axis(joined.index)
    return Repeats.of(pd.concat([joined, same], axis=1))


def _wide_part(recipe: Recipe, name: str, rows: FeatureTable) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """Make one VOI's table wide, and say which columns belong to which block."""
    held = block_columns(rows) if recipe.external is None else {EXTERNAL: rows.features}
    missing = {
        block
        for arm in recipe.all_arms
        for block in arm.blocks
        if block.rpartition(".")[0] == name and block.rpartition(".")[2] not in held
    }
    if missing:
        raise TableError(
            f"the feature table has no block {', '.join(sorted(missing))}",
            where=str(rows.path),
            got=", ".join(held),
        )
    if name:
        table = rows.table.assign(voi=name)
        rows = replace(rows, table=table)
    # The published rule asks for the lowest vertebra.
    X = wide(rows, "min" if name == HU_RULE else recipe.table.levels)
    blocks = {}
    for block, features in held.items():
        known = set(features)
        blocks[f"{name}.{block}" if name else block] = [
            column for column in X.columns if short_prefix(column) in known
        ]
    return X, blocks


def _of_the_classes(recipe: Recipe, labels: pd.Series[str]) -> list[str]:
    return [str(name) for name, label in labels.items() if label in recipe.classes]


def _joined(
    recipe: Recipe, parts: Sequence[pd.DataFrame], codes: Sequence[ColumnSource], cohort: Cohort, labels: pd.Series
) -> pd.DataFrame:
    """Put all columns side by side; who has features, or is kept without any, has a row."""
    import pandas as pd

    everyone = sorted(map(str, labels.index))
    if parts:
        main = parts[0]
        rows = everyone if recipe.table.status == "keep" else [name for name in everyone if name in main.index]
        parts = [part.reindex(rows) for part in parts]
    else:
        rows = everyone
    batches = dict.fromkeys(column for arm in recipe.all_arms for column in recipe.batches(arm))
    names = pd.DataFrame({column: patient_values(cohort, column, rows) for column in batches}, index=rows)
    joined = pd.concat([*parts, coded(codes, cohort, rows), names], axis=1)
    return joined.rename_axis(PATIENT)


def _groups(codes: Sequence[ColumnSource]) -> dict[str, list[str]]:
    """List the columns of X of each group, and of each single column of the cohort table."""
    found: dict[str, list[str]] = {}
    for code in codes:
        found.setdefault(code.group, []).extend(code.names)
        found[code.column] = list(code.names)
    return found


def _refuse_strangers(tables: Tables, cohort: Cohort) -> None:
    for table in tables.values():
        strangers = sorted(set(table.table[PATIENT]) - set(cohort.table[PATIENT]))
        if strangers:
            raise TableError(
                f"{len(strangers)} patients of the feature table are not in the cohort table",
                where=f"{table.path}, {cohort.path}",
                got=", ".join(strangers[:5]),
                do="give the cohort table that the features were extracted from",
            )


def _attributes(recipe: Recipe, cohort: Cohort, patients: list[str], density: pd.DataFrame) -> pd.DataFrame:
    """Collect what the plan and the strata ask of each patient, and the volume where all have one."""
    import pandas as pd

    columns = [*recipe.validation.columns, *(stratum.column for stratum in recipe.evaluation.strata)]
    found = {column: plain_values(cohort, column, patients) for column in dict.fromkeys(columns)}
    volume = density[[name for name in density.columns if short_prefix(name) == _VOLUME_COLUMN]]
    if len(volume.columns) and volume.notna().all(axis=None):
        found[VOLUME] = volume.sum(axis=1)
    return pd.DataFrame(found, index=pd.Index(patients, name=PATIENT))


def _cohort_columns(recipe: Recipe, cohort: Cohort, patients: list[str]) -> pd.DataFrame:
    import pandas as pd

    columns = [column.column for column in present((*recipe.clinical, *recipe.acquisition), cohort)]
    found = {column: plain_values(cohort, column, patients) for column in columns}
    return pd.DataFrame(found, index=pd.Index(patients, name=PATIENT))

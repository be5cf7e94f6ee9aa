"""What a saved model needs of new tables, and its X from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from radiobone.core.errors import ModelError
from radiobone.study.blocks import short_prefix
from radiobone.study.columns import coded, patient_values
from radiobone.tables.cohort import Cohort
from radiobone.tables.features import FeatureTable
from radiobone.tables.flow import unusable_patients
from radiobone.tables.keys import PATIENT, STATUS
from radiobone.tables.wide import restrict_levels, wide

if TYPE_CHECKING:
    import pandas as pd

    from radiobone.learning.disk.manifest import FeatureSource, ModelManifest


def cohort_names(manifest: ModelManifest) -> list[str]:
    """List the columns of the cohort table that a model reads.

    Parameters
    ----------
    manifest : ModelManifest
        The model's.

    Returns
    -------
    list of str
        Clinical and acquisition columns, then those that name the batch for ComBat.
    """
    codes = [] if manifest.source is None else manifest.source.columns
    return [*(code.column for code in codes), *manifest.text]


def names_of(manifest: ModelManifest, voi: str) -> list[str]:
    """List the columns of X that come from one feature table.

    Parameters
    ----------
    manifest : ModelManifest
        The model's.
    voi : str
        Name of the VOI; the main table has none.

    Returns
    -------
    list of str
        In the model's order.
    """
    source = manifest.source
    others = set() if source is None else set(source.more)
    elsewhere = set(manifest.text)
    if source is not None:
        elsewhere |= {name for code in source.columns for name in code.names}
    found = []
    for name in manifest.feature_names:
        if name not in elsewhere:
            whose = name.partition("__")[0].rpartition(".")[2]
            if (whose if whose in others else "") == voi:
                found.append(name)
    return found


def refuse_missing(manifest: ModelManifest, tables: Mapping[str, FeatureTable], cohort: Cohort | None) -> None:
    """Refuse to predict without a table that the model needs.

    Parameters
    ----------
    manifest : ModelManifest
        The model's.
    tables : mapping of str to FeatureTable
        Feature tables by VOI.
    cohort : Cohort or None
        The cohort table.

    Raises
    ------
    ModelError
        That names the table, and how to give it.
    """
    vois = ["", *(manifest.source.more if manifest.source is not None else ())]
    for voi in vois:
        if voi not in tables and names_of(manifest, voi):
            raise ModelError(
                "the model needs a feature table that is not given",
                got=", ".join(name or "the main one" for name in tables) or "none",
                expected=f"that of {voi or 'the main VOI'}",
                do=f"give --features {voi + '=' if voi else ''}TABLE",
            )
    wanted = cohort_names(manifest)
    if wanted and cohort is None:
        raise ModelError(
            "the model needs columns of the cohort table, and none is given",
            expected=", ".join(wanted),
            do="give --cohort TABLE",
        )


def model_rows(
    features: FeatureTable, voi: str, source: FeatureSource | None, names: Sequence[str]
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return a model's columns of one feature table, and who has no row there.

    Parameters
    ----------
    features : FeatureTable
        The long table.
    voi : str
        Name of the VOI; the main table has none.
    source : FeatureSource or None
        How the model's columns were made.
    names : sequence of str
        The model's columns of this table.

    Returns
    -------
    X : DataFrame
        One row for each patient with an ``ok`` row; columns that the table lacks are absent.
    reasons : dict of str to str
        Why others have none.
    """
    import pandas as pd

    levels = None if source is None else source.levels
    aggregation = "mean" if source is None else source.aggregation
    reasons = unusable_patients(features, levels)
    rows = restrict_levels(features, levels)
    if not (rows.table[STATUS] == "ok").any():
        known = [name for name in names if short_prefix(name) in set(features.features)]
        return pd.DataFrame(columns=known, index=pd.Index([], name=PATIENT), dtype=float), reasons
    if voi:
        rows = FeatureTable(rows.table.assign(voi=voi), rows.features, rows.manifest, rows.path)
    X = wide(rows, aggregation)
    if aggregation == "concat":
        # A level that succeeded in no patient has no columns: its patients lack values, the table lacks none.
        held = set(features.features)
        absent = [name for name in names if name not in X.columns and short_prefix(name) in held]
        X = X.reindex(columns=[*X.columns, *absent])
    return X[[name for name in names if name in X.columns]], reasons


def joined(
    manifest: ModelManifest, parts: Sequence[pd.DataFrame], cohort: Cohort | None, reasons: dict[str, str]
) -> pd.DataFrame:
    """Put the columns of all tables side by side, for whom every feature table has a row.

    Parameters
    ----------
    manifest : ModelManifest
        The model's.
    parts : sequence of DataFrame
        Columns of the feature tables.
    cohort : Cohort or None
        The cohort table.
    reasons : dict of str to str
        Gets those whom the cohort table does not know.

    Returns
    -------
    DataFrame
        Index ``patient_id``, sorted.
    """
    import pandas as pd

    codes = [] if manifest.source is None else manifest.source.columns
    wanted = bool(cohort_names(manifest))
    known = set() if cohort is None else set(cohort.table[PATIENT])
    if parts:
        patients = [str(name) for name in parts[0].index if name not in reasons]
        strangers = [name for name in patients if wanted and name not in known]
        reasons |= dict.fromkeys(strangers, "not in the cohort table")
        patients = [name for name in patients if name not in reasons]
    else:
        patients = sorted(known)
    found = [part.reindex(patients) for part in parts]
    if wanted and cohort is not None:
        found.append(coded(codes, cohort, patients))
        texts = {name: patient_values(cohort, name, patients) for name in manifest.text}
        found.append(pd.DataFrame(texts, index=pd.Index(patients, name=PATIENT)))
    return pd.concat(found, axis=1).rename_axis(PATIENT)


def unusable_rows(X: pd.DataFrame, manifest: ModelManifest) -> dict[str, str]:
    """Tell the rows of X that a model cannot predict.

    Parameters
    ----------
    X : DataFrame
        The model's columns.
    manifest : ModelManifest
        The model's, which says whether it fills gaps.

    Returns
    -------
    dict of str to str
        For each such row its reason, which names the first such column after `` | ``.
    """
    values = X[[name for name in X.columns if name not in manifest.text]]
    bad = (
        np.isinf(values.to_numpy(dtype=np.float64))
        if manifest.gaps
        else ~np.isfinite(values.to_numpy(dtype=float))
    )
    names = values.columns.to_numpy()
    return {
        str(X.index[row]): f"a feature has no finite value | got: {names[bad[row]][0]} ({bad[row].sum()} columns)"
        for row in np.flatnonzero(bad.any(axis=1)).tolist()
    }

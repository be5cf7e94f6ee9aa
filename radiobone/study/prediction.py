"""Prediction: a saved model on a new feature table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from radiobone.core.batch import Status
from radiobone.tables.features import FeatureTable
from radiobone.tables.flow import unusable_patients
from radiobone.tables.keys import PATIENT, REASON, STATUS
from radiobone.tables.wide import Aggregation, wide

if TYPE_CHECKING:
    import pandas as pd

    from radiobone.learning.manifest import FeatureSource


def predict(folder: Path, features: FeatureTable) -> pd.DataFrame:
    """Predict every patient of a feature table; one who cannot be predicted keeps a row with the reason.

    Parameters
    ----------
    folder : Path
        A saved model, as `radiobone.study.training.train` writes it.
    features : FeatureTable
        The long table.

    Returns
    -------
    DataFrame
        ``patient_id``, ``status``, ``reason``, ``decision``, ``p_node_<name>``, ``p_class_<class>``,
        ``n_out_of_range`` and ``out_of_range`` (features outside the training range); sorted by patient.

    Raises
    ------
    ModelError
        If the model must not be loaded, or the table was made in another way than what the model learned from.
    """
    import pandas as pd

    from radiobone.learning.persistence import load_model

    where = str(features.path)
    model = load_model(folder)
    source = model.manifest.source
    blocks = None if source is None else [block.name for block in source.blocks]
    levels: Aggregation = "mean" if source is None else source.aggregation
    X = wide(features, levels)
    used = [name for name in model.manifest.feature_names if name in X.columns]
    gaps = X.index[X[used].isna().any(axis=1)]
    reasons = {**unusable_patients(features), **dict.fromkeys(gaps, "a feature has no value")}
    predicted = model.predict(X.drop(index=gaps), source=feature_source(features, levels, blocks), where=where)
    ok: Status = "ok"
    failed: Status = "failed"
    predicted.insert(0, STATUS, ok)
    predicted.insert(1, REASON, "")
    lost = pd.DataFrame({STATUS: failed, REASON: list(reasons.values())}, index=pd.Index(list(reasons), dtype=str))
    table = pd.concat([predicted, lost]) if reasons else predicted
    table["n_out_of_range"] = table["n_out_of_range"].astype("Int64")
    return table.rename_axis(PATIENT).sort_index().reset_index()


def feature_source(
    features: FeatureTable, aggregation: Aggregation, blocks: Sequence[str] | None
) -> FeatureSource | None:
    """Say how the columns of X came about; None for a table without a manifest."""
    from radiobone.learning.manifest import FeatureSource

    if features.manifest is None:
        return None
    return FeatureSource.of(features.manifest, aggregation=aggregation, blocks=blocks)

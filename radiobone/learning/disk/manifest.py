"""What stands beside a saved model, and whether a table fits it."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from radiobone.core.config import FileModel
from radiobone.core.errors import ModelError, RadioboneWarning
from radiobone.learning.data import DataError
from radiobone.learning.disk.source import BlockSource, FeatureSource
from radiobone.learning.hierarchical import HierarchicalClassifier
from radiobone.learning.network.volumes import volume_shape

__all__ = ["BlockSource", "FeatureSource", "ModelManifest", "NodeRecord"]

# How many columns a message names.
_SHOWN = 5
# No value lies outside what no training row has shown.
_ANY = (-np.inf, np.inf)


class NodeRecord(FileModel):
    """One node of the saved model.

    Parameters
    ----------
    name : str
        Name of the node.
    positive, negative : list of str
        Classes of its sides, as text.
    selected_features : list of str or None
        The features it uses.
    notes : list of str
        What a reader should know of it.
    threshold : float
        The probability above which the positive side is called, where decisions are routed.
    """

    name: str
    positive: list[str]
    negative: list[str]
    selected_features: list[str] | None
    notes: list[str]
    threshold: float = 0.5

    @staticmethod
    def all_of(estimator: HierarchicalClassifier) -> list[NodeRecord]:
        """Record the nodes of a fitted estimator.

        Parameters
        ----------
        estimator : HierarchicalClassifier
            Fitted.

        Returns
        -------
        list of NodeRecord
            In the order of the node columns.
        """
        records = []
        for node, threshold in zip(estimator.tree_.nodes, estimator.thresholds_.tolist(), strict=True):
            selected = getattr(estimator.estimators_[node.name], "selected_features_", None)
            records.append(
                NodeRecord(
                    name=node.name,
                    positive=[str(label) for label in node.positive],
                    negative=[str(label) for label in node.negative],
                    selected_features=None if selected is None else [str(name) for name in selected],
                    notes=estimator.notes_[node.name],
                    threshold=threshold,
                )
            )
        return records


class ModelManifest(FileModel):
    """All that is needed to use a saved model, or to refuse to.

    Parameters
    ----------
    format : int
        Version of this file's form.
    created : str
        Time, UTC.
    versions : mapping
        Versions of radiobone, Python and the packages that can move a number.
    model_sha256 : str
        SHA-256 of ``model.skops``.
    classes : list of str
        In the order of the probability columns.
    class_counts : mapping
        Training rows of each class.
    decision : {"argmax", "routed"}
        The rule by which it decides.
    nodes : list of NodeRecord
        The tree.
    label : mapping
        How the classes were defined.
    feature_names : list of str
        Columns of X, in order.
    ranges : mapping of str to (float, float) or None
        Smallest and largest training value of each column of numbers; None where no training row had a value.
    text : mapping of str to list of str
        Training values of each column of text.
    gaps : bool
        Whether rows with missing values can be predicted.
    source : FeatureSource or None
        How the columns came about; None for tables from elsewhere.
    inputs : mapping of str to str, optional
        SHA-256 of each file that the training rows came from, by what it is; None where they are not known.
    volume_shape : tuple of int, optional
        Voxels along (z, y, x) of the volumes that it learned from, which have no names; None for a table.
    weights : list of str
        Files of network weights beside the model, named by their SHA-256.
    """

    format: Literal[1] = 1
    created: str
    versions: dict[str, str]
    model_sha256: str
    classes: list[str]
    class_counts: dict[str, int]
    decision: Literal["argmax", "routed"]
    nodes: list[NodeRecord]
    label: dict[str, Any]
    feature_names: list[str]
    ranges: dict[str, tuple[float, float] | None]
    text: dict[str, list[str]] = Field(default_factory=dict)
    gaps: bool = False
    source: FeatureSource | None
    inputs: dict[str, str] | None = None
    volume_shape: tuple[int, int, int] | None = None
    weights: list[str] = Field(default_factory=list)

    def check_source(self, source: FeatureSource | None, where: str) -> None:
        """Refuse a table whose columns were made in another way.

        Parameters
        ----------
        source : FeatureSource or None
            Of the table; None if it has no manifest.
        where : str
            The table, for the message.

        Raises
        ------
        ModelError
            That lists every difference: VOI recipe, levels, aggregation, parameters, or the values revision of
            the same engine.
        """
        differences = [] if self.source is None else self.source.differences(source)
        if differences:
            raise ModelError(
                "the table's features were made in another way than those that the model learned from",
                where=where,
                got="; ".join(differences),
                do="extract with the model's settings, or train a model on this kind of table",
            )

    def warn_of_engines(self, source: FeatureSource | None, where: str) -> None:
        """Warn of a table whose blocks another engine computed, which gives the same values by contract.

        Parameters
        ----------
        source : FeatureSource or None
            Of the table; None if it has no manifest.
        where : str
            The table, for the message.

        Warns
        -----
        RadioboneWarning
            That names each such block.
        """
        others = [] if self.source is None else self.source.other_engines(source)
        if others:
            message = "another engine computed the features than those that the model learned from"
            hint = "the values should be the same, and 'radiobone verify' shows whether they are"
            warnings.warn(f"{where}: {message} ({'; '.join(others)}); {hint}", RadioboneWarning, stacklevel=3)

    def arrange(self, X: pd.DataFrame, where: str) -> pd.DataFrame:
        """Return the model's columns in its order; further columns are left out.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_columns)
            One row for each patient.
        where : str
            The table, for the message.

        Returns
        -------
        DataFrame of shape (n_rows, n_features)
            The columns ``feature_names``.

        Raises
        ------
        ModelError
            If columns are missing, or values are.
        """
        present = set(X.columns)
        missing = [name for name in self.feature_names if name not in present]
        if missing:
            raise ModelError(
                "columns that the model needs are missing",
                where=where,
                got=", ".join(missing[:_SHOWN]) + f" ({len(missing)} of {len(self.feature_names)})",
                do="extract with the parameters of the model's manifest",
            )
        chosen = X[self.feature_names]
        values = chosen[list(self.ranges)].to_numpy(dtype=np.float64)
        wrong = np.isinf(values).any(axis=1)
        if not self.gaps:
            wrong |= chosen.isna().to_numpy().any(axis=1)
        gaps = chosen.index[wrong]
        if len(gaps):
            raise ModelError(
                f"rows with {'' if self.gaps else 'missing or '}infinite values cannot be predicted",
                where=where,
                got=", ".join(map(str, gaps[:_SHOWN])) + f" ({len(gaps)} rows)",
                do="leave these rows out, and count them",
            )
        return chosen

    def check_volumes(self, X: Any, where: str) -> None:
        """Refuse volumes of another shape than those that the model learned from, and tables.

        Parameters
        ----------
        X : ndarray or VolumeStack
            Volumes.
        where : str
            Where they come from, for the message.

        Raises
        ------
        ModelError
            That tells both shapes.
        """
        try:
            shape = volume_shape(X)
        except (AttributeError, DataError) as error:
            raise ModelError("the model wants volumes", where=where, got=error) from None
        if shape != self.volume_shape:
            raise ModelError(
                "the volumes differ from those that the model learned from",
                where=where,
                got=f"{shape} voxels (z, y, x)",
                expected=str(self.volume_shape),
                do="cut them out with the same options",
            )

    def check_estimator(self, estimator: HierarchicalClassifier, where: str) -> None:
        """Refuse a manifest that gives other names to what the estimator computes, or none to a part of it.

        Parameters
        ----------
        estimator : HierarchicalClassifier
            The model beside which the manifest stands.
        where : str
            The manifest, for the message.

        Raises
        ------
        ModelError
            That lists every difference, or says that the estimator is not fitted.
        """
        try:
            check_is_fitted(estimator)
        except NotFittedError:
            raise ModelError("the model is not fitted", where=where, do="fit it before saving") from None
        # An estimator that was fitted on an array knows how many columns it saw, and no names.
        columns = [str(name) for name in getattr(estimator, "feature_names_in_", self.feature_names)]
        n_columns = getattr(estimator, "n_features_in_", None)
        pairs: dict[str, tuple[object, object]] = {
            "classes": (self.classes, [str(name) for name in estimator.classes_]),
            "nodes": (self.nodes, NodeRecord.all_of(estimator)),
            "decision": (self.decision, estimator.decision),
            "feature_names": (self.feature_names, columns),
            # Of volumes, no column has a name.
            "number of feature_names": (len(self.feature_names), n_columns if self.volume_shape is None else 0),
            "names in ranges": (sorted(self.ranges), sorted(set(self.feature_names) - set(self.text))),
        }
        wrong = [f"{name}: {_difference(*pair)}" for name, pair in pairs.items() if pair[0] != pair[1]]
        if wrong:
            raise ModelError(
                "the manifest does not fit the model beside it",
                where=where,
                got="; ".join(wrong),
                expected="the names, in the order, that the model was fitted with",
                do="take the folder from its source again, or train again",
            )

    def out_of_range(self, X: pd.DataFrame) -> pd.DataFrame:
        """Say for each row which features lie outside the range of the training rows.

        Parameters
        ----------
        X : DataFrame
            As `arrange` returns it.

        Returns
        -------
        DataFrame
            Index of ``X``; ``n_out_of_range`` and ``out_of_range`` (names, separated by ``;``).
        """
        low, high = np.array([self.ranges.get(name) or _ANY for name in self.feature_names], dtype=np.float64).T
        outside = np.zeros((len(X), len(self.feature_names)), dtype=bool)
        for column, name in enumerate(self.feature_names):
            if name in self.text:
                outside[:, column] = ~X[name].astype(str).isin(self.text[name])
            else:
                values = X[name].to_numpy(dtype=np.float64)
                outside[:, column] = (values < low[column]) | (values > high[column])
        names = np.array(self.feature_names, dtype=object)
        return pd.DataFrame(
            {
                "n_out_of_range": outside.sum(axis=1),
                "out_of_range": [";".join(names[row]) for row in outside],
            },
            index=X.index,
        )


def _difference(got: object, expected: object) -> str:
    """Tell two values apart; of lists, the first place at which they differ."""
    if not isinstance(got, list) or not isinstance(expected, list):
        return f"{got!r} instead of {expected!r}"
    if len(got) != len(expected):
        return f"{len(got)} instead of {len(expected)}"
    place, (one, other) = next(
        (n, pair) for n, pair in enumerate(zip(got, expected, strict=True)) if pair[0] != pair[1]
    )
    return f"{one!r} instead of {other!r} (place {place + 1})"

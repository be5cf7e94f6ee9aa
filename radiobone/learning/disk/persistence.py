"""Models on disk: a skops file that is audited before anything is built, and a manifest beside it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, BadZipFile

import numpy as np
import pandas as pd
import sklearn
import skops.io
from sklearn.utils import get_tags
from skops.io.exceptions import UntrustedTypesFoundException

from radiobone.core.config import validate
from radiobone.core.errors import ConfigError, ModelError
from radiobone.core.files import atomic_path, write_json
from radiobone.core.hashing import sha256_file
from radiobone.core.provenance import now, versions
from radiobone.learning.disk.manifest import ModelManifest, NodeRecord
from radiobone.learning.disk.network_files import restore_weights, without_weights, write_weights
from radiobone.learning.disk.source import FeatureSource
from radiobone.learning.disk.tree_audit import audit_file, audit_owners
from radiobone.learning.frames import text_columns
from radiobone.learning.hierarchical import HierarchicalClassifier
from radiobone.learning.network.volumes import volume_shape
from radiobone.learning.selection.stability import without_repeats

MODEL, MANIFEST = "model.skops", "manifest.json"

# Everything that a model file may hold beside what skops trusts by itself: numbers, text, containers, NumPy's
# ufuncs, and scikit-learn's estimators and losses. Not every estimator is made of these alone: search trees of
# neighbours, kernels of Gaussian processes, score functions of selectors and splitters given as `cv` are refused
# when a model is saved. The list stands here, in code; what a file asks for is never a reason to trust it.
TRUSTED_TYPES = (
    "radiobone.learning.boosted_trees.BoostedTreesClassifier",
    "radiobone.learning.calibration.IsotonicSteps",
    "radiobone.learning.calibration.PlattSigmoid",
    "radiobone.learning.fusion.LateFusionClassifier",
    "radiobone.learning.harmonisation.batch_effects.BatchEffects",
    "radiobone.learning.harmonisation.combat.ComBat",
    "radiobone.learning.harmonisation.covariates.Coding",
    "radiobone.learning.hierarchical.HierarchicalClassifier",
    "radiobone.learning.hu_rule.HuThresholdClassifier",
    "radiobone.learning.network.classifier.NetworkClassifier",  # without its weights: see `network_files`
    "radiobone.learning.nodes.Node",
    "radiobone.learning.nodes.NodeTree",
    "radiobone.learning.penalised.lasso.LassoSelector",
    "radiobone.learning.prior.PriorClassifier",
    "radiobone.learning.search.Alignment",
    "radiobone.learning.selection.blocks.BlockSelector",
    "radiobone.learning.selection.components.PrincipalComponents",
    "radiobone.learning.selection.correlation.CorrelationFilter",
    "radiobone.learning.selection.missing.MissingValues",
    "radiobone.learning.selection.mrmr.MRMRSelector",
    "radiobone.learning.selection.ranking.EliminationSelector",
    "radiobone.learning.selection.ranking.ImportanceSelector",
    "radiobone.learning.selection.stability.StabilityFilter",
    "radiobone.learning.selection.univariate.UnivariateFilter",
    "radiobone.learning.selection.variance.VarianceFilter",
    "radiobone.learning.selective.SelectiveClassifierCV",
    "sklearn.tree._tree.Tree",  # which skops leaves to us, since its numbers need a look: see `tree_audit`
)

# What skops and NumPy raise where a file is no model, or was put together by hand.
_DAMAGED = (
    AttributeError,
    BadZipFile,
    EOFError,
    ImportError,
    IndexError,
    KeyError,
    RuntimeError,
    TypeError,
    ValueError,
    zlib.error,
)


@dataclass(frozen=True, eq=False)
class SavedModel:
    """A model that was read from disk, and its manifest.

    Parameters
    ----------
    estimator : HierarchicalClassifier
        Fitted.
    manifest : ModelManifest
        What it learned from.
    """

    estimator: HierarchicalClassifier
    manifest: ModelManifest

    def predict(self, X: Any, *, source: FeatureSource | None, where: str) -> pd.DataFrame:
        """Predict the rows of a table that fits the model.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_columns), or volumes
            One row for each patient; columns in any order. A model of volumes wants an array or a `VolumeStack`,
            and numbers its rows.
        source : FeatureSource or None
            How its columns came about.
        where : str
            The table, for messages.

        Returns
        -------
        DataFrame
            Index of ``X``; ``decision`` (by the rule in the manifest), ``p_node_<name>``, ``p_class_<class>``,
            ``n_out_of_range`` and ``out_of_range``.

        Raises
        ------
        ModelError
            If the table does not fit the model.

        Warns
        -----
        RadioboneWarning
            If another engine computed the table's features.
        """
        self.manifest.check_source(source, where)
        self.manifest.warn_of_engines(source, where)
        if self.manifest.volume_shape is not None:
            self.manifest.check_volumes(X, where)
            index = pd.RangeIndex(len(X))
            return self._table(X, index).assign(n_out_of_range=0, out_of_range="")
        chosen = self.manifest.arrange(X, where)
        return self._table(chosen, X.index).join(self.manifest.out_of_range(chosen))

    def _table(self, X: Any, index: pd.Index) -> pd.DataFrame:
        nodes = self.estimator.node_proba(X)
        classes = self.estimator.tree_.class_proba(nodes)
        table = pd.DataFrame({"decision": self.estimator.decide(nodes, self.manifest.decision)}, index=index)
        for number, node in enumerate(self.manifest.nodes):
            table[f"p_node_{node.name}"] = nodes[:, number]
        for number, name in enumerate(self.manifest.classes):
            table[f"p_class_{name}"] = classes[:, number]
        return table


def save_model(
    folder: Path,
    estimator: HierarchicalClassifier,
    X: Any,
    y: Any,
    *,
    label: dict[str, Any],
    source: FeatureSource | None,
    inputs: Mapping[str, str] | None = None,
) -> ModelManifest:
    """Write a fitted model and its manifest.

    Parameters
    ----------
    folder : Path
        Made if it is missing; holds ``model.skops`` and ``manifest.json`` afterwards, and the weights of networks
        beside them.
    estimator : HierarchicalClassifier
        Fitted on ``X`` and ``y``.
    X : DataFrame of shape (n_samples, n_features), or volumes
        The training rows.
    y : array-like of shape (n_samples,)
        Their classes.
    label : dict
        How the classes were defined.
    source : FeatureSource or None
        How the columns came about.
    inputs : mapping of str to str, optional
        SHA-256 of each file that the training rows came from, by what it is, such as ``features_sha256``.

    Returns
    -------
    ModelManifest
        What was written beside the model.

    Raises
    ------
    ModelError
        If the estimator holds types that no loading would trust, or was fitted on other columns than ``X``.
    """
    names = [str(name) for name in getattr(X, "columns", ())]
    bare, weights = without_weights(without_repeats(estimator))
    write_weights(folder, weights)
    with atomic_path(folder / MODEL) as part:
        # Names of columns stand in every step: those of thousands would fill a hundred megabytes.
        skops.io.dump(bare, part, compression=ZIP_DEFLATED)
        unknown = sorted(set(skops.io.get_untrusted_types(file=part)) - set(TRUSTED_TYPES))
        if unknown:
            raise ModelError(
                "the model holds types that radiobone does not load",
                where=str(folder / MODEL),
                got=", ".join(unknown),
                expected="radiobone's steps, and models that recipes can name",
                do="fit with those (and cv as a number)",
            )
    labels = np.asarray(y)
    text = text_columns(X)
    manifest = ModelManifest(
        created=now(),
        versions=versions(),
        model_sha256=sha256_file(folder / MODEL),
        classes=[str(name) for name in estimator.classes_],
        class_counts={str(name): int((labels == name).sum()) for name in estimator.classes_},
        decision="routed" if estimator.decision == "routed" else "argmax",
        nodes=NodeRecord.all_of(estimator),
        label=label,
        feature_names=names,
        ranges={name: _range(X[name]) for name in names if name not in text},
        text={name: sorted(set(X[name].dropna().astype(str))) for name in text},
        gaps=bool(get_tags(estimator).input_tags.allow_nan),
        source=source,
        inputs=None if inputs is None else dict(inputs),
        volume_shape=None if isinstance(X, pd.DataFrame) else volume_shape(X),
        weights=sorted(weights),
    )
    manifest.check_estimator(estimator, str(folder / MANIFEST))
    write_json(folder / MANIFEST, manifest.model_dump(mode="json"))
    return manifest


def load_model(folder: Path) -> SavedModel:
    """Read a model, or say why it must not be used.

    Nothing in the model file is built before its hash, the version of scikit-learn and every type in it have been
    checked.

    Parameters
    ----------
    folder : Path
        As `save_model` wrote it.

    Returns
    -------
    SavedModel
        The estimator and its manifest.

    Raises
    ------
    ModelError
        If a file is missing or damaged, was changed after saving, was written with another minor version of
        scikit-learn, or asks for a type that is not trusted; if the manifest does not fit the estimator.
    """
    manifest = _read_manifest(folder / MANIFEST)
    path = folder / MODEL
    if not path.is_file():
        raise ModelError("file not found", where=str(path), do="copy the whole model folder")
    found = sha256_file(path)
    if found != manifest.model_sha256:
        raise ModelError(
            "the model file is not the one that was saved",
            where=str(path),
            got=f"SHA-256 {found}",
            expected=manifest.model_sha256,
            do="take the folder from its source again",
        )
    saved, here = manifest.versions.get("scikit-learn", "unknown"), sklearn.__version__
    if saved.split(".")[:2] != here.split(".")[:2]:
        raise ModelError(
            "the model was saved with another version of scikit-learn",
            where=str(path),
            got=f"scikit-learn {here}",
            expected=saved,
            do=f"install scikit-learn {saved}, or train again",
        )
    try:
        audit_file(path)
        estimator = skops.io.load(path, trusted=list(TRUSTED_TYPES))
        audit_owners(estimator)
        restore_weights(estimator, folder)
    except UntrustedTypesFoundException as error:
        raise ModelError(
            "the model file asks for types that are not trusted; nothing was built",
            where=str(path),
            got=" ".join(str(error).split()),
            expected="radiobone's own types, and those of scikit-learn that skops trusts",
            do="do not use this file",
        ) from None
    except _DAMAGED as error:
        raise ModelError(
            "the model file is damaged",
            where=str(path),
            got=repr(error),
            do="take the folder from its source again",
        ) from error
    if not isinstance(estimator, HierarchicalClassifier):
        raise ModelError(
            "the model file holds something else",
            where=str(path),
            got=type(estimator).__name__,
            expected="HierarchicalClassifier",
            do="take the folder from its source again",
        )
    manifest.check_estimator(estimator, str(folder / MANIFEST))
    return SavedModel(estimator, manifest)


def _range(column: pd.Series) -> tuple[float, float] | None:
    values = column.to_numpy(dtype=np.float64)
    known = values[~np.isnan(values)]
    return (float(known.min()), float(known.max())) if known.size else None


def _read_manifest(path: Path) -> ModelManifest:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError("file not found", where=str(path), do="give the folder of a saved model") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelError(
            "the manifest is damaged", where=str(path), got=error, do="take the folder from its source again"
        ) from None
    try:
        return validate(ModelManifest, content, str(path))
    except ConfigError as error:
        raise ModelError(
            "the manifest is not valid",
            where=error.where,
            got=error.got,
            do="take the folder from its source again",
        ) from None

"""The path of each LASSO that a fitted model holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from radiobone.reporting.lasso import LassoCurves
from radiobone.reporting.words import either, spaced

_LOSSES = {"squared": "mean squared error", "binomial": "binomial deviance"}


def lasso_curves(model: Any, told: str = "fitted on all patients") -> list[LassoCurves]:
    """Take path and cross-validation curve of each LASSO in a fitted model.

    Parameters
    ----------
    model : classifier
        A fitted `HierarchicalClassifier`, or a classifier of two classes, such as `SelectiveClassifierCV`.
    told : str, optional
        Which rows it was fitted on, for the title.

    Returns
    -------
    list of LassoCurves
        One for each node with a LASSO among its steps, in the order of the nodes.
    """
    tree = getattr(model, "tree_", None)
    if tree is None:
        parts = [("", str(model.classes_[1]), model)]
    else:
        parts = [(node.name, either(node.positive), model.estimators_[node.name]) for node in tree.nodes]
    found = []
    for name, positive, part in parts:
        title = f"{spaced(name)}\n{told}" if name else told
        found += [_curves(selector, names, title, positive, name) for selector, names in _selectors(part)]
    return found


def _selectors(part: Any) -> Iterator[tuple[Any, list[str]]]:
    """Yield each fitted LASSO of a pipeline, and the names of the columns that it was given."""
    from radiobone.learning.penalised.lasso import LassoSelector

    pipeline: Any = getattr(part, "selection_", None)
    for number, (_, step) in enumerate(getattr(pipeline, "steps", ())):
        if isinstance(step, LassoSelector) and hasattr(step, "coef_path_"):
            names = getattr(step, "feature_names_in_", None)
            if names is None and number:
                names = pipeline[:number].get_feature_names_out()
            if names is None:
                names = [f"x{column}" for column in range(step.n_features_in_)]
            yield step, [str(name) for name in names]


def _curves(selector: Any, names: list[str], title: str, positive: str, node: str) -> LassoCurves:
    return LassoCurves(
        title=title,
        positive=positive,
        names=names,
        penalties=np.asarray(selector.alphas_),
        coefs=np.asarray(selector.coef_path_),
        errors=np.asarray(selector.loss_path_),
        penalty_min=selector.alpha_min_,
        penalty_1se=selector.alpha_1se_,
        chosen=selector.alpha_,
        loss=_LOSSES[selector.loss],
        node=node,
    )

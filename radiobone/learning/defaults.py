"""What estimators do where nothing is said: the default selection, and the settings of the default model."""

from __future__ import annotations

from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from radiobone.learning.penalised.lasso import LassoSelector
from radiobone.learning.selection.correlation import CorrelationFilter


def default_selection(random_state: Any = 0) -> Pipeline:
    """Return standardisation, correlation filter and LASSO, not yet fitted.

    Parameters
    ----------
    random_state : int, RandomState or None, default=0
        Shuffles the folds of the LASSO.

    Returns
    -------
    Pipeline
        Steps ``scale``, ``correlation`` and ``lasso``.
    """
    return Pipeline(
        [
            ("scale", StandardScaler()),
            ("correlation", CorrelationFilter()),
            ("lasso", LassoSelector(random_state=random_state)),
        ]
    )


def default_grid() -> list[dict[str, list[Any]]]:
    """Return twelve settings of a support vector machine, linear ones first.

    Returns
    -------
    list of dict
        As `sklearn.model_selection.ParameterGrid` takes them.
    """
    return [
        {"kernel": ["linear"], "C": [0.01, 0.1, 1.0, 10.0]},
        {"kernel": ["rbf"], "C": [0.1, 1.0, 10.0, 100.0], "gamma": ["scale", 0.01]},
    ]

"""Groups on their way to every split inside an estimator, by scikit-learn's metadata routing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.utils.metadata_routing import _RoutingNotSupportedMixin, get_routing_for_object

from radiobone.learning.data import DataError

# Parameters by which estimators of scikit-learn part their training rows without asking for groups, and the values
# that do not.
_SWITCH, _PATIENCE = "early_stopping", "n_iter_no_change"
_SPLITS_ROWS: dict[str, tuple[Any, ...]] = {
    "probability": (False, "deprecated"),
    _SWITCH: (False, "auto"),
    _PATIENCE: (None,),
}


def fit_with_groups(estimator: Any, X: Any, y: Any, groups: NDArray[Any] | None) -> Any:
    """Fit an estimator, handing it the groups if it, or anything inside it, takes them.

    Parameters
    ----------
    estimator : estimator
        Fitted in place.
    X, y
        As the estimator wants them.
    groups : ndarray of shape (n_samples,) or None
        Patient of each row.

    Returns
    -------
    estimator
        The same object.

    Raises
    ------
    DataError
        If patients have several rows and some split inside the estimator would not see groups.
    """
    with config_context(enable_metadata_routing=True):
        if groups is None:
            return estimator.fit(X, y)
        if np.unique(groups).size < len(groups):
            _refuse_blind_splits(estimator)
        return estimator.fit(X, y, groups=groups) if _takes_groups(estimator) else estimator.fit(X, y)


def routes(estimator: Any) -> bool:
    """Say whether scikit-learn's metadata routing knows an estimator at all.

    Parameters
    ----------
    estimator : estimator
        Any.

    Returns
    -------
    bool
        False for the few that scikit-learn has left out, such as AdaBoost; they take no groups.
    """
    return not isinstance(estimator, _RoutingNotSupportedMixin)


def _takes_groups(estimator: Any) -> bool:
    return routes(estimator) and bool(get_routing_for_object(estimator).consumes("fit", ["groups"]))


def _refuse_blind_splits(estimator: Any) -> None:
    parts = [estimator, *estimator.get_params(deep=True).values()]
    for part in parts:
        if not hasattr(part, "get_params") or isinstance(part, type):
            continue
        own = part.get_params(deep=False)
        if "cv" in own and not _takes_groups(part):
            raise DataError(
                "cross-validation inside the estimator takes no groups, and would put a patient on both sides",
                where=f"{type(part).__name__}(cv={part.cv!r})",
                expected="a splitter that takes groups",
                do="pass cv=StratifiedGroupKFold(...) to it",
            )
        for name, does_not in _SPLITS_ROWS.items():
            # Only gradient boosting has a patience without a switch for it.
            if name in own and own[name] not in does_not and not (name == _PATIENCE and _SWITCH in own):
                raise DataError(
                    "the estimator parts rows by itself, and would put a patient on both sides",
                    where=f"{type(part).__name__}({name}={own[name]!r})",
                    expected=f"{name}={does_not[0]!r}",
                    do="have probabilities calibrated, and the number of steps chosen, by SelectiveClassifierCV",
                )

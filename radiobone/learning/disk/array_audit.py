"""Models in files whose arrays compiled code follows blindly: support vectors, neighbours, boosted trees.

libsvm, the search for neighbours and the sum over boosted trees take lengths and class numbers from one array and
read or write another by them; arrays that were put together by hand could reach beyond their ends.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator


def audit_arrays(part: BaseEstimator) -> None:
    """Check that the arrays of one fitted estimator fit each other; nothing is predicted.

    Parameters
    ----------
    part : estimator
        Loaded from a file. Of no interest unless it is of ``sklearn.svm``, ``sklearn.neighbors`` or gradient
        boosting.

    Raises
    ------
    ValueError
        If they do not, or it is of a kind that no model of radiobone holds.
    AttributeError
        If one is missing.
    """
    module = type(part).__module__
    if module.startswith("sklearn.svm.") and hasattr(part, "support_vectors_"):
        sound = _is_sound_machine(part)
    elif module.startswith("sklearn.neighbors.") and hasattr(part, "n_features_in_"):
        sound = type(part).__name__ == "KNeighborsClassifier" and _are_sound_neighbours(part)
    elif module == "sklearn.ensemble._gb" and hasattr(part, "estimators_"):
        sound = type(part).__name__ == "GradientBoostingClassifier" and _is_sound_boosting(part)
    else:
        return
    if not sound:
        raise ValueError(f"the arrays of {type(part).__name__} do not fit each other")


def _is_sound_machine(part: Any) -> bool:
    vectors, counts = part.support_vectors_, part._n_support
    if not (isinstance(vectors, np.ndarray) and isinstance(counts, np.ndarray) and counts.ndim == 1):
        return False
    # Only classifiers have counts by class; the others have one row of weights, as two classes have.
    classifies = hasattr(part, "classes_")
    n_classes = len(counts) if classifies else 2
    n_pairs = n_classes * (n_classes - 1) // 2
    return (
        part.kernel in ("linear", "poly", "rbf", "sigmoid")
        and not part._sparse
        and vectors.shape == (len(part.support_), part.n_features_in_)
        and (not classifies or (bool((counts >= 0).all()) and int(counts.sum(dtype=np.int64)) == len(vectors)))
        and part._dual_coef_.shape == (n_classes - 1, len(vectors))
        and part._intercept_.shape == (n_pairs,)
        and all(getattr(part, name).size in (0, n_pairs) for name in ("_probA", "_probB"))
    )


def _are_sound_neighbours(part: Any) -> bool:
    rows, codes = part._fit_X, part._y
    return (
        part._fit_method == "brute"
        and isinstance(rows, np.ndarray)
        and isinstance(codes, np.ndarray)
        and rows.shape == (part.n_samples_fit_, part.n_features_in_)
        and codes.shape == (len(rows),)
        and codes.dtype.kind == "i"
        and bool(((codes >= 0) & (codes < len(part.classes_))).all())
    )


def _is_sound_boosting(part: Any) -> bool:
    """Each tree of a stage is added to a sum of its own; two classes have one sum for each row."""
    trees = part.estimators_
    return (
        isinstance(trees, np.ndarray)
        and trees.ndim == 2
        and trees.shape[1] == part.n_trees_per_iteration_ == 1
        and not part._loss.is_multiclass
    )

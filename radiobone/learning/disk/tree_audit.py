"""Decision trees in model files, looked at before they are built: no tree may point outside itself or its rows.

scikit-learn follows the numbers of a tree's nodes without asking whether such nodes and columns exist, so that a
tree that was put together by hand could read any memory. Sums and types do not show it; these checks do.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from radiobone.learning.disk.array_audit import audit_arrays

_LEAF = -1


def audit_file(path: Path) -> None:
    """Check every scikit-learn tree in a skops file; nothing is built.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    ValueError
        If a tree points outside itself, or two parts of the file go by one name.
    KeyError, TypeError
        If a tree lacks a part.
    """
    with zipfile.ZipFile(path) as archive:
        schema = json.loads(archive.read("schema.json"))
        parts = list(_parts(schema))
        trees = [part for part in parts if part.get("__loader__") == "TreeNode"]
        for tree in trees:
            _check_tree(tree, archive)
        if len(trees) < sum(part.get("__class__") == "Tree" for part in parts):
            raise ValueError("a tree of the model is to be built in another way than trees are")
        # What is loaded for an id is what stands first under it, so it has to be what was looked at.
        looked_at = {part.get("__id__"): part for tree in trees for part in _parts(tree) if part is not tree}
        if any(looked_at.get(part.get("__id__"), part) != part for part in parts):
            raise ValueError("two parts of the model have the same id")


def audit_owners(estimator: Any) -> None:
    """Check that trees look at the columns that their estimators let through, and the arrays of other models.

    Parameters
    ----------
    estimator : estimator
        Loaded from a file that `audit_file` has passed.

    Raises
    ------
    ValueError
        If one looks at others, or arrays do not fit each other (`radiobone.learning.disk.array_audit`).
    """
    for part in estimators_in(estimator):
        audit_arrays(part)
        seen = getattr(part, "n_features_in_", None)
        trees = [part.tree_] if hasattr(part, "tree_") and hasattr(part.tree_, "n_features") else []
        if type(part).__module__.startswith("sklearn.ensemble."):
            members = np.asarray(getattr(part, "estimators_", []), dtype=object).ravel()
            trees += [member.tree_ for member in members if hasattr(member, "tree_")]
        if any(tree.n_features != seen for tree in trees):
            raise ValueError(f"a tree of {type(part).__name__} looks at other columns than it is given")


def estimators_in(estimator: Any) -> list[BaseEstimator]:
    """Find every estimator inside one, templates and fitted ones, itself included.

    Parameters
    ----------
    estimator : estimator
        Anything.

    Returns
    -------
    list of estimator
        Each once.
    """
    return list(_estimators(estimator, set()))


def _parts(state: Any) -> Iterator[dict[str, Any]]:
    waiting = [state]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if "__loader__" in part:
                yield part
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part


def _check_tree(part: dict[str, Any], archive: zipfile.ZipFile) -> None:
    content = part["content"]["content"]
    given = part["__reduce__"]["args"]["content"]
    n_features, n_outputs = (json.loads(given[place]["content"]) for place in (0, 2))
    n_classes = _array(given[1], archive)
    n_nodes = json.loads(content["node_count"]["content"])
    nodes, values = (_array(content[name], archive) for name in ("nodes", "values"))
    left, right, feature = (nodes[name].astype(np.int64) for name in ("left_child", "right_child", "feature"))
    own = np.arange(len(nodes))
    inner = left != _LEAF
    # Children stand after their parent, so that no way leads round in a circle.
    inside = (own < left) & (left < n_nodes) & (own < right) & (right < n_nodes)
    inside &= (feature >= 0) & (feature < n_features)
    if n_nodes != len(nodes) or n_nodes != len(values) or not n_nodes or not inside[inner].all():
        raise ValueError("a tree of the model points outside itself")
    if n_classes.ndim != 1 or values.shape[1:] != (n_outputs, n_classes.max()) or len(n_classes) != n_outputs:
        raise ValueError("a tree of the model has other classes than its values")


def _array(part: dict[str, Any], archive: zipfile.ZipFile) -> NDArray[Any]:
    if part["__loader__"] != "NdArrayNode" or part["type"] != "numpy":
        raise ValueError("a tree of the model is not made of numbers")
    loaded: NDArray[Any] = np.load(io.BytesIO(archive.read(part["file"])), allow_pickle=False)
    return loaded


def _estimators(part: Any, seen: set[int]) -> Iterator[BaseEstimator]:
    if id(part) in seen:
        return
    seen.add(id(part))
    inside: Any = ()
    if isinstance(part, BaseEstimator):
        yield part
        inside = vars(part).values()
    elif isinstance(part, dict):
        inside = part.values()
    elif isinstance(part, (list, tuple)) or (isinstance(part, np.ndarray) and part.dtype == object):
        inside = np.asarray(part, dtype=object).ravel() if isinstance(part, np.ndarray) else part
    for value in inside:
        yield from _estimators(value, seen)

"""What a fit depends on, as one hash: data, rows, the estimator's parameters, the code and its versions.

Of code that has no version, such as a user's own model, the source of the classes and functions among the
parameters is hashed, with their bases. Functions that these call, constants and files that they read are not seen;
`NestedCV.run` says so.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
import pickle
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.frozen import FrozenEstimator

import radiobone.learning
from radiobone.core.errors import UsageError
from radiobone.core.hashing import sha256_json
from radiobone.core.provenance import versions
from radiobone.evaluation.inputs import StudyData
from radiobone.evaluation.splits import OuterFold

# Rows of a large X are read in blocks of this many bytes, so that a file larger than memory can be hashed.
_BLOCK = 64 * 2**20


def data_sha256(data: StudyData) -> str:
    """Hash the rows of a validation.

    Parameters
    ----------
    data : StudyData
        In the order of their identifiers, so that the caller's order plays no part. Attributes are no part of it:
        no fit sees them.

    Returns
    -------
    str
        SHA-256 of X, labels, patients and classes.

    Raises
    ------
    UsageError
        If X is neither table nor array.
    """
    return sha256_json(
        {
            "X": _x_sha256(data.X),
            "labels": [repr(label) for label in data.labels.tolist()],
            "groups": data.groups.tolist(),
            "classes": [repr(label) for label in data.classes],
        }
    )


def fit_sha256(data: str, estimator: Any, nodes: Any, folds: Sequence[OuterFold]) -> str:
    """Hash everything that the fit of one model and its predictions depend on.

    Parameters
    ----------
    data : str
        As `data_sha256` gives it.
    estimator : classifier
        Its class and parameters, those of its parts too.
    nodes : sequence of Node or None
        Nodes at which a flat classifier is judged.
    folds : sequence of OuterFold
        Folds of the model, with the same training rows.

    Returns
    -------
    str
        SHA-256.

    Raises
    ------
    UsageError
        If a parameter is of a kind that cannot be told apart from another by its content.
    """
    return sha256_json(
        {
            "data": data,
            "estimator": canonical(estimator),
            "nodes": canonical(None if nodes is None else list(nodes)),
            "train": folds[0].train.tolist(),
            "tests": [fold.test.tolist() for fold in folds],
            "code": _code(),
            "versions": versions(),
        }
    )


def canonical(value: Any, where: str = "estimator") -> Any:
    """Turn an estimator or one of its parameters into plain values that name its content.

    Parameters
    ----------
    value : object
        Estimators, numbers, text, arrays, tables, sequences, mappings, named functions and objects made of these.
    where : str
        Path of the parameter, for the message.

    Returns
    -------
    object
        Mappings, lists, text, numbers, bool and None.

    Raises
    ------
    UsageError
        For a function without a name of its own (a lambda), and for objects that hold no plain state.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, float, np.generic)):
        return [type(value).__name__, repr(value.item() if isinstance(value, np.generic) else value)]
    if isinstance(value, np.ndarray) and value.dtype.hasobject:
        return ["array", list(value.shape), canonical(value.ravel().tolist(), where)]
    if isinstance(value, pd.Index):
        return ["index", canonical(value.tolist(), where)]
    if isinstance(value, (np.ndarray, pd.DataFrame, pd.Series)):
        return ["array", _x_sha256(value)]
    if isinstance(value, (list, tuple)):
        return [canonical(item, f"{where}[{number}]") for number, item in enumerate(value)]
    if isinstance(value, (set, frozenset)):
        return ["set", *sorted(repr(item) for item in value)]
    if isinstance(value, dict):
        return {"dict": [[repr(key), canonical(item, f"{where}[{key!r}]")] for key, item in value.items()]}
    if isinstance(value, np.random.RandomState):
        return ["RandomState", canonical(value.get_state(legacy=False), where)]
    if inspect.isfunction(value) or inspect.isclass(value) or inspect.isbuiltin(value):
        return _named(value, where)
    return {"class": _named(type(value), where), "state": canonical(_state(value, where), where)}


def _state(value: Any, where: str) -> dict[str, Any]:
    if isinstance(value, functools.partial):
        return {"func": value.func, "args": value.args, "keywords": dict(sorted(value.keywords.items()))}
    if inspect.ismethod(value):
        return {"of": value.__self__, "func": value.__func__}
    if isinstance(value, FrozenEstimator):
        return {"learned": _learned_sha(value, where)}
    if hasattr(value, "get_params"):
        return dict(sorted(value.get_params(deep=False).items()))
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if hasattr(value, "__dict__"):
        return dict(sorted(vars(value).items()))
    raise UsageError(
        "finished folds cannot be kept for an estimator with this parameter: its content cannot be read",
        where=where,
        got=repr(value),
        do="leave keep out, or use a parameter of plain values",
    )


def _learned_sha(frozen: FrozenEstimator, where: str) -> str:
    """Hash a frozen estimator with what it has learned: it goes into every fold as it is."""
    try:
        return str(joblib.hash(frozen))
    except pickle.PicklingError:
        raise UsageError(
            "finished folds cannot be kept for a frozen estimator whose content cannot be read",
            where=where,
            do="leave keep out",
        ) from None


def _named(value: Any, where: str) -> list[str]:
    """Name a class or function by its module, and its source where no version stands for it."""
    name = value.__qualname__
    if "<lambda>" in name or "<locals>" in name:
        raise UsageError(
            "finished folds cannot be kept for an estimator with a function or class that has no name in a module",
            where=where,
            got=name,
            do="define it at the top of a module, or leave keep out",
        )
    module = value.__module__ or ""
    # A class inherits from its bases, of which each can change by itself.
    parts = [part for part in getattr(value, "__mro__", (value,)) if not _is_versioned(part)]
    return [module, name, *(_source(part, where) for part in parts)]


def _is_versioned(value: Any) -> bool:
    return (value.__module__ or "").split(".")[0] in _versioned()


@functools.cache
def _versioned() -> frozenset[str]:
    """List packages whose versions, or whose files, are part of the hash."""
    return frozenset({"radiobone", "builtins", *(name.replace("scikit-learn", "sklearn") for name in versions())})


def _source(value: Any, where: str) -> str:
    """Hash the source of a class or function; of a compiled one the file that holds it."""
    try:
        return hashlib.sha256(inspect.getsource(value).encode()).hexdigest()
    except (OSError, TypeError):
        module = str(value.__module__ or "builtins")
        file = getattr(sys.modules.get(module), "__file__", None)
        if module != "__main__" and file is not None:
            return hashlib.sha256(Path(file).read_bytes()).hexdigest()
        if module in sys.builtin_module_names:
            return ""
    raise UsageError(
        "finished folds cannot be kept for an estimator with a function or class whose source cannot be read",
        where=where,
        got=f"{module}.{value.__qualname__}",
        do="define it in a file, or leave keep out",
    )


@functools.cache
def _code() -> str:
    """Hash the files that fit and predict: a version may stay while the code under it is changed."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    learning = sorted(Path(str(radiobone.learning.__file__)).parent.rglob("*.py"))
    for path in (*learning, here / "fits.py", here / "fitting.py", here / "keep.py"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _x_sha256(X: Any) -> str:
    digest = hashlib.sha256()
    if isinstance(X, pd.Series):
        X = X.to_frame()
    if isinstance(X, pd.DataFrame):
        for name, column in X.items():
            digest.update(repr((str(name), str(column.dtype))).encode())
            numeric = pd.api.types.is_numeric_dtype(column.dtype)
            values = (
                column.to_numpy(dtype=np.float64, na_value=np.nan) if numeric else column.astype(str).to_numpy()
            )
            digest.update(values.tobytes() if numeric else repr(values.tolist()).encode())
        return digest.hexdigest()
    if not (hasattr(X, "shape") and hasattr(X, "dtype")) or np.dtype(X.dtype).hasobject:
        raise UsageError(
            "finished folds can be kept for tables and arrays only",
            got=type(X).__name__,
            do="leave keep out, or pass a DataFrame or an array of numbers",
        )
    digest.update(repr((tuple(X.shape), str(X.dtype))).encode())
    n_rows = max(1, _BLOCK // max(1, int(np.prod(X.shape[1:])) * np.dtype(X.dtype).itemsize))
    for start in range(0, X.shape[0], n_rows):
        digest.update(np.ascontiguousarray(X[start : start + n_rows]).tobytes())
    return digest.hexdigest()

"""Parts of ``results.json``: its arms, and its test sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

THREE_CLASS = "three_class"
"""Where figures over all classes stand."""


def parts(results: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the figures of each arm that was fitted, the primary arm first.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``, of one procedure or of several arms.

    Returns
    -------
    dict of str to mapping
        Each with ``nodes``, ``three_class`` and ``validation``. One procedure is called ``model``.
    """
    arms = [arm for arm in results.get("arms") or () if arm["nodes"] is not None]
    if not arms:
        return {"model": results}
    ordered = sorted(arms, key=lambda arm: not arm["primary"])
    return {arm["name"]: {**arm, "validation": results["validation"]} for arm in ordered}


def of_test_sets(results: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the figures of each fixed test set, where there are several.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``, or of one of its arms together with ``validation``.

    Returns
    -------
    dict of str to mapping
        By name, with the one fold in ``validation`` and the name in ``judged_on``. Without several sets, what was
        given, under an empty name.
    """
    sets = results.get("test_sets")
    if not sets:
        return {"": results}
    found: dict[str, Mapping[str, Any]] = {}
    for fold in results["validation"]["folds"]:
        name = str(fold["name"])
        found[name] = {
            **{key: value for key, value in results.items() if key != "test_sets"},
            **sets[name],
            "validation": {**results["validation"], "folds": [fold]},
            "judged_on": f"test set {name}",
        }
    return found

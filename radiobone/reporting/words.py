"""Words that figures, tables and the terminal share."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

TRUE_MEMBERS = "judged on its true members"
"""Which rows the panels of nodes show; a patient counts there whatever the nodes before it decided."""


METRICS = {
    "auc": "AUC",
    "auc_macro": "AUC, mean of classes",
    "auc_micro": "AUC, micro",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "balanced_accuracy": "balanced accuracy",
    "accuracy": "accuracy",
    "ppv": "PPV",
    "npv": "NPV",
    "f1": "F1",
    "brier": "Brier score",
    "kappa_quadratic": "quadratic kappa",
}
"""Metrics as figures and tables name them."""


def either(labels: Sequence[Any]) -> str:
    """Name one side of a node, such as ``normal or osteopenia``.

    Parameters
    ----------
    labels : sequence
        The classes of that side.

    Returns
    -------
    str
        The name.
    """
    return " or ".join(str(label) for label in labels)


def counted(n_patients: int, n_predictions: int) -> str:
    """Say what is counted: patients; or predictions, where patients are predicted more than once.

    Parameters
    ----------
    n_patients, n_predictions : int
        Patients, and predictions of them.

    Returns
    -------
    str
        Both numbers where they differ.

    Examples
    --------
    >>> counted(60, 60), counted(60, 120)
    ('60 patients', '120 predictions of 60 patients')
    """
    patients = f"{n_patients} patients"
    return patients if n_predictions == n_patients else f"{n_predictions} predictions of {patients}"


def p_text(value: float | None) -> str:
    """Write a p value.

    Parameters
    ----------
    value : float or None
        None or NaN if it is not defined.

    Returns
    -------
    str
        Three decimals, or that it is smaller than those can say.

    Examples
    --------
    >>> p_text(0.0412), p_text(0.00004), p_text(None)
    ('p = 0.041', 'p < 0.001', 'p n/a')
    """
    if value is None or math.isnan(value):
        return "p n/a"
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def typeset(text: str) -> str:
    r"""Write numbers below zero with a minus sign, as the axes of figures do.

    Parameters
    ----------
    text : str
        With hyphens.

    Returns
    -------
    str
        Hyphens between letters or digits stay.

    Examples
    --------
    >>> typeset("-0.04 (-0.08 to +0.01)") == "\N{MINUS SIGN}0.04 (\N{MINUS SIGN}0.08 to +0.01)"
    True
    >>> typeset("log-sigma-3")
    'log-sigma-3'
    """
    return re.sub(r"(?<!\w)-(?=[\d.])", "\N{MINUS SIGN}", text)


def sample(positive: str, n_positive: int, n_patients: int, n_predictions: int) -> str:
    """Name the positive class and say how many patients are of it; and predictions, where there are more.

    Parameters
    ----------
    positive : str
        The class.
    n_positive, n_patients, n_predictions : int
        Patients of that class, all patients, and predictions of them.

    Returns
    -------
    str
        For the title of a panel.

    Examples
    --------
    >>> sample("osteoporosis", 40, 120, 120)
    'positive: osteoporosis, 40 of 120 patients'
    """
    more = "" if n_predictions == n_patients else f"\n({n_predictions} predictions)"
    return f"positive: {positive}, {n_positive} of {n_patients} patients{more}"


def spaced(name: str) -> str:
    """Write a name of a node or a column with blanks.

    Parameters
    ----------
    name : str
        Such as ``osteoporosis_vs_rest``.

    Returns
    -------
    str
        The name with blanks for underscores.

    Examples
    --------
    >>> spaced("osteoporosis_vs_rest")
    'osteoporosis vs rest'
    """
    return name.replace("_", " ")


def file_name(name: str) -> str:
    """Write a name of a node or a test set as a part of a file's name.

    Parameters
    ----------
    name : str
        Any text.

    Returns
    -------
    str
        Letters, digits, points, hyphens and underscores.

    Examples
    --------
    >>> file_name("low / high")
    'low_high'
    """
    return re.sub(r"[^\w.-]+", "_", name)


def wrapped(text: str, width: int) -> str:
    """Break a name into lines, at blanks, underscores, points and hyphens where there are any.

    Parameters
    ----------
    text : str
        Such as a long name of a feature, which stays whole but for the breaks.
    width : int
        Characters of a line.

    Returns
    -------
    str
        Lines.

    Examples
    --------
    >>> print(wrapped("wavelet-LLH_glszm_SmallAreaHighGrayLevelEmphasis", 24))
    wavelet-LLH_glszm_
    SmallAreaHighGrayLevelEm
    phasis
    """
    lines = [""]
    for part in _parts(text):
        if lines[-1] and len(lines[-1]) + len(part.rstrip()) > width:
            lines.append("")
        lines[-1] += part
        while len(lines[-1].rstrip()) > width:
            lines[-1:] = [lines[-1][:width], lines[-1][width:]]
    return "\n".join(line.rstrip() for line in lines)


def _parts(text: str) -> list[str]:
    """Cut after each blank, underscore, point and hyphen."""
    parts = [""]
    for before, character in zip([" ", *text], text, strict=False):
        if before in " _.-" and character not in " _.-" and parts[-1]:
            parts.append("")
        parts[-1] += character
    return parts

"""The final model as a formula, where it is linear, and as a nomogram, where the recipe asks for one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radiobone.reporting.words import file_name, spaced

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from radiobone.evaluation.regression.nomogram import NomogramAxis
    from radiobone.learning.disk.formula import LinearFormula
    from radiobone.learning.disk.source import ColumnSource

MOST_AXES = 20
"""A nomogram with more axes cannot be read off by hand, which is all that it is for."""


def final_formulas(model: Any) -> tuple[dict[str, LinearFormula], dict[str, str]]:
    """Write each node of a fitted model as a formula.

    Parameters
    ----------
    model : HierarchicalClassifier
        The primary arm's procedure, fitted on all patients.

    Returns
    -------
    formulas : dict of str to LinearFormula
        By node, of those that are linear.
    reasons : dict of str to str
        By node, why there is none.
    """
    from radiobone.learning.disk.linear_form import FormulaError, linear_formula

    formulas: dict[str, LinearFormula] = {}
    reasons: dict[str, str] = {}
    for node in model.tree_.nodes:
        estimator = model.estimators_[node.name]
        if not hasattr(estimator, "selection_"):
            reasons[node.name] = f"{type(estimator).__name__} is no linear model of columns"
            continue
        try:
            formulas[node.name] = linear_formula(
                estimator,
                positive=" or ".join(map(str, node.positive)),
                negative=" or ".join(map(str, node.negative)),
                name=node.name,
            )
        except FormulaError as error:
            reasons[node.name] = error.what + (f": {error.got}" if error.got else "")
    return formulas, reasons


def write_formulas(formulas: dict[str, LinearFormula], folder: Path) -> list[Path]:
    """Write formulas as JSON and CSV, which are read back to the last bit, and as text.

    Parameters
    ----------
    formulas : dict of str to LinearFormula
        By node.
    folder : Path
        Made if need be.

    Returns
    -------
    list of Path
        What was written.
    """
    from radiobone.learning.disk.formula_files import FORMATS, write_formula

    paths = {folder / f"{file_name(name)}{suffix}": name for name in formulas for suffix in FORMATS}
    for path, name in paths.items():
        write_formula(path, formulas[name])
    return list(paths)


def nomograms(
    formulas: dict[str, LinearFormula], X: pd.DataFrame, codes: Sequence[ColumnSource] = ()
) -> Iterator[tuple[str, Figure]]:
    """Draw formulas as nomograms.

    Parameters
    ----------
    formulas : dict of str to LinearFormula
        By node.
    X : DataFrame
        The training rows, whose ranges the axes span.
    codes : sequence of ColumnSource
        How columns of the cohort table became columns of ``X``: these are drawn under their own names.

    Yields
    ------
    tuple of str and Figure
        Name of the file without its suffix, and the figure; nothing for a formula that has no calibration by
        a sigmoid, or more features than a hand can read off.
    """
    from radiobone.evaluation.regression.nomogram import Nomogram
    from radiobone.evaluation.regression.predictors import RegressionError
    from radiobone.reporting.figures import nomogram_figure

    for name, formula in formulas.items():
        try:
            nomogram = Nomogram.of_formula(formula, X)
        except RegressionError:
            continue
        nomogram = replace(nomogram, axes=tuple(_cohort_axis(axis, codes) for axis in nomogram.axes))
        if len(nomogram.axes) <= MOST_AXES:
            title = f"{spaced(name)}\npositive: {formula.positive}"
            told = f"The final model, fitted on {len(X)} patients. Its performance is that of the procedure."
            yield f"nomogram_{file_name(name)}", nomogram_figure(nomogram, title=title, told=told)


def _cohort_axis(axis: NomogramAxis, codes: Sequence[ColumnSource]) -> NomogramAxis:
    """Give the line of a column of the cohort table that column's name, and the levels of a 0/1 column words."""
    code = next((code for code in codes if axis.name in code.names), None)
    if code is None:
        return axis
    if code.kind == "number":
        return replace(axis, name=code.column)
    reference, *others = code.categories
    category = others[code.names.index(axis.name)]
    # Many levels have no room on one line.
    name, words = code.column, (reference, category)
    if len(others) > 1:
        name, words = f"{code.column}: {category}", ("no", "yes")
    effects = (0.0, axis.coef)
    return replace(
        axis,
        name=name,
        coef=1.0,
        low=min(effects),
        high=max(effects),
        levels=tuple(zip(words, effects, strict=True)),
    )

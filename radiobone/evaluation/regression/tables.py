"""Tables of clinical papers: each predictor alone and all together, and backward elimination."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from radiobone.evaluation.regression.coefficients import NAN, Coefficient
from radiobone.evaluation.regression.linear import LinearFit, linear_regression
from radiobone.evaluation.regression.logistic import LogisticFit, logistic_regression
from radiobone.evaluation.regression.nomogram import Nomogram
from radiobone.evaluation.regression.predictors import RegressionError, check_names

__all__ = [
    "BackwardElimination",
    "ClinicalTable",
    "LinearFit",
    "LogisticFit",
    "Nomogram",
    "RegressionError",
    "backward_elimination",
    "clinical_table",
    "linear_regression",
    "logistic_regression",
]

COLUMNS = (
    "predictor",
    "level",
    "reference",
    "unit",
    "n",
    "n_positive",
    "n_missing",
    "odds_ratio",
    "low",
    "high",
    "p",
    "adjusted_odds_ratio",
    "adjusted_low",
    "adjusted_high",
    "adjusted_p",
    "note",
)


@dataclass(frozen=True, eq=False)
class ClinicalTable:
    """Univariable and multivariable odds ratios.

    Parameters
    ----------
    rows : DataFrame
        One row for each coefficient: predictor, level, reference, unit; rows with the predictor, positive ones
        among them, rows without it; odds ratio, interval and p-value alone; the same in the multivariable model
        (missing for predictors that are not in it); what a reader should know of the predictor alone.
    univariable : dict of str to LogisticFit
        Each predictor alone; without those that cannot be fitted, whose row says why.
    multivariable : LogisticFit or None
        The model of several; None if no predictor enters it.
    notes : tuple of str
        What a reader should know of the table: which is the positive value, rows, events per variable, selection.
    """

    rows: pd.DataFrame
    univariable: dict[str, LogisticFit]
    multivariable: LogisticFit | None
    notes: tuple[str, ...]


def clinical_table(
    table: pd.DataFrame,
    outcome: str,
    predictors: Sequence[str],
    *,
    positive: Any,
    multivariable: Sequence[str] | None = None,
    enter_below: float | None = None,
    references: Mapping[str, Any] | None = None,
    units: Mapping[str, float] | None = None,
    groups: str | None = None,
    level: float = 0.95,
) -> ClinicalTable:
    """Fit each predictor alone, and several together.

    Parameters
    ----------
    table, outcome, predictors, positive, references, units, groups, level
        As for `logistic_regression`.
    multivariable : sequence of str, optional
        Predictors of the multivariable model, named beforehand; by default all.
    enter_below : float, optional
        Of these, only those with a univariable p-value below this (of any of its levels). Common in papers, and
        exploratory: p-values and intervals of the multivariable model take no account of the choice, and
        a predictor that matters only beside others is lost. The notes say so.

    Returns
    -------
    ClinicalTable
        Each univariable model rests on the rows that have its predictor, the multivariable one on the rows that
        have all of its own: the counts say how many.

    Raises
    ------
    RegressionError
        If columns are missing or named twice. What cannot be fitted, such as a constant predictor or a sum of
        others, is told in the rows and notes instead.
    """
    check_names(table, [outcome, *predictors, *([] if groups is None else [groups])])
    given = {"positive": positive, "groups": groups, "level": level}
    alone: dict[str, LogisticFit] = {}
    reasons: dict[str, str] = {}
    for name in predictors:
        try:
            alone[name] = logistic_regression(
                table, outcome, [name], references=_only(references, [name]), units=_only(units, [name]), **given
            )
        except RegressionError as error:
            reasons[name] = error.what
    unknown = [name for name in multivariable or () if name not in predictors]
    if unknown:
        raise RegressionError("a predictor of the multivariable model is not in the table", got=unknown[0])
    chosen = [name for name in (predictors if multivariable is None else multivariable) if name in alone]
    notes = _selection_notes(enter_below, reasons)
    if enter_below is not None:
        chosen = [name for name in chosen if any(one.p < enter_below for one in alone[name].coefficients)]
    together = None
    if chosen:
        try:
            together = logistic_regression(
                table, outcome, chosen, references=_only(references, chosen), units=_only(units, chosen), **given
            )
        except RegressionError as error:
            notes.append(f"no multivariable model: {error.what}" + (f" ({error.where})" if error.where else ""))
    if together is not None:
        notes = [
            f"odds of {outcome} = {together.positive} (against {together.negative})",
            f"multivariable model: {together.n} rows, {together.n_positive} of them positive",
            *together.notes,
            *notes,
        ]
    rows = [row for name in predictors for row in _rows(name, alone.get(name), together, reasons.get(name, ""))]
    return ClinicalTable(pd.DataFrame(rows, columns=list(COLUMNS)), alone, together, tuple(notes))


def _only(given: Mapping[str, Any] | None, names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in (given or {}).items() if name in names}


def _selection_notes(enter_below: float | None, reasons: Mapping[str, str]) -> list[str]:
    notes = []
    if reasons:
        notes.append(f"not fitted: {', '.join(f'{name} ({reason})' for name, reason in reasons.items())}")
    if enter_below is not None:
        notes.append(
            f"predictors entered the multivariable model by a univariable p below {enter_below:g}: exploratory, "
            "its p-values and intervals take no account of this choice"
        )
    return notes


def _rows(
    name: str, alone: LogisticFit | None, together: LogisticFit | None, reason: str
) -> list[tuple[Any, ...]]:
    if alone is None:
        return [(name, None, None, NAN, 0, 0, 0, *[NAN] * 8, reason)]
    adjusted = {(one.predictor, one.level): one for one in (together.coefficients if together else ())}
    counts = (alone.n, alone.n_positive, alone.design.n_missing)
    note = "; ".join(note for note in alone.notes if "lack a value" not in note)  # those are counted
    return [
        (
            *(one.predictor, one.level, one.reference, one.unit, *counts),
            *_figures(one),
            *_figures(adjusted.get((one.predictor, one.level))),
            note,
        )
        for one in alone.coefficients
    ]


def _figures(one: Coefficient | None) -> tuple[float, float, float, float]:
    return (NAN, NAN, NAN, NAN) if one is None else (*one.odds_ratio, one.p)


@dataclass(frozen=True, eq=False)
class BackwardElimination:
    """What backward elimination left, and how it came there.

    Parameters
    ----------
    fit : LogisticFit
        The model that is left.
    steps : DataFrame
        ``removed`` (a predictor; empty for the full model), ``aic`` of the model without it, and ``n_predictors``.
    notes : tuple of str
        Among them, that the result is exploratory.
    """

    fit: LogisticFit
    steps: pd.DataFrame
    notes: tuple[str, ...]


def backward_elimination(
    table: pd.DataFrame,
    outcome: str,
    predictors: Sequence[str],
    *,
    positive: Any,
    references: Mapping[str, Any] | None = None,
    units: Mapping[str, float] | None = None,
    level: float = 0.95,
) -> BackwardElimination:
    """Leave out predictors one by one, as long as Akaike's criterion falls.

    Parameters
    ----------
    table, outcome, predictors, positive, references, units, level
        As for `logistic_regression`.

    Returns
    -------
    BackwardElimination
        All models rest on the same rows: those that have every predictor of the full model. A categorical
        predictor stays or goes as a whole; ties go to the first one in the order given.

    Raises
    ------
    RegressionError
        If the full model cannot be fitted, or has no estimates.

    Notes
    -----
    Exploratory. The same data choose the predictors and test them: p-values come out too small, intervals too
    narrow, odds ratios too large, and another sample would often choose others. The result must not be reported as
    if its predictors had been named beforehand, and its discrimination has to be measured with the elimination
    inside every fold (`radiobone.evaluation.NestedCV` with a selection step), never on these rows.
    """
    columns = table[[outcome, *predictors]]
    complete = columns[columns.notna().all(axis=1)]

    def fit(names: list[str]) -> LogisticFit:
        found = logistic_regression(
            complete,
            outcome,
            names,
            positive=positive,
            references=_only(references, names),
            units=_only(units, names),
            level=level,
        )
        if found.problem:
            raise RegressionError("backward elimination needs estimates at every step", got=found.problem)
        return found

    names = list(predictors)
    best = fit(names)
    steps: list[tuple[str, float, int]] = [("", best.aic, len(names))]
    while names:
        tried = [fit([other for other in names if other != name]) for name in names]
        number = min(range(len(names)), key=lambda place: tried[place].aic)
        if tried[number].aic >= best.aic:
            break
        best = tried[number]
        steps.append((names.pop(number), best.aic, len(names)))
    n_left_out = len(table) - len(complete)
    notes = [f"{n_left_out} of {len(table)} rows lack a value and are left out of all steps"] if n_left_out else []
    notes.append(
        f"{len(names)} of {len(predictors)} predictors left by backward elimination (AIC): exploratory, "
        "p-values and intervals take no account of this choice"
    )
    return BackwardElimination(
        best, pd.DataFrame(steps, columns=["removed", "aic", "n_predictors"]), (*best.notes, *notes)
    )

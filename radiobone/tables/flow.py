"""Who is analysed and who is not: exclusions counted by class and reason, as in a flow diagram."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from radiobone.core.errors import RadioboneWarning
from radiobone.tables.features import FeatureTable
from radiobone.tables.keys import PATIENT, REASON, STATUS

if TYPE_CHECKING:
    import pandas as pd

LOSS_WARNING = 0.10
"""Share of labelled patients lost above which a warning is due."""

DIFFERENTIAL_P = 0.05
"""Chi-square p below which loss is said to differ between classes."""

UNKNOWN = "unknown"


@dataclass(frozen=True, eq=False)
class Flow:
    """Patients from the cohort table to the analysis.

    Parameters
    ----------
    table : DataFrame
        Columns ``step``, ``reason``, ``class``, ``patients``: step ``cohort``, then ``excluded`` once for
        each reason, then ``analysed``.
    analysed : list of str
        The patients left, sorted.
    """

    table: pd.DataFrame
    analysed: list[str]


def unusable_patients(features: FeatureTable) -> dict[str, str]:
    """Return the patients of a feature table without any row of status ``ok``, and their first reason."""
    table = features.table
    usable = set(table[PATIENT][table[STATUS] == "ok"])
    lost = table[~table[PATIENT].isin(usable)].drop_duplicates(PATIENT)
    return dict(zip(lost[PATIENT], lost[REASON], strict=True))


def count_flow(
    labels: pd.Series[str], exclusions: Sequence[tuple[str, dict[str, str]]], classes: Sequence[str]
) -> Flow:
    """Count patients step by step; each is excluded once, for the first reason that holds.

    Parameters
    ----------
    labels : Series of str
        Class of each patient of the cohort, empty where it is not known; index ``patient_id``.
    exclusions : sequence of (str, dict)
        For each step its name and ``{patient_id: reason}``, in the order of the steps.
    classes : sequence of str
        The classes in order.

    Returns
    -------
    Flow
        The counts; missing labels are excluded first.

    Warns
    -----
    RadioboneWarning
        If more than a tenth of the labelled patients is lost, or loss differs between classes.
    """
    import pandas as pd

    named = labels.replace("", UNKNOWN)
    order = [*classes, *([UNKNOWN] if (named == UNKNOWN).any() else [])]
    rows: list[tuple[str, str, str, int]] = []

    def count(step: str, reason: str, patients: pd.Index[str]) -> None:
        counts = named.loc[patients].value_counts()
        rows.extend((step, reason, name, int(counts.get(name, 0))) for name in order)

    count("cohort", "", named.index)
    left = named.index
    steps = [("label", dict.fromkeys(named.index[named == UNKNOWN], "no label")), *exclusions]
    for step, reasons in steps:
        lost = [patient for patient in left if patient in reasons]
        by_reason = pd.Series({patient: reasons[patient] for patient in lost}, dtype=str)
        for reason in sorted(by_reason.unique()):
            count(f"excluded: {step}", reason, by_reason.index[by_reason == reason])
        left = left.difference(lost, sort=False)
    count("analysed", "", left)
    _warn_of_loss(named, left, classes)
    table = pd.DataFrame(rows, columns=["step", "reason", "class", "patients"])
    return Flow(table, sorted(left))


def _warn_of_loss(named: pd.Series[str], left: pd.Index[str], classes: Sequence[str]) -> None:
    from scipy.stats import chi2_contingency

    before = named[named != UNKNOWN].value_counts().reindex(list(classes), fill_value=0)
    after = named.loc[left].value_counts().reindex(list(classes), fill_value=0)
    lost = before - after
    if not lost.sum():
        return
    told = ", ".join(f"{name} {lost[name]} of {before[name]}" for name in classes)
    if lost.sum() > LOSS_WARNING * before.sum():
        warnings.warn(
            f"{lost.sum() / before.sum():.0%} of the labelled patients are lost ({told})",
            RadioboneWarning,
            stacklevel=3,
        )
    present = before > 0
    if present.sum() > 1 and after.sum():
        p = chi2_contingency([lost[present], after[present]], correction=False).pvalue
        if p < DIFFERENTIAL_P:
            warnings.warn(
                f"loss differs between the classes ({told}; chi-square p = {p:.2g}): the sample is selected",
                RadioboneWarning,
                stacklevel=3,
            )

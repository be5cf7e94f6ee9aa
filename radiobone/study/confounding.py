"""Class against acquisition and demographics: the first question of a reviewer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from radiobone.core.errors import TableError
from radiobone.tables.keys import PATIENT
from radiobone.tables.labels import LabelRule, patient_labels
from radiobone.tables.reading import numbers

if TYPE_CHECKING:
    import pandas as pd

CATEGORICAL = ("kvp", "kernel", "contrast", "scanner", "manufacturer", "centre", "center", "sex")
NUMERIC = ("slice_thickness_mm", "slice_spacing_mm", "pixel_spacing_mm", "mas", "age")
SUSPICIOUS_P = 0.05
"""Below this a column is told to differ between the classes."""

NAMES = {"thickness": "slice_thickness_mm", "slice_thickness": "slice_thickness_mm"}
"""Other names under which a column is recognised."""

_LABEL_COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("bmd_mg_cm3", "bmd", "QCT"),
    ("t_score", "t_score", "DXA"),
)


@dataclass(frozen=True)
class Association:
    """How one column is spread over the classes.

    Parameters
    ----------
    column : str
        The column.
    test : {"chi-square", "Kruskal-Wallis"}
        How it was compared: as categories or as numbers.
    cells : dict of str to dict of str to str
        For each value (or ``mean ± SD``), the text of each class.
    missing : int
        Patients without a value.
    p : float
        The test's p; NaN where it cannot be computed.
    """

    column: str
    test: str
    cells: dict[str, dict[str, str]]
    missing: int
    p: float

    def lines(self, names: Sequence[str]) -> list[tuple[str, ...]]:
        """Return lines of a table: what is compared, a cell for each class, and p in the first line.

        Parameters
        ----------
        names : sequence of str
            The classes.
        """
        missing = f" ({self.missing} missing)" if self.missing else ""
        p = "" if math.isnan(self.p) else f"{self.p:.2g}"
        return [
            (f"{self.column} {value}{missing}", *(cells[name] for name in names), "" if number else p)
            for number, (value, cells) in enumerate(self.cells.items())
        ]


@dataclass(frozen=True)
class ClassComparison:
    """Patients by class, and columns compared between the classes.

    Parameters
    ----------
    rule : LabelRule
        How patients get their class.
    counts : dict of str to int
        Patients of each class, and those without a label.
    found : list of Association
        Acquisition and demographics against the class.
    """

    rule: LabelRule
    counts: dict[str, int]
    found: list[Association]

    @property
    def counted(self) -> str:
        """The classes with their counts, as a sentence."""
        rule = self.rule
        told = ", ".join(f"{count} {name}" for name, count in self.counts.items() if count or name in rule.names)
        return f"classes by {rule.column} ({rule.source}, {rule.reference}): {told}"

    @property
    def linked(self) -> list[str]:
        """The columns that differ between the classes."""
        return [item.column for item in self.found if item.p < SUSPICIOUS_P]


def compare_classes(cohort: pd.DataFrame, rule: LabelRule | None, where: str) -> ClassComparison | None:
    """Compare how the patients of each class were scanned, and who they are.

    Parameters
    ----------
    cohort : DataFrame
        The cohort table, every cell as text.
    rule : LabelRule or None
        How patients get their class; by default that of the first column that radiobone knows by name.
    where : str
        The file, for messages.

    Returns
    -------
    ClassComparison or None
        None if there is no such column.

    Raises
    ------
    TableError
        If the label's column is not valid, or a cell of a numeric column is no number.
    """
    rule = rule or known_label_rule(list(cohort.columns))
    if rule is None:
        return None
    return ClassComparison(rule, class_counts(cohort, rule, where), associations(cohort, rule, where))


def known_label_rule(columns: Sequence[str]) -> LabelRule | None:
    """Find the label rule of the first column that radiobone knows by name.

    Parameters
    ----------
    columns : sequence of str
        The columns of a cohort table.

    Returns
    -------
    LabelRule or None
        None if there is no such column.
    """
    for column, source, reference in _LABEL_COLUMNS:
        if column in columns:
            return LabelRule.model_validate({"source": source, "column": column, "reference": reference})
    return None


def associations(cohort: pd.DataFrame, rule: LabelRule, where: str) -> list[Association]:
    """Compare every acquisition and demographic column that is there between the classes.

    Parameters
    ----------
    cohort : DataFrame
        The cohort table, every cell as text; the first row of each patient counts.
    rule : LabelRule
        How patients get their class.
    where : str
        The file, for messages.

    Returns
    -------
    list of Association
        In the order: acquisition, then demographics.

    Raises
    ------
    TableError
        If the label's column is not valid, or a cell of a numeric column is no number.
    """
    labels = patient_labels(cohort, rule, where)
    patients = cohort.drop_duplicates(PATIENT).set_index(PATIENT)
    known = labels[labels != ""]
    found = []
    for column in cohort.columns:
        name = NAMES.get(column.casefold(), column.casefold())
        if name in CATEGORICAL:
            found.append((CATEGORICAL.index(name), _categorical(column, patients.loc[known.index], known, rule)))
        elif name in NUMERIC:
            rank = len(CATEGORICAL) + NUMERIC.index(name)
            found.append((rank, _numeric(column, patients.loc[known.index], known, rule, where)))
    return [association for _, association in sorted(found, key=lambda item: item[0])]


def _categorical(column: str, patients: pd.DataFrame, labels: pd.Series[str], rule: LabelRule) -> Association:
    import pandas as pd
    from scipy.stats import chi2_contingency

    values = patients[column].str.strip()
    given = values != ""
    table = pd.crosstab(values[given], labels[given]).reindex(columns=list(rule.names), fill_value=0)
    filled = table.loc[:, table.sum() > 0]
    p = float(chi2_contingency(filled).pvalue) if min(filled.shape) > 1 else float("nan")
    totals = table.sum()
    cells = {
        str(value): {name: f"{row[name]} ({row[name] / max(totals[name], 1):.0%})" for name in rule.names}
        for value, row in table.iterrows()
    }
    return Association(column, "chi-square", cells, int((~given).sum()), p)


def _numeric(
    column: str, patients: pd.DataFrame, labels: pd.Series[str], rule: LabelRule, where: str
) -> Association:
    from scipy.stats import kruskal

    values = numbers(patients, column, where)
    groups = {name: values[labels == name].dropna() for name in rule.names}
    filled = [group for group in groups.values() if len(group)]
    constant = values.dropna().nunique() < 2
    p = float("nan") if len(filled) < 2 or constant else float(kruskal(*filled).pvalue)
    cells = {"mean ± SD": {name: _mean_sd(group) for name, group in groups.items()}}
    return Association(column, "Kruskal-Wallis", cells, int(values.isna().sum()), p)


def _mean_sd(group: pd.Series[float]) -> str:
    if group.empty:
        return "none"
    return f"{group.mean():.4g} ± {group.std(ddof=1):.3g}" if len(group) > 1 else f"{group.mean():.4g}"


def class_counts(cohort: pd.DataFrame, rule: LabelRule, where: str) -> dict[str, int]:
    """Count patients by class, and those without a label.

    Parameters
    ----------
    cohort : DataFrame
        The cohort table, every cell as text.
    rule : LabelRule
        How patients get their class.
    where : str
        The file, for messages.

    Returns
    -------
    dict of str to int
        The classes in order, then ``no label``.

    Raises
    ------
    TableError
        If no patient has a label.
    """
    labels = patient_labels(cohort, rule, where)
    counts = {name: int((labels == name).sum()) for name in rule.names}
    if not sum(counts.values()):
        raise TableError("no patient has a label", where=f"{where}, column {rule.column!r}")
    return {**counts, "no label": int((labels == "").sum())}

"""From a measured BMD or T-score to the three classes, by published cuts."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from pydantic import Field, model_validator

from radiobone.core.config import FileModel
from radiobone.core.errors import RadioboneWarning, TableError
from radiobone.tables.keys import PATIENT, require_columns
from radiobone.tables.reading import numbers

if TYPE_CHECKING:
    import pandas as pd

BoneClass = Literal["normal", "osteopenia", "osteoporosis"]

NORMAL: Final = "normal"
OSTEOPENIA: Final = "osteopenia"
OSTEOPOROSIS: Final = "osteoporosis"

BONE_CLASSES = (NORMAL, OSTEOPENIA, OSTEOPOROSIS)
"""The three classes, from strong to weak bone: the order of every table and picture."""

QCT_CUTS_MG_CM3 = (80.0, 120.0)
"""Lumbar trabecular QCT: below 80 mg/cm³ osteoporosis, 80 to 120 both included osteopenia.

Source: American College of Radiology practice parameter for quantitative CT; ISCD position 2007.
"""

T_SCORE_CUTS = (-2.5, -1.0)
"""T-score: at most -2.5 osteoporosis, between -2.5 and -1.0 osteopenia, at least -1.0 normal.

Source: World Health Organization, Technical Report Series 843, 1994.
"""


class LabelRule(FileModel):
    """How each patient gets their class.

    Parameters
    ----------
    source : {"bmd", "t_score", "class"}
        ``bmd`` in mg/cm³ by QCT, ``t_score``, or a column that holds the class itself.
    column : str
        Column of the cohort table.
    reference : {"QCT", "DXA"}, optional
        How bone was measured; a column that holds the class itself may have another source.
    same_scan : bool, default False
        Whether that BMD was measured in the very scans that features come from.
    cuts : tuple of float, optional
        Two ascending cuts in the unit of the column; by default the published ones.
    classes : tuple of str
        For ``class``: the classes in order; others are no label.
    merge : dict of str to tuple of str
        Classes that the study takes together, by their common name, such as ``rest: [normal, osteopenia]``.
    """

    source: Literal["bmd", "t_score", "class"]
    column: str
    reference: Literal["QCT", "DXA"] | None = None
    same_scan: bool = False
    cuts: tuple[float, float] | None = None
    classes: tuple[str, ...] = BONE_CLASSES
    merge: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.source != "class" and self.reference is None:
            raise ValueError(f"reference is needed with source: {self.source}: QCT or DXA")
        if self.source == "bmd" and self.reference == "DXA" and self.cuts is None:
            raise ValueError(
                "the cuts 80 and 120 mg/cm³ hold for QCT; for DXA give a T-score column (source: t_score) or cuts"
            )
        if self.cuts is not None and not self.cuts[0] < self.cuts[1]:
            raise ValueError(f"cuts must ascend, got {self.cuts}")
        if self.source == "class" and self.cuts is not None:
            raise ValueError("cuts belong to a measured column; source: class has none")
        if self.source != "class" and self.classes != BONE_CLASSES:
            raise ValueError("classes can be named only with source: class")
        merged = [name for names in self.merge.values() for name in names]
        unknown = sorted(set(merged) - set(self.classes))
        if unknown:
            raise ValueError(f"merge names classes that there are not: {', '.join(unknown)}")
        if len(set(merged)) < len(merged):
            raise ValueError("merge names a class twice")
        taken = sorted(name for name, members in self.merge.items() if name in set(self.classes) - set(members))
        if taken:
            raise ValueError(f"merge gives the name of another class: {', '.join(taken)}")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The classes of the study in order, merged ones at the place of their first member."""
        common = {name: whole for whole, names in self.merge.items() for name in names}
        return tuple(dict.fromkeys(common.get(name, name) for name in self.classes))

    def merged(self, labels: pd.Series[str]) -> pd.Series[str]:
        """Give classes that are taken together their common name.

        Parameters
        ----------
        labels : Series of str
            Classes as measured.

        Returns
        -------
        Series of str
            Classes of the study.
        """
        return labels.replace({name: whole for whole, names in self.merge.items() for name in names})


def bmd_class(bmd_mg_cm3: float, cuts: tuple[float, float] = QCT_CUTS_MG_CM3) -> BoneClass:
    """Return the class of a BMD; both cuts belong to osteopenia.

    Parameters
    ----------
    bmd_mg_cm3 : float
        BMD in mg/cm³.
    cuts : tuple of float
        Two ascending cuts in mg/cm³.

    Returns
    -------
    {"normal", "osteopenia", "osteoporosis"}
        The class.

    Examples
    --------
    >>> [bmd_class(bmd) for bmd in (79.9, 80.0, 120.0, 120.1)]
    ['osteoporosis', 'osteopenia', 'osteopenia', 'normal']
    """
    low, high = cuts
    if bmd_mg_cm3 < low:
        return OSTEOPOROSIS
    return NORMAL if bmd_mg_cm3 > high else OSTEOPENIA


def t_score_class(t_score: float, cuts: tuple[float, float] = T_SCORE_CUTS) -> BoneClass:
    """Return the class of a T-score; neither cut belongs to osteopenia.

    Parameters
    ----------
    t_score : float
        The T-score.
    cuts : tuple of float
        Two ascending cuts.

    Returns
    -------
    {"normal", "osteopenia", "osteoporosis"}
        The class.

    Examples
    --------
    >>> [t_score_class(t) for t in (-2.5, -2.4, -1.1, -1.0)]
    ['osteoporosis', 'osteopenia', 'osteopenia', 'normal']
    """
    low, high = cuts
    if t_score <= low:
        return OSTEOPOROSIS
    return NORMAL if t_score >= high else OSTEOPENIA


def classify(values: pd.Series[float], rule: LabelRule) -> pd.Series[str]:
    """Give each measured value its class; a missing value gives an empty text.

    Parameters
    ----------
    values : Series of float
        BMD in mg/cm³, or T-scores.
    rule : LabelRule
        With ``source`` ``bmd`` or ``t_score``.

    Returns
    -------
    Series of str
        Index of ``values``.

    Examples
    --------
    >>> import pandas as pd
    >>> rule = LabelRule(source="bmd", column="bmd", reference="QCT")
    >>> list(classify(pd.Series([79.9, 80.0, 120.0, 120.1]), rule))
    ['osteoporosis', 'osteopenia', 'osteopenia', 'normal']
    """
    import pandas as pd

    def name(value: float) -> str:
        if math.isnan(value):
            return ""
        if rule.source == "bmd":
            return bmd_class(value, rule.cuts or QCT_CUTS_MG_CM3)
        return t_score_class(value, rule.cuts or T_SCORE_CUTS)

    return pd.Series([name(value) for value in values], index=values.index, dtype=str)


def patient_labels(cohort: pd.DataFrame, rule: LabelRule, where: str) -> pd.Series[str]:
    """Return each patient's class, empty where it is not known.

    Parameters
    ----------
    cohort : DataFrame
        The cohort table, every cell as text.
    rule : LabelRule
        How to label.
    where : str
        The file, for messages.

    Returns
    -------
    Series of str
        Index ``patient_id`` in order of first appearance, one entry for each patient.

    Raises
    ------
    TableError
        If the column is missing, holds no number, names unknown classes, or the rows of one patient disagree.

    Warns
    -----
    RadioboneWarning
        If BMD was measured in the very scans that features come from.
    """
    require_columns(list(cohort.columns), (PATIENT, rule.column), where)
    if rule.source == "class":
        labels = cohort[rule.column].str.strip()
        unknown = sorted(set(labels) - {*rule.classes, ""})
        if unknown:
            raise TableError(
                f"column {rule.column!r} holds classes that the recipe does not name",
                where=where,
                got=", ".join(unknown[:10]),
                expected=", ".join(rule.classes),
                do="name them in label.classes, or leave the cell empty",
            )
    else:
        labels = classify(numbers(cohort, rule.column, where), rule)
    labels = rule.merged(labels)
    known = labels[labels != ""].groupby(cohort[PATIENT], sort=False)
    disagreeing = known.nunique().loc[lambda count: count > 1]
    if len(disagreeing):
        raise TableError(
            f"{len(disagreeing)} patients have rows of different classes",
            where=where,
            got=_disagreements(known, disagreeing.index[:5]),
            expected="one class for each patient",
            do="mend the rows, or remove those of scans that are not used",
        )
    if rule.same_scan:
        warnings.warn(
            f"the label ({rule.column}) was measured in the same scans as the features: "
            "both share its noise, and the result is too good",
            RadioboneWarning,
            stacklevel=2,
        )
    return known.first().reindex(cohort[PATIENT].unique(), fill_value="")


def _disagreements(known: Any, patients: Iterable[str]) -> str:
    """Tell the classes of some patients."""
    return "; ".join(f"{name}: {', '.join(sorted(known.get_group(name).unique()))}" for name in patients)

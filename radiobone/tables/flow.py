"""Who is analysed and who is not: exclusions counted by class and reason, as in a flow diagram."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from radiobone.core.errors import RadioboneWarning
from radiobone.tables.cohort import SEGMENTATION_STATUS
from radiobone.tables.features import FeatureTable
from radiobone.tables.keys import PATIENT, REASON, STATUS, sort_by_keys
from radiobone.tables.wide import restrict_levels

if TYPE_CHECKING:
    import pandas as pd

LOSS_WARNING = 0.10
"""Share of labelled patients, or of their rows, lost above which a warning is due."""

DIFFERENTIAL_P = 0.05
"""Chi-square p below which loss is said to differ between classes."""

UNKNOWN = "unknown"
COHORT, EXCLUDED, LOST_ROWS, ANALYSED = "cohort", "excluded", "rows without features", "analysed"
MASKS = "masks"

_MASKS = {"ok": "segmented", "failed": "segmentation failed"}
"""What the status of a segmentation says of a mask; without one, it was given."""


@dataclass(frozen=True, eq=False)
class Flow:
    """Patients, and rows of the feature table, from the cohort to the analysis.

    Parameters
    ----------
    table : DataFrame
        Columns ``step``, ``reason``, ``class``, ``patients`` and ``rows`` (rows of the feature table that
        belong to these patients). Steps are ``masks`` (where masks come from: patients only, who count once for
        each source; absent where all masks were given), ``cohort``, then ``excluded: ...`` once for each reason,
        then ``rows without features`` of patients who are analysed all the same (no patients, only rows), then
        ``analysed``. Both counts of the cohort are the sums of those of all later steps.
    analysed : list of str
        The patients left, sorted.
    """

    table: pd.DataFrame
    analysed: list[str]


def mask_sources(cohort: pd.DataFrame) -> dict[str, set[str]]:
    """Tell whose masks were given, whose were made, and whose could not be made.

    Parameters
    ----------
    cohort : DataFrame
        A cohort table.

    Returns
    -------
    dict of str to set of str
        Patients by source; nothing where no mask was made.
    """
    if SEGMENTATION_STATUS not in cohort:
        return {}
    found: dict[str, set[str]] = {}
    for patient, status in zip(cohort[PATIENT], cohort[SEGMENTATION_STATUS], strict=True):
        found.setdefault(_MASKS.get(status, "given"), set()).add(patient)
    return dict(sorted(found.items()))


def short_reason(reason: str) -> str:
    """Return what went wrong without the case that it went wrong in, so that reasons can be counted.

    Parameters
    ----------
    reason : str
        As a row of the feature table holds it.

    Returns
    -------
    str
        The part before the first `` | ``.

    Examples
    --------
    >>> short_reason("mask is empty | where: p01.nii.gz")
    'mask is empty'
    """
    return reason.split(" | ", maxsplit=1)[0]


def unusable_patients(features: FeatureTable, levels: Collection[str] | None = None) -> dict[str, str]:
    """Tell the patients of a feature table who have no row of status ``ok``.

    Parameters
    ----------
    features : FeatureTable
        The long table, its rows in any order.
    levels : collection of str, optional
        The levels that count; by default all.

    Returns
    -------
    dict of str to str
        For each of them the reason of their first row in the order of the keys, if there is one at these levels.
    """
    table = restrict_levels(features, levels).table
    usable = set(table[PATIENT][table[STATUS] == "ok"])
    reasons = {}
    if levels is not None:
        elsewhere = sorted(set(features.table[PATIENT]) - set(table[PATIENT]))
        reasons = dict.fromkeys(elsewhere, f"no row of level {', '.join(levels)}")
    lost = sort_by_keys(table[~table[PATIENT].isin(usable)]).drop_duplicates(PATIENT)
    return reasons | dict(zip(lost[PATIENT], lost[REASON], strict=True))


def count_flow(
    labels: pd.Series[str],
    exclusions: Sequence[tuple[str, dict[str, str]]],
    classes: Sequence[str],
    *,
    rows: pd.DataFrame | None = None,
    left_out: Collection[str] = (),
    patients: pd.Series[str] | None = None,
    masks: Mapping[str, Collection[str]] | None = None,
) -> Flow:
    """Count patients and rows step by step; each patient is excluded once, for the first reason that holds.

    Where levels of patients are classified, each level is excluded once, and ``labels``, ``exclusions`` and
    ``rows`` speak of these. A patient then counts in every class that one of their levels has, and is excluded
    with the last of the levels of that class.

    Parameters
    ----------
    labels : Series of str
        Class of each patient of the cohort, empty where it is not known; index ``patient_id``.
    exclusions : sequence of (str, dict)
        For each step its name and ``{patient_id: reason}``, in the order of the steps.
    classes : sequence of str
        The classes in order.
    rows : DataFrame, optional
        The rows of the feature table: ``patient_id``, ``status`` and ``reason``. Without them only patients are
        counted.
    left_out : collection of str
        Classes that the design leaves out: they are counted, but are no loss.
    patients : Series of str, optional
        The patient of each entry of ``labels``, where these are levels; by default each is a patient.
    masks : mapping of str to collection of str, optional
        Patients by where their masks come from, as `mask_sources` tells.

    Returns
    -------
    Flow
        The counts; missing labels are excluded first.

    Warns
    -----
    RadioboneWarning
        If more than a tenth of the labelled patients or of their rows is lost, or loss differs between classes.
    """
    import pandas as pd

    named = labels.replace("", UNKNOWN)
    order = [*classes, *([UNKNOWN] if (named == UNKNOWN).any() else [])]
    if rows is None:
        rows = pd.DataFrame(columns=[PATIENT, STATUS, REASON], dtype=str)
    counted: list[tuple[str, str, str, int, int]] = []

    owner = named.index.to_series() if patients is None else patients

    def count(
        step: str, reason: str, units: pd.Series[str], of_rows: pd.Series[str], *, but: pd.Series[str]
    ) -> None:
        """Count by class; all series hold names of ``labels``, and patients of ``but`` do not count yet."""
        pairs, staying = _pairs(units, owner, named), _pairs(but, owner, named)
        by_patient = pd.Series([name for _, name in pairs - staying], dtype=str).value_counts()
        by_row = of_rows.map(named).value_counts()
        counted.extend(
            (step, reason, name, int(by_patient.get(name, 0)), int(by_row.get(name, 0))) for name in order
        )

    everyone = pd.Series(named.index, dtype=str)
    nobody = everyone.iloc[:0]
    for source, whose in (masks or {}).items():
        count(MASKS, source, everyone[everyone.map(owner).isin(list(whose))], nobody, but=nobody)
    count(COHORT, "", everyone, rows[PATIENT], but=nobody)
    left = everyone
    for step, reasons in [("label", dict.fromkeys(named.index[named == UNKNOWN], "no label")), *exclusions]:
        why = left[left.isin(list(reasons))].map(reasons)
        for reason in sorted(why.unique()):
            lost = left[why.index[why == reason]]
            left = left.drop(lost.index)
            count(f"{EXCLUDED}: {step}", reason, lost, rows[PATIENT][rows[PATIENT].isin(lost)], but=left)
    kept = rows[rows[PATIENT].isin(left)]
    usable = kept[STATUS] == "ok"
    short = kept[REASON][~usable].map(short_reason)
    for reason in sorted(short.unique()):
        count(LOST_ROWS, reason, nobody, kept[PATIENT][short.index[short == reason]], but=nobody)
    count(ANALYSED, "", left, kept[PATIENT][usable], but=nobody)
    table = pd.DataFrame(counted, columns=["step", "reason", "class", "patients", "rows"])
    lost_rows = pd.Series(sorted((set(named.index) - set(left)) | set(kept[PATIENT][~usable])), dtype=str)
    whole = _pairs(everyone, owner, named) - _pairs(lost_rows, owner, named)
    _warn_of_loss(table, whole, [name for name in classes if name not in left_out])
    return Flow(table, sorted(left))


def _pairs(units: pd.Series[str], owner: pd.Series[str], named: pd.Series[str]) -> set[tuple[str, str]]:
    """Return patient and class of the units, each once."""
    return set(zip(units.map(owner), units.map(named), strict=True))


def _warn_of_loss(table: pd.DataFrame, whole: set[tuple[str, str]], classes: Sequence[str]) -> None:
    """Warn of patients and of rows that are lost; ``whole``: patient and class of those who lost neither."""
    import pandas as pd

    sums = table.groupby(["step", "class"])[["patients", "rows"]].sum()
    before, after = (sums.loc[step].reindex(list(classes), fill_value=0) for step in (COHORT, ANALYSED))
    patients = before["patients"].sub(after["patients"])
    _warn_of_share("labelled patients", patients, before["patients"])
    _warn_of_difference("loss", patients, before["patients"])
    # The rows of a patient are lost together, so that patients who lost any row are compared, not rows.
    complete = pd.Series([name for _, name in whole], dtype=str).value_counts()
    complete = complete.reindex(list(classes), fill_value=0)
    some = before["patients"].sub(complete)
    if not some.equals(patients):
        _warn_of_share("labelled patients' rows", before["rows"].sub(after["rows"]), before["rows"])
        _warn_of_difference("loss of patients or some of their rows", some, before["patients"])


def _warn_of_share(whose: str, lost: pd.Series[int], before: pd.Series[int]) -> None:
    share = lost.sum() / max(before.sum(), 1)
    if share > LOSS_WARNING:
        _warn(f"{share:.0%} of the {whose} are lost ({_told(lost, before)})")


def _warn_of_difference(what: str, lost: pd.Series[int], before: pd.Series[int]) -> None:
    from scipy.stats import chi2_contingency

    present = before > 0
    if present.sum() < 2 or not lost.sum() or not (before - lost).sum():
        return
    p = chi2_contingency([lost[present], (before - lost)[present]], correction=False).pvalue
    if p < DIFFERENTIAL_P:
        told = _told(lost, before)
        _warn(f"{what} differs between the classes ({told}; chi-square p = {p:.2g}): the sample is selected")


def _told(lost: pd.Series[int], before: pd.Series[int]) -> str:
    return ", ".join(f"{name} {lost[name]} of {before[name]}" for name in before.index)


def _warn(message: str) -> None:
    warnings.warn(message, RadioboneWarning, stacklevel=2)

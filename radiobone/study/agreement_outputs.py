"""A comparison of masks from the cohort to its folder: table and manifest, summary, figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from radiobone.core.errors import UsageError
from radiobone.core.files import check_output
from radiobone.evaluation.strata import Strata
from radiobone.reporting.saving import save_figure_as
from radiobone.reporting.spread import Group, spread_figure
from radiobone.study.agreement import METRICS, Agreement, AgreementRequest, compare_pairs
from radiobone.study.agreement_pairs import MaskPair
from radiobone.study.agreement_records import TABLE, write_agreement
from radiobone.study.agreement_summary import SummaryOptions, cohort_strata, join_strata, summarise
from radiobone.tables.cohort import Cohort
from radiobone.tables.features import manifest_path, write_features
from radiobone.tables.keys import LEVEL, PATIENT, STATUS
from radiobone.tables.vertebrae import level_order

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

SUMMARY, FIGURES = "summary.csv", "figures"
SUFFIXES = (".png", ".pdf")

WORDS = {
    "dice": "Dice",
    "hd95_mm": "HD95 (mm)",
    "assd_mm": "ASSD (mm)",
    "volume_difference_ml": "volume difference (ml)",
    "volume_difference_percent": "volume difference (%)",
}
"""Figures as tables and pictures name them."""


@dataclass(frozen=True, eq=False)
class AgreementStudy:
    """All that was found.

    Parameters
    ----------
    agreement : Agreement
        A row for each level of each pair.
    summary : DataFrame
        Overall, by level and by stratum.
    """

    agreement: Agreement
    summary: pd.DataFrame


def run_agreement(
    pairs: Sequence[MaskPair],
    request: AgreementRequest,
    out: Path,
    *,
    names: tuple[str, str],
    cohort: Cohort | None = None,
    strata: Sequence[Strata] = (),
    options: SummaryOptions | None = None,
    jobs: int = 1,
    progress: bool = True,
) -> AgreementStudy:
    """Compare the masks of all pairs, and write what was found.

    Parameters
    ----------
    pairs : sequence of MaskPair
        The masks.
    request : AgreementRequest
        How they are compared.
    out : Path
        Folder for ``agreement.csv`` with its manifest, ``summary.csv`` and ``figures``.
    names : tuple of str
        What the first and the second masks are called.
    cohort : Cohort, optional
        Where the pairs come from; strata are columns of it.
    strata : sequence of Strata
        By what to sum up besides levels.
    options : SummaryOptions, optional
        How intervals are made.
    jobs : int, default 1
        Number of worker processes.
    progress : bool, default True
        Show a progress bar, if standard error is a terminal.

    Returns
    -------
    AgreementStudy
        As it was written.

    Raises
    ------
    UsageError
        If strata are asked for without a cohort or are none, or the folder cannot be written or holds other files
        of these names.
    """
    if strata and cohort is None:
        raise UsageError("strata are columns of a cohort table", do="give --cohort, or leave --strata out")
    # What is wrong with the request must not wait for the last pair.
    of_cohort = cohort_strata(cohort.table, strata) if cohort is not None else {}
    _check_folder(out, cohort)
    found = compare_pairs(pairs, request, jobs=jobs, progress=progress)
    parted = join_strata(found.table, cohort.table, of_cohort) if cohort is not None else {}
    options = options or SummaryOptions()
    summary = summarise(found.table, parted, options)
    write_agreement(out, found, request, names, strata, options, cohort)
    write_features(out / SUMMARY, summary)
    # A figure that is no longer defined would be taken for one of these masks.
    for stale in _figure_paths(out):
        stale.unlink(missing_ok=True)
    for name, figure in agreement_figures(found.table, names):
        save_figure_as(figure, out / FIGURES / name, SUFFIXES)
    return AgreementStudy(found, summary)


def _figure_paths(out: Path) -> list[Path]:
    return [out / FIGURES / f"{metric}{suffix}" for metric in METRICS for suffix in SUFFIXES]


def _check_folder(out: Path, cohort: Cohort | None) -> None:
    """Refuse a folder that cannot be written, or whose files of these names are no earlier comparison."""
    tables = [out / TABLE, out / SUMMARY]
    for path in tables:
        check_output(path, [cohort.path] if cohort is not None else [])
    found = [path for path in (*tables, *_figure_paths(out)) if path.exists()]
    if found and not manifest_path(out / TABLE).is_file():
        raise UsageError(
            "the folder holds files of these names that are no comparison of radiobone",
            where=str(out),
            got=", ".join(path.name for path in found),
            do="choose another folder",
        )


def agreement_figures(table: pd.DataFrame, names: tuple[str, str]) -> Iterator[tuple[str, Figure]]:
    """Draw each figure by level.

    Parameters
    ----------
    table : DataFrame
        The table of agreement.
    names : tuple of str
        What the first and the second masks are called.

    Yields
    ------
    tuple of str and Figure
        Name of the file without its suffix, and the figure; one for each metric that any row defines.
    """
    rows = table[table[STATUS] == "ok"]
    levels = sorted(set(rows[LEVEL]), key=level_order)
    counted = f"{rows[PATIENT].nunique()} patients, {len(rows)} levels"
    for metric in METRICS:
        groups = []
        for level in levels:
            values = rows.loc[rows[LEVEL] == level, metric]
            groups.append(Group(level, values.dropna().tolist(), int(values.isna().sum())))
        if not any(group.values for group in groups):
            continue
        signed = metric.startswith("volume")
        left_out = "; in brackets: levels that lack the figure" if any(group.undefined for group in groups) else ""
        yield (
            metric,
            spread_figure(
                groups,
                WORDS[metric],
                f"{names[1]} {'less' if signed else 'against'} {names[0]}\n{counted}",
                reference=0.0 if signed else None,
                told=f"Box: quartiles, line: median, diamond: mean. Below names: cases{left_out}.",
            ),
        )

"""The page of quality control of a cohort: the same checks as ``inspect``, with pictures.

Every worker writes the part of its scan to a temporary file, so that memory holds the pictures of one scan only. A
page holds so many scans that a browser opens it at once; those with the worst findings stand on the first page.
"""

from __future__ import annotations

import functools
import math
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from radiobone import __version__
from radiobone.core.batch import run_cases
from radiobone.core.errors import UsageError
from radiobone.core.files import check_output
from radiobone.core.provenance import now
from radiobone.features.request import ExtractionRequest
from radiobone.reporting.html import Html
from radiobone.reporting.qc_card import FLAGS, QcFinding, QcLine, scan_card
from radiobone.reporting.qc_page import QcHead, is_qc_page, plain_table, write_qc_page
from radiobone.study.checks import FACTS, ScanReport, Severity, check_scan, failed_report
from radiobone.study.confounding import ClassComparison
from radiobone.study.qc_pictures import scan_pictures
from radiobone.tables.cohort import Cohort, Scan
from radiobone.voi.options import option_text

INDEX = "index.html"
SCANS_PER_PAGE = 100
"""About 15 MB: a scan with five levels takes 100 to 200 kB."""

OVERVIEW = ("levels", "spacing_mm")
"""Facts that the overview shows, besides the columns asked for."""

_PAGE = re.compile(r"page_[0-9]+\.html")

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class QcCase:
    """One scan on its way to the page.

    Parameters
    ----------
    scan : Scan
        The scan.
    place : int
        Its row in the cohort table, from 0.
    facts : mapping of str to str
        What the cohort table says of it.
    part : Path
        Where its card goes.
    """

    scan: Scan
    place: int
    facts: Mapping[str, str]
    part: Path


@dataclass(frozen=True)
class QcSummary:
    """What was written.

    Parameters
    ----------
    pages : list of Path
        The first one is the index.
    reports : list of ScanReport
        In the order of the cohort.
    flags : dict of str to int
        Scans by their worst finding.
    """

    pages: list[Path]
    reports: list[ScanReport]
    flags: dict[str, int]


def write_qc(
    cohort: Cohort,
    request: ExtractionRequest,
    out: Path,
    *,
    columns: Sequence[str] = (),
    classes: ClassComparison | None = None,
    scans_per_page: int = SCANS_PER_PAGE,
    jobs: int = 1,
    progress: bool = True,
) -> QcSummary:
    """Check every scan of a cohort, and write the page that shows them.

    Parameters
    ----------
    cohort : Cohort
        The scans.
    request : ExtractionRequest
        Which VOIs are meant to be extracted.
    out : Path
        Folder for ``index.html``, and ``page_2.html`` and so on where there are more scans.
    columns : sequence of str
        Columns of the cohort table that are shown with each scan.
    classes : ClassComparison, optional
        Classes against acquisition, shown above.
    scans_per_page : int, default 100
        Scans of one page.
    jobs : int, default 1
        Number of worker processes.
    progress : bool, default True
        Show a progress bar, if standard error is a terminal.

    Returns
    -------
    QcSummary
        Pages and findings.

    Raises
    ------
    UsageError
        If a column is not there, or the folder cannot be written or holds other pages of these names.
    """
    missing = [name for name in columns if name not in cohort.table]
    if missing:
        known = ", ".join(map(str, cohort.table.columns))
        raise UsageError("the cohort table has no such column", got=", ".join(missing), expected=known)
    if scans_per_page < 1:
        raise UsageError("no number of scans", got=scans_per_page, expected="1 or more")
    shown = _shown(columns)
    _check_folder(out, cohort, scans_per_page)
    with tempfile.TemporaryDirectory(prefix=".part-", dir=out) as folder:
        cases = _cases(cohort, shown, Path(folder))
        outcomes = run_cases(
            cases,
            functools.partial(check_case, request=request),
            name=lambda case: case.scan.name,
            jobs=jobs,
            description="checking scans",
            progress=progress,
        )
        reports = [
            outcome.result or _failed(case, outcome.reason) for case, outcome in zip(cases, outcomes, strict=True)
        ]
        lines = [_line(case, report) for case, report in zip(cases, reports, strict=True)]
        flags = Counter(line.flag for line in lines)
        head = _head(cohort, request, flags, tuple(shown.values()), classes)
        pages = _write_pages(out, head, lines, cases, scans_per_page)
    return QcSummary(pages, reports, {flag: flags[flag] for flag in FLAGS if flags[flag]})


def _shown(columns: Sequence[str]) -> dict[str, str]:
    """Name columns of the cohort as the page does: what was measured has its own name."""
    return {name: f"{name} (cohort)" if name in FACTS else name for name in columns}


def _check_folder(out: Path, cohort: Cohort, scans_per_page: int) -> None:
    """Refuse a folder that cannot be written, or holds files under the names of pages that are none."""
    check_output(out / INDEX, [cohort.path])
    names = _page_names(len(cohort.table), scans_per_page)
    found = [name for name in names if (out / name).is_file() and not is_qc_page(out / name)]
    if found:
        raise UsageError(
            "the folder holds files of these names that are no pages of radiobone",
            where=str(out),
            got=", ".join(found),
            do="choose another folder",
        )


def _page_names(scans: int, scans_per_page: int) -> list[str]:
    return [INDEX, *(f"page_{number}.html" for number in range(2, math.ceil(scans / scans_per_page) + 1))]


def _cases(cohort: Cohort, shown: Mapping[str, str], folder: Path) -> list[QcCase]:
    rows = cohort.table[list(shown)].rename(columns=shown).astype(str).to_dict("records")
    return [
        QcCase(scan, place, {str(name): value for name, value in row.items()}, folder / f"{place}.html")
        for place, (scan, row) in enumerate(zip(cohort.scans(), rows, strict=True))
    ]


def check_case(case: QcCase, request: ExtractionRequest) -> ScanReport:
    """Check one scan and write its card.

    Parameters
    ----------
    case : QcCase
        The scan.
    request : ExtractionRequest
        Which VOIs are meant to be extracted.

    Returns
    -------
    ScanReport
        What was found.
    """
    checked = check_scan(case.scan, request)
    pictures = scan_pictures(case.scan.name, checked)
    line, findings = _line(case, checked.report), _findings(checked.report)
    card = scan_card(line, findings, pictures, "The scan cannot be read, so there is no picture.")
    case.part.write_text(card, encoding="utf-8")
    return checked.report


def _failed(case: QcCase, reason: str) -> ScanReport:
    """Report a check that failed itself, and write the card of its scan."""
    report = failed_report(case.scan, reason)
    card = scan_card(_line(case, report), _findings(report), (), "There is no picture.")
    case.part.write_text(card, encoding="utf-8")
    return report


def _line(case: QcCase, report: ScanReport) -> QcLine:
    counts: dict[str, int] = {severity: report.count(severity) for severity in SEVERITIES}
    return QcLine(case.scan.name, case.place, counts, {**case.facts, **report.facts})


def _findings(report: ScanReport) -> list[QcFinding]:
    return [QcFinding(finding.check, finding.severity, finding.message) for finding in report.findings]


def _head(
    cohort: Cohort,
    request: ExtractionRequest,
    flags: Mapping[str, int],
    columns: tuple[str, ...],
    classes: ClassComparison | None,
) -> QcHead:
    levels = ", ".join(request.levels) if request.levels else "all levels"
    values = {name: getattr(request.options, name) for name in request.recipe.options}
    told = [f"{name} {option_text(name, value)}" for name, value in values.items() if value is not None]
    voi = request.recipe.id + (f" ({', '.join(told)})" if told else "")
    sections = () if classes is None else (_class_section(classes),)
    return QcHead(
        title="Quality control",
        subtitle=f"{cohort.path.name} · VOI {voi} · {levels}",
        made=f"Made by radiobone {__version__}, {now()}. Cohort table: SHA-256 {cohort.sha256}.",
        counts=flags,
        overview=(*columns, *OVERVIEW),
        sections=sections,
    )


def _class_section(classes: ClassComparison) -> Html:
    names = classes.rule.names
    rows = [line for item in classes.found for line in item.lines(names)]
    told = f"{classes.counted}."
    if rows:
        told += " p by chi-square (categories) or Kruskal-Wallis (numbers)."
    if classes.linked:
        told += f" {', '.join(classes.linked)} differ between the classes: a model may learn them instead of bone."
    return plain_table("Classes against acquisition and demographics", ("", *names, "p"), rows, told)


def _write_pages(
    out: Path, head: QcHead, lines: Sequence[QcLine], cases: Sequence[QcCase], scans_per_page: int
) -> list[Path]:
    parts = {case.place: case.part for case in cases}
    ordered = sorted(lines, key=lambda line: line.order)
    chunks = [ordered[start : start + scans_per_page] for start in range(0, len(ordered), scans_per_page)]
    names = _page_names(len(ordered), scans_per_page)

    def cards(chunk: Sequence[QcLine]) -> Iterator[str]:
        for line in chunk:
            yield parts[line.place].read_text(encoding="utf-8")

    for name, chunk in zip(names, chunks, strict=True):
        write_qc_page(out / name, head, chunk, cards(chunk), names)
    # What an earlier run of more scans left would be linked by nothing, and might be taken for a part of this one.
    for stale in out.glob("page_*.html"):
        if stale.name not in names and _PAGE.fullmatch(stale.name) and is_qc_page(stale):
            stale.unlink()
    return [out / name for name in names]

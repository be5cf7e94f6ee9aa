"""The page of a cohort: the findings of the checks, pictures of all that can be read, and pages for many."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

import radiobone.study.qc
from radiobone.core.errors import UsageError
from radiobone.features.request import ExtractionRequest
from radiobone.imaging import Geometry, Image, Mask
from radiobone.imaging.pictures import COLOURS
from radiobone.imaging.reading import read_mask
from radiobone.imaging.writing import write_image, write_mask
from radiobone.study.checks import CheckedScan, ScanReport, check_scan, inspect_scan, inspect_scans
from radiobone.study.confounding import compare_classes
from radiobone.study.qc import write_qc
from radiobone.study.qc_pictures import scan_pictures
from radiobone.tables.cohort import Scan, read_cohort
from radiobone.voi import find_recipe

GRID = Geometry((60, 40, 40), (2.0, 1.5, 1.5), (-30.0, -30.0, 0.0))
NASTY = "<script>window.hit=1</script>"


def request(**changes) -> ExtractionRequest:
    return ExtractionRequest(**{"recipe": find_recipe("label"), "blocks": (), "scheme": "verse", **changes})


@pytest.fixture
def cohort(tmp_path):
    hu = np.random.default_rng(0).integers(-200, 400, GRID.shape).astype(np.int16)
    labels = np.zeros(GRID.shape, np.uint8)
    labels[38:50, 10:30, 12:28] = 20
    labels[18:30, 10:30, 12:28] = 21
    write_image(Image(hu, GRID), tmp_path / "ct.nii.gz")
    write_mask(Mask(labels, GRID), tmp_path / "mask.nii.gz")
    write_mask(Mask(labels, replace(GRID, origin_mm=(9.0, 0.0, 0.0))), tmp_path / "moved.nii.gz")
    labels[48:60, 10:30, 12:28] = 20
    write_mask(Mask(labels, GRID), tmp_path / "cut.nii.gz")
    rows = [
        "patient_id,image,mask,sex,bmd_mg_cm3",
        "p1,ct.nii.gz,mask.nii.gz,f,70",
        f"{NASTY},ct.nii.gz,cut.nii.gz,{NASTY},130",
        "p3,none.nii.gz,mask.nii.gz,m,70",
        "p4,ct.nii.gz,moved.nii.gz,m,100",
        "p5,ct.nii.gz,mask.nii.gz,m,110",
    ]
    (tmp_path / "cohort.csv").write_text("\n".join(rows) + "\n")
    return read_cohort(tmp_path / "cohort.csv")


def scan(folder, mask="mask.nii.gz", image="ct.nii.gz") -> Scan:
    return Scan("p1", "1", folder / image, folder / mask)


def shown(path) -> list[str]:
    return re.findall(r'<article [^>]*data-name="([^"]*)"', path.read_text(encoding="utf-8"))


def test_the_page_shows_what_inspect_finds_the_worst_first(tmp_path, cohort):
    summary = write_qc(cohort, request(), tmp_path / "qc", columns=("sex",), progress=False)
    assert summary.reports == inspect_scans(cohort.scans(), request(), progress=False)
    assert summary.flags == {"error": 2, "warning": 1, "clear": 2}
    assert summary.pages == [tmp_path / "qc" / "index.html"]
    nasty = "patient &lt;script&gt;window.hit=1&lt;/script&gt;, scan 1"
    assert shown(summary.pages[0]) == [
        "patient p3, scan 1",
        "patient p4, scan 1",
        nasty,
        "patient p1, scan 1",
        "patient p5, scan 1",
    ]
    text = summary.pages[0].read_text(encoding="utf-8")
    assert text.count("<script") == 1
    for report in summary.reports:
        for finding in report.findings:
            assert finding.message.split(" | ")[0] in text
    assert [path.name for path in (tmp_path / "qc").iterdir()] == ["index.html"]


@pytest.fixture
def _unread(monkeypatch):
    """Let scans be checked in no time, without findings."""
    monkeypatch.setattr(
        radiobone.study.qc, "check_scan", lambda scan, request: CheckedScan(ScanReport(scan, (), {}))
    )


@pytest.mark.usefixtures("_unread")
def test_one_scan_whose_pictures_fail_stops_no_other(tmp_path, cohort, monkeypatch):
    def fail(name, checked):
        if "p1" in name:
            raise ZeroDivisionError("no such picture")
        return []

    monkeypatch.setattr(radiobone.study.qc, "scan_pictures", fail)
    summary = write_qc(cohort, request(), tmp_path / "qc", progress=False)
    assert summary.reports[0].findings[0].message.startswith("unexpected ZeroDivisionError")
    assert len(shown(summary.pages[0])) == 5


@pytest.mark.usefixtures("_unread")
def test_many_scans_fill_several_pages(tmp_path, cohort):
    summary = write_qc(cohort, request(), tmp_path / "qc", scans_per_page=2, progress=False)
    assert [path.name for path in summary.pages] == ["index.html", "page_2.html", "page_3.html"]
    assert [len(shown(path)) for path in summary.pages] == [2, 2, 1]
    assert "page_3.html" in summary.pages[0].read_text()
    others = ("page_7.html", "page_x.html")
    for name in others:
        (tmp_path / "qc" / name).write_text("another's")
    fewer = write_qc(cohort, request(), tmp_path / "qc", progress=False)
    assert sorted(path.name for path in (tmp_path / "qc").iterdir()) == ["index.html", *others]
    assert len(shown(fewer.pages[0])) == 5


@pytest.mark.parametrize("name", ["index.html", "page_3.html"])
def test_pages_that_are_none_of_ours_are_not_overwritten(tmp_path, cohort, name):
    own = tmp_path / "qc" / name
    own.parent.mkdir()
    own.write_text("another's")
    with pytest.raises(UsageError, match=rf"no pages of radiobone.*{name}"):
        write_qc(cohort, request(), own.parent, scans_per_page=2, progress=False)
    assert own.read_text() == "another's"


@pytest.mark.usefixtures("_unread")
def test_columns_are_shown_once_and_never_as_what_was_measured(tmp_path, cohort):
    cohort.table["levels"] = "of the table"
    columns = ("sex", "levels", "sex")
    text = write_qc(cohort, request(), tmp_path / "qc", columns=columns, progress=False).pages[0].read_text()
    heads = re.findall(r'<th scope="col">([^<]*)</th>', text)
    assert heads == ["sex", "levels (cohort)", "levels", "spacing_mm"]
    assert "<dt>levels (cohort)</dt><dd><bdi>of the table</bdi></dd>" in text


@pytest.mark.usefixtures("_unread")
def test_the_page_tells_options_that_are_set(tmp_path, cohort):
    trabecular = request(recipe=find_recipe("trabecular"))
    text = write_qc(cohort, trabecular, tmp_path / "qc", progress=False).pages[0].read_text()
    assert "cohort.csv · VOI trabecular@1 (erosion_mm 3.0) · all levels" in text


@pytest.mark.usefixtures("_unread")
def test_every_page_tells_the_whole_cohort(tmp_path, cohort):
    summary = write_qc(cohort, request(), tmp_path / "qc", scans_per_page=2, progress=False)
    assert "<b>5</b> scans" in summary.pages[2].read_text(), "totals are those of the whole cohort"


def test_what_cannot_be_shown_is_refused_before_any_scan_is_read(tmp_path, cohort):
    with pytest.raises(UsageError, match="no such column"):
        write_qc(cohort, request(), tmp_path / "qc", columns=("kvp",), progress=False)
    with pytest.raises(UsageError, match="no number of scans"):
        write_qc(cohort, request(), tmp_path / "qc", scans_per_page=0, progress=False)
    assert not (tmp_path / "qc").exists()


@pytest.mark.usefixtures("_unread")
def test_classes_stand_above_the_scans(tmp_path, cohort):
    found = compare_classes(cohort.table, None, "cohort.csv")
    assert found is not None
    summary = write_qc(cohort, request(), tmp_path / "qc", classes=found, progress=False)
    text = summary.pages[0].read_text(encoding="utf-8")
    assert "Classes against acquisition and demographics" in text
    assert "1 normal, 2 osteopenia, 2 osteoporosis" in text


def test_a_failed_segmentation_is_told_as_such(tmp_path, cohort):
    failed = replace(scan(tmp_path, "none.nii.gz"), unsegmented="no vertebra found")
    (finding,) = inspect_scan(failed, request()).findings
    assert finding.message == "segmentation failed: no vertebra found"


class TestPictures:
    def test_one_of_the_spine_and_one_of_each_voi(self, tmp_path, cohort):
        checked = check_scan(scan(tmp_path), request())
        large, *small = scan_pictures("p1", checked)
        assert large.alt == "Mid-sagittal picture of p1 with the contours of L1, L2"
        assert large.sides == ("A", "P")
        assert [name for name, _, _ in large.names] == ["L1", "L2"]
        assert [picture.title for picture in small] == ["L1", "L2"]
        assert small[0].facts[1] == "17.3 ml"
        assert small[0].sides == ("R", "L")
        assert not any(picture.flagged for picture in small)

    def test_contours_and_names_lie_where_the_levels_are(self, tmp_path, cohort):
        large, *_ = scan_pictures("p1", check_scan(scan(tmp_path), request()))
        assert large.colours == list(COLOURS[:2])
        spans = {}
        for number, (_, row, end) in enumerate(large.names, start=1):
            rows, columns = np.nonzero(large.contours == number)
            spans[number] = rows
            assert rows.min() < row < rows.max()
            assert end < columns.min()
            height = np.ptp(rows) * large.mm_per_pixel
            assert height == pytest.approx(24.0, abs=2.0)
            assert np.ptp(columns) * large.mm_per_pixel == pytest.approx(30.0, abs=2.0)
        assert spans[1].max() < spans[2].min(), "L1 lies above L2"

    def test_a_level_without_voi_shows_its_label_and_is_flagged(self, tmp_path, cohort):
        recipe = find_recipe("trabecular")
        _, *small = scan_pictures("p1", check_scan(scan(tmp_path), request(recipe=recipe)))
        assert [picture.flagged for picture in small] == [True, True]
        assert small[0].facts == ("no VOI",)
        assert (small[0].contours > 0).any()

    def test_a_voi_of_two_levels_is_shown_where_there_is_any_of_it(self, tmp_path, cohort):
        _, both = scan_pictures("p1", check_scan(scan(tmp_path), request(levels=("L1+L2",))))
        rows, columns = np.nonzero(both.contours)
        assert [np.ptp(rows) * 0.6, np.ptp(columns) * 0.6] == pytest.approx([30.0, 24.0], abs=2.0)

    def test_names_leave_room_for_the_letter_at_the_edge(self, tmp_path, cohort):
        labels = read_mask(tmp_path / "mask.nii.gz").full()
        labels[:, :10] = labels[:, 10:20]
        write_mask(Mask(labels, GRID), tmp_path / "wide.nii.gz")
        large, *_ = scan_pictures("p1", check_scan(scan(tmp_path, "wide.nii.gz"), request()))
        assert [end for _, _, end in large.names] == [40.0, 40.0]

    def test_a_cut_voi_is_flagged(self, tmp_path, cohort):
        _, *small = scan_pictures("p1", check_scan(scan(tmp_path, "cut.nii.gz"), request()))
        assert [picture.flagged for picture in small] == [True, False]

    def test_a_scan_without_usable_mask_is_shown_without_contours(self, tmp_path, cohort):
        for mask in ("moved.nii.gz", "none.nii.gz"):
            (alone,) = scan_pictures("p1", check_scan(scan(tmp_path, mask), request()))
            assert not alone.contours.any()
            assert np.ptp(alone.grey) > 100

    def test_a_scan_that_cannot_be_read_has_none(self, tmp_path, cohort):
        assert scan_pictures("p1", check_scan(scan(tmp_path, image="none.nii.gz"), request())) == []

    def test_a_mask_of_many_levels_has_names_that_do_not_cover_each_other(self, tmp_path, cohort):
        labels = read_mask(tmp_path / "mask.nii.gz").full()
        labels[:] = 0
        for place in range(6):
            labels[54 - 3 * place : 56 - 3 * place, 10:30, 12:28] = 8 + place
        write_mask(Mask(labels, GRID), tmp_path / "many.nii.gz")
        large, *_ = scan_pictures("p1", check_scan(scan(tmp_path, "many.nii.gz"), request()))
        rows = [row for _, row, _ in large.names]
        assert len(rows) == 6
        assert np.diff(rows).min() >= 14


@pytest.mark.slow
@pytest.mark.shared_data
def test_three_real_spines_in_a_browser(tmp_path, shared_data, browser):
    spine = shared_data / "spine"
    rows = ["patient_id,image,mask"]
    for name, image, mask in (
        ("total", "totalseg_example/ct.nii.gz", "totalseg_example/vertebrae_ts_labels.nii.gz"),
        ("verse", "verse012/sub-verse012_ct.nii.gz", "verse012/sub-verse012_seg-vert_msk.nii.gz"),
        (f'"{NASTY}"', "tptbox_l3/sub-ct_label-22_ct.nii.gz", "tptbox_l3/sub-ct_seg-vert_label-22_msk.nii.gz"),
        ("mixed", "totalseg_example/ct.nii.gz", "verse012/sub-verse012_seg-vert_msk.nii.gz"),
    ):
        rows.append(f"{name},{spine / image},{spine / mask}")
    (tmp_path / "cohort.csv").write_text("\n".join(rows) + "\n")
    trabecular = request(recipe=find_recipe("trabecular"), scheme="auto")
    summary = write_qc(read_cohort(tmp_path / "cohort.csv"), trabecular, tmp_path / "qc", progress=False)
    assert summary.pages[0].stat().st_size < 1_500_000
    browser.get(summary.pages[0].as_uri())
    widths = browser.execute_script("return [...document.images].map(i => i.complete ? i.naturalWidth : 0)")
    assert len(widths) == 2 * (1 + 1 + 8 + 1 + 6 + 1 + 3)
    assert min(widths) > 100
    assert browser.execute_script("return [typeof window.hit, document.scripts.length]") == ["undefined", 1]
    assert browser.get_log("browser") == []
    shown_levels = "return [...document.querySelectorAll('article')].map(a => a.querySelectorAll('.level').length)"
    assert sorted(browser.execute_script(shown_levels)) == [0, 3, 6, 8]
    # The collapsed L1 of the VerSe spine.
    assert "fracture? grade" in browser.find_element("css selector", "main").text

"""The page of quality control: what stands in it, and what it does in a browser."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from radiobone.reporting.qc_card import QcFinding, QcLine, QcPicture, scan_card
from radiobone.reporting.qc_page import QcHead, plain_table, write_qc_page

NASTY = "</script><script>window.hit=1</script><img src=x onerror='window.hit=2'>\" onload=\"window.hit=3"
MADE = f"Made now. Cohort table: SHA-256 {'0' * 64}."
FINDINGS = {
    "p10": [("geometry", "error", "not one grid | where: p10 | do: look")],
    "p2": [("VOI", "warning", "L1: cut"), ("VOI", "note", "L2: two parts")],
    "p1": [],
    "p3": [("labels", "note", "labels 99")],
    NASTY: [("VOI", "warning", NASTY), ("file", "warning", "second"), ("file", "warning", "third")],
}


def picture(title: str = "mid-sagittal", **changes) -> QcPicture:
    grey = np.random.default_rng(0).integers(0, 255, (60, 50)).astype(np.uint8)
    contours = np.zeros((60, 50), np.uint8)
    contours[20:40, 25] = 1
    given = {"alt": f"Picture of {title}", "title": title, "names": [(title, 30.0, 20.0)], "sides": ("A", "P")}
    return QcPicture(grey, contours, [(230, 159, 0)], **{**given, **changes})


def write(path, pages=()):
    lines, cards = [], []
    for place, (name, found) in enumerate(FINDINGS.items()):
        findings = [QcFinding(*one) for one in found]
        counts = {kind: sum(one.severity == kind for one in findings) for kind in ("error", "warning", "note")}
        line = QcLine(name, place, counts, {"sex": NASTY if name == NASTY else "f", "levels": "L1 L2"})
        pictures = [] if name == "p10" else [picture(), picture("L1", flagged=True), picture(NASTY)]
        lines.append(line)
        cards.append(scan_card(line, findings, pictures, "There is no picture."))
    section = plain_table("Classes", ("", "normal"), [("sex f", "2"), (NASTY, NASTY)], "Told.")
    head = QcHead("Quality control", NASTY, MADE, {"error": 1, "warning": 2}, ("sex", "levels"), (section,))
    write_qc_page(path, head, lines, cards, pages)
    return path


class Parsed(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.content: dict[str, str] = {}
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag):
        self._open = ""

    def handle_data(self, data):
        self.content[self._open] = self.content.get(self._open, "") + data

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag == name]


def test_worst_findings_come_first():
    def line(place, **counts):
        return QcLine(f"p{place}", place, counts)

    lines = [line(0), line(1, note=3), line(2, warning=1), line(3, error=1), line(4, warning=2), line(5, note=3)]
    assert [item.place for item in sorted(lines, key=lambda item: item.order)] == [3, 4, 2, 1, 5, 0]
    assert [item.flag for item in lines] == ["clear", "note", "warning", "error", "warning", "note"]


def test_text_of_patients_is_text_everywhere(tmp_path):
    text = write(tmp_path / "index.html").read_text(encoding="utf-8")
    parsed = Parsed(text)
    assert len(parsed.all("script")) == 1
    assert not [name for _, attributes in parsed.elements for name in attributes if name.startswith("on")]
    assert not [attributes for _, attributes in parsed.elements if "style" in attributes]
    sources = [attributes["src"] for _, attributes in parsed.elements if "src" in attributes]
    assert len(sources) == 2 * 3 * 4
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert text.count("&lt;script&gt;window.hit=1") >= 8


def test_the_policy_allows_its_own_style_and_script_alone(tmp_path):
    parsed = Parsed(write(tmp_path / "index.html").read_text(encoding="utf-8"))
    policy = next(item["content"] for item in parsed.all("meta") if item.get("http-equiv"))
    assert policy.startswith("default-src 'none'; img-src data:;")
    for element in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(parsed.content[element].encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy
    assert not re.search(r"https?:|//", policy)


def test_pictures_have_texts_for_those_who_do_not_see_them(tmp_path):
    parsed = Parsed(write(tmp_path / "index.html").read_text(encoding="utf-8"))
    images = parsed.all("img")
    assert {item["alt"] for item in images if item.get("class") != "contours"} == {
        "Picture of mid-sagittal",
        "Picture of L1",
        f"Picture of {NASTY}",
    }
    assert {item["alt"] for item in images if item.get("class") == "contours"} == {""}


def test_pages_link_to_each_other(tmp_path):
    assert "<nav" not in write(tmp_path / "index.html").read_text()
    parsed = Parsed(write(tmp_path / "page_2.html", ["index.html", "page_2.html"]).read_text())
    links = [item for item in parsed.all("a") if not str(item["href"]).startswith("#")]
    assert [item["href"] for item in links] == ["index.html", "page_2.html"] * 2
    assert [item.get("aria-current") for item in links] == [None, "page"] * 2


@pytest.fixture
def page(browser, tmp_path):
    browser.get(write(tmp_path / "index.html").as_uri())
    return browser


def names(browser) -> list[str]:
    return browser.execute_script(
        "return [...document.querySelectorAll('article')].filter(c => !c.hidden).map(c => c.dataset.name)"
    )


def choose(browser, control: str, value: str) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.select import Select

    Select(browser.find_element(By.ID, control)).select_by_value(value)


@pytest.mark.slow
def test_pictures_load_and_nothing_else_does(page):
    loaded = page.execute_script("return [...document.images].map(i => i.complete && i.naturalWidth)")
    assert loaded == [50] * 24
    assert page.execute_script("return document.images[0].offsetWidth") > 0
    assert page.execute_script("return performance.getEntriesByType('resource').map(e => e.name)") == []
    assert page.get_log("browser") == []
    assert page.title == "Quality control"


@pytest.mark.slow
def test_no_text_of_a_patient_becomes_a_script(page):
    assert page.execute_script("return [typeof window.hit, document.scripts.length]") == ["undefined", 1]
    shown = page.execute_script("return document.querySelectorAll('article h2')[1].textContent")
    assert shown == NASTY


@pytest.mark.slow
def test_scans_are_sorted_by_flag_name_findings_and_as_in_the_cohort(page):
    from selenium.webdriver.common.by import By

    assert names(page) == ["p10", NASTY, "p2", "p3", "p1"]
    choose(page, "sort", "name")
    assert names(page) == [NASTY, "p1", "p2", "p3", "p10"], "numbers in names count as numbers"
    choose(page, "sort", "place")
    assert names(page) == list(FINDINGS)
    page.find_element(By.CSS_SELECTOR, "th[data-key=findings] button").click()
    assert names(page) == [NASTY, "p2", "p10", "p3", "p1"]
    rows = page.execute_script("return [...document.querySelectorAll('#overview tr')].map(r => r.dataset.name)")
    assert rows == names(page)
    sorted_by = page.execute_script(
        "return [...document.querySelectorAll('th[aria-sort]')].map(h => h.dataset.key)"
    )
    assert sorted_by == ["findings"]


@pytest.mark.slow
def test_scans_are_filtered_by_flag_and_text(page):
    from selenium.webdriver.common.by import By

    choose(page, "filter", "review")
    assert names(page) == ["p10", NASTY, "p2"]
    choose(page, "filter", "clear")
    assert names(page) == ["p3", "p1"]
    choose(page, "filter", "all")
    find = page.find_element(By.ID, "find")
    find.send_keys("NOT ONE grid")
    assert names(page) == ["p10"]
    assert page.find_element(By.ID, "shown").text == "1 of 5 shown"
    find.send_keys(" nowhere")
    assert names(page) == []
    assert page.find_element(By.ID, "none").is_displayed()


@pytest.mark.slow
def test_contours_lie_on_the_picture_and_can_be_hidden(page):
    from selenium.webdriver.common.by import By

    places = page.execute_script(
        "return [...document.querySelectorAll('.picture')].map(p => [...p.children].map(c => {"
        "const r = c.getBoundingClientRect(); return [r.x, r.y, r.width, r.height].map(Math.round).join()}))"
    )
    assert len(places) == 12
    assert all(len(set(of_picture)) == 1 for of_picture in places), "grey, contours and names cover each other"
    contours = page.find_elements(By.CLASS_NAME, "contours")
    assert contours[0].is_displayed()
    page.find_element(By.ID, "contours").click()
    assert not contours[0].is_displayed()


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 800, 1600])
def test_no_width_needs_sideways_scrolling(page, width):
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
    )
    try:
        assert page.execute_script("return document.documentElement.scrollWidth") <= width
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

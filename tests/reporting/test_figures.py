"""What all figures obey: nothing overlaps or is cut off, the same bytes each time, no global state."""

from __future__ import annotations

import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from report_samples import CONFUSION, FIGURES, overlaps, texts

from radiobone.core.errors import UsageError
from radiobone.reporting.confusion import Confusion, confusion_figure
from radiobone.reporting.saving import save_figure, save_figure_as
from radiobone.reporting.style import PAGE_INCH, drawing


@pytest.fixture(scope="module", params=FIGURES)
def figure(request):
    return FIGURES[request.param]()


def test_no_text_overlaps_another(figure):
    assert overlaps(texts(figure)) == []


def test_the_check_of_overlaps_can_fail():
    with drawing() as (figure, (axes,)):
        axes.text(0.5, 0.5, "one text")
        axes.text(0.52, 0.51, "another")
    assert overlaps(texts(figure)) == [("one text", "another")]


def test_all_text_lies_within_the_picture(figure):
    width, height = figure.get_size_inches() * figure.dpi
    for text, box in texts(figure):
        assert box.x0 >= -0.5, text
        assert box.y0 >= -0.5, text
        assert box.x1 <= width + 0.5, text
        assert box.y1 <= height + 0.5, text


def test_it_fits_a_page(figure):
    width, height = figure.get_size_inches()
    assert width <= PAGE_INCH + 1e-9
    assert height <= 9.5


def test_no_legend_covers_a_curve(figure):
    for axes in figure.axes:
        legend = axes.get_legend()
        if legend is not None:
            assert legend.get_window_extent().y1 < axes.get_window_extent().y0


def test_no_height_is_left_empty(figure):
    box = figure.get_tightbbox()
    height = figure.get_size_inches()[1]
    assert height - box.height < 0.35


@pytest.mark.parametrize("suffix", [".png", ".svg", pytest.param(".pdf", marks=pytest.mark.slow)])
def test_files_are_the_same_to_the_byte(tmp_path, suffix, monkeypatch):
    paths = [tmp_path / f"{number}{suffix}" for number in range(3)]
    figure = confusion_figure([CONFUSION])
    save_figure(figure, paths[0])
    save_figure(figure, paths[1])
    # A user's own settings and another day change nothing.
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 20.0)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    save_figure(confusion_figure([CONFUSION]), paths[2])
    contents = {path.read_bytes() for path in paths}
    assert len(contents) == 1
    assert len(contents.pop()) > 2000
    assert sorted(tmp_path.iterdir()) == paths


@pytest.mark.parametrize(
    "name", ["roc", *(pytest.param(name, marks=pytest.mark.slow) for name in ("forest", "selection"))]
)
def test_drawing_again_gives_the_same_bytes(tmp_path, name):
    for number in range(2):
        save_figure(FIGURES[name](), tmp_path / f"{number}.svg")
    assert (tmp_path / "0.svg").read_bytes() == (tmp_path / "1.svg").read_bytes()


def test_png_has_the_resolution_asked_for(tmp_path):
    figure = confusion_figure([CONFUSION])
    save_figure(figure, tmp_path / "figure.png", dpi=150)
    header = (tmp_path / "figure.png").read_bytes()[16:24]
    width, height = int.from_bytes(header[:4]), int.from_bytes(header[4:])
    np.testing.assert_allclose([width, height], 150 * figure.get_size_inches(), atol=1)


def test_a_picture_and_a_drawing_stand_side_by_side(tmp_path):
    paths = save_figure_as(confusion_figure([CONFUSION]), tmp_path / "confusion.png")
    assert paths == [tmp_path / "confusion.png", tmp_path / "confusion.pdf"]
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    named = save_figure_as(confusion_figure([CONFUSION]), tmp_path / "lasso_L1.trabecular", (".svg",))
    assert named == [tmp_path / "lasso_L1.trabecular.svg"]


def test_other_formats_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"\.png, \.svg, \.pdf"):
        save_figure(confusion_figure([CONFUSION]), tmp_path / "figure.jpg")
    assert list(tmp_path.iterdir()) == []


def test_nothing_global_is_touched():
    code = (
        "import sys, numpy as np; from radiobone.reporting.figures import Confusion, confusion_figure;"
        "confusion_figure([Confusion('t', ('a', 'b'), np.eye(2, dtype=int), 2)]);"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_confusion_has_counts_row_percentages_and_the_given_order():
    (axes,) = confusion_figure([CONFUSION]).axes
    cells = [text.get_text() for text in axes.texts]
    assert cells[:6] == ["14\n70 %", "6\n30 %", "0\n0 %", "4\n20 %", "11\n55 %", "5\n25 %"]
    assert set(cells[6:]) == {"0\nn/a"}
    assert [label.get_text() for label in axes.get_xticklabels()] == list(CONFUSION.classes)
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "normal\n(20 patients)",
        "osteopenia\n(20 patients)",
        "osteoporosis\n(0 patients)",
    ]
    assert axes.get_title(loc="left") == "three classes\n40 patients"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Predicted class", "True class")
    np.testing.assert_allclose(axes.images[0].get_array()[1], [0.2, 0.55, 0.25])


def test_predictions_are_not_called_patients():
    twice = Confusion("title", ("a", "b"), np.array([[14, 6], [4, 16]]), 20)
    (axes,) = confusion_figure([twice]).axes
    assert axes.get_title(loc="left") == "title\n40 predictions of 20 patients"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a\n(20 predictions)", "b\n(20 predictions)"]


def test_confusion_of_the_wrong_shape_is_refused():
    with pytest.raises(ValueError, match="2 classes"):
        Confusion("title", ("a", "b"), np.zeros((3, 3), dtype=int), 0)
    with pytest.raises(ValueError, match="nothing to draw"):
        confusion_figure([])

"""Cases as points over their quartiles."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from radiobone.reporting.spread import Group, spread_figure


def texts(figure) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_xticklabels()]


def test_every_case_is_a_point_and_quartiles_are_a_box():
    values = np.arange(1.0, 10.0).tolist()
    figure = spread_figure([Group("L1", values, 2), Group("L2", [3.0, 4.0])], "mm", "title", reference=0.0)
    (axes,) = figure.axes
    points = [line.get_ydata().tolist() for line in axes.lines if line.get_marker() == "o"]
    assert points == [values, [3.0, 4.0]]
    heights = [sorted(set(np.ravel(line.get_ydata()))) for line in axes.lines if line.get_marker() in ("", "None")]
    assert [3.0, 7.0] in heights, "the quartiles"
    assert [5.0] in heights, "the median"
    (mean,) = [line.get_ydata().tolist() for line in axes.lines if line.get_marker() == "D"]
    assert mean == [5.0]
    assert texts(figure) == ["L1\n9 (+2)", "L2\n2"]


def test_points_stay_beside_each_other_and_are_the_same_each_time():
    def places():
        axes = spread_figure([Group("L1", np.zeros(50).tolist())], "mm", "title").axes[0]
        return next(line.get_xdata() for line in axes.lines if line.get_marker() == "o")

    assert np.array_equal(places(), places())
    assert np.abs(places()).max() < 0.3
    assert np.diff(np.sort(places())).min() > 0.003


@pytest.mark.parametrize("names", [["L1", "L2"], ["sacrum", "femur_left"] * 9, [f"label_{n}" for n in range(40)]])
def test_names_never_cover_each_other(names):
    figure = spread_figure([Group(name, [1.0, 2.0], 1) for name in names], "mm", "title")
    figure.canvas.draw()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_xticklabels()]
    assert not any(one.x1 > other.x0 for one, other in pairwise(boxes) if len(names) < 40)
    assert min(box.y0 for box in boxes) >= 0


def test_a_group_without_values_keeps_its_place_and_none_at_all_is_refused():
    figure = spread_figure([Group("L1", [], 3), Group("L2", [1.0])], "mm", "title")
    assert texts(figure) == ["L1\n0 (+3)", "L2\n1"]
    with pytest.raises(ValueError, match="nothing to draw"):
        spread_figure([Group("L1", [])], "mm", "title")

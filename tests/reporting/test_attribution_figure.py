"""Pictures of attribution: what is drawn over what, with which colours."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from radiobone.reporting.attribution import HeatPicture, attribution_figure
from radiobone.reporting.saving import save_figure

ROWS, COLUMNS = np.mgrid[:24, :32]
PICTURE = HeatPicture(
    "axial, slice 3", ROWS / 24.0, np.where(ROWS < 12, COLUMNS * 2.0, 0.0), (ROWS > 8) & (COLUMNS > 8)
)
WORDS = {"title": "patient 7, L1", "told": "40 % lie in the VOI", "label": "loss", "below": "Line: the VOI."}


def panels(figure):
    return [axes for axes in figure.axes if axes.images]


def test_grey_stands_beside_the_same_with_heat():
    left, right = panels(attribution_figure([PICTURE], **WORDS))
    assert [len(axes.images) for axes in (left, right)] == [1, 2]
    for axes in (left, right):
        np.testing.assert_array_equal(axes.images[0].get_array(), PICTURE.grey)
        assert axes.images[0].get_cmap().name == "gray"
        assert len(axes.collections) == 1, "the VOI's edge"
    heat = right.images[1]
    np.testing.assert_allclose(heat.get_array(), PICTURE.heat / 62.0)
    assert heat.get_clim() == (0.0, 1.0)
    assert left.get_title(loc="left").splitlines() == ["patient 7, L1", "axial, slice 3"]
    assert right.get_title(loc="left") == "40 % lie in the VOI"
    assert right.child_axes[0].get_ylabel() == "loss"


def test_all_pictures_share_one_scale():
    weak = dataclasses.replace(PICTURE, title="axial, slice 9", heat=PICTURE.heat / 4, aspect=2.0)
    found = panels(attribution_figure([PICTURE, weak], **WORDS))
    assert [axes.images[1].get_array().max() for axes in found[1::2]] == [1.0, 0.25]
    assert [axes.get_aspect() for axes in found] == [1.0, 1.0, 2.0, 2.0]


def test_what_lowers_the_target_has_colours_of_its_own():
    mixed = dataclasses.replace(PICTURE, heat=PICTURE.heat - 80.0)
    heat = panels(attribution_figure([mixed], **WORDS))[1].images[1]
    assert heat.get_clim() == (-1.0, 1.0)
    assert heat.get_cmap().name == "RdBu_r"


@pytest.mark.parametrize("inside", [False, True])
def test_a_voi_without_an_edge_and_no_heat_are_drawn_too(inside, tmp_path):
    plain = dataclasses.replace(PICTURE, inside=np.full((24, 32), inside), heat=np.zeros((24, 32)))
    for name in ("one.png", "other.png"):
        save_figure(attribution_figure([plain], **WORDS), tmp_path / name, dpi=60)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "other.png").read_bytes()


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="nothing to draw"):
        attribution_figure([], **WORDS)
    with pytest.raises(ValueError, match=r"pictures of one size.*\(24, 32\), \(2, 2\)"):
        dataclasses.replace(PICTURE, heat=np.zeros((2, 2)))

"""Names of levels: parted, ordered and counted, on bodies whose names are known."""

from __future__ import annotations

import numpy as np
import pytest

from radiobone.core.errors import ModelError, UsageError, VoiError
from radiobone.imaging import Geometry, Mask
from radiobone.imaging.reading import read_mask
from radiobone.segmentation.labels import choose_values, instance_label, names_levels
from radiobone.segmentation.naming import Anchor, name_levels, parse_anchor
from radiobone.voi.schemes import TOTALSEGMENTATOR, VERSE

LPS = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def spine(number=5, step=16, joined=True, direction=LPS, bottom=6):
    """Bodies of 12 voxels' height with an arch behind, joined by thin joints; the lowest first along z."""
    array = np.zeros((bottom + number * step + 2, 40, 40), dtype=np.uint8)
    for place in range(number):
        z = bottom + place * step
        array[z : z + 11, 4:22, 10:30] = 1
        array[z + 3 : z + 8, 22:34, 18:22] = 1
    if joined:
        array[bottom : bottom + (number - 1) * step + 8, 26:29, 19:21] = 1
    return Mask(array, Geometry(array.shape, (1.5, 1.5, 1.5), direction=direction))


def middles(mask, scheme=VERSE):
    """Height of each named level's middle, in voxels."""
    return {scheme.level(value): np.argwhere(mask.array == value)[:, 0].mean() for value in mask.labels()}


@pytest.mark.parametrize("joined", [False, True])
def test_levels_are_counted_up_from_the_lowest(joined):
    named = name_levels(spine(joined=joined), Anchor("lowest", "L5"))
    assert named.levels == ("L1", "L2", "L3", "L4", "L5")
    heights = middles(named.mask)
    expected = {level: 6 + place * 16 + 5 for place, level in enumerate(("L5", "L4", "L3", "L2", "L1"))}
    assert heights == pytest.approx(expected, abs=1.5)
    assert named.notes == ()


def test_levels_are_counted_down_from_the_highest_over_the_chest():
    named = name_levels(spine(), Anchor("highest", "T11"))
    assert named.levels == ("T11", "T12", "L1", "L2", "L3")


def test_a_variant_is_counted_only_where_it_is_the_anchor():
    assert name_levels(spine(3), Anchor("lowest", "L6")).levels == ("L4", "L5", "L6")
    assert name_levels(spine(3), Anchor("highest", "T13")).levels == ("T13", "L1", "L2")


def test_an_upside_down_scan_is_counted_by_the_body_and_not_by_the_array():
    turned = (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
    named = name_levels(spine(direction=turned), Anchor("lowest", "L5"))
    heights = middles(named.mask)
    assert heights["L5"] > heights["L1"]


def test_bodies_come_out_whole():
    mask = spine()
    named = name_levels(mask, Anchor("lowest", "L5"))
    for place, level in enumerate(("L5", "L4", "L3", "L2", "L1")):
        z = 6 + place * 16
        assert (named.mask.array[z : z + 11, 4:22, 10:30] == VERSE.value(level)).all()
    np.testing.assert_array_equal(named.mask.array > 0, mask.array > 0)


def test_specks_are_left_out_and_told():
    mask = spine(joined=False)
    mask.array[1:4, 36:39, 1:4] = 1
    named = name_levels(mask, Anchor("lowest", "L5"))
    assert named.levels[-1] == "L5"
    assert "1 piece too small for a vertebra left out (0.091 ml)" in named.notes[0]
    assert not named.mask.array[1:4, 36:39, 1:4].any()


def test_specks_far_away_cost_no_memory():
    import tracemalloc

    small = spine(3, joined=False)
    array = np.zeros((small.array.shape[0], 240, 240), dtype=np.uint8)
    array[:, 100:140, 100:140] = small.array
    clean = Mask(array.copy(), Geometry(array.shape, (1.5, 1.5, 1.5)))
    array[0, :2, :2] = array[-1, -3:, -2:] = 1
    with_specks = Mask(array, clean.geometry)
    expected = name_levels(clean, Anchor("lowest", "L5"))
    tracemalloc.start()
    named = name_levels(with_specks, Anchor("lowest", "L5"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(named.mask.array, expected.mask.array)
    assert named.notes[0].startswith("2 pieces too small for a vertebra left out (0.013, 0.02")
    assert peak < 8 * array.size, "bytes for each voxel of the scan"


def test_an_anchor_at_the_border_is_told():
    whole, cut = spine(4, bottom=6), spine(4, bottom=0)
    assert name_levels(whole, Anchor("lowest", "L5")).notes == ()
    assert name_levels(cut, Anchor("highest", "L2")).notes == ()
    named = name_levels(cut, Anchor("lowest", "L5"))
    assert named.notes[0].startswith("the lowest vertebra, taken for L5, is cut by the image's border")


def test_a_missing_vertebra_is_not_counted_over():
    mask = spine(6, joined=False)
    mask.array[6 + 2 * 16 : 6 + 2 * 16 + 12] = 0
    with pytest.raises(
        VoiError, match=r"seems to be missing .*between vertebrae 3 and 4 of 5.*--scheme model and without"
    ):
        name_levels(mask, Anchor("lowest", "L5"))


def test_a_vertebra_that_came_apart_is_not_counted_twice():
    mask = spine(5, step=24, joined=False)
    z = 6 + 2 * 24
    mask.array[z - 3 : z + 14, 4:22, 10:30] = 1
    mask.array[z + 5 : z + 7] = 0
    with pytest.raises(VoiError, match="come apart"):
        name_levels(mask, Anchor("lowest", "L5"))


def test_the_vertebra_above_the_sacrum_is_l5():
    mask = spine(4, bottom=24, joined=False)
    mask.array[2:20, 6:26, 8:32] = 2
    named = name_levels(mask, None, sacrum=2)
    assert named.levels == ("L2", "L3", "L4", "L5")
    assert (named.mask.array[2:20, 6:26, 8:32] == VERSE.value("sacrum")).all()
    assert "five lumbar" in named.notes[0]


def test_nothing_is_named_without_an_anchor():
    with pytest.raises(VoiError, match="no vertebra is known to count from"):
        name_levels(spine(), None)


def test_more_vertebrae_than_names_are_refused():
    with pytest.raises(VoiError, match="more vertebrae than names"):
        name_levels(spine(5), Anchor("lowest", "C3"))


def test_a_level_that_a_scheme_lacks_is_refused():
    with pytest.raises(VoiError, match="no value for some levels"):
        name_levels(spine(2), Anchor("lowest", "L6"), scheme=TOTALSEGMENTATOR)


def test_an_empty_mask_has_no_vertebra():
    mask = spine()
    with pytest.raises(VoiError, match="no vertebra to be named"):
        name_levels(Mask(np.zeros_like(mask.array), mask.geometry), Anchor("lowest", "L5"))


@pytest.mark.parametrize("text", ["L5", "lowest", "lowest=X1", "middle=L3", "lowest=sacrum"])
def test_what_is_no_anchor_is_refused(text):
    with pytest.raises(UsageError, match="no anchor"):
        parse_anchor(text)


REAL = {
    "totalseg_example/vertebrae_ts_labels.nii.gz": (TOTALSEGMENTATOR, "L5", ("T11", "S1"), 0.93),
    "verse012/sub-verse012_seg-vert_msk.nii.gz": (VERSE, "L3", (), 0.88),
    "masks_only/sub-verse004_seg-vert_msk.nii.gz": (VERSE, "L5", (), 0.87),
    "tptbox_l3/sub-ct_seg-vert_label-22_msk.nii.gz": (VERSE, "L4", (), 0.79),
}


@pytest.mark.shared_data
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if "tptbox" in name else pytest.mark.slow) for name in REAL]
)
def test_real_spines_without_their_labels_get_them_back(shared_data, name):
    scheme, lowest, not_whole, least = REAL[name]
    truth = read_mask(shared_data / "spine" / name)
    levels = {value: level for value in truth.labels() if (level := scheme.level(value)) not in (None, "S1")}
    one = Mask(np.isin(truth.array, list(levels)).astype(np.uint8), truth.geometry)
    named = name_levels(one, Anchor("lowest", lowest))
    # A sliver of T11 at the border of one scan has no core, and goes to T12.
    assert set(named.levels) == set(levels.values()) - set(not_whole)
    for value, level in levels.items():
        if level not in not_whole:
            own, found = truth.array == value, named.mask.array == VERSE.value(level)
            assert 2 * (own & found).sum() / (own.sum() + found.sum()) > least, level


def test_names_of_labels_are_levels():
    assert all(names_levels({name: 1}) for name in ("vertebrae_T1", "Vertebra L5", "c2", "Th12", "lumbar 1"))
    assert not names_levels({"vertebra": 1, "sacrum": 2})
    assert instance_label({"vertebra": 1, "sacrum": 2}) == "vertebra"
    assert instance_label({"body": 1, "arch": 2}) is None


def test_values_are_those_of_the_scheme_that_names_all_labels():
    verse = choose_values({"vertebrae_L1": 1, "vertebrae_T13": 2, "sacrum": 3}, "auto")
    assert (verse.scheme.name, dict(verse.changed)) == ("verse", {1: 20, 2: 28, 3: 26})
    with_s1 = choose_values({"L5": 1, "S1": 2}, "auto")
    assert (with_s1.scheme.name, dict(with_s1.changed)) == ("totalsegmentator", {1: 27, 2: 26})
    own = choose_values({"L5": 1, "disc 4/5": 2}, "auto")
    assert (own.scheme.name, dict(own.scheme.labels)) == ("model", {1: "L5", 2: "disc_4_5"})
    array = np.array([[[0, 1, 2, 3]]], dtype=np.uint8)
    np.testing.assert_array_equal(verse.apply(array), [[[0, 20, 28, 26]]])


def test_two_labels_of_one_level_are_refused():
    with pytest.raises(
        ModelError, match=r"several labels of the model are level L1 .*2 \('L1'\), 3 \('vertebrae_L1'\)"
    ):
        choose_values({"T12": 1, "L1": 2, "vertebrae_L1": 3}, "auto")


def test_a_scheme_that_lacks_a_label_is_refused():
    with pytest.raises(UsageError, match="no value for some labels"):
        choose_values({"L6": 1}, "totalsegmentator")

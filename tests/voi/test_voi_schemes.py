from __future__ import annotations

import numpy as np
import pytest
from voi_phantoms import grid, spine

from radiobone.core.errors import ConfigError, VoiError
from radiobone.imaging import Mask
from radiobone.voi import choose_scheme, detect_scheme, find_scheme
from radiobone.voi.spine import Spine, find_labels, take_label

UPSIDE_DOWN = (1.0, 0, 0, 0, 1.0, 0, 0, 0, -1.0)


@pytest.mark.parametrize(
    ("name", "value", "level"),
    [
        ("totalsegmentator", 25, "sacrum"), ("totalsegmentator", 26, "S1"), ("totalsegmentator", 27, "L5"),
        ("totalsegmentator", 31, "L1"), ("totalsegmentator", 32, "T12"), ("totalsegmentator", 43, "T1"),
        ("totalsegmentator", 44, "C7"), ("totalsegmentator", 50, "C1"),
        ("verse", 1, "C1"), ("verse", 7, "C7"), ("verse", 8, "T1"), ("verse", 19, "T12"), ("verse", 20, "L1"),
        ("verse", 24, "L5"), ("verse", 25, "L6"), ("verse", 26, "sacrum"), ("verse", 28, "T13"),
        ("raw", 7, "label_7"),
    ],
)  # fmt: skip
def test_published_tables(name, value, level):
    scheme = find_scheme(name)
    assert scheme.level(value) == level
    assert scheme.value(level) == value


@pytest.mark.parametrize(("name", "value"), [("totalsegmentator", 51), ("totalsegmentator", 24), ("verse", 29)])
def test_values_outside_a_scheme_have_no_level(name, value):
    assert find_scheme(name).level(value) is None


def test_names_in_the_file_come_before_detection_but_not_before_a_scheme_that_is_asked_for():
    # Values that VerSe would read as L1 and L2.
    mask = Mask(
        np.zeros(grid((4, 4, 4)).shape, np.uint8), grid((4, 4, 4)), names={20: "vertebrae_L5", 21: "GTV-1"}
    )
    scheme, told = choose_scheme("auto", mask)
    assert (scheme.name, scheme.labels) == ("named", {20: "L5", 21: "GTV_1"})
    assert told == "labels named by the mask's file: 20 (L5), 21 (GTV_1)"
    assert choose_scheme("verse", mask)[0].level(20) == "L1"


def test_sizes_of_the_tables():
    assert len(find_scheme("totalsegmentator").labels) == 26
    assert len(find_scheme("verse").labels) == 28


def test_unknown_scheme_names_the_nearest():
    with pytest.raises(ConfigError, match=r"did you mean 'totalsegmentator'"):
        find_scheme("totalsegmentater")


class TestFile:
    def write(self, folder, text):
        path = folder / "mine.yaml"
        path.write_text(text)
        return path

    def test_own_scheme(self, tmp_path):
        scheme = find_scheme(self.write(tmp_path, "labels: {1: femur_left, 2: femur_right, 7: l1}\n"))
        assert scheme.name == "mine"
        assert [scheme.level(value) for value in (1, 2, 3, 7)] == ["femur_left", "femur_right", None, "L1"]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("labels: {1: hip, 2: hip}", "level hip is given to several labels"),
            ("labels: {1: L1, 2: l1}", "level L1 is given to several labels"),
            ("labels: {1: a, 1: b}", "given twice"),
            ("labels: {0: hip}", "0 is background"),
            ("labels: {1: 'L1-L4'}", "letters, digits and _"),
            ("labels: {}", "at least one"),
            ("labels: {'1': hip}", "valid integer"),
            ("lables: {1: hip}", "did you mean 'labels'"),
        ],
    )
    def test_bad_files(self, tmp_path, text, message):
        with pytest.raises(ConfigError, match=message):
            find_scheme(self.write(tmp_path, text))

    def test_missing_file(self, tmp_path):
        with pytest.raises(ConfigError, match="file not found"):
            find_scheme(tmp_path / "none.yaml")


class TestDetection:
    @pytest.mark.parametrize(
        ("values", "name"),
        [
            ([20, 21, 22, 23], "verse"),  # TotalSegmentator would call these colon, bladder, prostate, cyst
            ([19, 28, 20], "verse"),  # T12, T13, L1
            ([31, 30, 29], "totalsegmentator"),  # above VerSe's values
            ([28, 27, 26], "totalsegmentator"),  # in VerSe these rise from T13 to the sacrum and the coccyx
            ([24, 25, 26], "verse"),  # L5, L6, sacrum
            ([28, 27], "totalsegmentator"),
        ],
    )
    def test_order_decides(self, values, name):
        scheme, how = detect_scheme(spine(values, (3.0, 3.0, 3.0)))
        assert scheme.name == name
        assert name in how
        assert str(values[0]) in how

    def test_direction_of_the_image_is_heeded(self):
        mask = spine([20, 21, 22], (3.0, 3.0, 3.0), UPSIDE_DOWN)
        assert detect_scheme(mask)[0].name == "verse"

    def test_organs_of_totalsegmentator_do_not_disturb(self):
        mask = spine([29, 28, 27], (3.0, 3.0, 3.0))
        mask.array[0:3, 0:3, 0:3] = 52
        mask.array[6:9, 0:3, 0:3] = 20
        assert detect_scheme(mask)[0].name == "totalsegmentator"

    @pytest.mark.parametrize(
        "values",
        [[1], [22], [31], [26], [22, 21, 20], [29, 30, 31], [200, 201], [20, 40]],
    )
    def test_all_else_is_left_to_the_user(self, values):
        with pytest.raises(
            VoiError, match=r"cannot be told.*name the scheme: totalsegmentator, verse, raw"
        ) as error:
            detect_scheme(spine(values, (3.0, 3.0, 3.0)))
        assert str(values[0]) in str(error.value)

    def test_message_shows_how_each_scheme_reads_the_labels(self):
        with pytest.raises(VoiError) as error:
            detect_scheme(spine([26], (3.0, 3.0, 3.0)))
        assert "totalsegmentator: 26 (S1)" in str(error.value)
        assert "verse: 26 (sacrum)" in str(error.value)

    def test_two_hips_side_by_side_are_no_spine(self):
        geometry = grid((3.0, 3.0, 3.0))
        array = np.zeros(geometry.shape, dtype=np.uint8)
        array[10:20, 10:20, 2:10] = 1
        array[10:20, 10:20, 22:30] = 2
        with pytest.raises(VoiError, match="cannot be told"):
            detect_scheme(Mask(array, geometry))

    def test_empty_mask(self):
        with pytest.raises(VoiError, match="mask is empty"):
            detect_scheme(Mask(np.zeros((4, 4, 4), np.uint8), grid(size_mm=4)))

    def test_scheme_asked_for_is_not_questioned(self):
        scheme, how = choose_scheme("verse", spine([1], (3.0, 3.0, 3.0)))
        assert (scheme.name, how) == ("verse", "label scheme verse, as asked for")
        assert choose_scheme("auto", spine([20, 21], (3.0, 3.0, 3.0)))[0].name == "verse"


class TestSpine:
    def place(self, **heights):
        return Spine({level: np.array([0.0, 0.0, height]) for level, height in heights.items()})

    def test_order(self):
        assert self.place(T12=70, L1=36, L2=0).order_ok() is True
        assert self.place(T12=36, L1=70, L2=0).order_ok() is False
        assert self.place(L1=0).order_ok() is None
        assert self.place(femur_left=0, femur_right=100).order_ok() is None

    def test_spacing_counts_what_is_missing_between(self):
        assert self.place(T12=110, L3=0).order_ok() is True
        assert self.place(T12=110, L1=0).order_ok() is False
        assert self.place(T12=5, L1=0).order_ok() is False
        assert self.place(T12=36, T13=0, L1=-36).order_ok() is True  # T13 counts where it is present

    def test_only_the_neighbours_of_a_swap_are_out_of_order(self):
        spine = self.place(T11=140, T12=105, L1=70, L2=0, L3=35, L4=-35)
        assert [spine.level_ok(level) for level in ("T11", "T12", "L1", "L2")] == [True, True, True, False]

    def test_direction_to_the_head_follows_the_neighbours(self):
        spine = Spine({"L4": np.array([0.0, 0, 30]), "L5": np.array([0.0, 10, 0]), "S1": np.array([0.0, 40, -30])})
        assert spine.towards_head("S1") == pytest.approx(np.array([0, -1, 1]) / np.sqrt(2))
        assert spine.towards_head("L5") == pytest.approx(np.array([0, -40, 60]) / np.hypot(40, 60))
        assert spine.towards_head("T1") == pytest.approx([0, 0, 1])


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.uint32, np.int64])
def test_find_and_take_labels(dtype):
    array = np.zeros((6, 6, 6), dtype=dtype)
    array[1:3, 2:4, 3:6] = 1
    if dtype is not bool:
        array[4, 4, 4] = 9
    mask = Mask(array, grid(size_mm=8), (1, 1, 1))
    boxes = find_labels(mask)
    assert list(boxes) == ([1] if dtype is bool else [1, 9])
    part = take_label(mask, 1, boxes[1])
    assert (part.offset, part.array.shape, part.n_voxels) == ((2, 3, 4), (2, 2, 3), 12)
    assert part.array.dtype == bool


def test_find_labels_with_a_huge_value():
    array = np.zeros((4, 4, 4), dtype=np.int64)
    array[1, 1, 1], array[2, 2, 2] = 3, 10**12
    mask = Mask(array, grid(size_mm=4))
    boxes = find_labels(mask)
    assert list(boxes) == [3, 10**12]
    assert take_label(mask, 10**12, boxes[10**12]).offset == (2, 2, 2)

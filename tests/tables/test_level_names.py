"""Names of segments and the levels that they mean."""

import pytest

from radiobone.core.errors import VoiError
from radiobone.tables.level_names import find_level, name_levels


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("L1", "L1"), ("l1", "L1"), (" L01 ", "L1"), ("vertebrae_L1", "L1"), ("Vertebra L1", "L1"),
        ("L1 vertebra", "L1"), ("vert-T12", "T12"), ("TH12", "T12"), ("Th 3", "T3"), ("C7", "C7"), ("T13", "T13"),
        ("L6", "L6"), ("vertebrae_S1", "S1"), ("lumbar 1", "L1"), ("Lumbar vertebra 5", "L5"),
        ("First lumbar vertebra", "L1"), ("12th thoracic vertebra", "T12"), ("Twelfth thoracic vertebra", "T12"),
        ("sacrum", "sacrum"), ("Coccyx", "coccyx"),
        ("L1 body", None), ("vertebrae", None), ("L0", None), ("L9", None), ("T14", None), ("S3", None),
        ("GTV-1", None),
        ("L1-L4", None), ("L1L2", None), ("", None), ("T1 weighted", None), ("label 20", None), ("C", None),
    ],
)  # fmt: skip
def test_documented_forms(name, level):
    assert find_level(name) == level


def test_other_names_become_levels_that_a_list_of_levels_can_hold():
    assert name_levels({1: "vertebrae_L1", 2: "GTV-1", 3: "Knochen (rechts)", 4: "腰椎", 5: "2nd"}) == {
        1: "L1", 2: "GTV_1", 3: "Knochen_rechts", 4: "segment_4", 5: "segment_2nd",
    }  # fmt: skip


def test_two_names_of_one_level_are_refused():
    with pytest.raises(VoiError, match=r"several labels.*level L1.*1 \('L1'\), 7 \('vertebrae_L1'\)"):
        name_levels({1: "L1", 7: "vertebrae_L1"})


def test_a_name_that_only_looks_like_a_level_is_none():
    assert name_levels({4: "L1?", 5: "L2", 6: "(Sacrum)"}) == {4: "segment_L1", 5: "L2", 6: "segment_Sacrum"}

import pytest

from radiobone.core.errors import UsageError
from radiobone.tables.vertebrae import VERTEBRAE, level_order, parse_levels


def test_vocabulary_runs_from_c1_to_s1_with_t13_and_l6():
    assert len(VERTEBRAE) == 7 + 13 + 6 + 1
    assert VERTEBRAE[0] == "C1"
    assert VERTEBRAE[-1] == "S1"
    assert VERTEBRAE.index("T13") == VERTEBRAE.index("T12") + 1 == VERTEBRAE.index("L1") - 1


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("L1-L4", ("L1", "L2", "L3", "L4")),
        ("T10-T12", ("T10", "T11", "T12")),
        ("T12-L1", ("T12", "L1")),
        ("L4-S1", ("L4", "L5", "S1")),
        ("L5-L6", ("L5", "L6")),
        ("t12, L1", ("T12", "L1")),
        ("L1,L1-L2", ("L1", "L2")),
        ("femur_left", ("femur_left",)),
        ("T10+T11+T12", ("T10+T11+T12",)),
        ("l1 + T12, L2", ("T12+L1", "L2")),
        ("T12+L1,L1+T12", ("T12+L1",)),
        ("femur_right+femur_left", ("femur_left+femur_right",)),
    ],
)
def test_names_and_ranges(text, levels):
    assert parse_levels(text) == levels


@pytest.mark.parametrize("text", ["", "L1,", "L4-L1", "L1-femur", "L1-", "L1+", "L1+L1", "L1-L2+L3"])
def test_what_is_no_range_is_refused(text):
    with pytest.raises(UsageError):
        parse_levels(text)


def test_order_is_anatomical_then_by_name():
    assert sorted(["label_10", "L2", "T10", "T9"], key=level_order) == ["T9", "T10", "L2", "label_10"]
    assert sorted(["T11", "T10+T11", "T10"], key=level_order) == ["T10", "T10+T11", "T11"]

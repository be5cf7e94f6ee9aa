"""From rows of several repeats to what the stability step compares."""

import numpy as np
import pandas as pd
import pytest

from radiobone.core.errors import TableError
from radiobone.tables.features import FeatureTable
from radiobone.tables.repeats import choose_repeat, repeat_names, repeated
from radiobone.tables.wide import wide

NAN = float("nan")


def long_table(rows: list[tuple[object, ...]]) -> FeatureTable:
    table = pd.DataFrame(rows, columns=["patient_id", "level", "repeat", "status", "f", "g"])
    return FeatureTable(table.assign(scan_id="1", voi="body", reason=""), ["f", "g"])


ROWS = [
    ("b", "L1", "r2", "ok", 5.0, 50.0),
    ("b", "L1", "r1", "ok", 4.0, 40.0),
    ("a", "L1", "r1", "ok", 1.0, 10.0),
    ("a", "L2", "r1", "ok", 3.0, 30.0),
    ("a", "L1", "r2", "ok", 2.0, NAN),
    ("a", "L2", "r2", "ok", 6.0, 60.0),
    ("c", "L1", "r1", "ok", 9.0, 90.0),
]


def test_one_row_for_each_patient_and_repeat_of_those_who_have_several():
    table = repeated(long_table(ROWS))
    assert table.index.tolist() == [("a", "r1"), ("a", "r2"), ("b", "r1"), ("b", "r2")]
    assert table["body__f"].tolist() == [2.0, 4.0, 4.0, 5.0]
    # The value that one repeat lacks counts in neither, lest L2 alone be compared with L1 and L2.
    assert table["body__g"].tolist() == [30.0, 60.0, 40.0, 50.0]


def test_a_level_that_failed_in_one_repeat_counts_in_none():
    rows = [*ROWS[:5], ("a", "L2", "r2", "failed", NAN, NAN)]
    table = repeated(long_table(rows))
    assert table.loc[("a", "r1"), "body__f"] == 1.0
    assert table.loc[("a", "r2"), "body__f"] == 2.0


@pytest.mark.parametrize("levels", ["mean", "min", "concat"])
def test_levels_are_aggregated_as_for_the_study_itself(levels):
    features = long_table([row for row in ROWS if not np.isnan(row[5])])
    features = FeatureTable(features.table[features.table["patient_id"] == "b"], features.features)
    own = wide(choose_repeat(features, "r1"), levels)
    table = repeated(features, levels)
    assert table.columns.tolist() == own.columns.tolist()
    assert table.xs("r1", level="repeat").equals(own)


def test_order_of_rows_plays_no_part():
    table = long_table(ROWS)
    shuffled = FeatureTable(table.table.sample(frac=1, random_state=3), table.features)
    pd.testing.assert_frame_equal(repeated(table), repeated(shuffled))


def test_without_repeats_there_is_nothing_to_compare():
    with pytest.raises(TableError, match="no patient has measurements of several repeats"):
        repeated(long_table([row for row in ROWS if row[2] == "r1"]))
    single = FeatureTable(long_table(ROWS).table.drop(columns="repeat"), ["f", "g"])
    with pytest.raises(TableError, match="no patient has measurements"):
        repeated(single)
    assert repeat_names(single) == []
    assert choose_repeat(single) is single


def test_the_analysed_repeat_is_chosen_and_loses_nobody():
    features = long_table(ROWS)
    assert repeat_names(features) == ["r1", "r2"]
    assert choose_repeat(features).table["repeat"].unique().tolist() == ["r1"]
    assert wide(choose_repeat(features)).index.tolist() == ["a", "b", "c"]
    with pytest.raises(TableError, match=r"1 patients have no row of the repeat.*got: c"):
        choose_repeat(features, "r2")
    with pytest.raises(TableError, match=r"no row is of this repeat.*got: r3"):
        choose_repeat(features, "r3")

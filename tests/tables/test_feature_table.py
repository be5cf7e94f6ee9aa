import warnings

import numpy as np
import pandas as pd
import pytest

from radiobone.core.errors import TableError
from radiobone.tables.features import (
    BlockRecord,
    FeatureManifest,
    VoiRecord,
    manifest_path,
    read_features,
    write_features,
    write_manifest,
)
from radiobone.tables.keys import sort_by_keys


def example() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "patient_id": ["0012", "NA"],
            "scan_id": ["1", "1"],
            "voi": "trabecular",
            "level": ["L1", "L2"],
            "status": ["ok", "failed"],
            "reason": ["", "mask is empty"],
            "qc_voxels_voi": ["100", ""],
            "f1": [0.1 + 0.2, np.nan],
            "f2": [1e-300, np.nan],
        }
    )


def manifest(sha256: str, columns: list[str]) -> FeatureManifest:
    block = BlockRecord(
        name="density",
        engine="radiobone",
        values_revision=1,
        parameters={},
        parameters_sha256="0",
        columns=columns,
    )
    voi = VoiRecord(recipe="label@1", options={}, scheme="auto", levels=None, missing_levels="fail")
    return FeatureManifest(
        created="2026-01-01T00:00:00+00:00", versions={}, machine="x", table_sha256=sha256, cohort=None,
        cohort_sha256=None, voi=voi, blocks=[block], counts={"ok": 1, "failed": 1}, scans=[],
    )  # fmt: skip


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_comes_back_to_the_last_bit(tmp_path, suffix):
    path = tmp_path / f"features.{suffix}"
    sha256 = write_features(path, example())
    write_manifest(path, manifest(sha256, ["f1", "f2"]))
    back = read_features(path)
    assert back.features == ["f1", "f2"]
    assert back.manifest is not None
    pd.testing.assert_frame_equal(back.table, example(), check_exact=True, check_dtype=False)


def test_a_changed_table_is_not_the_one_of_its_manifest(tmp_path):
    path = tmp_path / "features.csv"
    write_manifest(path, manifest(write_features(path, example()), ["f1", "f2"]))
    path.write_text(path.read_text().replace("0012", "0013"))
    with pytest.raises(TableError, match="changed after its manifest"):
        read_features(path)
    manifest_path(path).unlink()
    assert read_features(path).manifest is None


def test_doubled_rows_and_wrong_cells_are_refused(tmp_path):
    path = tmp_path / "features.csv"
    write_features(path, pd.concat([example(), example()]))
    with pytest.raises(TableError, match=r"4 rows share the same patient_id .*'0012' \+ '1'"):
        read_features(path)
    write_features(path, example().astype({"f1": object}).assign(f1=["high", "low"]))
    with pytest.raises(TableError, match="cannot be read"):
        read_features(path)


def test_a_row_longer_than_the_header_is_refused(tmp_path):
    path = tmp_path / "features.csv"
    write_features(path, example())
    path.write_text("".join(f"{line},7\n" if number else f"{line}\n" for number, line in enumerate(lines(path))))
    # As for a user: pandas only warns.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(TableError, match="cannot be read"):
            read_features(path)


def lines(path) -> list[str]:
    return path.read_text().splitlines()


def test_text_among_the_features_of_a_parquet_table_is_refused(tmp_path):
    path = tmp_path / "features.parquet"
    write_features(path, example().assign(scanner=["A", "B"]))
    with pytest.raises(TableError, match=r"1 feature columns hold no numbers.*scanner"):
        read_features(path)


def test_whole_numbers_and_gaps_of_a_parquet_table_become_floats(tmp_path):
    path = tmp_path / "features.parquet"
    write_features(path, example().assign(f2=pd.array([3, None], dtype="Int64")))
    table = read_features(path).table
    assert table["f2"].dtype == np.float64
    np.testing.assert_array_equal(table["f2"], [3.0, np.nan])


def test_rows_are_sorted_by_patient_then_from_head_to_foot():
    rows = pd.DataFrame(
        {"patient_id": ["b", "a", "a", "a"], "scan_id": "1", "voi": "v", "level": ["L1", "L1", "T9", "T10"]}
    )
    assert list(sort_by_keys(rows)["level"]) == ["T9", "T10", "L1", "L1"]

"""A stack of patches: its rows, its index, its manifest, and what is resumed."""

import json
import os

import numpy as np
import pytest

from radiobone.cli.app import run
from radiobone.core.config import validate
from radiobone.core.errors import ConfigError, EngineError, TableError, UsageError
from radiobone.core.hashing import sha256_file
from radiobone.features.deep import stack as stack_module
from radiobone.features.deep.patch_params import PatchParams
from radiobone.features.deep.patches import make_inputs
from radiobone.features.deep.stack import write_stack
from radiobone.features.deep.stack_files import index_path, read_stack
from radiobone.features.prepare import prepare_scan
from radiobone.features.request import make_request
from radiobone.tables.cohort import read_cohort
from radiobone.tables.features import manifest_path

PARAMS = PatchParams(size=32, window_hu=(-1000, 400))
REQUEST = make_request(params=None, levels="L1-L2")
FILES = ("patches.npy", "patches.csv")


@pytest.fixture
def write(make_cohort, tmp_path):
    def write(names, params=PARAMS, request=REQUEST, out="patches.npy", **options):
        cohort = make_cohort(names)
        return write_stack(
            cohort.scans(), request, params, tmp_path / out, cohort=cohort, progress=False, **options
        )

    return write


def test_a_row_is_what_a_network_is_shown_of_its_voi(write, tmp_path):
    summary = write(["b", "a"])
    stack = read_stack(summary.path)
    volumes = np.load(summary.path, mmap_mode="r")
    assert summary.shape == volumes.shape == (4, 32, 32, 32)
    assert tuple(stack.manifest.shape) == volumes.shape
    assert volumes.dtype == np.float16
    assert stack.index[["patient_id", "level"]].to_numpy().tolist() == [
        ["a", "L1"],
        ["a", "L2"],
        ["b", "L1"],
        ["b", "L2"],
    ]
    assert stack.index["row"].tolist() == [0, 1, 2, 3]
    for scan in read_cohort(tmp_path / "cohort.csv").scans():
        prepared = prepare_scan(scan, REQUEST)
        for level, outcome in prepared.vois.items():
            inputs = make_inputs(prepared.image, outcome.result.mask, PARAMS.volume)
            own = (stack.index["patient_id"] == scan.patient_id) & (stack.index["level"] == level)
            line = stack.index[own].iloc[0]
            np.testing.assert_array_equal(volumes[line["row"]], inputs.array[0, 0].astype(np.float16))
            edges = line[["voxel_z_mm", "voxel_y_mm", "voxel_x_mm"]].tolist()
            assert edges == list(inputs.places[0].pixel_mm)
    assert stack.manifest.stack_sha256 == sha256_file(summary.path)
    assert stack.manifest.parameters["margin_mm"] == 5.0
    assert stack.manifest.cohort == "cohort.csv"
    assert [scan.patient_id for scan in stack.manifest.scans] == ["a", "b"]


@pytest.mark.slow
def test_files_are_the_same_for_any_jobs_and_order_of_rows(write, tmp_path):
    first = write(["a", "b", "c"]).path
    bytes_first = [(tmp_path / name).read_bytes() for name in FILES]
    write(["c", "a", "b"], jobs=2, resume=False)
    assert [(tmp_path / name).read_bytes() for name in FILES] == bytes_first
    assert not list(tmp_path.glob(".volumes-*"))
    assert first.with_name("patches.npy.resume").is_dir()


def test_finished_volumes_are_not_cut_again(write, tmp_path, monkeypatch):
    write(["a", "b"])
    before = [(tmp_path / name).read_bytes() for name in FILES]
    monkeypatch.setattr(stack_module, "prepare_scan", lambda *_: pytest.fail("a scan was read again"))
    write(["a", "b"])
    assert [(tmp_path / name).read_bytes() for name in FILES] == before
    assert all(scan.seconds is None for scan in read_stack(tmp_path / "patches.npy").manifest.scans)


def test_other_parameters_and_damaged_volumes_are_cut_again(write, tmp_path, monkeypatch):
    write(["a"])
    kept = sorted((tmp_path / "patches.npy.resume").rglob("*.npy"))
    assert len(kept) == 2
    kept[0].write_bytes(kept[0].read_bytes()[:500])
    seen = []
    monkeypatch.setattr(stack_module, "make_inputs", lambda *given: seen.append(1) or make_inputs(*given))
    before = (tmp_path / "patches.npy").read_bytes()
    write(["a"])
    assert len(seen) == 1
    assert (tmp_path / "patches.npy").read_bytes() == before
    write(["a"], params=PatchParams(size=32, window_hu=(-1000, 500)))
    assert len(seen) == 3
    assert (tmp_path / "patches.npy").read_bytes() != before


def test_a_voi_that_fails_has_a_line_and_no_row(write, tmp_path, make_cohort, monkeypatch):
    make_cohort(["a", "b"])
    (tmp_path / "a_mask.nii.gz").write_bytes(b"broken")

    def first_fails(image, voi, params):
        monkeypatch.setattr(stack_module, "make_inputs", make_inputs)
        raise EngineError("the VOI sticks out")

    monkeypatch.setattr(stack_module, "make_inputs", first_fails)
    summary = write(["a", "b"])
    index = read_stack(summary.path).index
    assert index["status"].tolist() == ["failed", "failed", "failed", "ok"]
    assert index["row"].isna().tolist() == [True, True, True, False]
    assert index["row"].iloc[3] == 0
    assert index["reason"].str.contains("damaged").tolist() == [True, True, False, False]
    assert index["reason"].iloc[2] == "the VOI sticks out"
    assert summary.counts == {"failed": 3, "ok": 1}
    assert summary.failures[2] == ("b, scan 1, L1", "the VOI sticks out")
    # Failures are not kept.
    assert write(["a", "b"]).counts == {"failed": 2, "ok": 2}


def test_no_voi_at_all_is_wrong_use(write):
    with pytest.raises(UsageError, match="no VOI is left"):
        write(["a"], params=PatchParams(size=32, min_voxels=100_000))


@pytest.mark.parametrize("name", FILES)
def test_changed_files_are_refused(write, tmp_path, name):
    path = write(["a"]).path
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[:-2] + bytes(reversed(content[-2:])) + b"\n")
    with pytest.raises(TableError, match="not the one that the manifest"):
        read_stack(path)
    (tmp_path / name).unlink()
    with pytest.raises(TableError, match="file not found"):
        read_stack(path)


def test_a_missing_or_damaged_manifest_is_refused(write):
    path = write(["a"]).path
    content = json.loads(manifest_path(path).read_text())
    manifest_path(path).write_text(json.dumps(content | {"more": 1}))
    with pytest.raises(TableError, match="not valid"):
        read_stack(path)
    manifest_path(path).write_text("{")
    with pytest.raises(TableError, match="damaged"):
        read_stack(path)
    manifest_path(path).unlink()
    with pytest.raises(TableError, match="file not found"):
        read_stack(path)


def test_inputs_are_never_overwritten(make_cohort, tmp_path):
    cohort = make_cohort(["a"])
    with pytest.raises(UsageError, match="format"):
        write_stack(cohort.scans(), REQUEST, PARAMS, tmp_path / "a_ct.nii.gz", cohort=cohort)
    with pytest.raises(UsageError, match="overwrite an input"):
        # Its index would be the cohort table.
        write_stack(cohort.scans(), REQUEST, PARAMS, tmp_path / "cohort.npy", cohort=cohort)
    (tmp_path / "features.csv").write_text("patient_id\na\n")
    with pytest.raises(UsageError, match="overwrite a table"):
        write_stack(cohort.scans(), REQUEST, PARAMS, tmp_path / "features.npy", cohort=cohort)
    assert (tmp_path / "features.csv").read_text() == "patient_id\na\n"


class TestParams:
    def test_keys_that_take_no_effect_are_refused(self):
        with pytest.raises(ConfigError, match="margin_mm: takes no effect"):
            validate(PatchParams, {"spacing_mm": 1.0, "margin_mm": 3.0}, "file")

    @pytest.mark.parametrize(
        "given", [{"size": 16}, {"size": [32, 32]}, {"window_hu": [5, 5]}, {"masking": "mask"}, {"dtype": "int8"}]
    )
    def test_what_cannot_be_is_refused(self, given):
        with pytest.raises(ConfigError):
            validate(PatchParams, given, "file")

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"size": 31}, "size: should be at least 32 along each edge"),
            ({"size": (32, 31, 40)}, "size: should be at least 32 along each edge"),
            ({"size": [64]}, "size: should be a whole number above 0, or three of them"),
            ({"size": (32, 32)}, "size: should be a whole number above 0, or three of them"),
            ({"spacing_mm": -1.0}, "spacing_mm: should be a number above 0, or three of them"),
        ],
    )
    def test_sizes_are_refused_in_plain_words(self, given, message):
        with pytest.raises(ConfigError, match=message) as told:
            validate(PatchParams, given, "file")
        assert "constrained" not in str(told.value)

    def test_the_hash_knows_what_takes_effect(self):
        assert PatchParams().sha256 == PatchParams(size=(64, 64, 64), margin_mm=5).sha256
        assert PatchParams(spacing_mm=2).sha256 == PatchParams(spacing_mm=(2, 2, 2)).sha256
        assert PatchParams().sha256 != PatchParams(dtype="float32").sha256
        assert PatchParams().sha256 != PatchParams(margin_mm=4).sha256
        assert PatchParams(spacing_mm=1.0).effective()["margin_mm"] is None
        assert PatchParams(size=(32, 40, 48)).volume.sizes == (32, 40, 48)


class TestCommand:
    def test_it_writes_a_stack(self, make_cohort, tmp_path, monkeypatch, capsys):
        make_cohort(["a", "b"])
        monkeypatch.chdir(tmp_path)
        given = ["patches", "--cohort", "cohort.csv", "--levels", "L1", "--size", "32,40,40", "--dtype", "float32"]
        assert run([*given, "--window-hu", "-1000,400", "--margin-mm", "2"]) == 0
        assert "2 ok; 2 x 32 x 40 x 40 voxels" in capsys.readouterr().out
        stack = read_stack(tmp_path / "patches.npy")
        assert stack.manifest.parameters["window_hu"] == [-1000, 400]
        assert np.load(stack.path).dtype == np.float32
        assert index_path(stack.path).is_file()

    def test_a_failed_voi_is_told(self, make_cohort, tmp_path, monkeypatch, capsys):
        make_cohort(["a", "b"])
        monkeypatch.chdir(tmp_path)
        os.truncate(tmp_path / "b_ct.nii.gz", 100)
        assert run(["patches", "--cohort", "cohort.csv", "--size", "32", "--fresh"]) == 3
        assert "failed b, scan 1" in capsys.readouterr().out

    @pytest.mark.parametrize(("option", "value"), [("--size", "big"), ("--size", "31"), ("--masking", "no")])
    def test_wrong_options_are_wrong_use(self, make_cohort, tmp_path, monkeypatch, option, value):
        make_cohort(["a"])
        monkeypatch.chdir(tmp_path)
        assert run(["patches", "--cohort", "cohort.csv", option, value]) == 2

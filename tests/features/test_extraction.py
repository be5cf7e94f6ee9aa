"""Extraction without any radiomics engine: rows, failures, resume, bytes."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from radiobone.core import provenance
from radiobone.core.errors import UsageError
from radiobone.core.hashing import sha256_file
from radiobone.features import density, resume
from radiobone.features.blocks import DensityBlock
from radiobone.features.extraction import extract_cohort
from radiobone.features.request import ExtractionRequest, make_request
from radiobone.imaging import Geometry, Image
from radiobone.imaging.writing import write_image
from radiobone.tables.features import read_features
from radiobone.voi import find_recipe

LABEL = find_recipe("label")


def request(**changes) -> ExtractionRequest:
    return ExtractionRequest(**{"recipe": LABEL, "blocks": (DensityBlock(),), "scheme": "verse", **changes})


def run(cohort, out: Path, **options):
    changes = options.pop("request", {})
    return extract_cohort(cohort.scans(), request(**changes), out, cohort=cohort, progress=False, **options)


def test_a_row_for_each_patient_and_level(make_cohort, tmp_path):
    cohort = make_cohort(["0012", "NA"])
    summary = run(cohort, tmp_path / "features.csv")
    assert summary.counts == {"ok": 4}
    features = read_features(tmp_path / "features.csv")
    keys = features.table[["patient_id", "scan_id", "voi", "level", "status"]]
    assert keys.to_numpy().tolist() == [
        [patient, "1", "label", level, "ok"] for patient in ("0012", "NA") for level in ("L1", "L2")
    ]
    image = np.asarray(features.table["density_mean_hu"])
    assert np.isfinite(image).all()
    manifest = features.manifest
    assert manifest is not None
    assert manifest.voi.recipe == "label@1"
    assert [scan.pixel_type for scan in manifest.scans] == ["int16", "int16"]
    assert manifest.cohort == "cohort.csv"
    assert manifest.feature_columns == features.features


@pytest.mark.slow
def test_bytes_are_the_same_for_any_jobs_and_any_order_of_rows(make_cohort, tmp_path):
    names = ["c", "a", "d", "b"]
    run(make_cohort(names), tmp_path / "one.csv", jobs=1)
    run(make_cohort(sorted(names)), tmp_path / "two.csv", jobs=2)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


def test_bad_cases_become_rows_with_their_reason(make_cohort, tmp_path):
    cohort = make_cohort(["good", "missing", "truncated", "elsewhere", "nan", "broken"])
    (tmp_path / "missing_ct.nii.gz").unlink()
    truncated = tmp_path / "truncated_ct.nii.gz"
    truncated.write_bytes(truncated.read_bytes()[:-2000])
    other = Geometry((40, 24, 20), (2.0, 1.5, 1.5), (50.0, 0.0, 0.0))
    write_image(Image(np.zeros(other.shape, np.int16), other), tmp_path / "elsewhere_ct.nii.gz")
    grid = Geometry((40, 24, 24), (2.0, 1.5, 1.5))
    hu = np.zeros(grid.shape, np.float32)
    hu[0, 0, 0] = np.nan
    write_image(Image(hu, grid), tmp_path / "nan_ct.nii.gz")
    (tmp_path / "broken_mask.nii.gz").write_text("no image")
    summary = run(cohort, tmp_path / "features.csv", request={"levels": ("L1", "L2")})
    assert summary.counts == {"failed": 10, "ok": 2}
    table = read_features(tmp_path / "features.csv").table.set_index(["patient_id", "level"])
    reasons = table.xs("L1", level="level")["reason"]
    assert reasons["good"] == ""
    assert "file not found" in reasons["missing"]
    assert "truncated" in reasons["truncated"]
    assert "size (x, y, z) (20, 24, 40) and (24, 24, 40)" in reasons["elsewhere"]
    assert "origin" in reasons["elsewhere"]
    assert "1 NaN" in reasons["nan"]
    assert "broken_mask.nii.gz" in reasons["broken"]
    assert table.loc["nan"].filter(like="density_").isna().all(axis=None)


def test_a_missing_level_fails_its_row_and_no_other(make_cohort, tmp_path):
    summary = run(make_cohort(["a"]), tmp_path / "f.csv", request={"levels": ("L1", "L5")})
    assert summary.counts == {"failed": 1, "ok": 1}
    assert "L5" in summary.failures[0][0]
    skipped = run(make_cohort(["a"]), tmp_path / "g.csv", request={"levels": ("L1", "L5"), "missing": "skip"})
    assert skipped.counts == {"ok": 1, "skipped": 1}


def test_wrong_use_is_told_before_the_first_file_is_read():
    with pytest.raises(UsageError, match="no such level"):
        request(levels=("femur_left",))


def test_a_changed_image_or_a_new_order_never_brings_back_another_result(make_cohort, tmp_path):
    out = tmp_path / "features.csv"
    run(make_cohort(["a", "b"]), out)
    before = read_features(out).table.set_index(["patient_id", "level"])
    # The files of two patients change places: results follow the bytes, not the row or the name.
    (tmp_path / "a_ct.nii.gz").rename(tmp_path / "x")
    (tmp_path / "b_ct.nii.gz").rename(tmp_path / "a_ct.nii.gz")
    (tmp_path / "x").rename(tmp_path / "b_ct.nii.gz")
    run(make_cohort(["b", "a", "c"]), out)
    after = read_features(out).table.set_index(["patient_id", "level"])
    for level in ("L1", "L2"):
        assert after.loc[("a", level), "density_mean_hu"] == before.loc[("b", level), "density_mean_hu"]
        assert after.loc[("b", level), "density_mean_hu"] == before.loc[("a", level), "density_mean_hu"]
    assert len(after) == 6


def tamper(store: Path) -> int:
    """Add 1000 to every kept value, so that a value that was read back can be told; return how many VOIs."""
    count = 0
    for path in store.rglob("*.json"):
        kept = json.loads(path.read_text())
        if isinstance(kept, dict) and "features" in kept:
            path.write_text(json.dumps(kept | {"features": [value + 1000 for value in kept["features"]]}))
            count += 1
    return count


def mean_hu(path: Path) -> dict[str, float]:
    return dict(read_features(path).table.set_index("level")["density_mean_hu"])


def test_kept_results_are_used_and_fresh_ignores_them(make_cohort, tmp_path):
    cohort, out = make_cohort(["a"]), tmp_path / "features.csv"
    run(cohort, out)
    honest = mean_hu(out)
    assert tamper(tmp_path / "features.csv.resume") == 2
    run(cohort, out)
    assert mean_hu(out) == pytest.approx({level: value + 1000 for level, value in honest.items()})
    run(cohort, tmp_path / "fresh.csv", resume=False)
    assert mean_hu(tmp_path / "fresh.csv") == honest
    assert not (tmp_path / "fresh.csv.resume").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"levels": ("L2", "L1")},
        {"levels": ("L1", "L2", "L3"), "missing": "skip"},
        {"scheme": "auto"},
        {"align": True},
    ],
)
def test_what_a_voi_does_not_depend_on_does_not_compute_it_anew(make_cohort, tmp_path, changes):
    cohort, out = make_cohort(["a"]), tmp_path / "features.csv"
    run(cohort, out, request={"levels": ("L1", "L2")})
    tamper(tmp_path / "features.csv.resume")
    run(cohort, out, request=changes)
    assert all(mean_hu(out)[level] > 500 for level in ("L1", "L2"))


def test_more_levels_compute_only_what_is_new(make_cohort, tmp_path):
    cohort, out = make_cohort(["a"]), tmp_path / "features.csv"
    run(cohort, out, request={"levels": ("L1",)})
    assert tamper(tmp_path / "features.csv.resume") == 1
    run(cohort, out, request={"levels": ("L1", "L2")})
    assert mean_hu(out)["L1"] > 500
    assert mean_hu(out)["L2"] < 500


@pytest.mark.parametrize("what", ["recipe", "versions", "reading", "revision", "scheme"])
def test_what_a_voi_depends_on_computes_it_anew(make_cohort, tmp_path, monkeypatch, what):
    cohort, out = make_cohort(["a"]), tmp_path / "features.csv"
    run(cohort, out)
    tamper(tmp_path / "features.csv.resume")
    changes = {}
    if what == "recipe":
        changes = {"recipe": dataclasses.replace(LABEL, version=2)}
    elif what == "versions":
        monkeypatch.setattr(resume, "numeric_versions", lambda engine=None: {"numpy": "99"})
    elif what == "reading":
        monkeypatch.setattr(resume, "READING_REVISION", 99)
    elif what == "revision":
        monkeypatch.setattr(density, "VALUES_REVISION", 2)
    else:
        (tmp_path / "own.yaml").write_text("labels: {20: L1, 21: L2, 22: L3}")
        changes = {"scheme": str(tmp_path / "own.yaml")}
    run(cohort, out, request=changes)
    assert all(value < 500 for value in mean_hu(out).values())


def test_installing_another_engine_leaves_results_as_they_are(make_cohort, tmp_path, monkeypatch):
    cohort, out = make_cohort(["a"]), tmp_path / "features.csv"
    run(cohort, out)
    tamper(tmp_path / "features.csv.resume")
    installed = {**provenance.versions(), "pyradiomics": "99", "trimesh": "99"}
    monkeypatch.setattr(provenance, "versions", lambda: installed)
    run(cohort, out)
    assert all(value > 500 for value in mean_hu(out).values())
    assert provenance.numeric_versions("pyradiomics")["pyradiomics"] == "99"


def test_an_untouched_file_is_hashed_once_and_a_replaced_one_again(make_cohort, tmp_path, monkeypatch):
    cohort, out = make_cohort(["a"]), tmp_path / "features.csv"
    hashed = []
    monkeypatch.setattr(resume, "sha256_file", lambda path: hashed.append(path.name) or sha256_file(path))
    run(cohort, out)
    assert hashed == ["a_ct.nii.gz", "a_mask.nii.gz"]
    run(cohort, out)
    assert len(hashed) == 2
    image = tmp_path / "a_ct.nii.gz"
    before, content = image.stat(), bytearray(image.read_bytes())
    content[4] ^= 1  # gzip's own time stamp: other bytes, same length
    image.write_bytes(content)
    os.utime(image, ns=(before.st_atime_ns, before.st_mtime_ns))
    run(cohort, out)
    assert hashed[2:] == ["a_ct.nii.gz"]


class KilledBlock(DensityBlock):
    """A density block that is stopped before its second VOI."""

    def stream(self, image, vois):
        for number, item in enumerate(super().stream(image, vois)):
            if number == 1:
                raise KeyboardInterrupt
            yield item


def test_a_voi_is_kept_as_soon_as_it_is_done(make_cohort, tmp_path):
    cohort, out = make_cohort(["a"]), tmp_path / "features.csv"
    with pytest.raises(KeyboardInterrupt):
        run(cohort, out, request={"blocks": (KilledBlock(),)})
    assert tamper(tmp_path / "features.csv.resume") == 1


def test_failures_are_not_kept(make_cohort, tmp_path):
    cohort, out = make_cohort(["a", "b"]), tmp_path / "features.csv"
    (tmp_path / "b_ct.nii.gz").rename(tmp_path / "later")
    assert run(cohort, out).counts == {"failed": 1, "ok": 2}
    (tmp_path / "later").rename(tmp_path / "b_ct.nii.gz")
    assert run(cohort, out).counts == {"ok": 4}


SLOW_RUN = """
import sys, time
from pathlib import Path
from radiobone.features import density, blocks
from radiobone.features.extraction import extract_cohort
from radiobone.features.request import ExtractionRequest, make_request
from radiobone.tables.cohort import read_cohort
from radiobone.voi import find_recipe

quick = density.density
def slow(image, voi):
    time.sleep(0.3)
    return quick(image, voi)
blocks.density.density = slow
folder = Path(sys.argv[1])
cohort = read_cohort(folder / "cohort.csv")
request = ExtractionRequest(recipe=find_recipe("label"), blocks=(blocks.DensityBlock(),), scheme="verse")
extract_cohort(cohort.scans(), request, folder / "features.csv", cohort=cohort, progress=False)
"""


def test_a_run_killed_at_any_moment_goes_on_where_it_stopped(make_cohort, tmp_path):
    cohort = make_cohort([f"p{number}" for number in range(6)])
    run(cohort, tmp_path / "whole.csv")
    child = subprocess.Popen([sys.executable, "-c", SLOW_RUN, str(tmp_path)])
    store = tmp_path / "features.csv.resume"
    deadline = time.monotonic() + 60
    while len(list(store.rglob("*.json"))) < 4:
        assert time.monotonic() < deadline, "the run kept nothing"
        assert child.poll() is None, "the run ended before it was killed"
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert not (tmp_path / "features.csv").exists()
    before = {path: path.stat().st_mtime_ns for path in store.rglob("[0-9a-f]*.json")}
    run(cohort, tmp_path / "features.csv")
    assert (tmp_path / "features.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert all(path.stat().st_mtime_ns == time_ns for path, time_ns in before.items()), (
        "finished VOIs are not redone"
    )


class CountedBlock(DensityBlock):
    """A density block that notes in a file what is asked of it."""

    def prepare(self, jobs):
        with Path("asked").open("a") as file:
            file.write("prepare\n")

    def stream(self, image, vois):
        with Path("asked").open("a") as file:
            file.write("stream\n")
        return super().stream(image, vois)


@pytest.mark.parametrize("jobs", [1, 2])
def test_blocks_are_prepared_once_and_before_the_first_scan(make_cohort, tmp_path, monkeypatch, jobs):
    monkeypatch.chdir(tmp_path)
    run(make_cohort(["a", "b"]), tmp_path / "features.csv", request={"blocks": (CountedBlock(),)}, jobs=jobs)
    assert Path("asked").read_text().split() == ["prepare", "stream", "stream"]


def radiomics_request(**options):
    return make_request(params="original", scheme="verse", **options)


def test_the_memory_limit_refuses_a_voi_with_the_estimate_and_changes_nothing_that_is_kept(make_cohort, tmp_path):
    cohort, out = make_cohort(["a"]), tmp_path / "features.csv"

    def extract(**options):
        return extract_cohort(
            cohort.scans(), radiomics_request(**options), out, cohort=cohort, progress=False
        ).counts

    assert extract(memory_limit_gb=1e-4) == {"failed": 2}
    reason = read_features(out).table["reason"].iloc[0]
    assert "more memory than the limit" in reason
    assert "GB for texture matrices" in reason
    assert "at most 0.0001 GB" in reason
    assert extract() == {"ok": 2}
    # Values are kept under keys that know no limit: what was computed is not refused afterwards.
    assert tamper(tmp_path / "features.csv.resume") == 4
    assert extract(memory_limit_gb=1e-4) == {"ok": 2}
    assert all(mean > 500 for mean in mean_hu(out).values())
    blocks = [radiomics_request(memory_limit_gb=limit).blocks[0] for limit in (None, 1.0)]
    assert blocks[0].record == blocks[1].record


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan")])
def test_a_memory_limit_into_which_nothing_fits_is_wrong_use(limit):
    with pytest.raises(UsageError, match="no VOI fits into the memory limit"):
        radiomics_request(memory_limit_gb=limit)


def test_values_of_another_engine_are_not_brought_back(make_cohort, tmp_path):
    pytest.importorskip("radiomics")
    cohort, out = make_cohort(["a"]), tmp_path / "features.csv"
    for number, engine in enumerate(("native", "pyradiomics")):
        extract_cohort(cohort.scans(), radiomics_request(engine=engine), out, cohort=cohort, progress=False)
        table = read_features(out).table
        assert (table["original_firstorder_Mean"] < 500).all()
        # Two VOIs of density, and two of each engine so far.
        assert tamper(tmp_path / "features.csv.resume") == 4 + 2 * number
        assert [block.engine for block in read_features(out).manifest.blocks] == [engine, "radiobone"]

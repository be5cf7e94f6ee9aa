"""vBMD in the feature table: columns, manifest, resume, failures; without a calibration nothing is new."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from radiobone.cli.app import app
from radiobone.core.errors import ConfigError, TableError
from radiobone.core.hashing import sha256_json
from radiobone.features import density, scan_calibration
from radiobone.features.blocks import CalibratedDensityBlock, DensityBlock
from radiobone.features.extraction import extract_cohort
from radiobone.features.request import ExtractionRequest, make_request
from radiobone.imaging import Geometry, Image, Mask
from radiobone.imaging.calibration import read_calibration
from radiobone.imaging.reading import read_image, read_mask
from radiobone.imaging.writing import write_image, write_mask
from radiobone.tables.cohort import Cohort, read_cohort
from radiobone.tables.features import read_features
from radiobone.voi import find_recipe
from radiobone.voi.schemes import TOTALSEGMENTATOR

VBMD = ["density_vbmd_mean_mg_cm3", "density_vbmd_median_mg_cm3"]

EQUATIONS = """
kind: asynchronous
standard: K2HPO4
key_columns: [scanner, kvp]
equations:
  - {match: {scanner: A, kvp: 120}, slope_mg_cm3_per_hu: 0.8, intercept_mg_cm3: -3}
  - {match: {scanner: B, kvp: 80}, slope_mg_cm3_per_hu: 0.5, intercept_mg_cm3: 2}
"""

LABELS = """
kind: phantom
standard: HA
rods_from: labels
rods: [{density_mg_cm3: 0}, {density_mg_cm3: 100}, {density_mg_cm3: 200}]
"""


def extract(cohort: Cohort, calibration, out, **options):
    block = DensityBlock() if calibration is None else CalibratedDensityBlock(read_calibration(calibration))
    request = ExtractionRequest(recipe=find_recipe("label"), blocks=(block,), scheme="verse")
    scans = cohort.scans(request.cohort_columns)
    return extract_cohort(scans, request, out, cohort=cohort, progress=False, **options)


@pytest.fixture
def write(tmp_path):
    """Write a calibration file."""

    def write(text: str):
        path = tmp_path / "calibration.yaml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def two_scanners(make_cohort, tmp_path):
    """Two patients of two scanners, and a third of a scanner that no equation is for."""
    cohort = make_cohort(["ann", "ben", "cleo"])
    table = cohort.table.assign(scanner=["A", "b", "C"], kvp=["120", "80.0", "120"])
    table.to_csv(tmp_path / "cohort.csv", index=False)
    return read_cohort(tmp_path / "cohort.csv")


def add_rods(cohort: Cohort, steepness: float = 1.25, base: float = 10.0, bent: float = 0.0) -> Cohort:
    """Put three rods with known HU into a corner of each scan, and their labels beside it."""
    folder = cohort.path.parent
    for scan in cohort.scans():
        image = read_image(scan.image)
        hu, labels = image.array.copy(), np.zeros(image.array.shape, np.uint8)
        for number, value in enumerate((0.0, 100.0, 200.0)):
            place = (slice(None), slice(0, 4), slice(8 * number, 8 * number + 4))
            hu[place] = steepness * value + base + (bent if number == 1 else 0.0)
            labels[place] = number + 1
        write_image(Image(hu, image.geometry), scan.image)
        write_mask(Mask(labels, image.geometry), folder / f"{scan.patient_id}_rods.nii.gz")
    table = cohort.table.assign(calibration_mask=[f"{name}_rods.nii.gz" for name in cohort.table["patient_id"]])
    table.to_csv(folder / "cohort.csv", index=False)
    return read_cohort(folder / "cohort.csv")


def test_each_scan_is_calibrated_by_its_own_scanner(two_scanners, write, tmp_path):
    summary = extract(two_scanners, write(EQUATIONS), tmp_path / "f.csv")
    assert summary.counts == {"failed": 1, "ok": 4}
    features = read_features(tmp_path / "f.csv")
    table = features.table.set_index(["patient_id", "level"])
    for name, slope, intercept in (("ann", 0.8, -3.0), ("ben", 0.5, 2.0)):
        for value in ("mean", "median"):
            got = table.loc[(name, "L1"), f"density_vbmd_{value}_mg_cm3"]
            assert got == pytest.approx(slope * table.loc[(name, "L1"), f"density_{value}_hu"] + intercept)
    (reason,) = table.loc["cleo", "reason"]
    assert "no equation of the calibration file holds" in reason
    assert "patient cleo, scan 1" in reason
    assert "scanner C, kvp 120" in reason
    manifest = features.manifest
    assert manifest is not None
    assert manifest.feature_columns[-2:] == VBMD
    assert manifest.blocks[0].parameters == {"calibration": "asynchronous", "standard": "K2HPO4"}
    ann, ben, cleo = manifest.scans
    assert (ann.calibration.slope, ann.calibration.intercept, ann.calibration.unit) == (0.8, -3, "mg/cm3 K2HPO4")
    assert ben.calibration.scan == {"columns": {"scanner": "b", "kvp": "80.0"}}
    assert cleo.calibration is None


def test_rods_of_a_calibration_mask_stand_in_the_manifest_with_residuals(make_cohort, write, tmp_path):
    cohort = add_rods(make_cohort(["ann"]), bent=25.0)
    summary = extract(cohort, write(LABELS), tmp_path / "f.csv")
    assert summary.warned == 2
    features = read_features(tmp_path / "f.csv")
    assert "rod 2 (100 mg/cm3) by +13.3" in features.table["qc_warnings"][0]
    (scan,) = features.manifest.scans
    assert scan.calibration.slope == pytest.approx(0.8)
    assert scan.calibration.residuals == pytest.approx((-20 / 3, 40 / 3, -20 / 3))
    assert [point["hu"] for point in scan.calibration.points] == [10.0, 160.0, 260.0]
    assert scan.calibration.r2 < 1


def test_without_a_calibration_nothing_is_new(two_scanners, write, tmp_path):
    extract(two_scanners, None, tmp_path / "plain.csv")
    extract(two_scanners, write(EQUATIONS), tmp_path / "vbmd.csv")
    plain, more = (read_features(tmp_path / name).table for name in ("plain.csv", "vbmd.csv"))
    both = more[more["status"] == "ok"].drop(columns=VBMD)
    assert both.equals(plain[plain["patient_id"] != "cleo"])
    content = json.loads((tmp_path / "plain.csv.manifest.json").read_text())
    assert all("calibration" not in scan for scan in content["scans"])
    record = DensityBlock().record
    assert (record.parameters, record.parameters_sha256) == ({}, sha256_json({}))
    assert record.columns == [column.name for column in density.COLUMNS]
    assert make_request(calibration=None).blocks[1] == DensityBlock()


def test_a_finished_scan_is_not_calibrated_again(make_cohort, write, tmp_path, monkeypatch):
    cohort = add_rods(make_cohort(["ann", "ben"]))
    out = tmp_path / "f.csv"
    extract(cohort, write(LABELS), out)
    first = out.read_bytes()
    one = read_features(out).manifest.scans
    monkeypatch.setattr(scan_calibration, "calibrate", lambda *given: pytest.fail("calibrated again"))
    extract(cohort, write(LABELS), out)
    assert out.read_bytes() == first
    again = read_features(out).manifest.scans
    assert [scan.calibration for scan in again] == [scan.calibration for scan in one]
    assert [scan.seconds for scan in again] == [None, None]


def test_other_rods_or_other_densities_bring_new_values(make_cohort, write, tmp_path):
    cohort = add_rods(make_cohort(["ann"]))
    out = tmp_path / "f.csv"

    def densities() -> list[float]:
        return list(read_features(out).table[VBMD[0]])

    extract(cohort, write(LABELS), out)
    first = densities()
    extract(cohort, write(LABELS.replace("200", "210")), out)
    assert densities() != first
    # The same labels under other names: rods change places, image and mask stay.
    extract(cohort, write(LABELS), out)
    assert densities() == first
    path = tmp_path / "ann_rods.nii.gz"
    labels = np.asarray(read_image(path).array).copy()
    labels[labels == 2] = 0
    write_mask(Mask(labels, read_image(path).geometry), path)
    assert extract(cohort, write(LABELS), out).counts == {"failed": 1}


@pytest.mark.slow
def test_bytes_are_the_same_for_any_jobs(make_cohort, write, tmp_path):
    cohort = add_rods(make_cohort(["ann", "ben", "cleo"]))
    extract(cohort, write(LABELS), tmp_path / "one.csv")
    extract(cohort, write(LABELS), tmp_path / "two.csv", jobs=2)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


def test_a_calibration_mask_on_another_grid_fails_its_scan(make_cohort, write, tmp_path):
    cohort = add_rods(make_cohort(["ann", "ben"]))
    other = Geometry((40, 24, 20), (2.0, 1.5, 1.5))
    write_mask(Mask(np.ones(other.shape, np.uint8), other), tmp_path / "ann_rods.nii.gz")
    summary = extract(cohort, write(LABELS), tmp_path / "f.csv")
    assert summary.counts == {"failed": 1, "ok": 2}
    assert "ann_rods.nii.gz" in summary.failures[0][1]
    assert "--align does not resample it" in summary.failures[0][1]


def test_notes_of_the_calibration_mask_stand_in_the_manifest(make_cohort, write, tmp_path):
    cohort = add_rods(make_cohort(["ann"]))
    path = tmp_path / "ann_rods.nii.gz"
    rods = read_mask(path)
    grid = rods.geometry
    turned = replace(
        grid, origin_mm=tuple(grid.world((0, grid.shape[1] - 1, 0))), direction=(1, 0, 0, 0, -1, 0, 0, 0, 1)
    )
    write_mask(Mask(np.flip(rods.array, 1), turned), path)
    extract(cohort, write(LABELS), tmp_path / "f.csv")
    (scan,) = read_features(tmp_path / "f.csv").manifest.scans
    assert "its x, y, z are the image's x, -y, z" in scan.calibration.notes[-1]
    assert scan.calibration.slope == pytest.approx(0.8)


def test_a_column_that_equations_need_must_be_there(make_cohort, write, tmp_path):
    with pytest.raises(TableError, match="'scanner'"):
        extract(make_cohort(["ann"]), write(EQUATIONS), tmp_path / "f.csv")


def test_only_vertebrae_tell_where_the_spine_is():
    grid = Geometry((3, 4, 5), (1.0, 1.0, 1.0))
    labels = np.zeros(grid.shape, np.uint8)
    labels[0], labels[1, 1:3], labels[2, 0] = 5, 31, 26  # liver, L1, S1
    spine = scan_calibration.spine_of(Mask(labels, grid), TOTALSEGMENTATOR)
    assert (spine.full() == (labels == 31)).all()
    organs = Mask(np.where(labels == 5, 5, 0), grid)
    assert scan_calibration.spine_of(organs, TOTALSEGMENTATOR) is organs


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.slow
def test_the_command_line_takes_a_calibration(two_scanners, write, tmp_path):
    path = write(EQUATIONS)
    out = tmp_path / "f.csv"
    common = ("--scheme", "verse", "--levels", "L1", "--calibration", path)
    result = run("extract", "--cohort", two_scanners.path, "--out", out, *common)
    assert result.exit_code == 3
    table = read_features(out).table
    assert table[VBMD[0]].notna().tolist() == [True, True, False]
    one = run("extract", tmp_path / "ann_ct.nii.gz", tmp_path / "ann_mask.nii.gz", *common)
    assert one.exit_code == 2
    assert "--cohort" in one.output


def test_one_scan_takes_its_calibration_mask_on_the_command_line(make_cohort, write, tmp_path):
    add_rods(make_cohort(["ann"]))
    out = tmp_path / "f.csv"
    given = ("--calibration", write(LABELS), "--calibration-mask", tmp_path / "ann_rods.nii.gz")
    files = (tmp_path / "ann_ct.nii.gz", tmp_path / "ann_mask.nii.gz")
    alone = run("extract", *files, "--out", out, *given[2:])
    assert (alone.exit_code, "give both" in alone.output) == (2, True)
    result = run("extract", *files, "--out", out, "--scheme", "verse", "--levels", "L1", *given)
    assert result.exit_code == 0, result.output
    row = read_features(out).table.iloc[0]
    assert row[VBMD[0]] == pytest.approx((row["density_mean_hu"] - 10.0) / 1.25)


def test_columns_of_vbmd_name_their_standard(write):
    result = run("columns", "--calibration", write(LABELS), "--csv")
    lines = [line for line in result.output.splitlines() if line.startswith("density_vbmd")]
    assert [line.split(",")[0] for line in lines] == VBMD
    assert all(",mg/cm3 HA," in line for line in lines)
    assert "vbmd" not in run("columns", "--csv").output


def test_a_calibration_file_is_read_before_any_scan(write):
    with pytest.raises(ConfigError, match="equations"):
        make_request(calibration=write("kind: asynchronous\nstandard: HA\n"))

from __future__ import annotations

import numpy as np
import pytest

from radiobone.core.errors import RadioboneError, UsageError
from radiobone.imaging.reading import read_image, read_mask
from radiobone.study.demo import cohort as module
from radiobone.study.demo import make_demo_cohort, simulate_patients
from radiobone.study.demo.images import synthesize
from radiobone.tables.cohort import read_cohort
from radiobone.tables.labels import LabelRule, patient_labels

N = 3


def _bytes(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_demo_cohort(tmp_path_factory.mktemp("demo"), patients=N)


def test_table_and_files_are_complete(made):
    cohort = read_cohort(made)
    assert made.name == "cohort.csv"
    assert list(cohort.table["patient_id"]) == [f"demo_{number:03d}" for number in range(1, N + 1)]
    assert [column for column in cohort.table if column != "scan_id"] == list(module.COLUMNS)
    assert (cohort.table != "").all(axis=None)
    assert not cohort.table["image"].str.startswith("/").any()
    assert len(_bytes(made.parent)) == 2 * N + 2
    assert "synthetic" in (made.parent / "SYNTHETIC.txt").read_text()


def test_classes_by_the_label_rule_are_the_generators(made):
    cohort = read_cohort(made)
    rule = LabelRule(source="bmd", column="bmd_mg_cm3", reference="QCT")
    labels = patient_labels(cohort.table, rule, str(made))
    assert labels.to_dict() == {one.patient_id: one.demo_class for one in simulate_patients(N)}


def test_files_hold_what_was_synthesized(made):
    for patient, scan in zip(simulate_patients(N), read_cohort(made).scans(), strict=True):
        image, mask = synthesize(patient)
        stored, stored_mask = read_image(scan.image), read_mask(scan.mask)
        assert stored.array.dtype == np.int16
        assert stored_mask.array.dtype == np.uint8
        np.testing.assert_array_equal(stored.array, image.array)
        np.testing.assert_array_equal(stored_mask.array, mask.array)
        assert stored.geometry == image.geometry
        assert stored_mask.geometry == image.geometry


def test_two_jobs_and_a_second_run_give_the_same_bytes(made, tmp_path):
    first = _bytes(made.parent)
    make_demo_cohort(tmp_path, patients=N, jobs=2)
    assert _bytes(tmp_path) == first
    make_demo_cohort(tmp_path, patients=N)
    assert _bytes(tmp_path) == first


def test_a_shorter_cohort_is_the_beginning_of_a_longer_one(made, tmp_path):
    make_demo_cohort(tmp_path, patients=2)
    longer = _bytes(made.parent)
    for name, content in _bytes(tmp_path).items():
        if name != "cohort.csv":
            assert content == longer[name]
    lines = (tmp_path / "cohort.csv").read_text().splitlines()
    assert lines == made.read_text().splitlines()[: len(lines)]


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "cohort.csv").write_text("mine")
    with pytest.raises(UsageError, match="not made by the demo"):
        make_demo_cohort(tmp_path, patients=2)
    assert [path.name for path in tmp_path.iterdir()] == ["cohort.csv"]
    assert (tmp_path / "cohort.csv").read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "SYNTHETIC.txt").write_text("the demo's own folder")
    (tmp_path / "images").write_text("a file where a folder should be")
    with pytest.raises(RadioboneError, match="2 of 2 synthetic patients could not be made") as caught:
        make_demo_cohort(tmp_path, patients=2)
    assert "demo_001" in str(caught.value)
    assert not (tmp_path / "cohort.csv").exists()

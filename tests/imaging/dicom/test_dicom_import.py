"""An archive as a cohort: what is in it, what is not, and that nobody's name is."""

import gzip
import json
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydicom import dcmread

from radiobone.core.errors import UsageError
from radiobone.imaging.dicom import ImportOptions, SeriesChoice, archive, import_archive, import_tables
from radiobone.imaging.reading import read_image
from radiobone.tables.cohort import read_cohort

UID = "1.2.826.0.1.3680043.10.999"

NAMES = (
    "Doe",
    "Jane",
    "19700203",
    "1970-02-03",
    "MRN4711",
    "20240517",
    "2024-05-17",
    "Dr. Who",
    "2.826.0",
)


@pytest.fixture
def hospital(tmp_path, write_series, write_slice, write_seg):
    """Return an archive with two patients whose headers tell who they are."""
    folder = tmp_path / "archive"
    jane = {
        "PatientID": "MRN4711",
        "PatientName": "Doe^Jane",
        "PatientBirthDate": "19700203",
        "StudyDate": "20240517",
        "AcquisitionDate": "20240517",
        "SeriesDescription": "Spine Dr. Who",
        "ReferringPhysicianName": "Dr. Who",
        "KVP": 120,
        "Exposure": 150,
        "ConvolutionKernel": "Br38f",
        "Manufacturer": "ACME",
        "ManufacturerModelName": "Ring 1",
        "ContrastBolusAgent": "Dr. Who's mix",
        "SliceThickness": 3,
    }
    write_series(folder / "a", range(0, 18, 3), uid=1, SeriesNumber=2, **jane)
    write_series(folder / "a", range(0, 9, 3), uid=2, SeriesNumber=3, **jane)
    scout = {**jane, "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}
    write_slice(folder / "a/scout.dcm", 0, uid=1, **scout)
    write_series(folder / "a/gap", [0, 3, 6, 12], uid=3, SeriesNumber=4, **jane)
    write_series(folder / "a/mr", range(3), uid=4, SeriesNumber=5, **jane | {"Modality": "MR"})
    write_seg(folder / "a/seg.dcm", refers_to=1, uid=900, PatientID="MRN4711")
    write_series(folder / "b", range(4), uid=5, SeriesNumber=1, PatientID="2", StudyInstanceUID="1.2.3.4.5")
    (folder / "readme.txt").write_text("about MRN4711")
    return folder


def report(out):
    return pd.read_csv(out / "import_report.csv", dtype=str, keep_default_na=False)


def outputs(out):
    """Return the content of all outputs but the lists, which hold paths of the archive by their nature."""
    lists = {*out.glob("images/*.txt"), *out.glob("masks/*.txt")}
    content = {}
    for path in sorted(out.rglob("*")):
        if path.is_file() and path not in lists:
            raw = path.read_bytes()
            content[path.relative_to(out).as_posix()] = gzip.decompress(raw) if path.suffix == ".gz" else raw
    return content


def test_an_archive_becomes_a_cohort_that_can_be_read(hospital, tmp_path):
    out = tmp_path / "cohort"
    summary = import_archive(hospital, out, progress=False)
    rows = report(out)
    assert list(rows["patient_id"] + rows["scan_id"]) == [
        "P0001S01", "P0001S02", "P0001S03", "P0001S04", "P0001S05", "P0001S06", "P0002S01",
    ]  # fmt: skip
    first = rows[rows["patient_id"] == "P0001"]
    told = dict(zip(first["kind"] + first["modality"] + first["n_slices"], first["status"], strict=True))
    assert told == {
        "stackCT6": "ok", "stackCT3": "ok", "stackCT4": "failed", "scoutCT1": "skipped", "stackMR3": "skipped",
        "otherSEG0": "skipped",
    }  # fmt: skip
    assert list(rows.loc[rows["status"] == "ok", "n_slices"]) == ["6", "3", "4"]
    (failed,) = rows.loc[rows["status"] == "failed", "reason"]
    assert "6 mm between slices 3 and 4 of 4" in failed
    assert "P0001" not in failed, "who it is stands beside it"
    files = sorted(path for path in hospital.rglob("*") if path.is_file())
    named = [files[int(number) - 1] for number in re.findall(r"file (\d+) of the archive by path", failed)]
    assert sorted(float(dcmread(path).ImagePositionPatient[2]) for path in named) == [6, 12]
    assert {path.parent for path in named} == {hospital / "a/gap"}
    assert (summary.files, summary.masks) == (22, 1)
    scans = read_cohort(out / "cohort.csv", masks=False).unmasked_scans()
    images = [read_image(scan.image) for scan in scans]
    assert [image.array.shape[0] for image in images] == [6, 3, 4]
    np.testing.assert_array_equal(images[0].array[:, 0, 0], np.arange(0, 18, 3))
    table = read_cohort(out / "cohort.csv", masks=False).table
    assert dict(table.iloc[0][["kvp", "mas", "kernel", "slice_thickness_mm", "pixel_spacing_mm"]]) == {
        "kvp": "120", "mas": "150", "kernel": "Br38f", "slice_thickness_mm": "3", "pixel_spacing_mm": "2",
    }  # fmt: skip
    assert dict(
        table.iloc[0][["slice_spacing_mm", "manufacturer", "model", "contrast", "date", "n_slices", "mask"]]
    ) == {
        "slice_spacing_mm": "3", "manufacturer": "ACME", "model": "Ring 1", "contrast": "yes", "date": "2024",
        "n_slices": "6", "mask": "masks/P0001_S01.txt",
    }  # fmt: skip
    assert (out / table.iloc[0]["mask"]).read_text().strip().endswith("seg.dcm")
    manifest = json.loads((out / "import_manifest.json").read_text())
    assert manifest["identifiers"].startswith("removed")
    assert [scan["kvp"] for scan in manifest["scans"]] == ["120", "120", ""]
    assert manifest["scans"][0] == {**table.iloc[0], "notes": ""}
    assert list(table["mask"] != "") == [True, False, False]


@pytest.mark.parametrize("convert", [False, True])
def test_nothing_that_identifies_a_patient_is_in_any_output(hospital, tmp_path, convert):
    out = tmp_path / "cohort"
    import_archive(hospital, out, ImportOptions(convert=convert, choice=SeriesChoice("spine")), progress=False)
    content = outputs(out)
    assert ("images/P0001_S01.nii.gz" in content) == convert
    for name, raw in content.items():
        for secret in NAMES:
            assert secret.encode() not in raw, f"{secret} in {name}"
        assert str(hospital).encode() not in raw, f"path in {name}"
    # No piece of the header's text either: NIfTI has fields for a description and a file name.
    for name, raw in content.items():
        if name.endswith(".nii.gz"):
            assert raw[148:228].strip(b"\0") == b""
            assert raw[228:252].strip(b"\0") == b""


def test_identifiers_are_kept_only_when_asked_for(hospital, tmp_path):
    out = tmp_path / "cohort"
    import_archive(hospital, out, ImportOptions(keep_identifiers=True), progress=False)
    table = read_cohort(out / "cohort.csv", masks=False).table
    assert list(table["patient_id"]) == ["MRN4711", "MRN4711", "2"]
    assert list(table["date"]) == ["2024-05-17", "2024-05-17", ""]
    assert table.iloc[0]["series_description"] == "Spine Dr. Who"
    assert table.iloc[0]["series_uid"].startswith("1.2.826")
    assert json.loads((out / "import_manifest.json").read_text())["identifiers"] == "kept"


def test_converted_scans_are_those_of_the_series(hospital, tmp_path):
    lists, nifti = tmp_path / "lists", tmp_path / "nifti"
    import_archive(hospital, lists, progress=False)
    import_archive(hospital, nifti, ImportOptions(convert=True), progress=False)
    for one, other in zip(
        read_cohort(lists / "cohort.csv", masks=False).unmasked_scans(),
        read_cohort(nifti / "cohort.csv", masks=False).unmasked_scans(),
        strict=True,
    ):
        series, converted = read_image(one.image), read_image(other.image)
        assert (one.patient_id, one.scan_id) == (other.patient_id, other.scan_id)
        assert converted.geometry == series.geometry
        assert converted.array.dtype == series.array.dtype
        np.testing.assert_array_equal(converted.array, series.array)


def test_numbers_of_patients_stay_when_the_archive_grows(hospital, tmp_path, write_series):
    out = tmp_path / "cohort"
    import_archive(hospital, out, progress=False)
    before = read_cohort(out / "cohort.csv", masks=False).table
    # The new patient comes first in the order of paths, and the new series of the old one first in number.
    write_series(hospital / "0", range(5), uid=6, PatientID="new")
    write_series(hospital / "a", range(7), uid=7, PatientID="MRN4711", SeriesNumber=1, StudyDate="20240101")
    import_archive(hospital, out, progress=False)
    after = read_cohort(out / "cohort.csv", masks=False).table
    assert list(after["patient_id"].unique()) == ["P0001", "P0002", "P0003"]
    assert set(map(tuple, before.to_numpy())) < set(map(tuple, after.to_numpy()))
    assert after.loc[after["patient_id"] == "P0003", "n_slices"].item() == "5"


def test_a_patient_has_one_number_whether_identifiers_are_kept_or_not(hospital, tmp_path):
    out = tmp_path / "cohort"
    import_archive(hospital, out, progress=False)
    before = read_cohort(out / "cohort.csv", masks=False).table
    import_archive(hospital, out, ImportOptions(keep_identifiers=True), progress=False)
    after = read_cohort(out / "cohort.csv", masks=False).table
    assert list(after["image"]) == list(before["image"])
    assert list(after["patient_id"]) == ["MRN4711", "MRN4711", "2"]


@pytest.mark.parametrize("name", ["line\u2028feed", " blank", "blank "])
def test_paths_that_a_list_cannot_hold_are_refused(tmp_path, write_series, name):
    files = write_series(tmp_path / "archive", range(3), name="x")
    files[0].rename(files[0].with_name(name))
    import_archive(tmp_path / "archive", tmp_path / "out", progress=False)
    (row,) = report(tmp_path / "out").to_dict("records")
    outside = name == " blank"  # the path begins with its folder: only its end matters
    assert (row["status"] == "ok") == outside
    assert outside or "a path cannot stand in a list of files" in row["reason"]
    import_archive(tmp_path / "archive", tmp_path / "nifti", ImportOptions(convert=True), progress=False)
    assert report(tmp_path / "nifti")["status"].item() == "ok"


def test_what_cannot_be_opened_fails_without_its_path(hospital, tmp_path, monkeypatch):
    real = Path.open

    def refuse(path, *rest, **more):
        if path.parent == hospital / "b":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *rest, **more)

    monkeypatch.setattr(Path, "open", refuse)
    import_archive(hospital, tmp_path / "out", progress=False)
    rows = report(tmp_path / "out")
    failed = rows[(rows["status"] == "failed") & (rows["modality"] == "")]
    assert len(failed) == 1
    assert "it cannot be opened (Permission denied)" in failed["reason"].item()
    assert str(hospital) not in (tmp_path / "out/import_report.csv").read_text()
    # Nor is it kept for the next run: the network may have failed, and not the file.
    monkeypatch.undo()
    import_archive(hospital, tmp_path / "out", progress=False)
    assert list(report(tmp_path / "out")["status"]).count("failed") == 1  # the series with a gap


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_links_that_lead_nowhere_and_closed_folders_are_told(hospital, tmp_path, monkeypatch, kind):
    if kind == "link":
        (hospital / "b/last.dcm").symlink_to(tmp_path / "MRN4711")
        reason = "it cannot be opened (No such file or directory)"
    else:
        real = os.scandir

        def refuse(path):
            if str(path).endswith("/b"):
                raise PermissionError(13, "Permission denied", str(path))
            return real(path)

        monkeypatch.setattr(os, "scandir", refuse)
        reason = "it cannot be opened (Is a directory)"  # as root; others are told that permission is denied
    import_archive(hospital, tmp_path / "out", progress=False)
    rows = report(tmp_path / "out")
    assert [reason in told for told in rows.loc[rows["modality"] == "", "reason"]] == [True]
    assert len(rows) == (8 if kind == "link" else 7)


def test_an_untouched_file_is_not_read_again(hospital, tmp_path, monkeypatch):
    out = tmp_path / "cohort"
    options = ImportOptions(convert=True)
    import_archive(hospital, out, options, progress=False)
    content = outputs(out)
    written = {path: path.stat().st_mtime_ns for path in out.glob("images/*")}
    read = []
    monkeypatch.setattr(archive, "read_header", lambda path: read.append(path))
    import_archive(hospital, out, options, progress=False)
    assert not read
    assert {path: path.stat().st_mtime_ns for path in out.glob("images/*")} == written
    for name in ("cohort.csv", "import_report.csv"):
        assert (out / name).read_bytes() == content[name]


def test_a_table_that_was_worked_on_is_not_overwritten(hospital, tmp_path):
    out = tmp_path / "cohort"
    import_archive(hospital, out, progress=False)
    table = out / "cohort.csv"
    table.write_text(table.read_text().replace("P0001", "P9"))
    with pytest.raises(UsageError, match="cohort that was changed since its import"):
        import_archive(hospital, out, progress=False)
    other = tmp_path / "other"
    other.mkdir()
    (other / "cohort.csv").write_text("patient_id,image,mask\n")
    with pytest.raises(UsageError, match="is not of an import"):
        import_archive(hospital, other, progress=False)


@pytest.mark.parametrize("first", [True, False])
def test_a_run_killed_between_its_tables_goes_on(hospital, tmp_path, monkeypatch, first):
    out, options = tmp_path / "cohort", ImportOptions(min_slices=4)
    if not first:
        import_archive(hospital, out, progress=False)
    real = import_tables.write_text

    def killed(path, text):
        if path.name == "cohort.csv":
            raise KeyboardInterrupt
        real(path, text)

    for _ in range(2):
        monkeypatch.setattr(import_tables, "write_text", killed)
        with pytest.raises(KeyboardInterrupt):
            import_archive(hospital, out, options, progress=False)
        monkeypatch.undo()
    (out / "images/.part-killed.nii.gz").write_bytes(b"half")
    import_archive(hospital, out, options, progress=False)
    assert len(read_cohort(out / "cohort.csv", masks=False).table) == 2
    assert not list(out.rglob(".part-*"))


def test_no_list_of_paths_stays_beside_converted_files(hospital, tmp_path):
    out = tmp_path / "cohort"
    import_archive(hospital, out, progress=False)
    import_archive(hospital, out, ImportOptions(convert=True), progress=False)
    assert sorted(path.name for path in (out / "images").iterdir()) == [
        "P0001_S01.nii.gz", "P0001_S02.nii.gz", "P0002_S01.nii.gz",
    ]  # fmt: skip


def test_a_uid_that_was_asked_for_is_not_in_the_manifest(hospital, tmp_path):
    uid = f"{UID}.5"
    for keep in (False, True):
        out = tmp_path / str(keep)
        import_archive(hospital, out, ImportOptions(SeriesChoice(uid), keep_identifiers=keep), progress=False)
        assert list(read_cohort(out / "cohort.csv", masks=False).table["n_slices"]) == ["4"]
        assert (uid in (out / "import_manifest.json").read_text()) == keep


def test_masks_of_patients_with_the_same_uids_are_not_exchanged(tmp_path, write_series, write_seg):
    for patient in "12":
        write_series(tmp_path / "archive" / patient, range(3), PatientID=patient)
        write_seg(tmp_path / "archive" / patient / "seg.dcm", refers_to=1, PatientID=patient)
    import_archive(tmp_path / "archive", tmp_path / "out", progress=False)
    for number in "12":
        (path,) = (tmp_path / "out/masks" / f"P000{number}_S01.txt").read_text().split()
        assert Path(path).parent.name == number


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        (ImportOptions(SeriesChoice("largest")), ["6", "4"]),
        (ImportOptions(SeriesChoice("2")), ["6"]),
        (ImportOptions(SeriesChoice("SPINE")), ["6", "3"]),
        (ImportOptions(min_slices=4), ["6", "4"]),
    ],
)
def test_series_are_chosen_within_each_study(hospital, tmp_path, options, kept):
    out = tmp_path / "cohort"
    import_archive(hospital, out, options, progress=False)
    rows = report(out)
    assert list(rows.loc[rows["status"] == "ok", "n_slices"]) == kept
    assert (rows.loc[rows["status"] != "ok", "reason"] != "").all()


def test_a_damaged_file_fails_its_series_and_no_other(hospital, tmp_path):
    (path, *_) = sorted((hospital / "b").iterdir())
    path.write_bytes(path.read_bytes()[:-7])
    out = tmp_path / "cohort"
    import_archive(hospital, out, ImportOptions(convert=True), progress=False)
    rows = report(out).set_index(["patient_id", "scan_id"])
    assert rows.loc[("P0002", "S01"), "status"] == "failed"
    assert "it is truncated: 33 of 40 bytes" in rows.loc[("P0002", "S01"), "reason"]
    assert sorted(name.name for name in (out / "images").iterdir()) == ["P0001_S01.nii.gz", "P0001_S02.nii.gz"]


def test_patients_without_a_number_are_not_thrown_together(tmp_path, write_series):
    folder = tmp_path / "archive"
    write_series(folder / "a", range(3), uid=1, StudyInstanceUID="1.2.3.1")
    write_series(folder / "b", range(3), uid=2, StudyInstanceUID="1.2.3.2")
    import_archive(folder, tmp_path / "out", progress=False)
    rows = report(tmp_path / "out")
    assert list(rows["patient_id"]) == ["P0001", "P0002"]
    assert set(rows["notes"]) == {"no patient ID: each study counts as a patient"}


def test_one_number_with_two_birth_dates_is_told(tmp_path, write_series):
    folder = tmp_path / "archive"
    write_series(folder / "a", range(3), uid=1, PatientID="7", PatientBirthDate="19500101")
    write_series(folder / "b", range(3), uid=2, PatientID="7", PatientBirthDate="19600101")
    import_archive(folder, tmp_path / "out", progress=False)
    assert set(report(tmp_path / "out")["notes"]) == {"one patient ID with several birth dates: two persons?"}


def test_masks_are_found_by_series_or_frame_of_reference(tmp_path, write_series, write_seg):
    folder = tmp_path / "archive"
    write_series(folder / "a", range(3), uid=1, FrameOfReferenceUID="1.2.3.1")
    write_series(folder / "b", range(3), uid=2, FrameOfReferenceUID="1.2.3.2")
    write_series(folder / "c", range(3), uid=3, FrameOfReferenceUID="1.2.3.3")
    write_seg(folder / "m1", refers_to=1, uid=901)
    write_seg(folder / "m2", refers_to=2, uid=902)
    write_seg(folder / "m3", refers_to=2, uid=903)
    write_seg(folder / "m4", FrameOfReferenceUID="1.2.3.3", uid=904)
    out = tmp_path / "out"
    import_archive(folder, out, progress=False)
    table = read_cohort(out / "cohort.csv", masks=False).table
    found = [(out / mask).read_text().strip()[-2:] if mask else "" for mask in table["mask"]]
    assert found == ["m1", "", "m4"]
    notes = "; ".join(report(out)["notes"])
    assert "2 masks refer to this series: put one into the column mask" in notes
    assert sorted(path.name for path in (out / "masks").iterdir()) == [
        "P0001_S01.txt", "P0001_S02_1.txt", "P0001_S02_2.txt", "P0001_S03.txt",
    ]  # fmt: skip


def test_tilted_series_are_straightened_when_asked_for(tmp_path, write_slice):
    angle = np.radians(10)
    for z in range(4):
        write_slice(
            tmp_path / f"archive/{z}.dcm",
            0,
            position=(0, 0, 3 * z),
            orientation=(1, 0, 0, 0, np.cos(angle), np.sin(angle)),
        )
    import_archive(tmp_path / "archive", tmp_path / "plain", progress=False)
    assert "the gantry was tilted" in report(tmp_path / "plain")["reason"].item()
    import_archive(tmp_path / "archive", tmp_path / "fixed", ImportOptions(fix_tilt=True), progress=False)
    (scan,) = read_cohort(tmp_path / "fixed/cohort.csv", masks=False).unmasked_scans()
    assert scan.image.name == "P0001_S01.nii.gz"
    assert read_image(scan.image).geometry.spacing_mm[0] == pytest.approx(3 * np.cos(angle), rel=1e-6)
    assert "gantry tilt of 10.00°: slices resampled" in report(tmp_path / "fixed")["notes"].item()
    assert json.loads((tmp_path / "fixed/import_manifest.json").read_text())["resampled"] == ["P0001 S01"]


def test_an_output_inside_the_archive_is_not_imported(hospital):
    out = hospital / "cohort"
    for _ in range(2):
        assert import_archive(hospital, out, ImportOptions(convert=True), progress=False).files == 22


def test_a_folder_without_dicom_is_refused(hospital, tmp_path):
    out = tmp_path / "out"
    (tmp_path / "share").mkdir()
    (tmp_path / "share/notes.txt").write_text("hello")
    with pytest.raises(UsageError, match=r"no DICOM files.*got: 1 other files"):
        import_archive(tmp_path / "share", out, progress=False)
    assert not list(out.glob("*.csv"))
    # A disk that is not there today costs nobody the table of yesterday.
    import_archive(hospital, out, progress=False)
    before = (out / "cohort.csv").read_bytes()
    with pytest.raises(UsageError, match="no DICOM files"):
        import_archive(tmp_path / "share", out, progress=False)
    assert (out / "cohort.csv").read_bytes() == before
    with pytest.raises(UsageError, match="the archive is no folder"):
        import_archive(tmp_path / "missing", tmp_path / "out")


@pytest.mark.slow
def test_tables_are_the_same_for_any_number_of_jobs(hospital, tmp_path):
    for jobs in (1, 2):
        import_archive(hospital, tmp_path / str(jobs), ImportOptions(convert=True), jobs=jobs, progress=False)
    for name in ("cohort.csv", "import_report.csv"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


EXPECTED = {
    "bad_geometry/gantrytilting_001": ("failed", "the gantry was tilted"),
    "bad_geometry/sliceincrement_001": ("failed", "10 mm between slices 3 and 4 of 4"),
    "ct_j2k_20slices": ("ok", ""),
    "ct_transfer_syntaxes": ("failed", "slices are doubled"),
    "dcmqi_seg/ct-3slice": ("ok", ""),
    "enhanced_ct": ("failed", "values are not HU"),
    "highdicom": ("skipped", "1 slices, fewer than 2"),
    "ibsi1_ct_phantom_rtstruct/image": ("ok", ""),
    "oblique_ct_3slices": ("ok", ""),
}


@pytest.mark.shared_data
def test_every_shared_series_is_in_the_cohort_or_refused_as_it_should_be(shared_data, tmp_path):
    folder = shared_data / "dicom"
    out = tmp_path / "cohort"
    import_archive(folder, out, progress=False)
    rows = report(out)
    ct = rows[rows["modality"] == "CT"]
    for (_, row), (status, reason) in zip(ct.iterrows(), EXPECTED.values(), strict=True):
        assert row["status"] == status
        assert reason in row["reason"]
    table = read_cohort(out / "cohort.csv", masks=False).table
    assert list(table["n_slices"]) == ["20", "3", "60", "3"]
    assert list(table["slice_spacing_mm"]) == ["2", "1", "3", "4.5"]
    assert list(table["kvp"]) == ["120", "120", "", ""]
    assert list(table["contrast"]) == ["yes", "", "", ""]
    assert list(table["date"]) == ["2022", "2003", "", "2021"]
    (contours,) = table.loc[table["mask"] != "", "mask"]
    assert (out / contours).read_text().strip().endswith("DCM_RS_00060.dcm")
    assert "exposure of 5100 mAs, but tube current x time is 151.2 mAs" in "".join(ct["notes"])

"""A cohort from images to masks: resumed, atomic, with everything written down, whatever single scans do."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from handmade import EDGE_LABELS, edge_weights, lopsided, write_folder
from test_naming import spine

from radiobone.cli.app import run
from radiobone.core.errors import TableError, UsageError
from radiobone.core.files import write_text
from radiobone.core.hashing import sha256_file
from radiobone.imaging import Geometry, Image
from radiobone.imaging.geometry import differences
from radiobone.imaging.reading import read_image, read_mask
from radiobone.imaging.writing import write_image, write_mask
from radiobone.segmentation import Segmenter, batch, parse_anchor, read_model, segment_cohort, segment_file
from radiobone.segmentation.scan import plan_naming
from radiobone.tables.cohort import read_cohort

pytestmark = [pytest.mark.segment, pytest.mark.slow]

DARK = -100


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("models")
    return {
        "edges": write_folder(base / "edges", [edge_weights()], EDGE_LABELS),
        # One label for all that is bright: three further outputs that never win are not asked for.
        "one": write_folder(base / "one", [one_class()], {"vertebra": 1}),
    }


def one_class():
    """The hand-made network without its faces: tissue alone."""
    weights = edge_weights(200.0, 1e6)
    for name in ("weight", "bias"):
        weights[f"decoder.seg_layers.0.{name}"] = weights[f"decoder.seg_layers.0.{name}"][:2]
    return weights


def sacrum_too():
    """As `one_class`, with one face for the sacrum."""
    weights = edge_weights(200.0, 1e6)
    for name in ("weight", "bias"):
        weights[f"decoder.seg_layers.0.{name}"] = weights[f"decoder.seg_layers.0.{name}"][:3]
    return weights


def bones(number=4):
    mask = spine(number)
    return Image(np.where(mask.array > 0, 700, DARK).astype(np.int16), mask.geometry)


@pytest.fixture
def data(tmp_path):
    """Files of a cohort in which much is wrong."""
    write_image(lopsided(), tmp_path / "good.nii.gz")
    dark = np.full((20, 20, 20), DARK, dtype=np.int16)
    write_image(Image(dark, Geometry(dark.shape, (1.0, 1.0, 1.0))), tmp_path / "dark.nii.gz")
    whole = (tmp_path / "good.nii.gz").read_bytes()
    (tmp_path / "cut.nii.gz").write_bytes(whole[: len(whole) // 2])
    rows = [
        "patient_id,scan_id,image,age,mask",
        "0012,a,good.nii.gz,61,",
        "0013,a,missing.nii.gz,62,",
        "0014,a,dark.nii.gz,63,",
        "0015,a,cut.nii.gz,64,",
        "x/../y,a,good.nii.gz,65,old.nii.gz",
    ]
    (tmp_path / "cohort.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def segmenter(folder, **options):
    return Segmenter(read_model(folder), device="cpu", threads=1, **options)


def test_bad_scans_stop_nothing_and_leave_nothing(data, folders):
    cohort = read_cohort(data / "cohort.csv", masks=False)
    summary = segment_cohort(cohort, segmenter(folders["edges"]), data / "out", progress=False)
    assert summary.counts == {"failed": 3, "ok": 2}
    told = dict(summary.failures)
    assert "file not found" in told["patient 0013, scan a"]
    assert "found nothing" in told["patient 0014, scan a"]
    assert "cannot be read" in told["patient 0015, scan a"] or "truncated" in told["patient 0015, scan a"]
    names = sorted(path.name for path in (data / "out/masks").iterdir())
    assert names[0] == "0012_a.nii.gz"
    assert len(names) == 2
    table = pd.read_csv(data / "out/cohort.csv", dtype=str, keep_default_na=False)
    assert list(table["patient_id"]) == ["0012", "0013", "0014", "0015", "x/../y"]
    assert list(table["segmentation_status"]) == ["ok", "failed", "failed", "failed", "ok"]
    assert table["mask"][0] == "masks/0012_a.nii.gz"
    assert table["mask_given"][4] == "../old.nii.gz"
    assert (data / "out" / table["image"][0]).resolve() == (data / "good.nii.gz").resolve()
    assert list(table["age"]) == ["61", "62", "63", "64", "65"]
    mask = read_mask(data / "out/masks/0012_a.nii.gz")
    assert mask.labels() == [1, 2, 3, 4]
    manifest = json.loads((data / "out/segmentation.manifest.json").read_text())
    assert manifest["models"][0]["folds"][0]["sha256"] == segmenter(folders["edges"]).model.checkpoints[0].sha256
    assert [scan["status"] for scan in manifest["scans"]].count("ok") == 2
    assert summary.scheme == str(data / "out/scheme.yaml")


def test_finished_masks_are_kept_until_anything_changes(data, folders):
    cohort = read_cohort(data / "cohort.csv", masks=False)
    one = segmenter(folders["edges"])

    def again(predictor=one, **options):
        return segment_cohort(cohort, predictor, data / "out", progress=False, **options).kept

    path = data / "out/masks/0012_a.nii.gz"
    assert again() == 0
    first = path.read_bytes()
    assert again() == 2
    path.write_bytes(b"corrected by hand")
    for options in ({}, {"resume": False}):
        with pytest.raises(UsageError, match=r"1 mask changed .*masks/0012_a\.nii\.gz"):
            again(**options)
    assert path.read_bytes() == b"corrected by hand"
    path.unlink()
    assert again() == 1
    assert path.read_bytes() == first
    assert again(segmenter(folders["edges"], step_size=1.0)) == 0
    assert again(resume=False) == 0
    assert again() == 2


def test_masks_that_were_corrected_can_be_kept_while_others_are_made(data, folders, capsys):
    model = ["-m", str(folders["edges"]), "--device", "cpu"]
    command = ["segment", "--cohort", str(data / "cohort.csv"), "-o", str(data / "out"), *model]
    (data / "cohort.csv").write_text("patient_id,image\np1,good.nii.gz\np2,good.nii.gz\n")
    assert run(command) == 0
    first, second, third = (data / f"out/masks/p{number}_1.nii.gz" for number in (1, 2, 3))
    made = second.read_bytes()
    mask = read_mask(first)
    write_mask(replace(mask, array=np.where(mask.array == 4, 0, mask.array)), first)
    corrected = first.read_bytes()
    third.write_bytes(b"no mask")
    (data / "cohort.csv").write_text("patient_id,image\n" + "".join(f"p{n},good.nii.gz\n" for n in (1, 2, 3, 4)))
    for _ in range(2):  # what is kept once is not taken for a mask that was made here
        capsys.readouterr()
        assert run(command) == 2
        assert "2 masks changed after being made" in (told := " ".join(capsys.readouterr().err.split()))
        assert "--existing keep" in told
        assert run([*command, "--existing", "keep"]) == 3
        assert "1 failed, 1 given, 2 ok" in (told := " ".join(capsys.readouterr().out.split()))
        assert "used as they are" in told
        assert (first.read_bytes(), second.read_bytes(), third.read_bytes()) == (corrected, made, b"no mask")
    table = pd.read_csv(data / "out/cohort.csv", dtype=str, keep_default_na=False)
    assert table["segmentation_status"].tolist() == ["given", "ok", "failed", "ok"]
    assert table["mask"][0] == "masks/p1_1.nii.gz"
    scans = json.loads((data / "out/segmentation.manifest.json").read_text())["scans"]
    assert len(scans[0]["levels"]) == len(scans[1]["levels"]) - 1
    assert scans[0]["mask_sha256"] == sha256_file(first)
    assert "kept as it is" in scans[0]["notes"][0]
    assert (
        run(["segment", str(data / "good.nii.gz"), "-o", str(data / "m.nii.gz"), *model, "--existing", "keep"])
        == 2
    )


def test_a_run_that_was_stopped_goes_on_after_a_change_of_settings(data, folders, monkeypatch):
    cohort = read_cohort(data / "cohort.csv", masks=False)
    segment_cohort(cohort, segmenter(folders["edges"]), data / "out", progress=False)
    changed = segmenter(folders["edges"], mirroring=False)
    predict = changed.predict

    def stop_at_the_dark_one(image, **options):
        if image.array.max() < 0:
            raise KeyboardInterrupt
        mask = predict(image, **options)
        mask.array[mask.array == 4] = 3
        return mask

    monkeypatch.setattr(changed, "predict", stop_at_the_dark_one)
    for resume in (True, False):
        with pytest.raises(KeyboardInterrupt):
            segment_cohort(cohort, changed, data / "out", resume=resume, progress=False)
    monkeypatch.setattr(changed, "predict", predict)
    assert read_mask(data / "out/masks/0012_a.nii.gz").labels() == [1, 2, 3]
    assert segment_cohort(cohort, changed, data / "out", progress=False).kept == 1


def test_what_was_corrected_after_a_stopped_run_is_kept(data, folders, monkeypatch):
    cohort = read_cohort(data / "cohort.csv", masks=False)
    segment_cohort(cohort, segmenter(folders["edges"]), data / "out", progress=False)
    for name in ("segmentation.manifest.json", "cohort.csv"):
        (data / "out" / name).unlink()  # as if it had been stopped before the end
    (data / "out/masks/0012_a.nii.gz").write_bytes(b"corrected by hand")
    with pytest.raises(UsageError, match=r"1 mask changed .*masks/0012_a\.nii\.gz"):
        segment_cohort(cohort, segmenter(folders["edges"]), data / "out", progress=False)
    assert (data / "out/masks/0012_a.nii.gz").read_bytes() == b"corrected by hand"


def test_a_table_that_was_worked_on_is_kept(data, folders, monkeypatch):
    cohort = read_cohort(data / "cohort.csv", masks=False)
    table = data / "out/cohort.csv"
    for _ in range(2):
        segment_cohort(cohort, segmenter(folders["edges"]), data / "out", progress=False)
    before = table.read_text()
    # Killed between manifest and table, the next run still knows the old table for its own.
    (data / "cohort.csv").write_text((data / "cohort.csv").read_text().replace(",61,", ",66,"))
    cohort = read_cohort(data / "cohort.csv", masks=False)
    with monkeypatch.context() as patch:
        patch.setattr(batch, "write_text", _stopped_at_the_table)
        with pytest.raises(KeyboardInterrupt):
            segment_cohort(cohort, segmenter(folders["edges"]), data / "out", progress=False)
    assert table.read_text() == before
    segment_cohort(cohort, segmenter(folders["edges"]), data / "out", progress=False)
    assert table.read_text() == before.replace(",61,", ",66,")
    worked_on = table.read_text().replace("age", "age,bmd_mg_cm3", 1)
    table.write_text(worked_on)
    with pytest.raises(UsageError, match=r"cohort table that was changed .*cohort\.csv .*another name"):
        segment_cohort(cohort, segmenter(folders["edges"]), data / "out", progress=False)
    assert table.read_text() == worked_on


def _stopped_at_the_table(path, text):
    if path.name == "cohort.csv":
        raise KeyboardInterrupt
    write_text(path, text)


def test_a_mask_of_one_scan_that_was_corrected_is_kept(data, folders):
    predictor, out = segmenter(folders["edges"]), data / "m.nii.gz"
    segment_file(data / "good.nii.gz", predictor, out)
    segment_file(data / "good.nii.gz", predictor, out)
    out.write_bytes(b"corrected by hand")
    with pytest.raises(UsageError, match=r"mask was changed after it was made, or not made here .*m\.nii\.gz"):
        segment_file(data / "good.nii.gz", predictor, out)
    (data / "m.nii.gz.manifest.json").unlink()
    with pytest.raises(UsageError, match="or not made here"):
        segment_file(data / "good.nii.gz", predictor, out)
    assert out.read_bytes() == b"corrected by hand"


def test_one_scan_of_two_images_is_refused(data, folders):
    rows = ["patient_id,scan_id,repeat,image", "p,1,r1,good.nii.gz", "p,1,r2,dark.nii.gz"]
    (data / "cohort.csv").write_text("\n".join(rows) + "\n")
    cohort = read_cohort(data / "cohort.csv", masks=False)
    with pytest.raises(
        TableError, match=r"different images .*patient p, scan 1 .*good.* and .*dark.*column scan_id"
    ):
        segment_cohort(cohort, segmenter(folders["edges"]), data / "out", progress=False)
    assert not (data / "out").exists()


def test_an_old_mask_does_not_outlive_a_failure(data, folders):
    cohort = read_cohort(data / "cohort.csv", masks=False)
    segment_cohort(cohort, segmenter(folders["edges"]), data / "out", progress=False)
    (data / "good.nii.gz").write_bytes((data / "cut.nii.gz").read_bytes())
    summary = segment_cohort(cohort, segmenter(folders["edges"]), data / "out", progress=False)
    assert summary.counts == {"failed": 5}
    assert not list((data / "out/masks").iterdir())


def test_names_that_would_meet_are_told_apart(data, folders):
    rows = [
        "patient_id,scan_id,image",
        "a_b,c,good.nii.gz",
        "a,b_c,good.nii.gz",
        "A,b_c,good.nii.gz",
        "d,1,good.nii.gz",
    ]
    (data / "cohort.csv").write_text("\n".join(rows) + "\n")
    cohort = read_cohort(data / "cohort.csv", masks=False)
    segment_cohort(cohort, segmenter(folders["edges"]), data / "out", progress=False)
    names = {path.name.casefold() for path in (data / "out/masks").iterdir()}
    assert len(names) == 4
    assert "d_1.nii.gz" in names


def test_levels_are_counted_from_the_anchor_of_each_scan(tmp_path, folders):
    write_image(bones(), tmp_path / "bones.nii.gz")
    rows = [
        "patient_id,image,anchor",
        "p1,bones.nii.gz,lowest=L4",
        "p2,bones.nii.gz,highest=T12",
        "p3,bones.nii.gz,",
    ]
    (tmp_path / "cohort.csv").write_text("\n".join(rows) + "\n")
    cohort = read_cohort(tmp_path / "cohort.csv", masks=False)
    predictor = segmenter(folders["one"], scheme="model")
    summary = segment_cohort(cohort, predictor, tmp_path / "out", anchor=parse_anchor("lowest=L5"), progress=False)
    assert (summary.counts, summary.scheme) == ({"ok": 3}, "verse")
    manifest = json.loads((tmp_path / "out/segmentation.manifest.json").read_text())
    levels = {scan["patient_id"]: sorted(scan["levels"]) for scan in manifest["scans"]}
    assert levels == {
        "p1": ["L1", "L2", "L3", "L4"], "p2": ["L1", "L2", "L3", "T12"], "p3": ["L2", "L3", "L4", "L5"],
    }  # fmt: skip
    assert read_mask(tmp_path / "out/masks/p1_1.nii.gz").labels() == [20, 21, 22, 23]


def test_notes_are_told_in_one_line(tmp_path, folders, capsys):
    image = bones()
    image.array[1:3, 1:3, 1:3] = 700
    write_image(image, tmp_path / "speck.nii.gz")
    (tmp_path / "cohort.csv").write_text("patient_id,image\np1,speck.nii.gz\n")
    command = ["segment", "--cohort", str(tmp_path / "cohort.csv"), "-o", str(tmp_path / "out"), "--device", "cpu"]
    assert run([*command, "-m", str(folders["one"]), "--anchor", "lowest=L4"]) == 0
    assert "note what was assumed or left out in 1 of 1 scan stands in" in " ".join(
        capsys.readouterr().out.split()
    )
    manifest = json.loads((tmp_path / "out/segmentation.manifest.json").read_text())
    assert "1 piece too small for a vertebra" in manifest["scans"][0]["notes"][0]


def test_a_scan_whose_vertebrae_cannot_be_named_can_be_looked_at(tmp_path, folders, capsys):
    image = bones(6)
    image.array[50:70] = DARK  # one body of six
    write_image(image, tmp_path / "gap.nii.gz")
    command = [
        "segment",
        str(tmp_path / "gap.nii.gz"),
        "-o",
        str(tmp_path / "m.nii.gz"),
        "-m",
        str(folders["one"]),
    ]
    assert run([*command, "--device", "cpu", "--anchor", "lowest=L4"]) == 3
    assert "--scheme model and without an anchor" in " ".join(capsys.readouterr().err.split())
    assert run([*command, "--device", "cpu", "--scheme", "model"]) == 0
    assert read_mask(tmp_path / "m.nii.gz").labels() == [1]


def test_a_wrong_anchor_in_the_table_is_found_before_any_work(tmp_path, folders):
    (tmp_path / "cohort.csv").write_text("patient_id,image,anchor\np1,a.nii.gz,lowest=X\n")
    cohort = read_cohort(tmp_path / "cohort.csv", masks=False)
    with pytest.raises(TableError, match=r"no anchor .*line 2"):
        segment_cohort(cohort, segmenter(folders["one"]), tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


def test_an_anchor_for_a_model_that_cannot_use_it_is_refused(data, folders):
    cohort = read_cohort(data / "cohort.csv", masks=False)
    with pytest.raises(UsageError, match="of no use"):
        segment_cohort(
            cohort, segmenter(folders["edges"]), data / "out", anchor=parse_anchor("lowest=L5"), progress=False
        )


def test_the_models_own_values_are_kept_where_that_is_asked_for(data, folders, tmp_path):
    both = segmenter(write_folder(tmp_path / "both", [sacrum_too()], {"vertebra": 1, "sacrum": 2}), scheme="model")
    assert plan_naming(both, "auto", False).wanted
    assert not plan_naming(both, "model", False).wanted
    with pytest.raises(UsageError, match="counted have no values of the model"):
        plan_naming(both, "model", True)


def test_a_scheme_without_an_anchor_is_refused(tmp_path, folders):
    write_image(bones(), tmp_path / "bones.nii.gz")
    predictor = segmenter(folders["one"], scheme="model")
    with pytest.raises(UsageError, match="none is known"):
        segment_file(tmp_path / "bones.nii.gz", predictor, tmp_path / "m.nii.gz", scheme="verse")
    result, told = segment_file(tmp_path / "bones.nii.gz", predictor, tmp_path / "m.nii.gz")
    assert (result.levels, told) == (("vertebra",), str(tmp_path / "m.nii.gz.scheme.yaml"))


def test_from_the_command_line_to_features(tmp_path, folders, capsys):
    image = bones()
    rng = np.random.default_rng(0)
    noisy = np.clip(image.array + rng.normal(0, 20, image.array.shape), -1000, 2000).astype(np.int16)
    write_image(Image(noisy, image.geometry), tmp_path / "bones.nii.gz")
    (tmp_path / "cohort.csv").write_text("patient_id,image\np1,bones.nii.gz\n")
    model = ["--model", str(folders["one"]), "--device", "cpu", "--threads", "1", "--anchor", "lowest=L4"]
    out = tmp_path / "out"
    assert run(["segment", "--cohort", str(tmp_path / "cohort.csv"), "--out", str(out), *model]) == 0
    assert "read with --scheme verse" in capsys.readouterr().out
    table = tmp_path / "features.csv"
    arguments = ["--cohort", str(out / "cohort.csv"), "--out", str(table), "--scheme", "verse"]
    assert run(["extract", *arguments]) == 0
    features = pd.read_csv(table, dtype={"patient_id": str})
    assert list(features["level"]) == ["L1", "L2", "L3", "L4"]
    assert features["density_mean_hu"].between(600, 720).all()
    one = tmp_path / "one.nii.gz"
    assert run(["segment", str(tmp_path / "bones.nii.gz"), "--out", str(one), *model]) == 0
    np.testing.assert_array_equal(read_mask(one).array, read_mask(out / "masks/p1_1.nii.gz").array)
    assert json.loads((tmp_path / "one.nii.gz.manifest.json").read_text())["scans"][0]["levels"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--device", "cuda:99"], "absent"),
        (["--folds", "0,4"], "lacks a fold"),
        (["--orientation", "RAX"], "no order of axes"),
        (["--step-size", "2"], "no step"),
        (["--anchor", "L5"], "no anchor"),
        (["--scheme", "vers"], "no label scheme"),
        (["--coarse", "nowhere"], "no model folder"),
        (["--out", "m.gz"], "format is not known"),
    ],
)
def test_wrong_use_is_told_and_leaves_nothing(tmp_path, folders, capsys, arguments, told):
    write_image(lopsided(), tmp_path / "a.nii.gz")
    out = tmp_path / "m.nii.gz"
    code = run(["segment", str(tmp_path / "a.nii.gz"), "-o", str(out), "-m", str(folders["edges"]), *arguments])
    assert code == 2
    assert told in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.nii.gz"]


def test_an_order_of_axes_that_nobody_named_is_told(tmp_path, capsys):
    folder = write_folder(tmp_path / "silent", [edge_weights()], EDGE_LABELS, orientation=None)
    write_image(lopsided(), tmp_path / "a.nii.gz")
    command = ["segment", str(tmp_path / "a.nii.gz"), "-o", str(tmp_path / "m.nii.gz"), "-m", str(folder)]
    assert run([*command, "--device", "cpu"]) == 0
    assert "warning the model silent does not say" in " ".join(capsys.readouterr().err.split())
    assert run([*command, "--device", "cpu", "--orientation", "RAS"]) == 0
    assert not capsys.readouterr().err


def test_one_bad_scan_is_told_with_its_exit_code(data, folders, capsys):
    arguments = ["-m", str(folders["edges"]), "--device", "cpu"]
    assert run(["segment", "--cohort", str(data / "cohort.csv"), "-o", str(data / "out"), *arguments]) == 3
    told = capsys.readouterr().out
    assert "failed patient 0013, scan a: file not found" in told
    assert "masks that the cohort had stand in the column mask_given" in told
    assert run(["segment", str(data / "dark.nii.gz"), "-o", str(data / "m.nii.gz"), *arguments]) == 3
    assert not list(data.glob("m.nii.gz*"))
    assert not list(data.glob(".part*"))


@pytest.mark.shared_data
def test_a_dicom_series_is_segmented_on_its_own_grid(shared_data, tmp_path, folders, capsys):
    source, out = str(shared_data / "dicom/ct_j2k_20slices"), tmp_path / "m.nii.gz"
    model = ["-m", str(folders["edges"]), "--device", "cpu", "--step-size", "1"]
    assert run(["segment", source, "-o", str(out), "--series", "no such series", *model]) == 3
    assert not out.exists()
    assert run(["segment", source, "-o", str(out), *model]) == 0
    capsys.readouterr()
    image, mask = read_image(shared_data / "dicom/ct_j2k_20slices"), read_mask(out)
    assert not differences(image.geometry, mask.geometry)
    bone = image.array > 600
    assert (mask.array[bone] > 0).mean() > 0.9
    assert (mask.array[image.array < 0] == 1).mean() < 0.01

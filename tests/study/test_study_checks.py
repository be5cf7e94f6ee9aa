from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import radiobone.features.prepare
import radiobone.study.checks
from radiobone.core.errors import GeometryError, VoiError
from radiobone.features.request import ExtractionRequest
from radiobone.imaging import Geometry, Image, Mask
from radiobone.imaging.masks.placing import TURNED
from radiobone.imaging.reading import read_mask
from radiobone.imaging.writing import write_image, write_mask
from radiobone.study.checks import FACTS, inspect_scan, inspect_scans
from radiobone.study.confounding import associations, class_counts, known_label_rule
from radiobone.tables.cohort import Scan
from radiobone.tables.labels import LabelRule
from radiobone.voi import find_recipe

GRID = Geometry((30, 24, 24), (2.0, 1.5, 1.5))
QCT = LabelRule(source="bmd", column="bmd_mg_cm3", reference="QCT")


def request(**changes) -> ExtractionRequest:
    return ExtractionRequest(**{"recipe": find_recipe("label"), "blocks": (), "scheme": "verse", **changes})


def scan(folder, *, hu=None, labels=None, grid=GRID, mask_grid=GRID) -> Scan:
    if hu is None:
        hu = np.random.default_rng(0).integers(-200, 400, grid.shape).astype(np.int16)
    if labels is None:
        labels = np.zeros(mask_grid.shape, np.uint8)
        labels[18:26, 6:18, 5:17] = 20
        labels[4:12, 6:18, 5:17] = 21
    write_image(Image(hu, grid), folder / "ct.nii.gz")
    write_mask(Mask(labels, mask_grid), folder / "mask.nii.gz")
    return Scan("p01", "1", folder / "ct.nii.gz", folder / "mask.nii.gz")


def found(report, severity) -> str:
    return "\n".join(f"{item.check}: {item.message}" for item in report.findings if item.severity == severity)


def test_a_good_scan_has_facts_and_no_findings(tmp_path):
    report = inspect_scan(scan(tmp_path), request(levels=("L1", "L2")))
    assert report.findings == ()
    assert tuple(report.facts) == FACTS
    assert report.facts["levels"] == "L1 L2"
    assert report.facts["size"] == "24x24x30"
    assert report.facts["pixel_type"] == "int16"


def test_bad_image_and_bad_mask_are_both_told(tmp_path):
    made = scan(tmp_path)
    made.image.unlink()
    made.mask.write_text("no image")
    errors = found(inspect_scan(made, request()), "error")
    assert "file not found" in errors
    assert "mask.nii.gz" in errors


def test_each_file_is_read_once(tmp_path, monkeypatch):
    made = scan(tmp_path)
    read = []
    for module in (radiobone.study.checks, radiobone.features.prepare):
        for name in ("read_image", "read_mask"):
            original = getattr(module, name)
            monkeypatch.setattr(
                module,
                name,
                lambda path, original=original, **chosen: (read.append(path), original(path, **chosen))[1],
            )
    assert inspect_scan(made, request()).findings == ()
    assert sorted(read) == sorted([made.image, made.mask])


def test_a_level_that_no_label_names_is_no_matter_of_geometry(tmp_path):
    labels = np.zeros(GRID.shape, np.uint8)
    labels[4:12, 6:18, 5:17] = 99
    errors = found(inspect_scan(scan(tmp_path, labels=labels), request()), "error")
    assert errors.startswith("labels: the mask holds no label that the scheme names")


@pytest.mark.parametrize(
    ("error", "check"), [(GeometryError("the axes differ"), "geometry"), (VoiError("nothing inside"), "labels")]
)
def test_findings_are_filed_by_the_type_of_the_error_not_by_its_words(tmp_path, monkeypatch, error, check):
    def fail(*args: object) -> None:
        raise error

    monkeypatch.setattr(radiobone.study.checks, "prepare_scan", fail)
    (finding,) = inspect_scan(scan(tmp_path), request()).findings
    assert finding.check == check


def test_a_body_mask_on_another_grid_is_a_matter_of_geometry(tmp_path):
    made = scan(tmp_path)
    write_mask(Mask(np.ones((5, 5, 5), np.uint8), Geometry((5, 5, 5), (9.0, 9.0, 9.0))), tmp_path / "body.nii.gz")
    errors = found(inspect_scan(replace(made, body_mask=tmp_path / "body.nii.gz"), request()), "error")
    assert errors.startswith("geometry: image and mask do not lie on the same grid")


def test_a_bad_body_mask_is_told_beside_a_bad_image(tmp_path):
    made = scan(tmp_path)
    made.image.unlink()
    errors = found(inspect_scan(replace(made, body_mask=tmp_path / "none.nii.gz"), request()), "error")
    assert errors.count("file: file not found") == 2


def test_geometry_is_told_in_mm_and_degrees(tmp_path):
    turn = np.radians(5)
    direction = (np.cos(turn), -np.sin(turn), 0.0, np.sin(turn), np.cos(turn), 0.0, 0.0, 0.0, 1.0)
    moved = Geometry(GRID.shape, GRID.spacing_mm, (3.0, 4.0, 0.0), direction)
    errors = found(inspect_scan(scan(tmp_path, mask_grid=moved), request()), "error")
    assert errors.startswith("geometry:")
    assert "5 mm apart" in errors
    assert "x by 5°" in errors


def test_a_mask_whose_axes_were_turned_needs_no_review_and_a_resampled_one_does(tmp_path):
    made = scan(tmp_path)
    labels = read_mask(made.mask).full()
    turned = replace(GRID, origin_mm=(0.0, 1.5 * 23, 0.0), direction=(1.0, 0, 0, 0, -1.0, 0, 0, 0, 1.0))
    write_mask(Mask(labels[:, ::-1].copy(), turned), made.mask)
    report = inspect_scan(made, request())
    assert found(report, "note") == f"geometry: {TURNED}: its x, y, z are the image's x, -y, z"
    assert not report.needs_review
    write_mask(Mask(labels, replace(GRID, origin_mm=(0.5, 0.0, 0.0))), made.mask)
    assert found(inspect_scan(made, request(align=True)), "warning").startswith("geometry: mask resampled")


def test_missing_levels_unnamed_labels_and_border_are_told(tmp_path):
    labels = np.zeros(GRID.shape, np.uint8)
    labels[18:30, 6:18, 5:17] = 20
    labels[4:12, 6:18, 5:17] = 99
    report = inspect_scan(scan(tmp_path, labels=labels), request(levels=("L1", "L2")))
    assert "label not present" in found(report, "error")
    assert "20 (L1)" in found(report, "error")
    assert "image border" in found(report, "warning")
    assert "labels 99" in found(report, "note")


@pytest.mark.parametrize(
    ("hu", "told"),
    [
        (np.random.default_rng(0).integers(0, 2000, GRID.shape).astype(np.int16), "rescale intercept"),
        (np.random.default_rng(0).random(GRID.shape).astype(np.float32), "normalised"),
        (np.full(GRID.shape, -3000, np.int16), "not plausible for bone"),
    ],
)
def test_implausible_hu_are_told(tmp_path, hu, told):
    assert told in found(inspect_scan(scan(tmp_path, hu=hu), request()), "warning")


def test_one_bad_scan_does_not_stop_the_others(tmp_path):
    good = scan(tmp_path)
    bad = Scan("p02", "1", tmp_path / "none.nii.gz", good.mask)
    reports = inspect_scans([bad, good], request(), progress=False)
    assert found(reports[0], "error")
    assert reports[1].findings == ()


def cohort(n: int = 60) -> pd.DataFrame:
    bmd = [60.0, 100.0, 140.0] * (n // 3)
    return pd.DataFrame(
        {
            "patient_id": [f"p{number}" for number in range(n)],
            "bmd_mg_cm3": [str(value) for value in bmd],
            "kVp": ["80" if value < 80 else "120" for value in bmd],
            "sex": ["f", "m"] * (n // 2),
            "age": [str(50 + value / 10) for value in bmd],
            "thickness": ["1.0"] * (n - 1) + [""],
        }
    )


def test_class_counts_name_patients_without_label():
    table = cohort()
    table.loc[0, "bmd_mg_cm3"] = ""
    assert class_counts(table, QCT, "x") == {"normal": 20, "osteopenia": 20, "osteoporosis": 19, "no label": 1}


def test_confounded_columns_have_a_small_p_and_others_not():
    by_name = {item.column: item for item in associations(cohort(), QCT, "x")}
    assert list(by_name) == ["kVp", "sex", "thickness", "age"]
    assert by_name["kVp"].p < 1e-6
    assert by_name["kVp"].cells["80"]["osteoporosis"] == "20 (100%)"
    assert by_name["sex"].p > 0.05
    assert by_name["age"].p < 1e-6
    assert by_name["age"].cells["mean ± SD"]["normal"] == "64 ± 0"
    assert np.isnan(by_name["thickness"].p), "one value cannot be compared"
    assert by_name["thickness"].lines(["normal"]) == [("thickness mean ± SD (1 missing)", "1 ± 0", "")]
    first, second = by_name["kVp"].lines(["osteoporosis"])
    assert (first[:2], second[:2]) == (("kVp 120", "0 (0%)"), ("kVp 80", "20 (100%)"))
    assert (float(first[2]) < 1e-6, second[2]) == (True, "")


def test_labels_are_known_by_the_name_of_their_column():
    assert known_label_rule(["patient_id", "bmd_mg_cm3"]) == QCT
    rule = known_label_rule(["t_score"])
    assert rule is not None
    assert rule.reference == "DXA"
    assert known_label_rule(["bmd"]) is None

"""From files to vBMD on the command line: two voltages, one phantom, one calibration file, a known truth."""

from __future__ import annotations

import pytest
import yaml
from calibration_phantoms import DIAMETER_MM, ROD_DENSITIES, SPACING_MM, TRABECULAR_MG_CM3, Truth, patient
from typer.testing import CliRunner

from radiobone.cli.app import app
from radiobone.imaging.writing import write_image, write_mask
from radiobone.tables.features import read_features

VOLTAGES = {
    "p080": Truth(steepness=1.95, base=-8.0, noise_hu=30.0, turn_deg=-6.0),
    "p120": Truth(steepness=1.30, base=4.0, slant=(0.04, 0.03)),
}


@pytest.mark.slow
def test_two_voltages_give_one_density_where_hu_differ(tmp_path):
    lines = ["patient_id,image,mask"]
    for name, truth in VOLTAGES.items():
        image, mask = patient(truth)
        write_image(image, tmp_path / f"{name}.nii.gz")
        write_mask(mask, tmp_path / f"{name}_mask.nii.gz")
        lines.append(f"{name},{name}.nii.gz,{name}_mask.nii.gz")
    (tmp_path / "cohort.csv").write_text("\n".join(lines) + "\n")
    rods = [{"density_mg_cm3": value, "diameter_mm": DIAMETER_MM} for value in ROD_DENSITIES]
    content = {"kind": "phantom", "standard": "HA", "rods": rods, "spacing_mm": SPACING_MM}
    (tmp_path / "rods.yaml").write_text(yaml.safe_dump(content))
    (tmp_path / "mean.yaml").write_text("imageType: {Original: {}}\nfeatureClass: {firstorder: [Mean]}\n")
    out = tmp_path / "features.csv"
    files = {"--cohort": "cohort.csv", "--calibration": "rods.yaml", "--params": "mean.yaml"}
    options = [str(part) for name, file in files.items() for part in (name, tmp_path / file)]
    result = CliRunner().invoke(app, ["extract", *options, "--out", str(out), "--scheme", "verse"])
    assert result.exit_code == 0, result.output
    features = read_features(out)
    table = features.table.set_index(["patient_id", "level"])
    for name, truth in VOLTAGES.items():
        hu = truth.steepness * TRABECULAR_MG_CM3 + truth.base
        for level in ("L1", "L2"):
            assert table.loc[(name, level), "density_mean_hu"] == pytest.approx(hu, abs=1.5)
            for value in ("mean", "median"):
                column = f"density_vbmd_{value}_mg_cm3"
                assert table.loc[(name, level), column] == pytest.approx(TRABECULAR_MG_CM3, abs=2.0)
    for scan in features.manifest.scans:
        truth = VOLTAGES[scan.patient_id]
        assert scan.calibration.slope == pytest.approx(1 / truth.steepness, rel=0.01)
        assert scan.calibration.intercept == pytest.approx(-truth.base / truth.steepness, abs=1.5)
        assert "rods found in" in scan.calibration.notes[0]

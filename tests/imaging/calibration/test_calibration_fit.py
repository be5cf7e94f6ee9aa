"""The line, the calibration file, and the equations of scanners."""

from __future__ import annotations

import json

import numpy as np
import pytest

from radiobone.core.config import validate
from radiobone.core.errors import CalibrationError, ConfigError
from radiobone.imaging import Geometry, Image, Mask
from radiobone.imaging.calibration import Calibration, Given, Point, calibrate, read_calibration
from radiobone.imaging.calibration.fitting import fit
from radiobone.imaging.calibration.settings import AsynchronousSettings

GRID = Geometry((2, 2, 2), (1.0, 1.0, 1.0))
NO_IMAGE, NO_MASK = Image(np.zeros(GRID.shape, np.int16), GRID), Mask(np.zeros(GRID.shape, np.uint8), GRID)


def points(hu, densities=(0.0, 100.0, 200.0), water=None):
    waters = [None] * len(hu) if water is None else water
    return [
        Point(f"rod {number + 1}", density, value, None, wet)
        for number, (value, density, wet) in enumerate(zip(hu, densities, waters, strict=True))
    ]


def test_points_on_a_line_give_that_line():
    found = fit("phantom", points([10.0, 140.0, 270.0]), "HA", max_residual_mg_cm3=5.0)
    assert found.slope == pytest.approx(1 / 1.3)
    assert found.intercept == pytest.approx(-10 / 1.3)
    assert found.density(140.0) == pytest.approx(100.0)
    assert found.residuals == pytest.approx((0.0, 0.0, 0.0), abs=1e-9)
    assert found.r2 == pytest.approx(1.0)
    assert found.unit == "mg/cm3 HA"
    assert found.warnings == ()


def test_hu_are_fitted_by_densities_and_not_the_other_way_round():
    hu, known = np.array([0.0, 160.0, 250.0]), np.array([0.0, 100.0, 200.0])
    steepness, base = np.polyfit(known, hu, 1)
    found = fit("phantom", points(hu), "HA", max_residual_mg_cm3=5.0)
    assert (found.slope, found.intercept) == pytest.approx((1 / steepness, -base / steepness))
    assert found.slope != pytest.approx(np.polyfit(hu, known, 1)[0], rel=1e-3)
    assert found.residuals == pytest.approx(
        [found.density(value) - true for value, true in zip(hu, known, strict=True)]
    )
    assert found.r2 == pytest.approx(np.corrcoef(hu, known)[0, 1] ** 2)


def test_a_rod_off_the_line_is_told_with_its_residual():
    found = fit("phantom", points([0.0, 160.0, 250.0]), "HA", max_residual_mg_cm3=5.0)
    (warning,) = found.warnings
    assert "above 5 mg/cm3" in warning
    assert f"rod 2 (100 mg/cm3) by {found.residuals[1]:+.1f}" in warning
    assert not fit("phantom", points([0.0, 160.0, 250.0]), "HA", max_residual_mg_cm3=30.0).warnings


def test_rods_that_hold_water_follow_the_formula_of_their_maker():
    # Tissue of density d has HU = 1.2 d - 3; the rods were made from sigma_ref = 1.4174 and beta_ref = -1002.6.
    known, water = np.array([-50.0, 0.0, 375.0]), np.array([1012.0, 1057.0, 923.0])
    hu = water + 1.4174 * known - 1002.6
    found = fit("phantom", points(hu, known, water), "K2HPO4", max_residual_mg_cm3=5.0)
    assert found.density(1.2 * 130.0 - 3.0) == pytest.approx(130.0)
    assert found.residuals == pytest.approx((0.0, 0.0, 0.0), abs=1e-9)
    assert found.unit == "mg/cm3 K2HPO4"


def test_points_without_a_rising_line_are_refused():
    with pytest.raises(CalibrationError, match="do not rise"):
        fit("phantom", points([200.0, 100.0, 0.0]), "HA", max_residual_mg_cm3=5.0)
    with pytest.raises(CalibrationError, match="two points of different density"):
        fit("phantom", points([1.0, 2.0], (50.0, 50.0)), "HA", max_residual_mg_cm3=5.0)


def test_two_points_say_that_they_cannot_be_judged():
    found = fit("internal", points([-100.0, 50.0], (-80.0, 40.0)), "HA", max_residual_mg_cm3=5.0)
    assert found.r2 is None
    assert "no residual tells" in found.notes[0]


def test_the_inverse_of_a_slope_is_told():
    steep = {"match": {}, "slope_mg_cm3_per_hu": 1.3, "intercept_mg_cm3": 0.0}
    (warning,) = calibrate(NO_IMAGE, NO_MASK, equations(key_columns=[], equations=[steep])).warnings
    assert "slope of 1.3 mg/cm3 for one HU" in warning
    assert not calibrate(NO_IMAGE, NO_MASK, equations(key_columns=[], equations=[{**steep, **LINE}])).warnings


def test_a_calibration_survives_json_to_the_last_bit():
    found = fit("phantom", points([0.1, 160.3, 250.7]), "HA", max_residual_mg_cm3=5.0, notes=["seen"])
    assert Calibration.from_content(json.loads(json.dumps(found.content()))) == found


RODS = [{"density_mg_cm3": value, "diameter_mm": 18} for value in (0, 75, 150)]
PHANTOM = {"kind": "phantom", "standard": "HA", "rods": RODS, "spacing_mm": 30}
LINE = {"slope_mg_cm3_per_hu": 0.8, "intercept_mg_cm3": -3.0}
FALLING = [{"density_mg_cm3": 0, "hu": 120}, {"density_mg_cm3": 100, "hu": 0}]
TOO_FLAT = [
    {"density_mg_cm3": 0, "hu": 0, "water_mg_cm3": 1000},
    {"density_mg_cm3": 100, "hu": 20, "water_mg_cm3": 1000},
]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"kind": "magic"}, "kind"),
        ({**PHANTOM, "spacing_m": 3}, "did you mean 'spacing_mm'"),
        ({**PHANTOM, "standard": "water"}, "standard"),
        ({**PHANTOM, "rods": RODS[:2]}, "three of different density"),
        ({**PHANTOM, "rods": RODS[:1]}, "a line needs two different densities"),
        ({"kind": "asynchronous", "standard": "HA", "equations": []}, "equations: there is none"),
        ({**PHANTOM, "spacing_mm": None}, "either spacing_mm, or x_mm"),
        ({**PHANTOM, "rods": [{"density_mg_cm3": 1.0}, *RODS]}, "diameter_mm is needed"),
        ({**PHANTOM, "rods": [{**RODS[0], "water_mg_cm3": 1000.0}, *RODS[1:]]}, "for all or none"),
        ({**PHANTOM, "rods": [{**RODS[0], "density_mg_cm3": float("nan")}, *RODS[1:]]}, "finite number"),
        (
            {
                "kind": "asynchronous",
                "standard": "HA",
                "equations": [
                    {
                        "points": [
                            {"density_mg_cm3": 0, "hu": 0, "water_mg_cm3": 1000},
                            {"density_mg_cm3": 100, "hu": 120},
                        ]
                    }
                ],
            },
            "for some points, expected for all or none",
        ),
        (
            {
                "kind": "internal",
                "standard": "HA",
                "muscle": {"density_mg_cm3": 40, "label": 1},
                "fat": {"density_mg_cm3": -80, "label": 1},
            },
            "two tissues have one label",
        ),
        ({**PHANTOM, "rods_from": "positions"}, "positions_mm"),
        ({**PHANTOM, "rods_from": "positions", "positions_mm": [[0, 0, 0]]}, "1 points for 3 rods"),
        ({**PHANTOM, "rods_from": "labels", "rods": [{**rod, "label": 4} for rod in RODS]}, "one label"),
        ({"kind": "asynchronous", "standard": "HA", "equations": [{}]}, "or points instead"),
        (
            {"kind": "asynchronous", "standard": "HA", "key_columns": ["kvp"], "equations": [LINE]},
            "number 1 matches nothing, expected key_columns: kvp",
        ),
        (
            {"kind": "asynchronous", "standard": "HA", "equations": [{"points": FALLING}]},
            "equations.0: points: HU do not rise with density: rod 1 .0 mg/cm3. at 120.0 HU, rod 2",
        ),
        (
            {"kind": "asynchronous", "standard": "HA", "equations": [{"points": FALLING[:1]}]},
            "two points of different density",
        ),
        (
            # In water-equivalent rods, HU must rise by more than water alone makes them.
            {"kind": "asynchronous", "standard": "HA", "equations": [{"points": TOO_FLAT}]},
            "HU do not rise",
        ),
        (
            {
                "kind": "asynchronous",
                "standard": "HA",
                "key_columns": ["contrast"],
                "equations": [{**LINE, "match": {"contrast": False}}],
            },
            "contrast: YAML reads yes and no",
        ),
        (
            {"kind": "asynchronous", "standard": "HA", "equations": [LINE, LINE]},
            "numbers 1 and 2 hold for the same",
        ),
        (
            {"kind": "asynchronous", "standard": "HA", "equations": [{**LINE, "valid_to": "2020-01-01"}]},
            "date_column is not given",
        ),
        ({"kind": "internal", "standard": "HA", "muscle": {"density_mg_cm3": 40}}, "fat: required"),
        (
            {
                "kind": "internal",
                "standard": "HA",
                "muscle": {"density_mg_cm3": -90},
                "fat": {"density_mg_cm3": -80},
            },
            "must rise from air to fat to muscle",
        ),
        (
            {
                "kind": "internal",
                "standard": "HA",
                "muscle": {"density_mg_cm3": 40},
                "fat": {"density_mg_cm3": -80},
                "blood": {"density_mg_cm3": 35},
            },
            "label of the aorta",
        ),
    ],
)
def test_a_calibration_file_that_means_nothing_is_refused(tmp_path, content, told):
    path = tmp_path / "calibration.yaml"
    path.write_text(json.dumps(content).replace("NaN", ".nan"))
    with pytest.raises(ConfigError, match=told):
        read_calibration(path)


def test_one_mistake_in_an_equation_is_told_alone(tmp_path):
    path = tmp_path / "calibration.yaml"
    path.write_text(
        "kind: asynchronous\nstandard: HA\nequations: [{slope_mg_cm3_per_hu: -1, intercept_mg_cm3: 0}]"
    )
    with pytest.raises(ConfigError) as told:
        read_calibration(path)
    assert told.value.got == "equations.0.slope_mg_cm3_per_hu: Input should be greater than 0, got -1"


def equations(**changes):
    content = {
        "kind": "asynchronous",
        "standard": "K2HPO4",
        "key_columns": ["scanner", "kvp"],
        "equations": [
            {"match": {"scanner": "Alpha", "kvp": 120}, **LINE},
            {"match": {"scanner": "Alpha", "kvp": 80}, "slope_mg_cm3_per_hu": 0.55, "intercept_mg_cm3": 2.0},
            {
                "match": {"scanner": "Beta", "kvp": 120},
                "points": [{"density_mg_cm3": 0, "hu": 5}, {"density_mg_cm3": 100, "hu": 130}],
            },
        ],
    }
    return validate(AsynchronousSettings, content | changes, "test")


@pytest.mark.parametrize(
    ("scanner", "kvp", "density"), [("Alpha", "120", 77.0), (" alpha ", "80.0", 57.0), ("Beta", "120", 76.0)]
)
def test_each_scanner_and_voltage_has_its_own_equation(scanner, kvp, density):
    given = Given({"scanner": scanner, "kvp": kvp})
    found = calibrate(NO_IMAGE, NO_MASK, equations(), given)
    assert found.density(100.0) == pytest.approx(density)
    assert found.kind == "asynchronous"
    assert f"kvp {kvp}" in found.notes[0]


def test_a_scan_without_an_equation_is_told_which_there_are():
    with pytest.raises(CalibrationError, match=r"scanner Beta, kvp 80 .*expected: scanner Alpha, kvp 120;"):
        calibrate(NO_IMAGE, NO_MASK, equations(), Given({"scanner": "Beta", "kvp": "80"}))
    with pytest.raises(CalibrationError, match="nothing in kvp"):
        calibrate(NO_IMAGE, NO_MASK, equations(), Given({"scanner": "Beta", "kvp": " "}))


def test_an_equation_holds_from_its_first_day_to_its_last():
    old = {"valid_to": "2020-06-30", "slope_mg_cm3_per_hu": 0.8, "intercept_mg_cm3": 0.0}
    new = {
        "valid_from": "2020-07-01",
        "slope_mg_cm3_per_hu": 0.9,
        "intercept_mg_cm3": 0.0,
        "valid_to": "2021-01-01",
    }
    settings = equations(key_columns=[], date_column="date", equations=[old, new])

    def slope(day: str) -> float:
        return calibrate(NO_IMAGE, NO_MASK, settings, Given({"date": day})).slope

    assert [slope(day) for day in ("2019-01-01", "20200630", "2020-07-01", "2021-01-01")] == [0.8, 0.8, 0.9, 0.9]
    with pytest.raises(CalibrationError, match="date 2021-01-02"):
        slope("2021-01-02")
    with pytest.raises(CalibrationError, match="YYYY-MM-DD"):
        slope("2021")
    with pytest.raises(ConfigError, match="numbers 1 and 2 hold for the same scans"):
        equations(key_columns=[], date_column="date", equations=[old, {**new, "valid_from": "2020-06-30"}])

"""Rods in synthetic scans whose slope, intercept and vBMD are known.

Tolerances: slope 1 percent, intercept 1.5 mg/cm3, vBMD 2 mg/cm3, with noise of 20 to 30 HU in a voxel.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from calibration_phantoms import (
    DIAMETER_MM,
    ROD_DENSITIES,
    SPACING_MM,
    TRABECULAR_MG_CM3,
    Truth,
    patient,
)

from radiobone.core.config import validate
from radiobone.core.errors import CalibrationError
from radiobone.imaging import Geometry, Image, Mask
from radiobone.imaging.calibration import Calibration, Given, calibrate
from radiobone.imaging.calibration.settings import PhantomSettings

AT_120_KVP = Truth(steepness=1.30, base=4.0)
AT_80_KVP = Truth(steepness=1.95, base=-8.0, noise_hu=30.0)
TILTED = replace(AT_120_KVP, turn_deg=7.0, slant=(0.05, -0.08))


def settings(**changes) -> PhantomSettings:
    rods = [{"density_mg_cm3": value, "diameter_mm": DIAMETER_MM} for value in ROD_DENSITIES]
    content = {"kind": "phantom", "standard": "HA", "rods": rods, "spacing_mm": SPACING_MM}
    return validate(PhantomSettings, content | changes, "test")


def is_true(found: Calibration, truth: Truth) -> bool:
    slope, intercept = 1 / truth.steepness, -truth.base / truth.steepness
    density = found.density(truth.steepness * TRABECULAR_MG_CM3 + truth.base)
    return (
        abs(found.slope / slope - 1) <= 0.01
        and abs(found.intercept - intercept) <= 1.5
        and abs(density - TRABECULAR_MG_CM3) <= 2.0
    )


@pytest.mark.parametrize(
    "truth",
    [
        pytest.param(TILTED, id="tilted"),
        pytest.param(AT_120_KVP, id="120 kVp", marks=pytest.mark.slow),
        pytest.param(AT_80_KVP, id="80 kVp", marks=pytest.mark.slow),
        pytest.param(replace(AT_120_KVP, way=-1, turn_deg=-4.0), id="other way round", marks=pytest.mark.slow),
    ],
)
def test_rods_are_found_and_give_the_true_line(truth):
    image, mask = patient(truth)
    found = calibrate(image, mask, settings())
    assert is_true(found, truth)
    assert [point.density_mg_cm3 for point in found.points] == list(ROD_DENSITIES)
    assert found.r2 > 0.999
    assert max(map(abs, found.residuals)) < 2.0
    assert found.warnings == ()
    # The check can fail: neither voltage has the line of the other.
    other = AT_80_KVP if truth.steepness < 1.5 else AT_120_KVP
    assert not is_true(found, other)


@pytest.mark.slow
def test_what_was_found_is_the_same_in_any_order_and_direction_of_axes():
    image, mask = patient(TILTED)
    found = calibrate(image, mask, settings())
    grid = image.geometry
    # Axes (z, y, x) become (x, z, y), with x running to the right.
    flipped = image.array[:, :, ::-1].transpose(2, 0, 1)
    labels = mask.array[:, :, ::-1].transpose(2, 0, 1)
    turned = Geometry(
        flipped.shape,
        (grid.spacing_mm[2], grid.spacing_mm[0], grid.spacing_mm[1]),
        tuple(grid.world((0, 0, grid.shape[2] - 1))),
        (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    )
    again = calibrate(Image(flipped, turned), Mask(labels, turned), settings())
    assert (again.slope, again.intercept) == pytest.approx((found.slope, found.intercept), rel=1e-9)


@pytest.mark.slow
def test_a_scan_without_that_phantom_is_refused():
    image, mask = patient(AT_120_KVP)
    bare = Image(
        np.where(np.indices(image.array.shape)[1] > 156, -1000, image.array).astype(np.int16), image.geometry
    )
    with pytest.raises(CalibrationError, match="not found below the spine"):
        calibrate(bare, mask, settings())
    shuffled = [ROD_DENSITIES[place] for place in (1, 4, 0, 3, 2)]
    rods = [{"density_mg_cm3": value, "diameter_mm": DIAMETER_MM} for value in shuffled]
    with pytest.raises(CalibrationError, match="phantom"):
        calibrate(image, mask, settings(rods=rods))
    with pytest.raises(CalibrationError, match="phantom"):
        calibrate(image, mask, settings(spacing_mm=24.0))


def test_an_empty_mask_does_not_tell_where_to_look():
    image, mask = patient(AT_120_KVP)
    with pytest.raises(CalibrationError, match="mask is empty"):
        calibrate(image, Mask(np.zeros_like(mask.array), mask.geometry), settings())


def rod_labels(image: Image) -> Mask:
    """Return labels 1 to 5 inside the rods of an untilted phantom, as a user would draw them."""
    _, y, x = (
        image.geometry.world(np.indices(image.array.shape).reshape(3, -1).T).T[::-1].reshape(3, *image.array.shape)
    )
    labels = np.zeros(image.array.shape, np.uint8)
    for number in range(5):
        centre = 3.0 + (number - 2) * SPACING_MM
        labels[(x - centre) ** 2 + (y - 104.0) ** 2 < 6.0**2] = number + 1
    return Mask(labels, image.geometry)


@pytest.mark.slow
def test_rods_given_as_labels_or_positions_give_the_same_line():
    image, mask = patient(AT_120_KVP)
    by_labels = calibrate(image, mask, settings(rods_from="labels"), Given(calibration_mask=rod_labels(image)))
    assert is_true(by_labels, AT_120_KVP)
    positions = [[3.0 + (number - 2) * SPACING_MM, 104.0, 745.0] for number in range(5)]
    by_positions = calibrate(image, mask, settings(rods_from="positions", positions_mm=positions, length_mm=60.0))
    assert is_true(by_positions, AT_120_KVP)
    far = [[-900.0, 104.0, 745.0], *positions[1:]]
    with pytest.raises(CalibrationError, match="rod 1 lies outside the scan"):
        calibrate(image, mask, settings(rods_from="positions", positions_mm=far))


@pytest.mark.slow
def test_labels_of_rods_are_never_taken_from_vertebrae():
    image, mask = patient(AT_120_KVP)
    with pytest.raises(CalibrationError, match="no label map of the rods"):
        calibrate(image, mask, settings(rods_from="labels"), Given(mask=mask))
    both = Mask(np.where(rod_labels(image).array > 0, rod_labels(image).array + 100, mask.array), mask.geometry)
    rods = [{"density_mg_cm3": value, "label": 101 + number} for number, value in enumerate(ROD_DENSITIES)]
    own = calibrate(image, mask, settings(rods_from="labels", rods=rods), Given(mask=both))
    assert is_true(own, AT_120_KVP)
    rods[4]["label"] = 77
    with pytest.raises(CalibrationError, match="label of rod 5 is not in the mask"):
        calibrate(image, mask, settings(rods_from="labels", rods=rods), Given(mask=both))


@pytest.mark.slow
def test_only_where_the_phantom_lies_is_it_measured():
    image, mask = patient(AT_120_KVP)
    short = image.array.copy()
    short[:4, 150:] = -1000  # the phantom ends beside the lower vertebra
    short[13, 176:190, 118:122] = -900  # a bubble in the rod in the middle
    found = calibrate(Image(short, image.geometry), mask, settings())
    assert is_true(found, AT_120_KVP)
    assert "rods found in 9" not in found.notes[0]


@pytest.mark.slow
def test_a_rod_that_is_not_what_its_file_says_is_told():
    image, mask = patient(replace(AT_120_KVP, densities=(200.0, 150.0, 120.0, 50.0, 0.0)))
    found = calibrate(image, mask, settings())
    assert "rod 3 (100 mg/cm3) by +16" in found.warnings[0]


@pytest.mark.slow
@pytest.mark.shared_data
@pytest.mark.parametrize("spacing_mm", [30.0, 40.0])
def test_no_phantom_is_found_in_real_scans_without_one(shared_data, spacing_mm):
    from radiobone.imaging.reading import read_image, read_mask

    folder = shared_data / "spine" / "totalseg_example"
    image = read_image(folder / "ct.nii.gz")
    mask = read_mask(folder / "vertebrae_ts_labels.nii.gz")
    rods = [{"density_mg_cm3": value, "diameter_mm": 20.0} for value in (0, 75, 150)]
    with pytest.raises(CalibrationError, match="phantom"):
        calibrate(image, mask, settings(rods=rods, spacing_mm=spacing_mm))

"""Fat, muscle and air of synthetic patients with known HU, and of real scans, which have no truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from calibration_phantoms import Truth, patient

from radiobone.core.config import validate
from radiobone.core.errors import CalibrationError
from radiobone.imaging import Image, Mask
from radiobone.imaging.calibration import Given, calibrate
from radiobone.imaging.calibration.settings import InternalSettings
from radiobone.imaging.calibration.tissues import find_tissues, histogram_peak


def settings(**tissues) -> InternalSettings:
    content = {"fat": {"density_mg_cm3": -80}, "muscle": {"density_mg_cm3": 40}} | tissues
    return validate(InternalSettings, {"kind": "internal", "standard": "HA", **content}, "test")


@pytest.mark.parametrize(("fat", "muscle"), [(-105.0, 55.0), pytest.param(-90.0, 45.0, marks=pytest.mark.slow)])
def test_fat_and_muscle_of_known_hu_are_found(fat, muscle):
    image, mask = patient(Truth(fat_hu=fat, muscle_hu=muscle, noise_hu=20.0))
    found = calibrate(image, mask, settings())
    hu = {point.name: point.hu for point in found.points}
    assert hu == pytest.approx({"fat": fat, "muscle": muscle}, abs=2.0)
    slope = 120 / (muscle - fat)
    assert found.slope == pytest.approx(slope, rel=0.025)
    assert found.density(fat) == pytest.approx(-80.0, abs=2.0)
    assert found.warnings == ()


@pytest.mark.slow
def test_air_is_a_third_point_that_gives_residuals():
    image, mask = patient(Truth())
    # Fat at -105, muscle at 55: densities on one line put air at -751.25 mg/cm3.
    found = calibrate(image, mask, settings(air={"density_mg_cm3": -751.25}))
    assert [point.name for point in found.points] == ["air", "fat", "muscle"]
    assert found.points[0].hu == pytest.approx(-1000.0, abs=3.0)
    assert max(map(abs, found.residuals)) < 2.0
    bent = calibrate(image, mask, settings(air={"density_mg_cm3": -850.0}))
    assert "residuals above 5 mg/cm3" in bent.warnings[0]


@pytest.mark.slow
@pytest.mark.parametrize("muscle", [110.0, 15.0])
def test_muscle_with_contrast_medium_or_fat_is_told(muscle):
    image, mask = patient(Truth(muscle_hu=muscle))
    warnings = calibrate(image, mask, settings()).warnings
    assert warnings[0].startswith(f"muscle at {muscle:.0f}"[:-1])
    assert "fat or contrast medium" in warnings[0]


@pytest.mark.slow
def test_blood_and_other_tissues_may_be_given_as_labels():
    image, mask = patient(Truth())
    labels = np.zeros_like(mask.array)
    labels[4:10, 40:60, 100:140] = 7  # organs, at 30 HU
    given = Given(calibration_mask=Mask(labels, mask.geometry))
    found = calibrate(image, mask, settings(blood={"density_mg_cm3": 21.0, "label": 7}), given)
    assert {point.name: point.hu for point in found.points}["blood"] == pytest.approx(30.0, abs=0.5)
    with pytest.raises(CalibrationError, match="label of blood is not there"):
        calibrate(image, mask, settings(blood={"density_mg_cm3": 21.0, "label": 8}), given)


def test_no_vertebra_is_taken_for_blood_where_a_calibration_mask_is_missing():
    image, mask = patient(Truth())
    own = Mask(mask.array.copy(), mask.geometry)
    own.array[2:4, 60:62, 60:62], own.array[2:4, 80:82, 80:82] = 60, 61
    fat, muscle = {"density_mg_cm3": -80, "label": 60}, {"density_mg_cm3": 40, "label": 61}
    assert len(calibrate(image, mask, settings(fat=fat, muscle=muscle), Given(mask=own)).points) == 2
    blood = {"density_mg_cm3": 21.0, "label": 20}  # 20 is L1
    with pytest.raises(CalibrationError, match=r"label of blood is not there .* got: 60, 61 .* expected: 20"):
        calibrate(image, mask, settings(fat=fat, muscle=muscle, blood=blood), Given(mask=own))


@pytest.mark.slow
def test_no_skin_is_seen_where_the_field_of_view_cuts_bowel_or_lung_open():
    image, mask = patient(Truth(noise_hu=5.0))
    hu = image.array.copy()
    hu[:, 60:80, 60:180] = -60  # mesentery, before the spine
    hu[:, 60:70, 65:77], hu[:, 60:70, 110:170] = -1000, -780  # bowel gas, and lung
    box = (slice(None), slice(60, None), slice(None))
    geometry = replace(image.geometry, shape=hu[box].shape, origin_mm=tuple(image.geometry.world((0, 60, 0))))
    cut = Image(hu[box], geometry)
    for part in find_tissues(cut, Mask(mask.array[box], geometry)):
        fat = part.plane.hu[part.regions["fat"]]
        assert len(fat) > 500
        assert np.median(fat) == pytest.approx(-105.0, abs=2.0)
        assert not np.any(np.abs(fat + 60) < 5)


def test_a_field_of_view_without_skin_is_refused():
    image, mask = patient(Truth())
    box = (slice(None), slice(70, 130), slice(80, 160))
    geometry = type(image.geometry)(image.array[box].shape, image.geometry.spacing_mm)
    with pytest.raises(CalibrationError, match="too little fat"):
        calibrate(Image(image.array[box], geometry), Mask(mask.array[box], geometry), settings())


def test_the_peak_is_that_of_the_tissue_that_prevails():
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.normal(50, 15, 20000), rng.normal(-60, 25, 9000)])
    assert histogram_peak(values) == pytest.approx(50.0, abs=1.5)
    assert abs(values.mean() - 50.0) > 20


@pytest.mark.slow
@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("image_name", "mask_name"),
    [
        ("totalseg_example/ct.nii.gz", "totalseg_example/vertebrae_body_disc.nii.gz"),
        ("verse012/sub-verse012_ct.nii.gz", "verse012/sub-verse012_seg-vert_msk.nii.gz"),
    ],
)
def test_real_fat_and_muscle_lie_where_radiologists_expect_them(shared_data, image_name, mask_name):
    from radiobone.imaging.reading import read_image, read_mask

    image, mask = read_image(shared_data / "spine" / image_name), read_mask(shared_data / "spine" / mask_name)
    hu = {}
    parts = find_tissues(image, mask)
    for name in ("fat", "muscle"):
        values = np.concatenate([part.plane.hu[part.regions[name]] for part in parts])
        hu[name] = histogram_peak(values)
    assert -120 < hu["fat"] < -75
    assert 15 < hu["muscle"] < 75

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from radiobone.study.demo import simulate_patients
from radiobone.study.demo.anatomy import arch_distance, body_distance, canal_distance
from radiobone.study.demo.images import LABELS, synthesize
from radiobone.study.demo.patients import SCANNERS
from radiobone.study.demo.spine import SHAPES, pose_spine
from radiobone.voi import VoiRequest, detect_scheme, find_recipe, make_vois

PATIENTS = simulate_patients(60)
BY_SCANNER = {scanner.name: next(one for one in PATIENTS if one.scanner == scanner) for scanner in SCANNERS}


@pytest.fixture(scope="module", params=list(BY_SCANNER))
def case(request):
    patient = BY_SCANNER[request.param]
    return patient, *synthesize(patient)


def _lps(image, mask):
    """Return both arrays along L, P and S, whatever the order of storage."""
    signs = np.diag(np.reshape(image.geometry.direction, (3, 3)))[::-1]
    flip = tuple(slice(None, None, int(sign)) for sign in signs)
    return image.array[flip], mask.array[flip]


def _world_of(mask, label):
    return mask.geometry.world(np.argwhere(mask.array == label))


def test_pixel_types_and_labels(case):
    _, image, mask = case
    assert image.array.dtype == np.int16
    assert mask.array.dtype == np.uint8
    assert mask.geometry == image.geometry
    assert mask.labels() == sorted(LABELS.values()) == [20, 21, 22]


def test_geometry_follows_the_scanner(case):
    patient, image, _ = case
    assert image.geometry.spacing_mm == (patient.scanner.slice_thickness_mm, 1.0, 1.0)
    assert tuple(np.diag(np.reshape(image.geometry.direction, (3, 3)))) == patient.scanner.axis_signs


def test_at_least_one_scanner_stores_flipped_axes():
    assert len({scanner.axis_signs for scanner in SCANNERS}) == 3


def test_levels_run_from_head_to_foot_in_the_world(case):
    _, _, mask = case
    heights = [_world_of(mask, label)[:, 2].mean() for label in (20, 21, 22)]
    assert heights[0] > heights[1] > heights[2]
    assert all(28 < step < 42 for step in -np.diff(heights))


def test_each_vertebra_is_one_piece_that_no_border_cuts(case):
    _, _, mask = case
    inner = mask.array[1:-1, 1:-1, 1:-1]
    assert np.count_nonzero(inner) == np.count_nonzero(mask.array)
    for label in (20, 21, 22):
        assert ndimage.label(mask.array == label)[1] == 1
        assert 22 < mask.select(label).volume_ml < 60


def test_body_lies_before_canal_and_arch(case):
    _, image, mask = case
    hu, labels = _lps(image, mask)
    vertebra = labels == 21
    z = int(ndimage.center_of_mass(vertebra)[0])
    holes = ndimage.binary_fill_holes(vertebra[z]) & ~vertebra[z]
    canal, _ = ndimage.label(holes)
    sizes = np.bincount(canal.ravel())[1:]
    assert sizes.max() > 100  # mm², closed by the arch
    middle = ndimage.center_of_mass(canal == 1 + int(sizes.argmax()))
    column = vertebra[z, :, int(middle[1])]
    before, behind = column[: int(middle[0])].sum(), column[int(middle[0]) :].sum()
    assert 24 < before < 38  # depth of the body in mm
    assert behind >= 4
    assert abs(hu[z][canal == 1 + int(sizes.argmax())].mean()) < 150


def test_trabecular_bone_has_the_patients_mean_and_texture(case):
    patient, image, mask = case
    rng = np.random.default_rng([0, 2, patient.index])
    vertebra = pose_spine(patient, rng)[2]
    hu, labels = _lps(image, mask)
    # A ball in the front half of the body, off the cortex and the basivertebral vein.
    z, _, x = ndimage.center_of_mass(labels == 21)
    front = np.flatnonzero((labels == 21)[int(z), :, int(x)])[0]
    steps = np.asarray(image.geometry.spacing_mm)
    index = np.indices(hu.shape).reshape(3, -1).T
    centre = np.array([z, front + 0.33 * vertebra.shape.depth, x])
    ball = (np.linalg.norm((index - centre) * steps, axis=1) < 7.0).reshape(hu.shape)
    values = hu[ball].astype(float)
    assert abs(values.mean() - patient.trabecular_hu) < 30
    assert 0.4 * patient.texture_sd_hu < values.std() < 1.5 * np.hypot(patient.texture_sd_hu, 25.0)


def test_cortex_is_brighter_than_what_it_encloses(case):
    patient, image, mask = case
    hu, labels = _lps(image, mask)
    vertebra = labels == 21
    shell = vertebra & ~ndimage.binary_erosion(vertebra)
    assert 250 < np.percentile(hu[shell], 75) < 800
    assert hu[shell].mean() > patient.trabecular_hu + 50


def test_a_seed_gives_the_same_voxels_and_another_seed_does_not(case):
    patient, image, mask = case
    again, mask_again = synthesize(patient)
    other, _ = synthesize(patient, 1)
    np.testing.assert_array_equal(image.array, again.array)
    np.testing.assert_array_equal(mask.array, mask_again.array)
    assert image.geometry == again.geometry
    assert image.array.shape != other.array.shape or (image.array != other.array).any()


def test_measures_of_the_body_are_those_asked_for():
    shape = SHAPES["L2"]
    line = np.linspace(-60, 60, 2401, dtype=np.float32)
    zero = np.zeros_like(line)
    rim = np.full_like(line, 0.42 * shape.height)
    wide = line[body_distance((line, zero, rim), shape) < 0]
    high = line[body_distance((zero, zero, line), shape) < 0]
    assert np.ptp(wide) == pytest.approx(shape.width, abs=1.5)
    assert np.ptp(high) == pytest.approx(shape.height - 3.2, abs=0.5)  # the endplates are hollow


def test_arch_leaves_the_canal_free_and_is_symmetric():
    shape = SHAPES["L3"]
    axis = np.linspace(-45, 45, 91, dtype=np.float32)
    u, v = (each.astype(np.float32) for each in np.meshgrid(axis, axis + 25, indexing="ij"))
    w = np.full_like(u, 2.0)
    arch, canal = arch_distance((u, v, w), shape), canal_distance((u, v, w), shape)
    assert not ((arch < 0) & (canal < 0)).any()
    np.testing.assert_array_equal(arch, arch[::-1])
    assert np.ptp(u[arch < 0]) == pytest.approx(shape.transverse_span, abs=4)


def test_distance_of_the_body_is_a_distance_near_its_surface():
    shape = SHAPES["L1"]
    step = 0.1
    outward = np.arange(0.5 * shape.width - 3, 0.5 * shape.width + 3, step, dtype=np.float32)
    zero = np.zeros_like(outward)
    slope = np.diff(body_distance((outward, zero, zero), shape)) / step
    np.testing.assert_allclose(slope, 1.0, atol=0.12)


def test_trabecular_recipe_finds_the_body_of_every_level(case):
    patient, image, mask = case
    scheme, _ = detect_scheme(mask)
    assert scheme.name == "verse"
    request = VoiRequest(scheme=scheme, recipe=find_recipe("trabecular"), levels=tuple(LABELS))
    outcomes = make_vois(image, mask, request)
    assert [outcome.status for outcome in outcomes.values()] == ["ok", "ok", "ok"]
    for outcome in outcomes.values():
        quality = outcome.result.quality
        assert quality.qc_warnings == ""
        assert 0.25 < quality.qc_volume_voi_ml / quality.qc_volume_label_ml < 0.5
        # Cortex or arch within the VOI would lift the mean by far more.
        assert abs(quality.qc_mean_hu - patient.trabecular_hu) < 35

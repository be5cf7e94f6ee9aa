"""Shape in space: boxes and balls by formula, then PyRadiomics' own class on generated VOIs."""

from __future__ import annotations

import itertools
import math
import warnings

import numpy as np
import pytest

from radiobone.core.errors import EngineError
from radiobone.features.radiomics.catalogue import FEATURES
from radiobone.features.radiomics.kernels.mesh_tables import edge_middles, triangles
from radiobone.features.radiomics.native.shape import shape_features, shape_vector

NAMES = list(FEATURES["shape"])


def cut(mask):
    """Cut a mask to its VOI, as PyRadiomics' extractor does before it computes shape."""
    inside = np.argwhere(mask)
    lowest, highest = inside.min(axis=0), inside.max(axis=0) + 1
    return mask[tuple(slice(low, high) for low, high in zip(lowest, highest, strict=True))]


def reference(mask, spacing_mm):
    """PyRadiomics' own values, those that are off by default included."""
    import SimpleITK as sitk
    from radiomics import shape as pyradiomics_shape

    itk = sitk.GetImageFromArray(cut(mask).astype(np.uint8))
    itk.SetSpacing([float(size) for size in spacing_mm[::-1]])
    features = pyradiomics_shape.RadiomicsShape(itk, itk)
    features.enableAllFeatures()
    for name in ("Compactness1", "Compactness2", "SphericalDisproportion"):
        features.enableFeatureByName(name)
    with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
        # From NumPy 2.5 on, and in the fork, axis lengths are complex numbers without imaginary part.
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
        return {name: float(value) for name, value in features.execute().items()}


def assert_same(mask, spacing_mm):
    found, expected = shape_features(mask, spacing_mm), reference(mask, spacing_mm)
    assert list(found) == NAMES
    for name in NAMES:
        assert found[name] == pytest.approx(expected[name], rel=1e-10, abs=0, nan_ok=True), name
    for name in NAMES:
        if "Diameter" in name:
            assert found[name] == expected[name], name


def ball(radius, spacing_mm=(1.0, 1.0, 1.0)):
    axes = [np.arange(-math.ceil(radius / size), math.ceil(radius / size) + 1) * size for size in spacing_mm]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    return z**2 + y**2 + x**2 <= radius**2


@pytest.mark.parametrize("size", [(1, 1, 1), (2, 3, 4), (5, 1, 9), (12, 7, 3)])
def test_a_box_is_its_inner_box_rounded_by_half_an_octahedron(size):
    """The mesh of a box is the hull of octahedra around its voxels' centres: all is known in closed form."""
    inner = [n - 1 for n in size]
    faces = inner[0] * inner[1] + inner[0] * inner[2] + inner[1] * inner[2]
    found = shape_features(np.ones(size), (1.0, 1.0, 1.0))
    assert found["MeshVolume"] == pytest.approx(math.prod(inner) + faces + sum(inner) / 2 + 1 / 6)
    assert found["SurfaceArea"] == pytest.approx(2 * faces + 4 * math.sqrt(0.5) * sum(inner) + math.sqrt(3))
    assert found["VoxelVolume"] == math.prod(size)
    longest, *others = sorted(size, reverse=True)
    diameter = math.hypot(longest, *(n - 1 for n in others))
    assert found["Maximum3DDiameter"] == pytest.approx(diameter)
    axes = sorted(4 * math.sqrt((n**2 - 1) / 12) for n in size)
    lengths = [found[name] for name in ("LeastAxisLength", "MinorAxisLength", "MajorAxisLength")]
    assert lengths == pytest.approx(axes, abs=1e-12)


def test_planes_of_the_three_diameters_in_planes():
    """Slice keeps z, Column keeps y, Row keeps x."""
    found = shape_features(np.ones((30, 20, 10)), (1.0, 1.0, 1.0))
    assert found["Maximum2DDiameterSlice"] == pytest.approx(math.hypot(20, 9))
    assert found["Maximum2DDiameterColumn"] == pytest.approx(math.hypot(30, 9))
    assert found["Maximum2DDiameterRow"] == pytest.approx(math.hypot(30, 19))


def test_a_growing_ball():
    """Volume and diameters come near those of the sphere; the area keeps steps, about 8 % too much."""
    errors = []
    for radius in (5, 10, 20):
        found = shape_features(ball(radius), (1.0, 1.0, 1.0))
        errors.append(abs(found["MeshVolume"] / (4 / 3 * math.pi * radius**3) - 1))
        assert 0.90 < found["Sphericity"] < 1
        assert found["Elongation"] == pytest.approx(1, abs=1e-6)
        assert found["MajorAxisLength"] == pytest.approx(4 * radius / math.sqrt(5), rel=0.05)
        assert 2 * radius <= found["Maximum3DDiameter"] <= 2 * radius + 1
    assert errors[2] < errors[0]
    assert errors[2] < 0.01


def test_spacing_scales_lengths_areas_and_volumes():
    mask = ball(6)
    one, two = shape_features(mask, (1.0, 1.0, 1.0)), shape_features(mask, (2.0, 2.0, 2.0))
    powers = {"mm³": 3, "mm²": 2, "mm": 1, "1/mm": -1, "1": 0}
    for name in NAMES:
        if not name.startswith("Compactness1"):  # PyRadiomics' formula has a unit after all
            assert two[name] == pytest.approx(one[name] * 2.0 ** powers[FEATURES["shape"][name][0]]), name


def vois(rng):
    """Yield masks of every awkward kind."""
    yield ball(6.3, (1.0, 0.7, 2.0))
    shell = ball(8)
    shell[4:-4, 4:-4, 4:-4] &= ~ball(4)
    yield shell
    for share in (0.02, 0.2, 0.5, 0.8, 0.98):
        for _ in range(4):
            mask = rng.random(rng.integers(2, 14, size=3)) < share
            mask.flat[0] = True
            yield mask
    for _ in range(6):  # smooth blobs, some in several parts
        noise = rng.normal(size=rng.integers(8, 20, size=3))
        for axis in range(3):
            noise = noise + np.roll(noise, 1, axis) + np.roll(noise, 2, axis)
        mask = noise > noise.std() * 0.7
        mask.flat[0] = True
        yield mask
    far = np.zeros((9, 9, 30), dtype=bool)
    far[0, 0, 0] = far[8, 8, 29] = far[8, 0, 3:5] = True
    yield far


def test_generated_vois_equal_pyradiomics():
    rng = np.random.default_rng(40)
    for mask in vois(rng):
        assert_same(mask, (1.0, 1.0, 1.0))
        assert_same(mask, tuple(rng.uniform(0.3, 5, size=3)))


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (0.7, 0.7, 1.25), (3.0, 0.488281, 0.488281)])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_flat_and_thin_vois_keep_the_roundings_of_pyradiomics(axis, spacing_mm):
    """A flat VOI has one axis of length 0, or 1e-8, or NaN: whatever PyRadiomics' rounding makes of it."""
    rng = np.random.default_rng(41)
    flat = rng.random((7, 9)) < 0.6
    flat[0] = True
    assert_same(np.expand_dims(flat, axis), spacing_mm)
    line = np.zeros((1, 1, 1), dtype=bool) | np.ones([11 if k == axis else 1 for k in range(3)], dtype=bool)
    assert_same(line, spacing_mm)
    tilted = np.zeros((12, 12, 12), dtype=bool)
    for i, k in itertools.product(range(12), range(12)):
        tilted[tuple(np.roll([i, i, k], axis))] = True
    assert_same(tilted, spacing_mm)
    assert_same(np.eye(9, dtype=bool)[:, None, :] & np.eye(9, dtype=bool)[:, :, None], spacing_mm)


def test_a_single_voxel():
    found = shape_features(np.ones((1, 1, 1)), (1.0, 1.0, 1.0))
    assert found["MeshVolume"] == pytest.approx(1 / 6)
    assert found["MajorAxisLength"] == 0
    assert math.isnan(found["Elongation"])
    assert math.isnan(found["Flatness"])
    assert_same(np.ones((1, 1, 1), dtype=bool), (0.7, 0.7, 1.25))


def test_a_mesh_with_holes_may_have_no_volume():
    """Found among generated masks: PyRadiomics then divides by 0 and gives NaN."""
    mask = np.array(
        [
            [[0, 0], [1, 0]],
            [[1, 0], [0, 0]],
            [[0, 1], [0, 0]],
            [[0, 0], [0, 0]],
            [[0, 0], [0, 0]],
            [[0, 1], [1, 0]],
            [[0, 0], [0, 0]],
        ],
        dtype=bool,
    )
    assert_same(mask, (1.0, 1.0, 1.0))
    found = shape_features(mask, (1.0, 1.0, 1.0))
    assert found["MeshVolume"] == found["Sphericity"] == 0
    assert math.isnan(found["SurfaceVolumeRatio"])


def test_where_the_voi_stands_in_its_array_plays_no_part():
    mask = np.random.default_rng(42).random((5, 6, 7)) < 0.4
    placed = np.zeros((20, 20, 20), dtype=np.int16)
    placed[3:8, 9:15, 13:20] = mask * 7
    np.testing.assert_array_equal(shape_vector(placed, (1, 2, 3)), shape_vector(mask, (1, 2, 3)))


def test_turns_and_mirrors_of_a_smooth_voi_change_nothing_but_the_names_of_planes():
    mask, names = ball(8)[:12, :14], [name for name in NAMES if "2D" not in name]
    one = shape_features(mask, (1.0, 1.0, 1.0))
    for turned in (mask[::-1], np.rot90(mask, axes=(0, 1)), np.rot90(mask, axes=(1, 2)), mask.transpose(2, 0, 1)):
        other = shape_features(turned, (1.0, 1.0, 1.0))
        for name in names:
            assert other[name] == pytest.approx(one[name], rel=1e-9), name


def test_every_case_of_the_table_separates_inner_from_outer_corners():
    """Each edge between unlike corners carries a point of a triangle, and no other edge does."""
    middles, table = edge_middles(), triangles()
    for case in range(128):
        used = {int(edge) for triangle in table[case] if len(set(triangle.tolist())) == 3 for edge in triangle}
        crossed = set()
        for edge, middle in enumerate(middles):
            axis = int(np.flatnonzero(middle == 1)[0])
            ends = [middle + sign * np.eye(3, dtype=int)[axis] for sign in (-1, 1)]
            bits = [4 * end[0] // 2 + 2 * end[1] // 2 + 1 - end[2] // 2 for end in ends]
            if (case >> bits[0] & 1) != (case >> bits[1] & 1):
                crossed.add(edge)
        assert used == crossed, case


def test_wrong_use_is_refused():
    with pytest.raises(EngineError, match="the VOI is empty"):
        shape_features(np.zeros((3, 3, 3)), (1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="3D mask"):
        shape_features(np.ones((3, 3)), (1.0, 1.0, 1.0))

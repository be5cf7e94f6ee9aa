"""The five texture matrices: by hand, against PyRadiomics' C code to the bit, and under symmetries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from radiobone.core.errors import EngineError
from radiobone.features.radiomics.native.levels import GreyLevels
from radiobone.features.radiomics.native.matrices import (
    FAMILIES,
    TextureMatrices,
    glcm,
    gldm,
    glrlm,
    glszm,
    matrix_bytes,
    ngtdm,
    texture_matrices,
)

Volume = NDArray[np.int64]


def ranked(image: Volume, pad: int = 1) -> GreyLevels:
    """Lay out an image of grey levels, 0 outside the VOI, in the box as it is."""
    values, ranks, counts = np.unique(image, return_inverse=True, return_counts=True)
    ranks = ranks.reshape(image.shape)
    if values[0] == 0:
        values, counts = values[1:], counts[1:]
    else:
        ranks = ranks + 1
    padded = np.pad(ranks.astype(np.int32), pad)
    return GreyLevels(padded, pad, np.flatnonzero(padded), values.astype(np.int64), counts)


def assert_same(got: Any, expected: Any) -> None:
    np.testing.assert_array_equal(got, expected)


def volume(rows: list[list[int]]) -> Volume:
    return np.array([rows], np.int64)


# By hand -----------------------------------------------------------------------------------------------------

FIVE = volume(
    [
        [1, 1, 2, 3, 3],
        [1, 4, 2, 3, 0],
        [4, 4, 2, 1, 1],
        [2, 4, 2, 0, 1],
        [2, 2, 1, 1, 1],
    ]
)


def test_a_plane_counted_by_hand() -> None:
    found = texture_matrices(ranked(FIVE))
    four = [[0, 1, 1], [0, 1, 0], [0, 1, -1], [0, 0, 1]]
    assert_same(found.angles, four)
    assert_same(found.run_angles, four)
    south, east = 1, 3
    assert_same(found.glcm[south], [[3, 0, 0, 2], [1, 4, 0, 0], [1, 0, 1, 0], [0, 2, 0, 2]])
    assert_same(found.glcm[east], [[4, 1, 0, 1], [2, 1, 2, 1], [0, 0, 1, 0], [0, 3, 0, 1]])
    assert_same(found.glrlm[east], [[2, 2, 1, 0, 0], [5, 1, 0, 0, 0], [1, 1, 0, 0, 0], [2, 1, 0, 0, 0]])
    assert_same(found.zone_sizes, [3, 4, 6, 7])
    assert_same(found.glszm, [[1, 0, 1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, 1, 0, 0]])
    assert_same(found.gldm[2], [0, 0, 3, 0, 0, 0, 0, 0, 0])
    assert_same(found.gldm[3], [0, 0, 2, 2, 0, 0, 0, 0, 0])
    assert_same(found.ngtdm_counts, [9, 7, 3, 4])
    assert found.ngtdm_differences[2] == 0.5 + 0 + 1


def test_a_checkerboard_is_unlike_along_the_axes_and_like_across_them() -> None:
    found = texture_matrices(ranked((np.indices((4, 4, 4)).sum(axis=0) % 2) + 1))
    odd = np.abs(found.angles).sum(axis=1) % 2 == 1
    assert (found.glcm[odd][:, [0, 1], [0, 1]] == 0).all()
    assert (found.glcm[~odd][:, [0, 1], [1, 0]] == 0).all()
    assert (found.glrlm[odd][:, :, 0] == 32).all()
    assert (found.glrlm[odd][:, :, 1:] == 0).all()
    assert_same(found.zone_sizes, [32])
    assert_same(found.glszm, [[1], [1]])


def test_a_flat_cube() -> None:
    found = texture_matrices(ranked(np.full((3, 3, 3), 7)))
    n_moving = np.abs(found.angles).sum(axis=1)
    assert_same(found.glcm[:, 0, 0], np.array([27, 18, 12, 8])[n_moving])
    assert_same(found.glrlm[n_moving == 1][:, 0], [[0, 0, 9]] * 3)
    assert_same(found.glrlm[n_moving == 3][:, 0], [[12, 6, 1]] * 4)
    assert_same(found.glszm, [[1]])
    assert_same(found.zone_sizes, [27])
    dependence = np.zeros(27, int)
    dependence[[7, 11, 17, 26]] = 8, 12, 6, 1  # corners, edges, faces, the middle
    assert_same(found.gldm[0], dependence)
    assert_same(found.ngtdm_differences, [0.0])


def test_gldm_a_is_a_difference_of_levels_not_of_ranks() -> None:
    levels = ranked(volume([[1, 4, 6]]))
    assert_same(gldm(levels, gldm_a=1)[:, 0], [1, 1, 1])
    assert_same(gldm(levels, gldm_a=2)[:, :2], [[1, 0], [0, 1], [0, 1]])
    assert_same(gldm(levels, gldm_a=3)[:, :3], [[0, 1, 0], [0, 0, 1], [0, 1, 0]])
    assert_same(gldm(levels, gldm_a=2**40), gldm(levels, gldm_a=10))  # outside never counts
    assert_same(gldm(levels, gldm_a=-1)[:, 0], [1, 1, 1])


def test_ngtdm_means_are_of_levels_and_lone_voxels_differ_by_nothing() -> None:
    counts, differences = ngtdm(ranked(volume([[1, 4, 6, 0, 9]])))
    assert_same(counts, [1, 1, 1, 1])
    assert_same(differences, [3.0, 0.5, 2.0, 0.0])


def test_an_angle_whose_lines_meet_the_voi_once_has_no_runs() -> None:
    stairs = np.diag([1, 2, 3, 4, 5])[None]
    found = texture_matrices(ranked(stairs))
    assert_same(found.run_angles[0], [0, 1, 1])
    assert_same(found.glrlm.sum(axis=(1, 2)), [5, 0, 0, 0])
    split = volume([[1, 0, 0], [0, 0, 0], [2, 0, 0]])  # two on one line, not side by side
    assert_same(glrlm(ranked(split)).sum(axis=(1, 2)), [0, 2, 0, 0])


# Against PyRadiomics -----------------------------------------------------------------------------------------


def assert_equal_to_pyradiomics(
    image: Volume, distances: tuple[int, ...] = (1,), plane: int | None = None, gldm_a: int = 0
) -> None:
    """Compare all matrices to the bit, after dropping levels and sizes that do not occur."""
    c = pytest.importorskip("radiomics").cMatrices
    found = texture_matrices(
        ranked(image, max(distances)), distances=distances, force_2d_dimension=plane, gldm_a=gldm_a
    )
    mask, top, steps = image > 0, int(image.max()), np.array(distances)
    flat = (plane is not None, plane or 0)
    present = np.unique(image[mask])
    rows = present - 1

    expected, angles = c.calculate_glcm(image, mask, steps, top, *flat)
    assert_same(found.angles, angles)
    assert_same(found.glcm, np.moveaxis(expected[0][np.ix_(rows, rows)], 2, 0))

    expected = c.calculate_gldm(image, mask, steps, top, gldm_a, *flat)[0, rows]
    assert_same(found.gldm, expected[:, : found.gldm.shape[1]])
    assert not expected[:, found.gldm.shape[1] :].any()

    expected, angles = c.calculate_glrlm(image, mask, top, max(image.shape), *flat)
    assert_same(found.run_angles, angles)
    assert_same(found.glrlm, np.moveaxis(expected[0, rows], 2, 0))

    expected = c.calculate_glszm(image, mask, top, int(mask.sum()), *flat)[0, rows]
    assert_same(found.zone_sizes - 1, np.flatnonzero(expected.any(axis=0)))
    assert_same(found.glszm, expected[:, found.zone_sizes - 1])

    expected = c.calculate_ngtdm(image, mask, steps, top, *flat)[0, rows]
    assert_same(found.ngtdm_counts, expected[:, 0])
    assert_same(found.ngtdm_differences, expected[:, 1])
    assert_same(present, expected[:, 2])


def noise(shape: tuple[int, ...], levels: int, filled: float = 1.0, seed: int = 0) -> Volume:
    """Return noise of grey levels with holes; levels above 4 are spread, so that some in between are missing."""
    rng = np.random.default_rng(seed)
    values = np.sort(rng.choice(np.arange(1, 3 * levels + 1), levels, replace=False)) if levels > 4 else None
    ranks = rng.integers(0, levels, shape)
    image = ranks + 1 if values is None else values[ranks]
    return np.where(rng.random(shape) < filled, image, 0)


def two_parts() -> Volume:
    image = noise((12, 9, 30), 5, 0.8)
    image[:, :, 8:25] = 0
    return image


def sheet() -> Volume:
    """Return a tilted sheet: some directions meet it nowhere twice."""
    z, y, x = np.indices((10, 10, 10))
    return np.where(z + y == x, noise((10, 10, 10), 6), 0)


IMAGES = {
    "full": noise((8, 9, 10), 6),
    "holes": noise((9, 10, 8), 8, 0.7, seed=1),
    "sparse": noise((9, 9, 9), 3, 0.05, seed=2),
    "two levels": noise((8, 8, 8), 2, 0.9, seed=3),
    "one level": noise((7, 8, 9), 1, 0.6, seed=4),
    "every voxel its own": noise((6, 5, 6), 150, 0.9, seed=5),
    "many levels": noise((10, 9, 8), 100, seed=6),
    "two parts": two_parts(),
    "sheet": sheet(),
    "long": noise((3, 2, 150), 4, 0.9, seed=7),
    "wide": noise((3, 70, 60), 12, 0.9, seed=8),
    "smooth": np.add.outer(np.arange(9), np.add.outer(np.arange(11), np.arange(8))) // 4 + 1,
    "thin in z": noise((1, 9, 8), 5, 0.9, seed=9),
    "thin in y": noise((9, 1, 8), 5, 0.9, seed=10),
    "thin in x": noise((9, 8, 1), 5, 0.9, seed=11),
    "a line": noise((1, 1, 40), 3, 0.8, seed=12),
    "two voxels": volume([[3, 8]]),
}


@pytest.mark.parametrize("name", IMAGES)
def test_equal_to_pyradiomics(name: str) -> None:
    assert_equal_to_pyradiomics(IMAGES[name])


@pytest.mark.parametrize("distances", [(2,), (1, 2), (3, 1), (1, 2, 3)])
@pytest.mark.parametrize("name", ["holes", "two parts", "thin in y", "long", "every voxel its own"])
def test_equal_to_pyradiomics_at_other_distances(name: str, distances: tuple[int, ...]) -> None:
    assert_equal_to_pyradiomics(IMAGES[name], distances, gldm_a=1)


@pytest.mark.parametrize("plane", [0, 1, 2])
@pytest.mark.parametrize("name", ["full", "holes", "one level", "sheet", "wide", "sparse"])
def test_equal_to_pyradiomics_plane_by_plane(name: str, plane: int) -> None:
    assert_equal_to_pyradiomics(IMAGES[name], plane=plane)
    assert_equal_to_pyradiomics(IMAGES[name], (1, 2), plane, gldm_a=2)


@pytest.mark.parametrize("gldm_a", [1, 2, 100])
@pytest.mark.parametrize("name", ["full", "holes", "many levels"])
def test_equal_to_pyradiomics_for_a_tolerant_dependence(name: str, gldm_a: int) -> None:
    assert_equal_to_pyradiomics(IMAGES[name], gldm_a=gldm_a)


@settings(deadline=None, max_examples=60)
@given(
    hnp.arrays(np.int64, hnp.array_shapes(min_dims=3, max_dims=3, max_side=6), elements=st.integers(0, 5)),
    st.sampled_from([None, 0, 1, 2]),
    st.sampled_from([(1,), (2,), (1, 2)]),
)
def test_equal_to_pyradiomics_on_any_small_volume(
    image: Volume, plane: int | None, distances: tuple[int, ...]
) -> None:
    reach = [0 if axis == plane else size - 1 for axis, size in enumerate(image.shape)]
    if image.any() and max(reach) >= min(distances):
        assert_equal_to_pyradiomics(image, distances, plane, gldm_a=1)


# Symmetries --------------------------------------------------------------------------------------------------


def volumes(smallest_side: int = 2) -> st.SearchStrategy[Volume]:
    shapes = hnp.array_shapes(min_dims=3, max_dims=3, min_side=smallest_side, max_side=6)
    return hnp.arrays(np.int64, shapes, elements=st.integers(0, 4)).filter(np.any)


def by_angle(found: TextureMatrices) -> dict[tuple[int, ...], tuple[Any, Any]]:
    return {
        tuple(angle): (pairs, runs)
        for angle, pairs, runs in zip(found.angles.tolist(), found.glcm, found.glrlm, strict=True)
    }


@settings(deadline=None, max_examples=40)
@given(volumes(), st.tuples(*[st.tuples(st.integers(0, 3), st.integers(0, 3))] * 3))
def test_a_larger_box_changes_nothing_but_room_for_longer_runs(image: Volume, margins: Any) -> None:
    tight, loose = (texture_matrices(ranked(box)) for box in (image, np.pad(image, margins)))
    for name in ("angles", "glcm", "gldm", "glszm", "zone_sizes", "ngtdm_counts", "ngtdm_differences"):
        assert_same(getattr(loose, name), getattr(tight, name))
    longest = tight.glrlm.shape[2]
    assert_same(loose.glrlm[:, :, :longest], tight.glrlm)
    assert not loose.glrlm[:, :, longest:].any()


@settings(deadline=None, max_examples=40)
@given(volumes(), st.permutations([0, 1, 2]), st.tuples(*[st.sampled_from([1, -1])] * 3))
def test_flips_and_turns_permute_the_angles(image: Volume, axes: list[int], signs: tuple[int, ...]) -> None:
    turned = np.transpose(image, axes)[tuple(slice(None, None, sign) for sign in signs)]
    found, other = texture_matrices(ranked(image)), texture_matrices(ranked(turned))
    matrices = by_angle(other)
    for angle, (pairs, runs) in by_angle(found).items():
        image_of = tuple(sign * angle[axis] for axis, sign in zip(axes, signs, strict=True))
        opposite = tuple(-step for step in image_of)
        there = matrices.get(image_of) or matrices[opposite]
        assert_same(there[0] if image_of in matrices else there[0].T, pairs)
        assert_same(there[1], runs)
    for name in ("gldm", "glszm", "zone_sizes", "ngtdm_counts"):
        assert_same(getattr(other, name), getattr(found, name))
    np.testing.assert_allclose(other.ngtdm_differences, found.ngtdm_differences, rtol=1e-12)


@settings(deadline=None, max_examples=40)
@given(volumes(), st.lists(st.integers(1, 50), min_size=4, max_size=4, unique=True))
def test_new_values_for_the_levels_leave_what_counts_like_ones_alone(image: Volume, values: list[int]) -> None:
    relabelled = np.array([0, *sorted(values)])[image]
    found, other = texture_matrices(ranked(image)), texture_matrices(ranked(relabelled))
    for name in ("glcm", "gldm", "glrlm", "glszm", "zone_sizes", "ngtdm_counts"):
        assert_same(getattr(other, name), getattr(found, name))


# The interface -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plane", [None, 1])
def test_each_matrix_alone_is_the_one_of_all_together(plane: int | None) -> None:
    levels = ranked(IMAGES["holes"], 2)
    both: dict[str, Any] = {"distances": (1, 2), "force_2d_dimension": plane}
    found = texture_matrices(levels, **both, gldm_a=1)
    assert_same(glcm(levels, **both), found.glcm)
    assert_same(gldm(levels, **both, gldm_a=1), found.gldm)
    assert_same(glrlm(levels, force_2d_dimension=plane), found.glrlm)
    for one, other in zip(glszm(levels, force_2d_dimension=plane), (found.glszm, found.zone_sizes), strict=True):
        assert_same(one, other)
    for one, other in zip(ngtdm(levels, **both), (found.ngtdm_counts, found.ngtdm_differences), strict=True):
        assert_same(one, other)


FIELDS = {
    "glcm": {"angles", "glcm"},
    "gldm": {"angles", "gldm"},
    "glrlm": {"run_angles", "glrlm"},
    "glszm": {"glszm", "zone_sizes"},
    "ngtdm": {"angles", "ngtdm_counts", "ngtdm_differences"},
}


@pytest.mark.parametrize("families", [[], *([family] for family in FAMILIES), ["ngtdm", "glrlm"]])
def test_only_what_is_wanted_is_counted(families: list[str]) -> None:
    found = texture_matrices(ranked(FIVE), families)
    filled = {name for name, value in vars(found).items() if value is not None}
    assert filled == set().union(*(FIELDS[family] for family in families))


def test_runs_and_zones_do_not_need_the_distances_of_the_others() -> None:
    levels = ranked(volume([[1, 1, 2]]), 5)
    assert texture_matrices(levels, ["glrlm", "glszm"], distances=(5,)).glszm is not None
    with pytest.raises(EngineError, match="a box of 1 x 1 x 3 voxels"):
        texture_matrices(levels, distances=(5,))


def test_matrices_are_whole_numbers_in_one_piece() -> None:
    levels = ranked(IMAGES["holes"])
    before = levels.padded.copy()
    found = texture_matrices(levels)
    for matrix in (found.glcm, found.gldm, found.glrlm, found.glszm):
        assert matrix is not None
        assert matrix.dtype == np.int32
        assert matrix.flags.c_contiguous
    assert_same(levels.padded, before)


def test_an_unknown_family_is_refused() -> None:
    with pytest.raises(ValueError, match="no matrix glxm; there are glcm"):
        texture_matrices(ranked(FIVE), ["glcm", "glxm"])


def test_a_border_that_is_too_narrow_is_refused() -> None:
    with pytest.raises(ValueError, match="border of 1 is too narrow for a distance of 2"):
        glcm(ranked(FIVE), distances=(2,))


def test_levels_too_high_to_be_summed_are_refused() -> None:
    highest = (2**31 - 1) // 2
    ngtdm(ranked(volume([[1, highest]])))
    with pytest.raises(EngineError, match="choose a larger binWidth"):
        ngtdm(ranked(volume([[1, highest + 1]])))


@pytest.mark.parametrize("name", ["holes", "long", "every voxel its own", "thin in z"])
def test_the_estimate_of_memory_covers_what_is_held(name: str) -> None:
    image = IMAGES[name]
    levels = ranked(image)
    found = texture_matrices(levels)
    held = sum(
        value.nbytes for name, value in vars(found).items() if "angles" not in name and "counts" not in name
    )
    estimate = matrix_bytes(
        levels.values.size,
        len(found.angles),
        max(image.shape),
        levels.inside.size,
        levels.padded.size,
        n_run_angles=len(found.run_angles),
    )
    assert held <= estimate <= held + 100 * image.size + 20 * levels.padded.size + 20 * levels.values.size**2

"""Agreement of two masks: against what can be counted by hand, against SimpleITK, and as rows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from radiobone.core.errors import GeometryError, UsageError, VoiError
from radiobone.imaging import Geometry, Mask
from radiobone.voi.agreement import compare_level, compare_masks, dice, surface_distances, surface_mm
from radiobone.voi.schemes import RAW, TOTALSEGMENTATOR, VERSE

SPACING = (3.0, 0.7, 1.1)


def grid(shape, spacing=SPACING, **more) -> Geometry:
    return Geometry(shape, spacing, **more)


def box_mask(low, high, geometry) -> Mask:
    array = np.zeros(geometry.shape, bool)
    array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return Mask(array, geometry).tight()


def ball(radius_mm, geometry, centre_mm) -> Mask:
    index = np.stack(np.meshgrid(*(np.arange(size) for size in geometry.shape), indexing="ij"), axis=-1)
    return Mask(np.linalg.norm(geometry.world(index) - centre_mm, axis=-1) <= radius_mm, geometry).tight()


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("size", [3, 6, 11])
def test_a_cube_moved_by_one_voxel(axis, size):
    geometry = grid((20, 20, 20))
    a = box_mask((3, 4, 5), (3 + size, 4 + size, 5 + size), geometry)
    shift = np.eye(3, dtype=int)[axis]
    b = box_mask(np.add((3, 4, 5), shift), np.add((3 + size, 4 + size, 5 + size), shift), geometry)
    spacing = SPACING[axis]
    found = compare_level("L1", a, b)
    assert found.dice == pytest.approx((size - 1) / size)
    # With cubic voxels: all of the end face left behind, and the inside of the other one, lie a voxel away.
    cubic = grid((20, 20, 20), (spacing,) * 3)
    moved = [Mask(mask.array, cubic, mask.offset) for mask in (a, b)]
    assd = spacing * (size**2 + (size - 2) ** 2) / (size**3 - (size - 2) ** 3)
    assert surface_distances(*moved)[1] == pytest.approx(assd)
    # A share above 5 % of the surface lies a voxel away.
    assert surface_distances(*moved)[0] == pytest.approx(spacing)
    assert found.volume_difference_ml == 0


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("steps", [1, 4])
def test_plates_lie_as_far_apart_as_their_spacing_says(axis, steps):
    geometry = grid((12, 12, 12))
    low, high = [0, 0, 0], [12, 12, 12]
    low[axis], high[axis] = 2, 3
    a = box_mask(low, high, geometry)
    low[axis] += steps
    high[axis] += steps
    b = box_mask(low, high, geometry)
    distance = steps * SPACING[axis]
    assert surface_distances(a, b) == pytest.approx((distance, distance))
    assert dice(a, b) == 0


@pytest.mark.parametrize("spacing", [(0.5, 0.5, 0.5), (1.0, 0.5, 0.25)])
def test_balls_with_one_middle_lie_as_far_apart_as_their_radii(spacing):
    shape = tuple(int(36 / edge) for edge in spacing)
    geometry = grid(shape, spacing)
    middle = geometry.world((np.array(shape) - 1) / 2)
    a, b = ball(12.0, geometry, middle), ball(15.0, geometry, middle)
    hd95, assd = surface_distances(a, b)
    # Centres of voxels lie up to half a diagonal inside of the true surface.
    half = np.linalg.norm(spacing) / 2
    assert assd == pytest.approx(3.0, abs=half / 2)
    assert hd95 == pytest.approx(3.0, abs=half)
    found = compare_level("L1", a, b)
    assert found.dice == pytest.approx(2 * 12**3 / (12**3 + 15**3), abs=0.01)
    assert found.volume_difference_percent == pytest.approx(100 * ((15 / 12) ** 3 - 1), rel=0.02)
    assert found.volume_difference_ml == pytest.approx(4 / 3 * np.pi * (15**3 - 12**3) / 1000, rel=0.02)


def _by_distance_maps(a: np.ndarray, b: np.ndarray, spacing) -> tuple[float, float]:
    """HD95 and ASSD by SimpleITK: contours by its own filter, distances by its distance maps."""
    import SimpleITK as sitk

    def image(array):
        made = sitk.GetImageFromArray(np.pad(array, 2).astype(np.uint8))
        made.SetSpacing([float(edge) for edge in spacing[::-1]])
        return made

    contours = [sitk.LabelContour(image(array), fullyConnected=False) for array in (a, b)]
    maps = [
        np.abs(
            sitk.GetArrayFromImage(
                sitk.SignedMaurerDistanceMap(
                    contour, insideIsPositive=False, squaredDistance=False, useImageSpacing=True
                )
            )
        )
        for contour in contours
    ]
    surfaces = [sitk.GetArrayFromImage(contour) != 0 for contour in contours]
    one, other = maps[1][surfaces[0]], maps[0][surfaces[1]]
    return max(np.percentile(one, 95), np.percentile(other, 95)), np.concatenate([one, other]).mean()


@pytest.mark.parametrize("seed", range(4))
def test_distances_are_those_of_simpleitk(seed):
    from scipy import ndimage

    random = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(random.normal(size=(2, 16, 22, 25)), (0, 2, 2, 2))
    arrays = [part > np.quantile(part, 0.8) for part in noise]
    geometry = grid(arrays[0].shape, (2.5, 0.8, 1.3))
    a, b = (Mask(array, geometry).tight() for array in arrays)
    assert surface_distances(a, b) == pytest.approx(_by_distance_maps(*arrays, geometry.spacing_mm), rel=1e-5)
    assert surface_distances(b, a) == pytest.approx(surface_distances(a, b))


def test_dice_is_that_of_simpleitk():
    import SimpleITK as sitk

    random = np.random.default_rng(0)
    a, b = random.random((2, 9, 8, 7)) > 0.5
    overlap = sitk.LabelOverlapMeasuresImageFilter()
    overlap.Execute(*(sitk.GetImageFromArray(array.astype(np.uint8)) for array in (a, b)))
    geometry = grid(a.shape)
    assert dice(Mask(a, geometry), Mask(b, geometry)) == pytest.approx(overlap.GetDiceCoefficient(1))


def test_the_border_of_the_grid_is_a_surface_and_boxes_play_no_role():
    geometry = grid((5, 5, 5))
    whole = Mask(np.ones((5, 5, 5), bool), geometry)
    assert len(surface_mm(whole)) == 5**3 - 3**3
    small = box_mask((1, 1, 1), (4, 4, 4), geometry)
    wide = Mask(small.full(), geometry)
    assert np.array_equal(np.sort(surface_mm(small), axis=0), np.sort(surface_mm(wide), axis=0))


def test_one_mask_agrees_with_itself():
    geometry = grid((20, 20, 20))
    mask = ball(6.0, geometry, geometry.world((9, 9, 9)))
    found = compare_level("L1", mask, mask)
    assert (found.dice, found.hd95_mm, found.assd_mm, found.volume_difference_percent) == (1, 0, 0, 0)


def labels(values, geometry, step=6) -> Mask:
    array = np.zeros(geometry.shape, np.uint8)
    for place, value in enumerate(values):
        array[40 - step * place - 3 : 40 - step * place, 3:9, 3:9] = value
    return Mask(array, geometry)


def test_masks_of_two_schemes_meet_in_their_levels_and_missing_ones_are_rows():
    geometry = grid((42, 12, 12), (4.0, 1.0, 1.0))
    a = labels((20, 21, 22), geometry)  # VerSe: L1, L2, L3
    b = labels((31, 30), geometry)  # TotalSegmentator: L1, L2
    found = compare_masks(a, b, VERSE, TOTALSEGMENTATOR)
    assert [(item.level, item.present) for item in found] == [("L1", "both"), ("L2", "both"), ("L3", "a")]
    assert [item.dice for item in found] == [1, 1, 0]
    assert math.isnan(found[2].hd95_mm)
    assert math.isnan(found[2].assd_mm)
    assert found[2].volume_b_ml == 0
    assert found[2].volume_difference_percent == -100
    (lost, gained) = compare_masks(b, a, TOTALSEGMENTATOR, VERSE, ("L3", "L4"))
    assert (lost.present, lost.dice) == ("b", 0)
    assert math.isnan(lost.volume_difference_percent), "no share of nothing"
    assert lost.volume_difference_ml > 0
    assert gained.present == "none"
    assert math.isnan(gained.dice)
    assert math.isnan(gained.volume_difference_ml)


def test_grids_that_differ_in_their_last_digits_are_one():
    a = labels((20, 21), grid((42, 12, 12), (4.0, 1.0, 1.0)))
    b = Mask(a.array, grid((42, 12, 12), (4.0000001, 1.0, 0.9999999), origin_mm=(1e-7, 0.0, 0.0)))
    for item in compare_masks(a, b, VERSE, VERSE):
        assert (item.dice, item.hd95_mm, item.assd_mm, item.volume_difference_ml) == (1, 0, 0, 0)


def test_merged_levels_are_compared_as_one():
    geometry = grid((42, 12, 12), (4.0, 1.0, 1.0))
    a, b = labels((20, 21), geometry), labels((21, 20), geometry)
    assert [item.dice for item in compare_masks(a, b, VERSE, VERSE)] == [0, 0]
    (merged,) = compare_masks(a, b, VERSE, VERSE, ("L1+L2",))
    assert (merged.level, merged.dice, merged.hd95_mm) == ("L1+L2", 1, 0)
    (half,) = compare_masks(a, labels((20,), geometry), VERSE, VERSE, ("L1+L2",))
    assert half.present == "a"


def test_what_cannot_be_compared_is_refused():
    geometry = grid((42, 12, 12))
    mask = labels((20, 21), geometry)
    moved = Mask(mask.array, grid((42, 12, 12), origin_mm=(5.0, 0.0, 0.0)))
    with pytest.raises(GeometryError, match="5 mm apart"):
        compare_masks(mask, moved, VERSE, VERSE)
    with pytest.raises(UsageError, match="no such level"):
        compare_masks(mask, mask, VERSE, VERSE, ("femur_left",))
    with pytest.raises(VoiError, match="neither mask holds"):
        compare_masks(labels((99,), geometry), labels((98,), geometry), VERSE, VERSE)
    assert [item.level for item in compare_masks(mask, mask, RAW, RAW)] == ["label_20", "label_21"]

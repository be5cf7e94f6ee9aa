import numpy as np
import pytest

from radiobone.core.errors import GeometryError
from radiobone.imaging import Geometry, Image, Mask
from radiobone.imaging.alignment import align_mask, check_same_grid
from radiobone.imaging.geometry import differences
from radiobone.imaging.volumes import expand, relative

ANGLE = np.radians(20)
OBLIQUE = (np.cos(ANGLE), -np.sin(ANGLE), 0.0, np.sin(ANGLE), np.cos(ANGLE), 0.0, 0.0, 0.0, 1.0)
GRID = Geometry((4, 5, 6), (3.0, 2.0, 1.0), (10.0, -20.0, 30.0), OBLIQUE)


def test_index_and_world_are_inverse():
    index = np.array([[0, 0, 0], [3, 4, 5], [1.5, 2.25, 0.125]])
    np.testing.assert_allclose(GRID.index(GRID.world(index)), index, atol=1e-12)


def test_world_agrees_with_simpleitk():
    volume = Image(np.zeros(GRID.shape, np.int16), GRID).to_sitk()
    expected = volume.TransformIndexToPhysicalPoint((5, 4, 3))
    np.testing.assert_allclose(GRID.world((3, 4, 5)), expected, atol=1e-12)
    np.testing.assert_allclose(GRID.axes[0], [0, 0, 1])


def test_image_keeps_type_and_geometry_through_simpleitk():
    image = Image(np.arange(120, dtype=np.int16).reshape(GRID.shape), GRID)
    back = Image.from_sitk(image.to_sitk())
    assert back.geometry == GRID
    assert back.array.dtype == np.int16
    np.testing.assert_array_equal(back.array, image.array)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (Geometry((4, 5, 7), GRID.spacing_mm, GRID.origin_mm, OBLIQUE), "size (x, y, z) (6, 5, 4) and (7, 5, 4)"),
        (Geometry(GRID.shape, (3.1, 2.0, 1.0), GRID.origin_mm, OBLIQUE), "up to 0.1 mm apart"),
        (Geometry(GRID.shape, GRID.spacing_mm, (10.0, -20.0, 32.0), OBLIQUE), "2 mm apart"),
        (Geometry(GRID.shape, GRID.spacing_mm, GRID.origin_mm), "x by 20°, y by 20°"),
    ],
)
def test_each_difference_is_told_with_its_magnitude(other, told):
    (found,) = differences(GRID, other)
    assert told in found


def test_single_precision_is_the_same_grid():
    rounded = Geometry(
        GRID.shape,
        tuple(float(np.float32(value + 1e-7)) for value in GRID.spacing_mm),
        tuple(float(np.float32(value)) for value in GRID.origin_mm),
        tuple(float(np.float32(value)) for value in OBLIQUE),
    )
    assert differences(GRID, rounded) == []


def test_a_direction_that_adds_up_over_a_long_axis_is_not_overlooked():
    # 0.009 degrees is little, but at 600 voxels it is a tenth of one.
    turn = np.radians(0.009)
    long = Geometry((4, 5, 600), (1.0, 1.0, 1.0))
    turned = Geometry(
        (4, 5, 600),
        (1.0, 1.0, 1.0),
        direction=(np.cos(turn), -np.sin(turn), 0, np.sin(turn), np.cos(turn), 0, 0, 0, 1),
    )
    assert differences(long, turned)


def test_tight_within_and_full_agree():
    rng = np.random.default_rng(0)
    labels = np.zeros((9, 8, 7), np.uint8)
    labels[2:6, 3:5, 1:6] = rng.integers(0, 3, (4, 2, 5))
    mask = Mask(labels, Geometry(labels.shape, (1.0, 1.0, 1.0)))
    voi = mask.select(2)
    np.testing.assert_array_equal(voi.full(), labels == 2)
    assert voi.n_voxels == (labels == 2).sum()
    box = expand(voi.box, (1, 20, 2), mask.geometry.shape)
    np.testing.assert_array_equal(voi.within(box), labels[box] == 2)
    assert mask.select(7).n_voxels == 0
    assert mask.labels() == [1, 2]


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.uint32, np.int64])
@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 1, 30), (6, 7, 8), (9, 33, 5)])
def test_the_tight_box_is_found_in_any_array(dtype, shape):
    rng = np.random.default_rng(1)
    grid = Geometry((60, 60, 60), (1.0, 1.0, 1.0))
    for share in (0.0, 0.01, 0.3, 1.0):
        whole = (rng.integers(1, 4, shape) * (rng.random(shape) < share)).astype(dtype)
        for labels in (whole, whole[:, ::-1], np.asfortranarray(whole)):
            mask = Mask(labels, grid, (2, 3, 4))
            assert mask.labels() == sorted({int(value) for value in labels.ravel()} - {0})
            for found, filled in ((mask.tight(), labels != 0), (mask.select(2), labels == 2)):
                where = np.argwhere(filled)
                if not len(where):
                    assert found.array.shape == (0, 0, 0)
                    continue
                low, high = where.min(axis=0), where.max(axis=0)
                assert found.array.flags.c_contiguous
                assert found.offset == tuple(np.add(low, mask.offset))
                assert found.array.shape == tuple(high - low + 1)
                assert found.n_voxels == filled.sum()
            assert mask.tight().array.dtype == dtype
            assert mask.select(300).n_voxels == 0


def test_alignment_resamples_nearest_neighbour_and_says_so():
    labels = np.zeros((10, 10, 10), np.uint8)
    labels[3:6, 2:5, 4:9] = 7
    grid = Geometry((10, 10, 10), (1.0, 1.0, 1.0))
    flipped = Geometry(
        (10, 10, 10), (1.0, 1.0, 1.0), (0.0, 9.0, 0.0), (1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0)
    )
    image, mask = Image(np.zeros((10, 10, 10), np.int16), grid), Mask(labels[:, ::-1].copy(), flipped)
    with pytest.raises(GeometryError, match="y by 180°"):
        check_same_grid(image, mask, "p01")
    aligned, note = align_mask(mask, image, "p01")
    np.testing.assert_array_equal(aligned.array, labels)
    assert "100.0% of its volume kept" in note
    check_same_grid(image, aligned, "p01")


def test_a_mask_of_another_place_is_refused():
    image = Image(np.zeros((5, 5, 5), np.int16), Geometry((5, 5, 5), (1.0, 1.0, 1.0)))
    far = Mask(np.ones((5, 5, 5), np.uint8), Geometry((5, 5, 5), (1.0, 1.0, 1.0), (500.0, 0.0, 0.0)))
    with pytest.raises(GeometryError, match="500 mm apart"):
        align_mask(far, image, "p01")


def test_a_box_counted_from_another_one():
    outer = (slice(1, 9), slice(-3, 9), slice(4, 30))
    box = (slice(2, 5), slice(0, 1), slice(4, 30))
    assert relative(box, outer) == (slice(1, 4), slice(3, 4), slice(0, 26))

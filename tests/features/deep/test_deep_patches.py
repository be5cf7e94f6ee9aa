"""Pictures and volumes of VOIs, in phantoms of which every pixel is known."""

from __future__ import annotations

import numpy as np
import pytest
from deep_phantoms import BOX, CODES, SHAPE, box_voi, params, scan, stored

from radiobone.core.errors import CaseError
from radiobone.features.deep.patches import make_inputs
from radiobone.imaging import Image, Mask

RNG = np.random.default_rng(0)
NOISE = scan(RNG.integers(-200, 1200, SHAPE).astype(np.int16), (2.5, 0.8, 0.7))
VIEWS = ("axial", "sagittal", "coronal")


def ramp(axis: int) -> Image:
    """HU grow by 10 with each voxel along one axis: to the head (0), to the back (1) or to the left (2)."""
    along = 10 * np.arange(SHAPE[axis], dtype=np.int16)
    return scan(np.broadcast_to(along.reshape([-1 if n == axis else 1 for n in range(3)]), SHAPE))


@pytest.mark.parametrize(
    ("view", "rows", "columns", "constant"),
    [("axial", "back", "left", "head"), ("sagittal", "foot", "back", "left"), ("coronal", "foot", "left", "back")],
)
def test_pictures_hang_as_radiologists_hang_them(view, rows, columns, constant):
    pictures = {}
    for axis, name in enumerate(("head", "back", "left")):
        image = ramp(axis)
        pictures[name] = make_inputs(image, box_voi(image), params(view)).array[0, 0].astype(np.float64)
    pictures["foot"] = -pictures["head"]
    inner = slice(2, -2)
    down, across = pictures[rows][inner, inner], pictures[columns][inner, inner]
    assert (np.diff(down, axis=0) > 0).all()
    assert np.ptp(down, axis=1).max() < 1e-6
    assert (np.diff(across, axis=1) > 0).all()
    assert np.ptp(across, axis=0).max() < 1e-6
    middle = {"head": 9, "back": 12, "left": 15}[constant]
    np.testing.assert_allclose(pictures[constant][inner, inner], middle * 10 / 1000, atol=1e-7)


def test_a_volume_grows_to_head_back_and_left():
    for axis in range(3):
        image = ramp(axis)
        found = make_inputs(image, box_voi(image), params("volume", spacing_mm=0.25, size=48)).array
        assert found.shape == (1, 1, 48, 48, 48)
        assert (np.diff(found[0, 0, 4:-4, 4:-4, 4:-4], axis=axis) > 0).all()


@pytest.mark.parametrize("oblique", [False, True])
@pytest.mark.parametrize(
    "wanted",
    [
        params(*VIEWS, channels="adjacent", masking="crop_mask", margin_mm=3),
        params(*VIEWS, "triplanar", masking="mask"),
        params("volume"),
    ],
    ids=["adjacent", "whole slices", "volume"],
)
def test_the_order_of_storage_changes_no_bit(wanted, oblique):
    turned = (0.96, -0.28, 0.0, 0.28, 0.96, 0.0, 0.0, 0.0, 1.0)
    keys = {"direction": turned} if oblique else {}
    image = scan(NOISE.array, NOISE.geometry.spacing_mm, **keys)
    array = RNG.random((9, 7, 8)) < 0.6
    voi = Mask(array, image.geometry, (3, 12, 11))
    expected = make_inputs(image, voi, wanted)
    for code in CODES:
        found = make_inputs(*stored(image, voi, code), wanted)
        np.testing.assert_array_equal(found.array, expected.array)
        np.testing.assert_array_equal(found.mask, expected.mask)
        assert found.places == expected.places


def test_planes_of_an_oblique_scan_are_its_own():
    turned = (0.96, -0.28, 0.0, 0.28, 0.96, 0.0, 0.0, 0.0, 1.0)
    oblique = scan(NOISE.array, NOISE.geometry.spacing_mm, direction=turned)
    for wanted in (params(*VIEWS), params("volume")):
        straight = make_inputs(NOISE, box_voi(NOISE), wanted)
        np.testing.assert_array_equal(make_inputs(oblique, box_voi(oblique), wanted).array, straight.array)


def test_axes_halfway_between_those_of_the_body_are_told_apart_alike_whatever_the_last_bit():
    half = np.sqrt(0.5)
    seen = []
    for more in (0.0, 1e-15, -1e-15):
        direction = (half + more, -half, 0.0, half, half + more, 0.0, 0.0, 0.0, 1.0)
        image = scan(NOISE.array, NOISE.geometry.spacing_mm, direction=direction)
        seen.append(make_inputs(image, box_voi(image), params(*VIEWS)).array)
    np.testing.assert_array_equal(seen[1], seen[0])
    np.testing.assert_array_equal(seen[2], seen[0])


def test_a_voi_on_another_grid_is_refused():
    other = scan(NOISE.array, (2.5, 0.8, 0.75))
    with pytest.raises(CaseError, match=r"do not lie on the same grid.*spacing"):
        make_inputs(NOISE, box_voi(other), params("axial"))


@pytest.mark.parametrize("code", ["LPS", "RAS", "PIR", "SAL"])
def test_pixels_are_those_of_itk_in_the_world(code):
    import SimpleITK as sitk

    image, voi = stored(NOISE, box_voi(NOISE), code)
    axial, coronal = make_inputs(image, voi, params("axial", "coronal", spacing_mm=0.35, size=50)).array[:, 0]
    hu = sitk.Clamp(image.to_sitk(), sitk.sitkFloat64, 0, 1000)
    middle = NOISE.geometry.world((9, 12, 15))
    # Each picture's direction of columns, of rows, and their normal.
    for found, (across, down) in ((axial, ((1, 0, 0), (0, 1, 0))), (coronal, ((1, 0, 0), (0, 0, -1)))):
        plane = sitk.Image(50, 50, 1, sitk.sitkFloat64)
        plane.SetSpacing((0.35, 0.35, 1.0))
        plane.SetDirection(np.stack([across, down, np.cross(across, down)], axis=1).ravel().astype(float))
        plane.SetOrigin(middle - 24.5 * 0.35 * (np.array(across) + np.array(down)))
        theirs = sitk.GetArrayFromImage(sitk.Resample(hu, plane, sitk.Transform(), sitk.sitkLinear))[0] / 1000
        np.testing.assert_allclose(found, theirs, atol=1e-6)


class TestSlices:
    def voi(self, areas_by_slice: dict[int, int]) -> tuple[Image, Mask]:
        """A VOI with so many voxels in each axial slice, in a scan that is 10 HU brighter in each slice."""
        array = np.zeros((20, 12, 12), dtype=bool)
        for number, area in areas_by_slice.items():
            array[number].flat[:area] = True
        image = scan(np.broadcast_to(10 * np.arange(20, dtype=np.int16).reshape(-1, 1, 1), (20, 12, 12)))
        return image, Mask(array, image.geometry)

    def slices(self, areas: dict[int, int], **keys: object) -> list[int]:
        inputs = make_inputs(*self.voi(areas), params("axial", **keys))
        shown = [round(float(picture[0].max() * 100)) for picture in inputs.array]
        assert [place.slices for place in inputs.places] == [(number,) for number in shown]
        return shown

    def test_the_largest_is_that_of_the_largest_area(self):
        assert self.slices({3: 60, 4: 80, 5: 81, 6: 70, 7: 20}) == [5]

    def test_of_equal_ones_the_largest_is_the_one_nearest_to_the_middle(self):
        assert self.slices(dict.fromkeys(range(3, 12), 60)) == [7]
        assert self.slices({3: 80, 4: 10, 5: 10, 6: 80, 7: 80, 8: 10, 9: 10, 10: 10}) == [6]

    def test_the_middle_is_the_middle_of_those_that_the_voi_fills(self):
        assert self.slices(dict.fromkeys(range(3, 12), 60), slices="middle") == [7]
        assert self.slices(dict.fromkeys((2, 3, 9, 10, 18), 60), slices="middle") == [9]

    def test_even_ones_are_in_the_middle_of_equal_parts(self):
        filled = dict.fromkeys(range(3, 12), 60)
        assert self.slices(filled, slices="even", n_slices=3) == [4, 7, 10]
        assert self.slices(filled, slices="even", n_slices=9) == list(range(3, 12))

    def test_where_there_are_fewer_than_wanted_each_is_shown_once(self):
        assert self.slices(dict.fromkeys(range(3, 6), 60), slices="even", n_slices=5) == [3, 4, 5]

    def test_the_area_counts_in_each_view(self):
        array = np.zeros(SHAPE, dtype=bool)
        array[6:13, 8:17, 10:21] = True
        array[5:14, 8:17, 12] = True
        array[5:15, 9, 10:21] = True
        image = scan(np.zeros(SHAPE, dtype=np.int16))
        places = make_inputs(image, Mask(array, image.geometry), params(*VIEWS)).places
        assert [place.slices for place in places[1:]] == [(12,), (9,)]

    def test_neighbours_stand_on_either_side(self):
        inputs = make_inputs(*self.voi(dict.fromkeys(range(3, 12), 60)), params("axial", channels="adjacent"))
        np.testing.assert_allclose(inputs.array[0].max(axis=(1, 2)), [0.06, 0.07, 0.08], atol=1e-7)
        assert inputs.places[0].slices == (6, 7, 8)

    @pytest.mark.parametrize(("filled", "expected"), [(0, (0, 0, 1)), (19, (18, 19, 19))])
    def test_beyond_the_scan_the_last_slice_is_its_own_neighbour(self, filled, expected):
        inputs = make_inputs(*self.voi({filled: 60}), params("axial", channels="adjacent"))
        assert inputs.places[0].slices == expected
        np.testing.assert_allclose(inputs.array[0].max(axis=(1, 2)), [n / 100 for n in expected], atol=1e-7)

    def test_neighbours_are_masked_by_the_voi_in_their_own_slice(self):
        inputs = make_inputs(*self.voi({7: 60}), params("axial", channels="adjacent", masking="crop_mask"))
        assert inputs.mask[0].any(axis=(1, 2)).tolist() == [False, True, False]
        assert inputs.array[0].any(axis=(1, 2)).tolist() == [False, True, False]


def test_one_slice_is_repeated_over_all_channels():
    found = make_inputs(NOISE, box_voi(NOISE), params("axial"))
    assert found.array.shape == found.mask.shape == (1, 3, 32, 32)
    assert found.array.dtype == np.float32
    assert (found.array == found.array[:, :1]).all()
    assert (found.mask == found.mask[:, :1]).all()


def test_inputs_come_by_view_and_then_by_slice():
    wanted = params("coronal", "axial", "triplanar", slices="even", n_slices=2)
    found = make_inputs(NOISE, box_voi(NOISE), wanted)
    assert found.views == ("coronal", "coronal", "axial", "axial", "triplanar")
    assert [place.slices for place in found.places] == [(10,), (14,), (7,), (11,), (9, 12, 15)]


def test_the_three_planes_cross_in_the_middle():
    array = np.zeros(SHAPE, dtype=np.int16)
    array[9, 12, 15] = 1000
    image = scan(array, (2.0, 1.0, 0.5))
    found = make_inputs(image, box_voi(image), params("triplanar", size=33)).array[0]
    for channel in found:
        assert np.unravel_index(channel.argmax(), channel.shape) == (16, 16)
        assert channel.max() == 1.0
    edges = make_inputs(image, box_voi(image), params("triplanar", size=33)).places[0].pixel_mm
    np.testing.assert_allclose(edges, 14.0 / 33)


def test_both_ends_of_the_window_come_out_exactly():
    array = RNG.choice(np.array([-150, 799, -1024, 3000, 800, -200], dtype=np.int16), SHAPE)
    array[:10] = -200
    array[10:] = 800
    image = scan(array)
    found = make_inputs(image, box_voi(image), params("sagittal", window_hu=(-200, 800))).array
    assert found[0, 0, 0, 16] == 1.0
    assert found[0, 0, -1, 16] == 0.0
    assert np.unique(make_inputs(scan(array * 3), box_voi(image), params("axial")).array).tolist() == [0.0]
    assert found.min() >= 0.0
    assert found.max() <= 1.0


def test_metal_does_not_shine():
    array = np.zeros(SHAPE, dtype=np.int16)
    array[:, :, 15] = 30000
    image = scan(array)
    found = make_inputs(image, box_voi(image), params("axial", size=110)).array[0, 0, 55]
    # Ten pixels for each voxel: the column of metal falls to nothing within one voxel, as one of 1000 HU would.
    assert (found > 0.5).sum() == 10


class TestMasking:
    image = scan(np.full(SHAPE, 500, dtype=np.int16))

    def test_a_crop_shows_the_surroundings(self):
        found = make_inputs(self.image, box_voi(self.image), params("axial", margin_mm=2))
        assert (found.array == 0.5).all()
        assert 0 < found.mask.mean() < 1

    @pytest.mark.parametrize("masking", ["mask", "crop_mask"])
    def test_masked_surroundings_are_at_the_lower_bound(self, masking):
        found = make_inputs(self.image, box_voi(self.image), params("axial", "coronal", masking=masking))
        assert (found.array[found.mask] == 0.5).all()
        assert (found.array[~found.mask] == 0.0).all()
        assert 0 < found.mask.mean() < 1

    def test_a_volume_is_masked(self):
        found = make_inputs(self.image, box_voi(self.image), params("volume", masking="crop_mask", margin_mm=2))
        np.testing.assert_array_equal(found.array, np.where(found.mask, np.float32(0.5), np.float32(0.0)))
        assert found.mask[0, 0, 16, 16, 16]

    def test_whole_slices_are_stretched_to_the_picture(self):
        image = scan(np.full((20, 40, 40), 500, dtype=np.int16))
        voi = box_voi(image, (slice(2, 5), slice(10, 20), slice(25, 30)))
        found = make_inputs(image, voi, params("axial", masking="mask", size=80))
        expected = np.zeros((80, 80), dtype=bool)
        expected[20:40, 50:60] = True
        differing = found.mask[0, 0] != expected
        assert differing.sum() <= 4  # the very corners: linear interpolation rounds them
        assert not found.array[0, 0][~found.mask[0, 0]].any()


class TestSizes:
    def counts(self, inputs) -> tuple[int, int]:
        """Rows and columns of the VOI in its first picture."""
        inside = inputs.mask[0, 0]
        return int(inside.any(axis=1).sum()), int(inside.any(axis=0).sum())

    def test_a_margin_is_seen_on_all_sides(self):
        image = scan(np.zeros((20, 60, 60), dtype=np.int16), (3.0, 0.5, 0.5))
        voi = box_voi(image, (slice(4, 9), slice(10, 30), slice(20, 40)))  # 15 x 10 x 10 mm
        found = make_inputs(image, voi, params("axial", "sagittal", size=100, margin_mm=5))
        assert self.counts(found) == (50, 50)
        np.testing.assert_allclose(found.places[0].pixel_mm, (0.0, 0.2, 0.2))
        np.testing.assert_allclose(found.places[1].pixel_mm, (0.25, 0.25, 0.0))
        assert found.mask[1, 0].any(axis=1).sum() == 60
        assert found.mask[1, 0].any(axis=0).sum() == 40

    @pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.5, 0.5, 0.25)])
    def test_a_square_in_mm_is_a_square_of_pixels(self, spacing):
        shape = [round(40 / edge) for edge in spacing]
        image = scan(np.zeros(shape, dtype=np.int16), spacing)
        box = tuple(slice(round(10 / edge), round(30 / edge)) for edge in spacing)
        for view in VIEWS:
            found = make_inputs(image, box_voi(image, box), params(view, spacing_mm=0.5, size=64))
            assert self.counts(found) == (40, 40)
            assert found.mask[0, 0, 12:52, 12:52].mean() > 0.99
            assert found.mask[0, 0].sum() <= 40 * 40

    def test_a_volume_has_the_edges_and_spacing_asked_for(self):
        image = scan(np.zeros((30, 60, 60), dtype=np.int16), (2.0, 1.0, 1.0))
        voi = box_voi(image, (slice(5, 15), slice(20, 44), slice(20, 44)))  # 20 x 24 x 24 mm
        wanted = params("volume", spacing_mm=(2.0, 0.5, 0.5), size=(32, 64, 48))
        found = make_inputs(image, voi, wanted)
        assert found.array.shape == (1, 1, 32, 64, 48)
        inside = found.mask[0, 0]
        assert [int(inside.any(axis=axes).sum()) for axes in ((1, 2), (0, 2), (0, 1))] == [10, 48, 48]

    def test_a_box_without_spacing_fills_the_edges_as_far_as_they_go(self):
        image = scan(np.zeros((30, 60, 60), dtype=np.int16))
        voi = box_voi(image, (slice(5, 15), slice(20, 44), slice(20, 40)))
        found = make_inputs(image, voi, params("volume", size=(32, 48, 64)))
        np.testing.assert_allclose(found.places[0].pixel_mm, 0.5)
        assert found.mask[0, 0].any(axis=(0, 2)).all()

    def test_a_voi_that_sticks_out_is_refused_with_the_size_it_needs(self):
        voi = box_voi(NOISE)  # 17.5 x 7.2 x 7.7 mm
        expected = r"sticks out.*17\.5 mm along z, 7\.7 mm along x.*at most 16 mm along z.*35 or more"
        with pytest.raises(CaseError, match=expected):
            make_inputs(NOISE, voi, params("axial", "coronal", "sagittal", spacing_mm=0.5, size=32))
        make_inputs(NOISE, voi, params("axial", "coronal", "sagittal", spacing_mm=0.5, size=35))

    def test_a_voi_as_large_as_its_window_fits(self):
        edge = float(np.float32(0.7))
        image = scan(np.zeros((60, 60, 60), dtype=np.int16), (edge, edge, edge))
        voi = box_voi(image, (slice(0, 33),) * 3)
        assert make_inputs(image, voi, params("volume", spacing_mm=0.7, size=33)).mask.all()

    def test_pixels_on_the_edge_of_the_voi_belong_to_it_on_either_side(self):
        image = scan(np.zeros(SHAPE, dtype=np.int16))
        voi = box_voi(image, (slice(6, 10), slice(8, 12), slice(10, 14)))
        inside = make_inputs(image, voi, params("axial", spacing_mm=0.5, size=33)).mask[0, 0]
        np.testing.assert_array_equal(np.flatnonzero(inside[16]), np.arange(12, 21))
        np.testing.assert_array_equal(np.flatnonzero(inside[:, 16]), np.arange(12, 21))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_the_pixel_type_plays_no_part(dtype):
    array = RNG.integers(0, 250, SHAPE)
    wanted = params(*VIEWS)
    first, other = scan(array.astype(np.int64)), scan(array.astype(dtype))
    expected = make_inputs(first, box_voi(first), wanted).array
    found = make_inputs(other, box_voi(other), wanted).array
    np.testing.assert_array_equal(found, expected)


def test_labels_of_any_value_are_the_voi():
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[BOX] = 22
    found = make_inputs(NOISE, Mask(labels, NOISE.geometry), params(*VIEWS))
    np.testing.assert_array_equal(found.mask, make_inputs(NOISE, box_voi(NOISE), params(*VIEWS)).mask)


def test_beyond_the_scan_is_the_lower_bound_of_the_window():
    image = scan(np.full((10, 10, 10), 500, dtype=np.int16))
    voi = box_voi(image, (slice(0, 10), slice(0, 10), slice(0, 5)))
    found = make_inputs(image, voi, params("axial", size=40, margin_mm=5)).array[0, 0]
    # 20 mm in 40 pixels: 5 mm of nothing in front and behind, 7.5 mm to the right, 2.5 mm to the left.
    expected = np.zeros((40, 40))
    expected[10:30, 15:35] = 0.5
    np.testing.assert_array_equal(found, expected)


def test_a_voi_at_the_border_of_the_scan_is_seen_whole():
    image = scan(np.full((10, 10, 10), 500, dtype=np.int16))
    voi = box_voi(image, (slice(0, 10),) * 3)
    for wanted in (params(*VIEWS), params("volume")):
        found = make_inputs(image, voi, wanted)
        assert (found.array == 0.5).all()
        assert found.mask.mean() > 0.98  # but for the rounded corners


def test_a_small_voi_is_refused():
    voi = box_voi(NOISE, (slice(6, 8), slice(8, 13), slice(10, 14)))
    with pytest.raises(CaseError, match=r"too small \| got: 40 voxels \| expected: at least 41 \(min_voxels\)"):
        make_inputs(NOISE, voi, params("axial", min_voxels=41))
    make_inputs(NOISE, voi, params("axial", min_voxels=40))


def test_an_empty_voi_is_refused():
    voi = Mask(np.zeros(SHAPE, dtype=bool), NOISE.geometry)
    with pytest.raises(CaseError, match="got: 0 voxels"):
        make_inputs(NOISE, voi, params("axial", min_voxels=1))


def test_a_voi_that_vanishes_in_its_picture_is_refused():
    image = scan(np.zeros((4, 800, 800), dtype=np.int16))
    voi = box_voi(image, (slice(1, 3), slice(400, 404), slice(300, 310)))
    with pytest.raises(CaseError, match=r"nothing of the VOI is left.*axial.*80 voxels in pixels of 25 mm"):
        make_inputs(image, voi, params("axial", masking="mask"))


def test_voxels_without_a_number_are_refused_where_the_network_looks():
    array = np.zeros(SHAPE, dtype=np.float32)
    array[0, 0, 0] = np.nan
    voi = box_voi(scan(array))
    make_inputs(scan(array), voi, params(*VIEWS))
    array[9, 12, 3] = np.inf
    make_inputs(scan(array), voi, params("axial", margin_mm=1))
    with pytest.raises(CaseError, match=r"NaN or infinite values where the network looks \| got: 1 of"):
        make_inputs(scan(array), voi, params("axial", margin_mm=8))


def test_the_scan_is_neither_copied_nor_read_as_a_whole():
    voxel = np.full((1, 1, 1), 500, dtype=np.int16)
    image = scan(np.broadcast_to(voxel, (9000, 9000, 9000)))  # 1.4 TB, had it any memory
    voi = box_voi(image, (slice(4000, 4020), slice(8980, 9000), slice(0, 20)))
    for wanted in (params(*VIEWS, channels="adjacent", margin_mm=5), params("volume", margin_mm=5)):
        found = make_inputs(image, voi, wanted)
        assert (found.array[found.mask] == 0.5).mean() > 0.9

from __future__ import annotations

import numpy as np
import pytest

from radiobone.imaging import Geometry, Image, Mask
from radiobone.imaging.pictures import COLOURS, LINE, OUTSIDE, axial, sagittal

GEOMETRY = Geometry((60, 50, 40), (2.0, 1.0, 1.5), (-30.0, -25.0, -60.0))


def ball(centre_mm, radius_mm, geometry=GEOMETRY) -> Mask:
    index = np.stack(np.meshgrid(*(np.arange(size) for size in geometry.shape), indexing="ij"), axis=-1)
    return Mask(np.linalg.norm(geometry.world(index) - centre_mm, axis=-1) < radius_mm, geometry).tight()


def ramp(axis: int, geometry=GEOMETRY) -> Image:
    """A scan whose HU are the world coordinate along x (0), y (1) or z (2), in mm."""
    index = np.stack(np.meshgrid(*(np.arange(size) for size in geometry.shape), indexing="ij"), axis=-1)
    return Image(geometry.world(index)[..., axis].astype(np.float32), geometry)


def coloured(picture) -> np.ndarray:
    return np.argwhere(picture.array[..., 0] != picture.array[..., 1])


class TestSagittal:
    def test_head_is_above_and_front_on_the_left(self):
        window = (-60.0, 60.0)
        by_height = sagittal(ramp(2), {}, {"L1": (0, 0, 0)}, margin_mm=15, window_hu=window).array[..., 0]
        assert (np.diff(by_height.astype(int), axis=0) <= 0).all()
        assert by_height[0, 0] > by_height[-1, 0]
        by_depth = sagittal(ramp(1), {}, {"L1": (0, 0, 0)}, margin_mm=15, window_hu=window).array[..., 0]
        assert by_depth[0, 0] < by_depth[0, -1]

    def test_true_proportions(self):
        mask = ball((0, 0, 0), 12)
        picture = sagittal(ramp(2), {"ball": mask}, {"middle": (0, 0, 0)}, mm_per_pixel=0.5)
        places = coloured(picture)
        assert picture.mm_per_pixel == 0.5
        assert np.ptp(places, axis=0) * 0.5 == pytest.approx([24, 24], abs=2)
        row, column = picture.labels["middle"]
        assert places.mean(axis=0) == pytest.approx([row, column], abs=2)

    def test_contour_is_a_line_in_the_colour_of_its_mask(self):
        masks = {"one": ball((0, 0, 20), 8), "two": ball((0, 0, -20), 8)}
        picture = sagittal(ramp(2), masks, {"a": (0, 0, 20), "b": (0, 0, -20)})
        assert picture.colours == {"one": COLOURS[0], "two": COLOURS[1]}
        for name, centre in (("one", "a"), ("two", "b")):
            row, column = (round(place) for place in picture.labels[centre])
            own = np.argwhere((picture.array == picture.colours[name]).all(axis=-1))
            distance = np.linalg.norm(own - [row, column], axis=1) * picture.mm_per_pixel
            assert len(own) > 30
            assert distance == pytest.approx(np.full(len(own), 8.0), abs=2.1)

    def test_the_greys_are_the_scan_without_contours(self):
        mask = ball((0, 0, 0), 12)
        drawn = sagittal(ramp(2), {"ball": mask}, {"middle": (0, 0, 0)})
        assert drawn.grey.shape == drawn.array.shape[:2]
        outline = (drawn.array == drawn.colours["ball"]).all(axis=-1)
        assert outline.any()
        assert np.array_equal(drawn.array[~outline], np.repeat(drawn.grey[..., None], 3, axis=-1)[~outline])
        assert np.unique(np.diff(drawn.grey.astype(int), axis=1)).tolist() == [0], "no line is seen in the ramp"

    def test_curve_follows_the_points_to_the_side(self):
        points = {"T12": (-15, 0, 40), "L3": (15, 0, -40)}
        window = (-60.0, 60.0)
        curved = sagittal(ramp(0), {}, points, window_hu=window).array[..., 0].astype(float)
        straight = sagittal(ramp(0), {}, points, curved=False, window_hu=window).array[..., 0]
        shown = curved[:, 10] / 255 * 120 - 60
        rows = np.array([sagittal(ramp(0), {}, points).labels[name][0] for name in points])
        assert shown[np.rint(rows).astype(int)] == pytest.approx([-15, 15], abs=0.7)
        assert (straight == straight[0, 0]).all()

    def test_ends_with_the_scan(self):
        picture = sagittal(ramp(2), {}, {"L1": (0, 0, 0)}, margin_mm=500, mm_per_pixel=1.0)
        assert picture.array.shape == (118, 49, 3)

    def test_any_order_of_axes_gives_the_same_picture(self):
        straight = Geometry((50, 50, 50), (1.0, 1.0, 1.0), (-25.0, -25.0, -25.0))
        permuted = Geometry(
            (50, 50, 50), (1.0, 1.0, 1.0), (24.0, -25.0, -25.0), (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
        )
        pictures = [
            sagittal(ramp(2, item), {"ball": ball((3, 4, 5), 9, item)}, {"L1": (3, 4, 5)}, margin_mm=8)
            for item in (straight, permuted)
        ]
        np.testing.assert_array_equal(pictures[0].array, pictures[1].array)

    def test_without_points_it_goes_through_the_masks_or_the_scan(self):
        window = (-60.0, 60.0)
        by_mask = sagittal(ramp(0), {"ball": ball((12, 0, 0), 8)}, {}, window_hu=window, margin_mm=5)
        inside = by_mask.array[np.ptp(by_mask.array, axis=-1) == 0][:, 0] / 255 * 120 - 60
        assert inside == pytest.approx(np.full(len(inside), 12), abs=1.5)
        assert len(coloured(by_mask)) > 30
        whole = sagittal(ramp(0), {}, {}, window_hu=window)
        assert whole.array[0, 0, 0] / 255 * 120 - 60 == pytest.approx(-0.75, abs=1)
        assert whole.labels == {}

    def test_a_label_map_on_the_whole_grid_is_outlined_as_its_tight_box_is(self):
        mask = ball((0, 0, 0), 8)
        whole = Mask(3 * mask.full().astype(np.uint8), GEOMETRY)
        pictures = [sagittal(ramp(2), {"one": item}, {"L1": (0, 0, 0)}) for item in (mask, whole)]
        np.testing.assert_array_equal(pictures[0].array, pictures[1].array)


class TestAxial:
    def test_right_of_the_patient_is_on_the_left_and_the_front_above(self):
        across = axial(ramp(0), {}, (0, 0, 0), size_mm=40, window_hu=(-60, 60)).array[..., 0]
        assert across[0, 0] < across[0, -1]
        down = axial(ramp(1), {}, (0, 0, 0), size_mm=40, window_hu=(-60, 60)).array[..., 0]
        assert down[0, 0] < down[-1, 0]

    def test_outside_the_scan(self):
        picture = axial(ramp(0), {}, (0, 0, 0), size_mm=120)
        assert picture.array.shape == (160, 160, 3)
        assert tuple(picture.array[0, 0]) == OUTSIDE
        assert picture.labels == {}

    def test_leaning_plane_shows_a_leaning_vertebra(self):
        lean = np.radians(30)
        back, head = np.array([0, np.cos(lean), np.sin(lean)]), np.array([0, -np.sin(lean), np.cos(lean)])
        index = np.stack(np.meshgrid(*(np.arange(size) for size in GEOMETRY.shape), indexing="ij"), axis=-1)
        world = GEOMETRY.world(index)
        plate = Mask(
            (np.abs(world @ head) < 4) & (np.abs(world @ back) < 18) & (np.abs(world[..., 0]) < 10), GEOMETRY
        )
        depth = {
            name: np.ptp(coloured(axial(ramp(0), {"plate": plate}, (0, 0, 0), back=way, size_mm=60))[:, 0]) * 0.75
            for name, way in (("own", back), ("world", (0, 1, 0)))
        }
        assert depth["own"] == pytest.approx(36, abs=2)
        assert depth["world"] == pytest.approx(2 * 4 / np.sin(lean), abs=2)

    def test_lines_lie_where_they_were_given(self):
        line = ((0, -10, 0), (0, 10, 200))
        seen = np.argwhere((sagittal(ramp(2), {}, {"L1": (0, 0, 0)}, lines_mm=[line]).array == LINE).all(axis=-1))
        slope = np.polyfit(seen[:, 1], seen[:, 0], 1)[0]
        assert slope == pytest.approx(-10, rel=0.05)
        flat = axial(ramp(2), {}, (0, 0, 0), lines_mm=[((-12, 6, 0), (12, 6, 0))], size_mm=60, mm_per_pixel=0.5)
        seen = np.argwhere((flat.array == LINE).all(axis=-1))
        assert set(seen[:, 0]) == {72}
        assert (seen[:, 1].min(), seen[:, 1].max()) == (36, 84)

    def test_an_empty_mask_draws_nothing(self):
        empty = Mask(np.zeros((0, 0, 0), dtype=bool), GEOMETRY)
        assert len(coloured(axial(ramp(0), {"none": empty}, (0, 0, 0)))) == 0
        assert sagittal(ramp(0), {"none": empty}, {"L1": (0, 0, 0)}).colours == {"none": COLOURS[0]}

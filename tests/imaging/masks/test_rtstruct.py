"""RTSTRUCT: contours filled by the even-odd rule, in the slices that they were drawn in."""

from dataclasses import replace

import numpy as np
import pytest

from radiobone.core.errors import GeometryError, ImageError
from radiobone.imaging import Geometry, Image
from radiobone.imaging.reading import read_mask


def filled(*parts):
    array = np.zeros((6, 20, 24), int)
    for z, y, x in parts:
        array[z, slice(*y), slice(*x)] = 1
    return array


def test_rectangles_come_to_their_voxels_and_regions_keep_their_names(write_rtstruct, ct, box):
    path = write_rtstruct(
        {"vertebra L1": [box(4, (3, 9), (5, 12)), box(5, (3, 8), (5, 12))], "L2": [box(1, (2, 4), (6, 9))]}
    )
    mask = read_mask(path, ct)
    assert mask.names == {1: "vertebra L1", 2: "L2"}
    expected = filled((4, (3, 9), (5, 12)), (5, (3, 8), (5, 12))) + 2 * filled((1, (2, 4), (6, 9)))
    np.testing.assert_array_equal(mask.full(), expected)
    assert mask.geometry is ct.geometry
    assert mask.notes == ()


def test_holes_parts_and_keyholes(write_rtstruct, ct, box):
    ring = [box(2, (3, 15), (4, 20)), box(2, (6, 9), (8, 12))]
    parts = [box(3, (1, 4), (1, 5)), box(3, (10, 14), (12, 20))]
    outer, inner = box(4, (3, 15), (4, 20)), box(4, (6, 9), (8, 12))
    keyhole = np.concatenate([outer, outer[:1], inner[:1], inner[::-1], outer[:1]])
    mask = read_mask(write_rtstruct({"L3": [*ring, *parts, keyhole]}), ct)
    np.testing.assert_array_equal(
        mask.full()[2], filled((2, (3, 15), (4, 20)))[2] - filled((2, (6, 9), (8, 12)))[2]
    )
    np.testing.assert_array_equal(mask.full()[3], filled((3, (1, 4), (1, 5)), (3, (10, 14), (12, 20)))[3])
    np.testing.assert_array_equal(mask.full()[4], mask.full()[2])


def test_a_circle_has_its_area(write_rtstruct):
    grid = Geometry((3, 200, 220), (2.0, 0.5, 0.4), (7.0, -3.0, 5.0))
    turn = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    centre = grid.world((1, 95.3, 111.7))
    circle = centre + 30.0 * np.stack([np.cos(turn), np.sin(turn), 0 * turn], axis=1)
    mask = read_mask(write_rtstruct({"disc": [circle]}, series=""), Image(np.zeros(grid.shape, np.int16), grid))
    assert mask.n_voxels * 0.2 == pytest.approx(np.pi * 900, rel=1e-3)
    np.testing.assert_allclose(np.argwhere(mask.full()).mean(axis=0), (1, 95.3, 111.7), atol=0.02)


def test_neighbours_that_share_an_edge_share_no_voxel(write_rtstruct, ct):
    # The edge runs through voxel centres: the half-open rule gives each of them to one side.
    def world(y, x):
        return ct.geometry.world([(2, y[0], x[0]), (2, y[0], x[1]), (2, y[1], x[1]), (2, y[1], x[0])])

    path = write_rtstruct({"L1": [world((2, 8), (3, 9))], "L2": [world((8, 14), (3, 9))]})
    one, other = (read_mask(path, ct, [name]).full() > 0 for name in ("L1", "L2"))
    assert np.count_nonzero(one) == np.count_nonzero(other) == 36
    assert not (one & other).any()


def test_any_polygon_is_filled_as_matplotlib_does(write_rtstruct, ct):
    from matplotlib.path import Path as Polygon

    rng = np.random.default_rng(3)
    centres = np.argwhere(np.ones((20, 24), bool))
    for number in range(20):
        points = rng.uniform((-0.9, -0.9), (19.9, 23.9), (rng.integers(3, 30), 2))
        world = ct.geometry.world(np.insert(points, 0, 3, axis=1))
        found = read_mask(write_rtstruct({"L1": [world]}, name=f"{number}.dcm"), ct).full()[3]
        np.testing.assert_array_equal(found, Polygon(points).contains_points(centres).reshape(20, 24))


@pytest.mark.parametrize("flip", [(), (0, 1)])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_an_image_stored_in_another_order_of_axes_gets_the_same_voxels(write_rtstruct, ct, box, flip, order):
    path = write_rtstruct({"L1": [box(4, (3, 9), (5, 12)), box(5, (3, 8), (5, 12))]})
    grid = ct.geometry
    start = [grid.shape[axis] - 1 if axis in flip else 0 for axis in range(3)]
    axes = np.array([-row if axis in flip else row for axis, row in enumerate(grid.axes)])[list(order)]
    other = Geometry(
        tuple(grid.shape[axis] for axis in order),
        tuple(grid.spacing_mm[axis] for axis in order),
        tuple(np.float32(grid.world(start)).tolist()),
        tuple(axes[::-1].T.ravel().tolist()),
    )
    mask = read_mask(path, Image(np.zeros(other.shape, np.int16), other))
    expected = filled((4, (3, 9), (5, 12)), (5, (3, 8), (5, 12)))
    np.testing.assert_array_equal(mask.full(), np.flip(expected, flip).transpose(order))


def test_an_oblique_image_holds_contours_and_frames_in_its_own_slices(write_rtstruct, write_seg_file, box):
    # Turned by 20 degrees about the left-right axis, as slices along a disc are.
    sine, cosine = np.sin(np.radians(20)), np.cos(np.radians(20))
    grid = Geometry((6, 20, 24), (2.5, 0.8, 0.7), (3.0, 4.0, 5.0), (1, 0, 0, 0, cosine, -sine, 0, sine, cosine))
    image = Image(np.zeros(grid.shape, np.int16), grid)
    expected = filled((4, (3, 9), (5, 12)), (5, (3, 8), (5, 12)))
    contours = [box(4, (3, 9), (5, 12), grid), box(5, (3, 8), (5, 12), grid)]
    mask = read_mask(write_rtstruct({"L1": contours}, series=""), image)
    np.testing.assert_array_equal(mask.full(), expected)
    mask = read_mask(write_seg_file({"L1": expected}, grid=grid, series=""), image)
    assert mask.geometry is grid
    np.testing.assert_array_equal(mask.full(), expected)
    straight = Image(image.array, Geometry(grid.shape, grid.spacing_mm, grid.origin_mm))
    with pytest.raises(GeometryError, match="do not lie in the image's axial slices"):
        read_mask(write_rtstruct({"L1": contours}, series=""), straight)


def test_regions_are_chosen_by_name(write_rtstruct, ct, box):
    path = write_rtstruct({"BODY": [box(2, (0, 20), (0, 24))], "GTV-1": [box(2, (3, 9), (5, 12))]})
    with pytest.raises(ImageError, match=r"overlap.*'BODY' and 'GTV-1' share 42 voxels"):
        read_mask(path, ct)
    mask = read_mask(path, ct, ["gtv-1"])
    assert (mask.names, mask.n_voxels) == ({2: "GTV-1"}, 42)
    with pytest.raises(ImageError, match=r"no segment named 'GTV'.*did you mean 'GTV-1'"):
        read_mask(path, ct, ["GTV"])


def test_regions_may_be_counted_from_0(write_rtstruct, ct, box):
    path = write_rtstruct({"L1": [box(4, (3, 9), (5, 12))], "L2": [box(2, (3, 9), (5, 12))]}, first=0)
    mask = read_mask(path, ct)
    assert mask.names == {1: "L1", 2: "L2"}
    assert mask.n_voxels == 84


def test_contours_outside_and_between_slices_are_refused_with_numbers(write_rtstruct, ct, box):
    inside = box(4, (3, 9), (5, 12))
    with pytest.raises(GeometryError, match=r"outside the image.*region 'L1'.*1 of 2 contours.*up to 5 mm"):
        read_mask(write_rtstruct({"L1": [inside, box(7, (3, 9), (5, 12))]}), ct)
    with pytest.raises(
        GeometryError, match=r"outside the image.*1 of 1 contours beyond its sides, by up to 8 voxels"
    ):
        read_mask(write_rtstruct({"L1": [box(4, (3, 9), (20, 32))]}), ct)
    with pytest.raises(GeometryError, match=r"between the slices.*1 of 2 contours, up to 1 mm.*2\.5 mm apart"):
        read_mask(write_rtstruct({"L1": [inside, box(2.4, (3, 9), (5, 12))]}), ct)
    # Headers give positions in few digits.
    assert read_mask(write_rtstruct({"L1": [inside, box(4.96, (3, 9), (5, 12))]}), ct).n_voxels == 84


def test_contours_across_the_slices_are_refused(write_rtstruct, ct):
    sagittal = ct.geometry.world([(1, 3, 8), (1, 12, 8), (4, 12, 8), (4, 3, 8)])
    with pytest.raises(GeometryError, match=r"axial slices.*over 7\.5 mm across"):
        read_mask(write_rtstruct({"L1": [sagittal]}), ct)


def test_gaps_and_what_encloses_nothing_are_noted(write_rtstruct, ct, box):
    contours = [box(1, (3, 9), (5, 12)), box(4, (3, 9), (5, 12)), (box(2, (3, 9), (5, 12))[:1], "POINT")]
    assert read_mask(write_rtstruct({"L1": contours}), ct).notes == (
        "region 'L1': 1 of 3 contours enclose nothing and were left out",
        "region 'L1': nothing in 2 slices between its first and its last one",
    )
    with pytest.raises(ImageError, match="mask is empty"):
        read_mask(write_rtstruct({"L1": contours[2:]}), ct)


def test_an_rtstruct_of_another_series_or_without_an_image_is_refused(write_rtstruct, ct, box):
    path = write_rtstruct({"L1": [box(4, (3, 9), (5, 12))]}, series="1.2.3.4.99")
    with pytest.raises(GeometryError, match=r"RTSTRUCT refers to another series.*1\.2\.3\.4\.99"):
        read_mask(path, ct)
    assert read_mask(path, replace(ct, series_uid="")).n_voxels == 42
    with pytest.raises(ImageError, match="contours need the image"):
        read_mask(path)


@pytest.mark.parametrize("share", [0.2, 0.6, 0.99])
def test_a_truncated_rtstruct_is_refused(write_rtstruct, ct, box, share):
    path = write_rtstruct({"L1": [box(z, (3, 9), (5, 12)) for z in range(6)]})
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ImageError, match=r"damaged or truncated|holds no contours"):
        read_mask(path, ct)


def test_a_contour_that_lacks_numbers_is_refused(write_rtstruct, ct, box):
    from pydicom import dcmread

    path = write_rtstruct({"L1": [box(4, (3, 9), (5, 12))]})
    data = dcmread(path)
    data.ROIContourSequence[0].ContourSequence[0].ContourData = ["1", "2", "3", "4"]
    data.save_as(path)
    with pytest.raises(ImageError, match=r"contour is damaged.*got: 4 numbers.*expected: 12"):
        read_mask(path, ct)


def test_a_contour_that_is_there_twice_counts_once_with_a_note(write_rtstruct, ct, box):
    contour = box(4, (3, 9), (5, 12))
    contours = [contour, np.roll(contour[::-1], 1, axis=0), box(3, (3, 9), (5, 12))]
    mask = read_mask(write_rtstruct({"L1": contours}), ct)
    assert mask.n_voxels == 2 * 6 * 7
    assert mask.notes == ("region 'L1': 1 contours are there twice, and count once",)


def test_contours_that_cross_are_noted_and_holes_and_neighbours_are_not(write_rtstruct, ct, box):
    outer, hole, beside = box(4, (3, 12), (5, 14)), box(4, (3, 6), (7, 9)), box(4, (12, 15), (5, 14))
    assert read_mask(write_rtstruct({"L1": [outer, hole, beside]}), ct).notes == ()
    mask = read_mask(write_rtstruct({"L1": [outer, box(4, (10, 15), (5, 14)), box(3, (3, 9), (5, 12))]}), ct)
    assert mask.notes == ("region 'L1': contours cross in 1 slices, what both enclose was left out",)
    assert np.count_nonzero(mask.full()[4]) == 7 * 9 + 3 * 9


def test_contours_of_one_region_may_lie_in_several_items(write_rtstruct, ct, box):
    from pydicom import dcmread

    path = write_rtstruct({"L1": [box(4, (3, 9), (5, 12))], "L2": [box(3, (3, 9), (5, 12))]})
    data = dcmread(path)
    data.ROIContourSequence[1].ReferencedROINumber = 1
    data.save_as(path)
    assert read_mask(path, ct, ["L1"]).n_voxels == 2 * 6 * 7
    del data.StructureSetROISequence[1]
    data.ROIContourSequence[1].ReferencedROINumber = 7
    data.save_as(path)
    mask = read_mask(path, ct)
    assert mask.n_voxels == 6 * 7
    assert mask.notes == ("contours of regions that the file does not name were left out: 7",)


def test_two_regions_of_one_number_are_refused(write_rtstruct, ct, box):
    from pydicom import dcmread

    path = write_rtstruct({"L1": [box(4, (3, 9), (5, 12))], "L2": [box(3, (3, 9), (5, 12))]})
    data = dcmread(path)
    data.StructureSetROISequence[1].ROINumber = 1
    data.save_as(path)
    with pytest.raises(ImageError, match=r"two regions have one number.*'L1' and 'L2'"):
        read_mask(path, ct)


def test_contours_at_rounded_positions_lie_in_their_slices(write_rtstruct):
    grid = Geometry((20, 12, 14), (0.625, 0.8, 0.7), (-8.0, 5.0, 100.0))
    ct = Image(np.zeros(grid.shape, np.int16), grid)
    corners = np.array([(2, 3), (2, 9), (8, 9), (8, 3)]) - 0.5
    contours = []
    for z in range(20):
        points = grid.world([(z, *place) for place in corners])
        points[:, 2] = np.round(points[:, 2] - 0.04, 1)
        contours.append(points)
    mask = read_mask(write_rtstruct({"L1": contours}, series=""), ct)
    assert (mask.full()[:, 2:8, 3:9] == 1).all()
    assert mask.n_voxels == 20 * 36

"""DICOM SEG: segments on the CT's grid, whatever frames are stored and in which order."""

from dataclasses import replace

import numpy as np
import pytest

from radiobone.core.errors import GeometryError, ImageError
from radiobone.imaging import Geometry, Image
from radiobone.imaging.geometry import differences
from radiobone.imaging.reading import read_mask


def blocks(**places):
    """Segments with voxels at the given slices, off the middle of the plane in every direction."""
    found = {}
    for name, slices in places.items():
        array = np.zeros((6, 20, 24), np.uint8)
        for z in slices:
            array[z, 3 : 9 + z, 5:12] = 1
        found[name.replace("_", " ")] = array
    return found


@pytest.mark.parametrize("order", [1, -1])
def test_frames_come_to_their_slices_and_segments_keep_their_names(write_seg_file, ct, order):
    segments = blocks(L1_vertebra=[4, 5], L2_vertebra=[0, 1, 3])
    mask = read_mask(write_seg_file(segments, order=order), ct)
    assert mask.geometry is ct.geometry
    assert mask.names == {1: "L1 vertebra", 2: "L2 vertebra"}
    expected = segments["L1 vertebra"] + 2 * segments["L2 vertebra"]
    np.testing.assert_array_equal(mask.full(), expected)
    assert mask.notes == ("segment 'L2 vertebra': nothing in 1 slices between its first and its last one",)


@pytest.mark.parametrize("stated", [True, False])
@pytest.mark.parametrize("flip", [(), (0,), (1, 2), (0, 1, 2)])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_an_image_stored_in_another_order_of_axes_gets_the_same_voxels(write_seg_file, ct, stated, flip, order):
    # As NIfTI files made from the series are. Frames lie two slices apart: their distance comes from the image.
    segments = blocks(L1=[1, 3])
    path = write_seg_file(segments, stated=stated)
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
    assert not differences(mask.geometry, other)
    np.testing.assert_array_equal(mask.full(), np.flip(segments["L1"], flip).transpose(order))


def test_without_an_image_the_grid_is_that_of_the_frames(write_seg_file, ct):
    mask = read_mask(write_seg_file(blocks(L1=[1, 2, 4])))
    assert mask.geometry.shape == (4, 20, 24)
    np.testing.assert_allclose(mask.geometry.origin_mm, ct.geometry.world((1, 0, 0)))
    np.testing.assert_allclose(mask.geometry.spacing_mm, ct.geometry.spacing_mm)


def test_a_grid_between_the_voxels_of_the_image_stays_as_it_is(write_seg_file, ct):
    moved = replace(ct.geometry, origin_mm=(-8.0, 5.0, 101.0))
    mask = read_mask(write_seg_file(blocks(L1=[1, 2])), Image(ct.array, moved))
    assert differences(mask.geometry, moved)
    assert mask.n_voxels == 7 * (7 + 8)


def test_fractions_are_cut_at_one_half_with_a_note(write_seg_file, ct):
    array = np.zeros((6, 20, 24), np.uint8)
    array[2, 4, 5:9] = [99, 100, 101, 200]
    mask = read_mask(write_seg_file({"L1": array}, kind="FRACTIONAL"), ct)
    assert mask.n_voxels == 3
    assert "one half" in mask.notes[0]


def test_overlapping_segments_are_refused_with_counts_and_read_one_by_one(write_seg_file, ct):
    segments = blocks(L1=[2, 3], L2=[3, 4])
    path = write_seg_file(segments)
    with pytest.raises(ImageError, match=r"segments overlap.*'L1' and 'L2' share 63 voxels.*'L1' has 119"):
        read_mask(path, ct)
    for number, name in enumerate(("L1", "L2"), start=1):
        chosen = read_mask(path, ct, [name.casefold()])
        assert chosen.names == {number: name}
        np.testing.assert_array_equal(chosen.full(), number * segments[name])


def test_a_few_shared_voxels_belong_to_neither_segment(write_seg_file, ct):
    segments = blocks(L1=[3, 4, 5], L2=[0, 1, 2])
    segments["L1"][2, 3, 5] = 1
    mask = read_mask(write_seg_file(segments), ct)
    assert mask.notes == ("voxels that two segments share were given to neither: 'L1' and 'L2' share 1 voxels",)
    assert mask.full()[2, 3, 5] == 0
    assert mask.n_voxels == segments["L1"].sum() + segments["L2"].sum() - 2


def test_segments_that_are_no_levels_do_not_get_in_the_way(write_seg_file, ct):
    segments = {**blocks(L1=[2, 3]), "body": np.ones((6, 20, 24), np.uint8)}
    assert read_mask(write_seg_file(segments), ct).names == {1: "L1"}
    with pytest.raises(ImageError, match="overlap"):
        read_mask(write_seg_file(segments), ct, ["L1", "Body"])


def test_the_coded_type_counts_where_the_label_says_nothing(write_seg_file, ct):
    path = write_seg_file(blocks(Segment_1=[2]), coded={"Segment 1": "First lumbar vertebra"})
    assert read_mask(path, ct).names == {1: "First lumbar vertebra"}


def test_a_seg_of_another_series_is_refused_by_the_end_of_its_uid(write_seg_file, ct):
    path = write_seg_file(blocks(L1=[2]), series="1.2.3.4.5.6.7.8.9.10.77")
    with pytest.raises(GeometryError, match=r"another series.*…\.7\.8\.9\.10\.77.*expected: …") as caught:
        read_mask(path, ct)
    assert "1.2.3.4" not in str(caught.value)
    # A NIfTI file has no UID.
    assert read_mask(path, replace(ct, series_uid="")).n_voxels == 56


def test_missing_and_empty_segments(write_seg_file, ct):
    path = write_seg_file(blocks(L1=[2], L2=[]))
    assert read_mask(path, ct).notes == ("segments without a voxel: 'L2'",)
    with pytest.raises(ImageError, match=r"asked for is empty.*'L2'"):
        read_mask(path, ct, ["L1", "L2"])
    with pytest.raises(ImageError, match=r"mask is empty.*'L2'"):
        read_mask(path, ct, ["L2"])
    with pytest.raises(ImageError, match=r"no segment named 'L11'.*did you mean 'L1'.*'L1', 'L2'"):
        read_mask(path, ct, ["L11"])
    with pytest.raises(ImageError, match="mask is empty"):
        read_mask(write_seg_file(blocks(L1=[])), ct)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_seg_is_refused(write_seg_file, ct, share):
    path = write_seg_file(blocks(L1=[0, 1, 2, 3, 4, 5]))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ImageError, match=r"damaged or truncated"):
        read_mask(path, ct)


def test_what_is_no_mask_is_refused(write_seg_file, ct, shared_data):
    with pytest.raises(ImageError, match=r"no mask.*modality CT"):
        read_mask(next((shared_data / "dicom/dcmqi_seg/ct-3slice").iterdir()), ct)


@pytest.mark.parametrize("path", ["SegmentSequence", "PerFrameFunctionalGroupsSequence"])
def test_a_seg_that_lacks_elements_is_refused(write_seg_file, ct, path):
    from pydicom import dcmread

    file = write_seg_file(blocks(L1=[0, 1]))
    data = dcmread(file)
    name = {"SegmentSequence": "SegmentNumber"}.get(path, "SegmentIdentificationSequence")
    delattr(data[path][0], name)
    data.save_as(file)
    with pytest.raises(ImageError, match=r"not as the DICOM standard|does not say which segment"):
        read_mask(file, ct)


def test_uneven_frames_are_refused(write_seg_file, ct):
    from pydicom import dcmread

    path = write_seg_file(blocks(L1=[0, 1, 2, 3]))
    data = dcmread(path)
    data.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[0].ImagePositionPatient[2] += 0.9
    data.save_as(path)
    with pytest.raises(ImageError, match=r"uneven distances.*planes at 0, 3\.4, 5, 7\.5 mm"):
        read_mask(path, ct)
    data.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[0].ImagePositionPatient = [-8.0, 5.0, 100.0]
    data.save_as(path)
    with pytest.raises(ImageError, match="several frames of one segment lie in one place"):
        read_mask(path, ct)
    del data.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence
    data.save_as(path)
    with pytest.raises(ImageError, match="does not say where its frames lie"):
        read_mask(path, ct)


@pytest.fixture
def changed(write_seg_file):
    """Write a SEG of L1 and L2 whose elements are changed before."""
    from pydicom import dcmread

    def write(change):
        path = write_seg_file(blocks(L1=[2, 3], L2=[4, 5]))
        data = dcmread(path)
        change(data, data.SharedFunctionalGroupsSequence[0], data.PerFrameFunctionalGroupsSequence)
        data.save_as(path)
        return path

    return write


def as_label_map(data, pixels):
    data.SegmentationType, data.BitsAllocated, data.BitsStored, data.HighBit = "LABELMAP", 8, 8, 7
    data.PixelData = pixels.astype(np.uint8).tobytes()


LABELS = (blocks(L=[2, 3])["L"] + 2 * blocks(L=[4, 5])["L"])[2:]


def test_a_label_map_is_read_and_values_without_a_description_are_noted(changed, ct):
    def change(data, shared, frames):
        as_label_map(data, np.where(np.indices(LABELS.shape).sum(axis=0) == 0, 77, LABELS))

    mask = read_mask(changed(change), ct)
    np.testing.assert_array_equal(mask.full()[2:], LABELS)
    assert mask.notes == ("voxels of segments that the file does not describe were left out: 77",)


def test_frames_of_a_segment_without_a_description_are_noted_and_numbers_may_have_gaps(changed, ct):
    def change(data, shared, frames):
        data.SegmentSequence[1].SegmentNumber = 300
        for frame, number in zip(frames, (1, 9, 300, 300), strict=True):
            frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber = number

    mask = read_mask(changed(change), ct)
    assert mask.names == {1: "L1", 300: "L2"}
    assert mask.notes == ("voxels of segments that the file does not describe were left out: 9",)
    assert mask.labels() == [1, 300]


def test_segments_without_names_are_named_by_their_numbers(changed, ct):
    def change(data, shared, frames):
        for item in data.SegmentSequence:
            del item.SegmentLabel, item.SegmentedPropertyTypeCodeSequence

    assert read_mask(changed(change), ct).names == {1: "segment 1", 2: "segment 2"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda data, *_: setattr(data.SegmentSequence[1], "SegmentNumber", 1), "two segments have one number"),
        (lambda data, *_: setattr(data, "SegmentSequence", []), "describes no segments"),
        (lambda data, *_: setattr(data, "SegmentationType", "SURFACE"), r"no known type.*got: SURFACE"),
        (lambda data, *_: setattr(data, "PixelData", data.PixelData[:120]), r"damaged.*120 bytes.*needs \d+"),
        (lambda data, *_: setattr(data, "Rows", 6000), r"damaged.*its size needs"),
        (lambda data, *_: setattr(data, "NumberOfFrames", 0), "does not say where its frames lie"),
        (
            lambda _, shared, *__: setattr(shared.PixelMeasuresSequence[0], "PixelSpacing", [0, 0]),
            "spacing 0, 0 mm",
        ),
        (
            lambda _, shared, *__: setattr(
                shared.PlaneOrientationSequence[0], "ImageOrientationPatient", [1, 0, 0, 1, 0, 0]
            ),
            "no valid orientation or spacing",
        ),
    ],
)
def test_a_seg_that_contradicts_itself_is_refused(changed, ct, change, told):
    with pytest.raises(ImageError, match=told):
        read_mask(changed(change), ct)


def test_a_label_map_with_two_frames_in_one_place_is_refused(changed, ct):
    def change(data, shared, frames):
        as_label_map(data, LABELS)
        frames[1].PlanePositionSequence = frames[0].PlanePositionSequence

    with pytest.raises(ImageError, match=r"lie in one place.*4 frames in 3 places"):
        read_mask(changed(change), ct)

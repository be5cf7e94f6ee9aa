"""Enhanced multi-frame CT: places and rescaling of every frame."""

import numpy as np
import pydicom
import pytest

from radiobone.core.errors import ImageError, RadioboneWarning
from radiobone.imaging.dicom import SeriesChoice, find_series
from radiobone.imaging.dicom.volume import read_stack
from radiobone.imaging.reading import read_image

STORED = np.arange(60, dtype=np.uint16).reshape(3, 4, 5)


def test_frames_are_sorted_by_position_and_rescaled_by_the_shared_numbers(tmp_path, write_enhanced):
    path = write_enhanced(tmp_path / "x.dcm", STORED, [{"z": 6}, {"z": 0}, {"z": 3}], shared_rescale=(2, -1000))
    for source in (path, tmp_path):
        image = read_image(source)
        np.testing.assert_array_equal(image.array, STORED[[1, 2, 0]].astype(int) * 2 - 1000)
        assert image.array.dtype == np.int16
        assert image.geometry.spacing_mm == (3.0, 2.0, 1.5)
        assert image.geometry.origin_mm == (-10.0, -20.0, 0.0)


def test_frames_may_each_have_their_own_rescaling(tmp_path, write_enhanced):
    rescalings = [(1, -1024), (2, -1000), (0.5, 3)]
    frames = [{"z": z, "rescale": one} for z, one in zip((0, 3, 6), rescalings, strict=True)]
    image = read_image(write_enhanced(tmp_path / "x.dcm", STORED, frames))
    for frame, (slope, intercept) in enumerate(rescalings):
        np.testing.assert_array_equal(image.array[frame], STORED[frame].astype(float) * slope + intercept)
    frames = [{**frame, "rescale": (2, -7)} for frame in frames]
    same = read_image(write_enhanced(tmp_path / "y.dcm", STORED, frames))
    np.testing.assert_array_equal(same.array, STORED.astype(int) * 2 - 7)


def test_stacks_of_one_file_are_told_apart(tmp_path, write_enhanced):
    frames = [{"z": 0, "stack": 1}, {"z": 3, "stack": 1}, {"z": 6, "stack": 1}]
    frames += [{"z": 0, "stack": 2}, {"z": 3, "stack": 2}]
    path = write_enhanced(
        tmp_path / "x.dcm", np.concatenate([STORED, STORED[:2] + 100]), frames, shared_rescale=(1, 0)
    )
    found = find_series(tmp_path)
    assert [(len(one.slices), one.part) for one in found] == [(3, 1), (2, 2)]
    image, _ = read_stack(found[1].stack("x"), "x")
    np.testing.assert_array_equal(image.array, STORED[:2] + 100)
    for source in (path, tmp_path):
        with pytest.raises(ImageError, match=r"doubled .*got: 2 slices at the place of another \|"):
            read_image(source)
    with pytest.raises(ImageError, match=r"in one file with other stacks .*stack 2 .*radiobone import"):
        read_image(tmp_path, "largest")


def test_files_with_one_and_with_several_frames_may_make_one_stack(tmp_path, write_enhanced):
    write_enhanced(tmp_path / "a.dcm", STORED[:1], [{"z": 0}], shared_rescale=(1, 5))
    write_enhanced(tmp_path / "b.dcm", STORED[1:], [{"z": 6}, {"z": 3}], shared_rescale=(2, 0))
    image = read_image(tmp_path)
    expected = [STORED[0] + 5, STORED[2] * 2, STORED[1] * 2]
    np.testing.assert_array_equal(image.array, expected)


@pytest.mark.parametrize(
    ("frames", "told"),
    [
        ([{"z": 0}, {}, {"z": 3}], "does not say where its slice lies"),
        ([{"z": 0}, {"z": 3}], "its header cannot be read"),
        ([{"z": 0}, {"z": 0}, {"z": 3}], "doubled"),
        ([{"z": 0}, {"z": 3}, {"z": 9}], "missing or unevenly spaced .*between x.dcm, frame 2 and x.dcm, frame 3"),
    ],
)
def test_frames_that_are_no_even_stack_are_refused(tmp_path, write_enhanced, frames, told):
    path = write_enhanced(tmp_path / "x.dcm", STORED, frames, shared_rescale=(1, 0))
    with pytest.raises(ImageError, match=told):
        read_image(path)


@pytest.mark.shared_data
def test_the_shared_enhanced_file_is_read_and_its_perfusion_is_told(shared_data):
    folder = shared_data / "dicom/enhanced_ct"
    with pytest.warns(RadioboneWarning, match="may not be HU .image type PERFUSION RCBF"):
        image = read_image(folder)
    assert image.array.shape == (2, 512, 512)
    assert image.geometry.spacing_mm == pytest.approx((10.0, 0.388672, 0.388672))
    # Rows run to the right: slices ascend towards the feet, so that the system stays right-handed.
    assert image.geometry.direction == (-1, 0, 0, 0, 1, 0, 0, 0, -1)
    assert image.geometry.origin_mm == (99.5, -301.5, -149.0)
    raw = pydicom.dcmread(folder / "eCT_Supplemental.dcm").pixel_array
    np.testing.assert_array_equal(image.array, raw[::-1].astype(int) - 1024)
    assert len(SeriesChoice("largest").choose(find_series(folder), "x").slices) == 2

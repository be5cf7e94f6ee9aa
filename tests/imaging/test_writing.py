from __future__ import annotations

import numpy as np
import pytest

from radiobone.core.errors import ImageError
from radiobone.imaging import Geometry, Image, Mask
from radiobone.imaging.reading import read_image, read_mask
from radiobone.imaging.writing import write_image, write_mask

FLIPPED = Geometry(
    (4, 5, 6), (2.5, 1.0, 0.5), (-12.5, 30.0, 410.5), (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0)
)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha"])
@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.float32])
def test_voxels_pixel_type_and_geometry_survive(tmp_path, suffix, dtype):
    array = np.arange(120).reshape(4, 5, 6).astype(dtype)
    path = tmp_path / f"image{suffix}"
    write_image(Image(array, FLIPPED), path)
    back = read_image(path)
    assert back.array.dtype == dtype
    np.testing.assert_array_equal(back.array, array)
    assert back.geometry == FLIPPED


def test_same_image_gives_same_bytes_under_any_name(tmp_path):
    image = Image(np.arange(120, dtype=np.int16).reshape(4, 5, 6), FLIPPED)
    write_image(image, tmp_path / "one.nii.gz")
    write_image(image, tmp_path / "two.nii.gz")
    assert (tmp_path / "one.nii.gz").read_bytes() == (tmp_path / "two.nii.gz").read_bytes()


def test_boxed_boolean_mask_fills_its_whole_grid(tmp_path):
    path = tmp_path / "new" / "mask.nii.gz"
    write_mask(Mask(np.full((1, 2, 2), True), FLIPPED, (3, 1, 2)), path)
    back = read_mask(path)
    assert back.geometry == FLIPPED
    assert back.n_voxels == 4
    assert back.array[3, 1, 2] == 1


@pytest.mark.parametrize("name", ["image.jpg", "image", "image.dcm"])
def test_other_formats_are_refused_and_leave_nothing(tmp_path, name):
    with pytest.raises(ImageError, match=r"expected: \.nii\.gz"):
        write_image(Image(np.zeros((4, 5, 6), np.int16), FLIPPED), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_is_named_and_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_args, **_options):
        raise RuntimeError("no space left")

    monkeypatch.setattr("SimpleITK.WriteImage", fail)
    with pytest.raises(ImageError, match=r"cannot be written.*image\.nrrd.*no space left"):
        write_image(Image(np.zeros((4, 5, 6), np.int16), FLIPPED), tmp_path / "image.nrrd")
    assert list(tmp_path.iterdir()) == []

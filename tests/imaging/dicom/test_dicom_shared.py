"""Every shared CT series with its numbers, against pydicom's own reading of the same files."""

import numpy as np
import pydicom
import pytest

from radiobone.core.errors import ImageError
from radiobone.imaging.dicom import SeriesChoice, find_series
from radiobone.imaging.reading import read_image

READ = {
    # folder: (shape, spacing, first and last slice position along z, HU range, pixel type)
    "ct_j2k_20slices": ((20, 512, 512), (2.0, 0.9765625, 0.9765625), (-804.5, -766.5), (-1024, 1839), np.int16),
    "dcmqi_seg/ct-3slice": ((3, 512, 512), (1.0, 0.810547, 0.810547), (-128.69, -126.69), (-3024, 1381), np.int16),
    "ibsi1_ct_phantom_rtstruct/image": (
        (60, 201, 204),
        (3.0, 0.977, 0.977),
        (-100.4, 76.6),
        (-1000, 3065),
        np.int16,
    ),
    "oblique_ct_3slices": ((3, 50, 100), (4.5, 3.5, 2.5), (30.0, 38.08), (-10.0, 10.0), np.float64),
}


@pytest.mark.shared_data
@pytest.mark.parametrize(
    "folder", [pytest.param(name, marks=pytest.mark.slow if "j2k" in name else ()) for name in READ]
)
def test_series_are_read_with_their_numbers(shared_data, folder):
    shape, spacing, ends, (low, high), dtype = READ[folder]
    folder = shared_data / "dicom" / folder
    image = read_image(folder)
    assert image.array.shape == shape
    assert image.array.dtype == dtype
    assert image.geometry.spacing_mm == pytest.approx(spacing, rel=1e-6)
    slices = [pydicom.dcmread(path) for path in folder.iterdir() if path.suffix != ".txt"]
    normal = image.geometry.axes[0]
    slices.sort(key=lambda data: np.array(data.ImagePositionPatient, float) @ normal)
    positions = np.array([data.ImagePositionPatient for data in slices], dtype=float)
    assert (positions[0, 2], positions[-1, 2]) == pytest.approx(ends, abs=0.01)
    # Each slice lies where its own header says.
    np.testing.assert_allclose(image.geometry.world([(z, 0, 0) for z in range(shape[0])]), positions, atol=2e-3)
    # Its rows and columns as well: the last pixel of the first slice.
    first = slices[0]
    along = np.array(first.ImageOrientationPatient, float)
    corner = (
        positions[0]
        + along[:3] * float(first.PixelSpacing[1]) * (shape[2] - 1)
        + along[3:] * float(first.PixelSpacing[0]) * (shape[1] - 1)
    )
    np.testing.assert_allclose(image.geometry.world((0, shape[1] - 1, shape[2] - 1)), corner, atol=2e-3)
    expected = np.stack(
        [data.pixel_array * float(data.RescaleSlope) + float(data.RescaleIntercept) for data in slices]
    )
    np.testing.assert_allclose(image.array, expected, atol=1e-9)
    assert (image.array.min(), image.array.max()) == pytest.approx((low, high), abs=0.01)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("folder", "told"),
    [
        ("bad_geometry/gantrytilting_001", r"the gantry was tilted .*14\.00°"),
        ("bad_geometry/sliceincrement_001", r"missing .*0009-0001\.dcm and IM-0001-0010.* 10 mm .*expected: 5 mm"),
        ("ct_transfer_syntaxes", "slices are doubled .*4 slices at the place of another"),
        ("dcmqi_seg", "folder holds 2 DICOM series .*SEG, 3 slices.*SEG, 7 slices"),
        ("highdicom", "folder holds 6 DICOM series"),
        ("ibsi1_ct_phantom_rtstruct/mask", "no CT .*modality RTSTRUCT"),
    ],
)
def test_other_folders_are_refused_with_their_reason(shared_data, folder, told):
    with pytest.raises(ImageError, match=told):
        read_image(shared_data / "dicom" / folder)


@pytest.mark.shared_data
def test_the_one_ct_slice_among_masks_is_found_and_refused_as_too_short(shared_data):
    folder = shared_data / "dicom/highdicom"
    found = find_series(folder)
    assert sorted((one.first.modality, len(one.slices)) for one in found) == [
        ("CT", 1), ("SEG", 1), ("SEG", 3), ("SEG", 3), ("SEG", 3), ("SEG", 8),
    ]  # fmt: skip
    assert SeriesChoice("largest").choose(found, "x").files == [folder / "ct_image.dcm"]
    with pytest.raises(ImageError, match="at least two slices"):
        read_image(folder, "largest")
    with pytest.raises(ImageError, match="at least two slices"):
        read_image(folder / "ct_image.dcm")

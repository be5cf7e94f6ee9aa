"""HU of every slice: rescaled by its own numbers, decoded right, or refused by name."""

import os
import shutil
from dataclasses import replace

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.uid import UID

from radiobone.core.errors import ImageError
from radiobone.imaging.dicom import pixels, read_header, read_series
from radiobone.imaging.dicom.pixels import read_voxels
from radiobone.imaging.dicom.stack import Slice
from radiobone.imaging.reading import read_image

EXPLICIT_BIG = "1.2.840.10008.1.2.2"


def stored(path):
    data = pydicom.dcmread(path)
    return data.pixel_array * float(data.get("RescaleSlope", 1)) + float(data.get("RescaleIntercept", 0))


def one_slice(path):
    return read_voxels([Slice(read_header(path))], str(path))[0]


def test_each_slice_is_rescaled_by_its_own_slope_and_intercept(tmp_path, write_slice):
    rescalings = [(1, -1024), (2, -1000), (1, 0), (3, 7)]
    raw = np.arange(20, dtype=np.int16).reshape(4, 5)
    files = [
        write_slice(tmp_path / f"{z}.dcm", z, raw + z, RescaleSlope=slope, RescaleIntercept=intercept)
        for z, (slope, intercept) in enumerate(rescalings)
    ]
    image = read_series(files)
    assert image.array.dtype == np.int16
    for z, (slope, intercept) in enumerate(rescalings):
        np.testing.assert_array_equal(image.array[z], (raw + z) * slope + intercept)


@pytest.mark.parametrize("fractional", [0, 1, 2])
def test_a_fraction_in_any_slice_is_kept(tmp_path, write_slice, fractional):
    raw = np.arange(20, dtype=np.int16).reshape(4, 5)
    slopes = [0.25 if z == fractional else 1 for z in range(3)]
    files = [
        write_slice(tmp_path / f"{z}.dcm", z, raw, RescaleSlope=slope, RescaleIntercept=-1000)
        for z, slope in enumerate(slopes)
    ]
    image = read_series(files)
    assert image.array.dtype == np.float64
    for z, slope in enumerate(slopes):
        np.testing.assert_array_equal(image.array[z], raw * slope - 1000)
    if fractional:
        # ITK's own reader of series gives all slices the type of the first: this is what it would cut off.
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames([str(path) for path in files])
        assert not np.array_equal(sitk.GetArrayFromImage(reader.Execute()), image.array)


@pytest.mark.parametrize(
    ("slope", "intercept", "dtype"), [(1, -40000, np.int16), (2, -1024, np.int32), (70000, 0, np.float64)]
)
def test_the_pixel_type_is_the_smallest_that_holds_every_value(tmp_path, write_slice, slope, intercept, dtype):
    raw = np.full((4, 5), 31000, np.uint16)
    files = [
        write_slice(tmp_path / f"{z}.dcm", z, raw, RescaleSlope=slope, RescaleIntercept=intercept)
        for z in range(2)
    ]
    image = read_series(files)
    assert image.array.dtype == dtype
    assert (image.array == 31000 * slope + intercept).all()


@pytest.mark.shared_data
def test_one_slice_is_the_same_in_every_lossless_transfer_syntax(shared_data):
    folder = shared_data / "dicom/ct_transfer_syntaxes"
    (plain,) = folder.glob("LittleEndianExplicit*")
    expected = stored(plain)
    assert (expected.min(), expected.max()) == (-3024, 1378)
    for name in ("JPEG2000LosslessOnly*", "JPEGProcess14SV1*", "RLELossless*", "LittleEndianExplicit*"):
        (path,) = folder.glob(name)
        found = one_slice(path)
        assert found.dtype == np.int16
        np.testing.assert_array_equal(found, expected)


@pytest.mark.shared_data
def test_what_is_left_to_pydicom_gives_the_same_values(shared_data, monkeypatch):
    (path,) = (shared_data / "dicom/ct_transfer_syntaxes").glob("RLELossless*")
    expected = one_slice(path)
    monkeypatch.setattr(pixels, "_ONLY_PYDICOM", (read_header(path).transfer_syntax,))
    monkeypatch.setattr(pixels, "quiet_itk", None)  # GDCM is not asked
    np.testing.assert_array_equal(one_slice(path), expected)


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", EXPLICIT_BIG])
def test_uncompressed_and_deflated_files_are_read(tmp_path, write_slice, syntax, bits):
    raw = np.arange(-10, 10, dtype=np.int16).reshape(4, 5) * 100
    for z in range(3):
        path = write_slice(tmp_path / f"{z}.dcm", z, raw, BitsStored=bits, HighBit=bits - 1)
        data = pydicom.dcmread(path)
        data.file_meta.TransferSyntaxUID = UID(syntax)
        if syntax == EXPLICIT_BIG:
            data.PixelData = raw.astype(">i2").tobytes()
        implicit, little = syntax == "1.2.840.10008.1.2", syntax != EXPLICIT_BIG
        pydicom.dcmwrite(path, data, implicit_vr=implicit, little_endian=little)
    image = read_image(tmp_path)
    assert image.array.dtype == np.int16
    np.testing.assert_array_equal(image.array[1], raw - 1024)


@pytest.mark.shared_data
def test_a_lossy_slice_is_read_to_one_grey_level_and_noted(shared_data):
    (path,) = (shared_data / "dicom/ct_transfer_syntaxes").glob("JPEGProcess1T*")
    header = read_header(path)
    assert header.notes == ("pixels were compressed with loss",)
    # Decoders of lossy JPEG may differ by one stored level, which is 32 HU in this 8-bit file.
    assert np.abs(one_slice(path) - stored(path)).max() <= 32.1216 + 1e-9


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("uid", "told"),
    [
        ("1.2.840.10008.1.2.4.100", r"MPEG2 Main Profile .*\(1\.2\.840\.10008\.1\.2\.4\.100\).*uncompressed"),
        ("1.2.840.10008.1.2.4.201", r"High-Throughput JPEG 2000.*4\.201.*pip install pylibjpeg"),
        ("1.2.3.4", r"transfer syntax 1\.2\.3\.4:"),
    ],
)
def test_pixels_that_cannot_be_decoded_are_refused_by_their_transfer_syntax(shared_data, tmp_path, uid, told):
    (path,) = (shared_data / "dicom/ct_transfer_syntaxes").glob("JPEGProcess14SV1*")
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = UID(uid)
    files = []
    for z in range(2):
        data.ImagePositionPatient[2] = float(z)
        files.append(tmp_path / f"{z}.dcm")
        pydicom.dcmwrite(files[-1], data, implicit_vr=False, little_endian=True)
    with pytest.raises(ImageError, match=r"pixels cannot be decoded .*0\.dcm.*" + told) as caught:
        read_image(tmp_path)
    assert "0x" not in str(caught.value)


@pytest.mark.shared_data
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.98])
def test_a_truncated_file_is_refused_in_every_transfer_syntax(shared_data, tmp_path, kept):
    for path in sorted((shared_data / "dicom/ct_transfer_syntaxes").iterdir()):
        content = path.read_bytes()
        cut = tmp_path / "cut.dcm"
        cut.write_bytes(content[: int(len(content) * kept)])
        assert "it is truncated" in read_header(cut).fault
        shutil.copy(path, tmp_path / "whole.dcm")
        with pytest.raises(ImageError, match=r"cannot be read .*cut\.dcm.*truncated"):
            read_image(tmp_path)


def test_a_file_cut_in_its_header_is_refused(tmp_path, write_series):
    files = write_series(tmp_path, range(3))
    content = files[1].read_bytes()
    for length in (140, 300, len(content) - 60):
        files[1].write_bytes(content[:length])
        with pytest.raises(ImageError, match=r"truncated|cannot be read"):
            read_series(files)
    files[1].write_bytes(content[:100])
    with pytest.raises(ImageError, match="not a DICOM image"):
        read_series(files)


def test_a_file_with_fewer_pixels_than_its_size_needs_is_refused(tmp_path, write_series):
    files = write_series(tmp_path, range(3), Rows=6)
    with pytest.raises(ImageError, match=r"40 bytes of pixels, and its size needs 60"):
        read_series(files)


@pytest.mark.parametrize("bits", [12, 16])
def test_hu_are_not_turned_round_for_a_screen_that_shows_high_values_dark(tmp_path, write_series, bits):
    raw = np.arange(-10, 10, dtype=np.int16).reshape(4, 5) * 100
    write_series(
        tmp_path, range(3), pixels=raw, PhotometricInterpretation="MONOCHROME1", BitsStored=bits, HighBit=bits - 1
    )
    image = read_image(tmp_path)
    assert image.array.dtype == np.int16
    np.testing.assert_array_equal(image.array[1], raw - 1024)


def test_a_name_that_is_no_text_does_not_end_the_process(tmp_path, write_series):
    files = write_series(tmp_path, range(3))
    os.rename(files[0], os.fsencode(tmp_path) + b"/M\xfcller.dcm")  # Latin-1, as old archives have it
    np.testing.assert_array_equal(read_image(tmp_path).array[:, 0, 0], range(3))


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_messages_of_decoders_tell_no_path(tmp_path, write_series, photometric):
    # So long that a message is cut within the path, and with blanks that become one.
    folder = tmp_path / "Doe^Jane  1970" / ("x" * 200)
    files = write_series(folder, range(3), PhotometricInterpretation=photometric)
    header = replace(read_header(files[0]), label="file 1 of the list")
    files[0].unlink()
    with pytest.raises(ImageError, match=r"pixels cannot be decoded .*file 1 of the list") as caught:
        read_voxels([Slice(header)], "P0001 S01")
    assert "Doe" not in str(caught.value)
    assert "xxx" not in str(caught.value)


@pytest.mark.parametrize("odd", ["zeros behind the pixels", "an unknown kind of object"])
def test_plain_pixels_are_read_whatever_stands_round_them(tmp_path, write_series, odd):
    if odd == "zeros behind the pixels":  # tapes were filled up to whole blocks
        for path in write_series(tmp_path, range(3)):
            path.write_bytes(path.read_bytes() + bytes(2048))
    else:
        write_series(tmp_path, range(3), SOPClassUID="1.2.3.4.5")
    image = read_image(tmp_path)
    assert image.array.dtype == np.int16
    np.testing.assert_array_equal(image.array[:, 0, 0], range(3))

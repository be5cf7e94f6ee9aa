import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from radiobone.core.errors import GeometryError, ImageError
from radiobone.imaging import Image
from radiobone.imaging.alignment import align_mask, check_same_grid
from radiobone.imaging.reading import read_image, read_mask, source_files
from radiobone.imaging.volume_files import read_layers
from radiobone.imaging.writing import write_image


def volume(dtype=np.int16, shape=(8, 9, 10)):
    array = np.random.default_rng(0).integers(0, 1000, shape).astype(dtype)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((0.7, 0.7, 1.25))
    image.SetOrigin((1.5, -2.5, 3.5))
    return image


@pytest.mark.parametrize("suffix", ["nii", "nii.gz", "nrrd", "mha", "mhd"])
@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.int32, np.float32, np.float64])
def test_pixel_type_and_voxels_come_through_unchanged(tmp_path, suffix, dtype):
    path = tmp_path / f"scan.{suffix}"
    sitk.WriteImage(volume(dtype), str(path))
    image = read_image(path)
    assert image.array.dtype == dtype
    np.testing.assert_array_equal(image.array, sitk.GetArrayFromImage(volume(dtype)))
    np.testing.assert_allclose(image.geometry.spacing_mm, (1.25, 0.7, 0.7), rtol=1e-6)
    np.testing.assert_allclose(image.geometry.origin_mm, (1.5, -2.5, 3.5), rtol=1e-6)


@pytest.mark.parametrize("suffix", ["nii", "nii.gz", "nrrd", "mha"])
def test_a_truncated_file_is_refused(tmp_path, suffix):
    path = tmp_path / f"scan.{suffix}"
    sitk.WriteImage(volume(shape=(30, 30, 30)), str(path), useCompression=True)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ImageError, match=r"truncated|cannot be read") as caught:
        read_image(path)
    assert str(path) in str(caught.value)


def test_gzip_of_several_members_is_read(tmp_path):
    plain = tmp_path / "scan.nii"
    sitk.WriteImage(volume(), str(plain))
    content = plain.read_bytes()
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(gzip.compress(content[:700]) + gzip.compress(content[700:]))
    np.testing.assert_array_equal(read_image(path).array, sitk.GetArrayFromImage(volume()))


@pytest.mark.parametrize("other", [np.int16, np.uint8])
def test_a_file_beside_a_compressed_one_is_not_taken_for_it(tmp_path, other):
    # ITK looks for scan.nii when it is asked for scan.nii.gz.
    path = tmp_path / "scan.nii.gz"
    sitk.WriteImage(volume(), str(path))
    sitk.WriteImage(volume(other) + 1, str(tmp_path / "scan.nii"))
    np.testing.assert_array_equal(read_image(path).array, sitk.GetArrayFromImage(volume()))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("packed", ["once", "in members", "with bytes behind", "with zeros behind"])
def test_a_check_sum_that_cannot_vouch_for_itk_changes_nothing(tmp_path, packed, dtype):
    plain, path = tmp_path / "plain.nii", tmp_path / "scan.nii.gz"
    sitk.WriteImage(volume(dtype), str(plain))
    content = plain.read_bytes()
    if packed == "once":
        path.write_bytes(gzip.compress(content))
    elif packed == "in members":
        path.write_bytes(gzip.compress(content[:352]) + gzip.compress(content[352:]))
    elif packed == "with bytes behind":
        path.write_bytes(gzip.compress(content + b"more"))
    else:
        path.write_bytes(gzip.compress(content) + bytes(100))
    np.testing.assert_array_equal(read_image(path).array, sitk.GetArrayFromImage(volume(dtype)))


def test_a_4d_image_is_refused(tmp_path):
    path = tmp_path / "scan.nii.gz"
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((2, 3, 4, 5), np.int16), isVector=False), str(path))
    with pytest.raises(ImageError, match="4 dimensions"):
        read_image(path)


@pytest.mark.parametrize("suffix", ["nii", "nii.gz"])
def test_a_fourth_dimension_of_one_is_none(tmp_path, suffix):
    plain, path = tmp_path / "plain.nii", tmp_path / f"scan.{suffix}"
    sitk.WriteImage(volume(), str(plain))
    content = bytearray(plain.read_bytes())
    struct.pack_into("<5h", content, 40, 4, 10, 9, 8, 1)
    path.write_bytes(gzip.compress(content) if suffix == "nii.gz" else content)
    image = read_image(path)
    assert image.geometry == read_image(plain).geometry
    np.testing.assert_array_equal(image.array, sitk.GetArrayFromImage(volume()))


def test_a_colour_image_is_refused(tmp_path):
    path = tmp_path / "scan.nrrd"
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((3, 4, 5, 3), np.uint8), isVector=True), str(path))
    with pytest.raises(ImageError, match="several values in each voxel"):
        read_image(path)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("suffix", ["nii", "nii.gz", "nrrd", "mha"])
def test_values_that_are_not_finite_are_refused(tmp_path, bad, suffix):
    image = volume(np.float32)
    image[1, 2, 3] = bad
    path = tmp_path / f"scan.{suffix}"
    sitk.WriteImage(image, str(path))
    with pytest.raises(ImageError, match="1 NaN or infinite voxels"):
        read_image(path)


def test_missing_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(ImageError, match="file not found"):
        read_image(tmp_path / "none.nii.gz")
    note = tmp_path / "note.dat"
    note.write_text("not an image")
    with pytest.raises(ImageError, match="cannot be read as an image"):
        read_image(note)


def test_float_label_maps_are_accepted_only_if_whole(tmp_path):
    labels = np.zeros((4, 5, 6), np.float32)
    labels[1:3] = 22
    path = tmp_path / "mask.nii.gz"
    sitk.WriteImage(sitk.GetImageFromArray(labels), str(path))
    mask = read_mask(path)
    assert mask.array.dtype == np.int32
    assert mask.labels() == [22]
    labels[0, 0, 0] = 0.5
    sitk.WriteImage(sitk.GetImageFromArray(labels), str(path))
    with pytest.raises(ImageError, match=r"such as 0\.5"):
        read_mask(path)


@pytest.mark.parametrize(("value", "told"), [(0, "mask is empty"), (-1, "negative labels")])
def test_masks_that_are_none_are_refused(tmp_path, value, told):
    path = tmp_path / "mask.nii.gz"
    sitk.WriteImage(sitk.GetImageFromArray(np.full((4, 5, 6), value, np.int16)), str(path))
    with pytest.raises(ImageError, match=told):
        read_mask(path)


@pytest.mark.shared_data
def test_a_dicom_series_and_the_same_scan_as_nifti_are_the_same(shared_data, tmp_path):
    folder = shared_data / "dicom/ct_j2k_20slices"
    series = read_image(folder)
    assert series.array.shape == (20, 512, 512)
    assert series.array.dtype == np.int16
    assert series.geometry.spacing_mm == (2.0, 0.9765625, 0.9765625)
    path = tmp_path / "scan.nii.gz"
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    sitk.WriteImage(reader.Execute(), str(path))
    nifti = read_image(path)
    assert nifti.geometry == series.geometry
    assert nifti.array.tobytes() == series.array.tobytes()
    listed = read_image(sorted(folder.iterdir(), reverse=True))
    assert listed.geometry == series.geometry
    assert listed.array.tobytes() == series.array.tobytes()


@pytest.mark.parametrize("suffix", ["nii", "nii.gz"])
def test_an_empty_nifti_file_is_refused_in_plain_words(tmp_path, suffix):
    (tmp_path / f"a.{suffix}").write_bytes(b"")
    with pytest.raises(ImageError, match=r"damaged or truncated.*got: 0 bytes, too few"):
        read_image(tmp_path / f"a.{suffix}")


@pytest.mark.slow
@pytest.mark.shared_data
def test_the_flipped_mask_of_a_series_is_turned_with_a_note_as_alignment_would(shared_data):
    image = read_image(shared_data / "dicom/ct_j2k_20slices")
    path = shared_data / "dicom/ct_j2k_20slices_seg.nii.gz"
    mask, turned = read_mask(path), read_mask(path, image)
    with pytest.raises(GeometryError) as caught:
        check_same_grid(image, mask, "ct_j2k_20slices")
    assert "direction: y by 180°" in str(caught.value)
    assert "origin" in str(caught.value)
    aligned, note = align_mask(mask, image, "ct_j2k_20slices")
    assert "100.0% of its volume kept" in note
    for label in mask.labels():
        flipped = mask.array[:, ::-1] == label
        np.testing.assert_array_equal(aligned.array == label, flipped)
    np.testing.assert_array_equal(turned.full(), aligned.array)
    assert turned.geometry is image.geometry
    assert turned.names == mask.names
    assert turned.notes == ("mask stored with other axes than the image: its x, y, z are the image's x, -y, z",)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("folder", "told"),
    [
        ("bad_geometry/gantrytilting_001", "gantry was tilted"),
        ("bad_geometry/sliceincrement_001", "missing or unevenly spaced"),
        ("highdicom", "6 DICOM series"),
    ],
)
def test_series_that_would_be_read_wrong_are_refused(shared_data, folder, told):
    with pytest.raises(ImageError, match=told):
        read_image(shared_data / "dicom" / folder)


@pytest.mark.parametrize("header", ["scan.mhd", "scan.nhdr"])
def test_voxels_beside_their_header_belong_to_the_source(tmp_path, header):
    path = tmp_path / header
    sitk.WriteImage(volume(), str(path))
    files = source_files(path)
    assert files[0] == path
    assert len(files) == 2
    assert files[1].stat().st_size >= 8 * 9 * 10
    np.testing.assert_array_equal(read_image(path).array, sitk.GetArrayFromImage(volume()))
    files[1].unlink()
    with pytest.raises(ImageError, match="file not found"):
        read_image(path)


@pytest.mark.parametrize("name", ["scan.nii.gz", "scan.nrrd", "scan.mha"])
def test_other_images_are_one_file(tmp_path, name):
    sitk.WriteImage(volume(), str(tmp_path / name))
    assert source_files(tmp_path / name) == [tmp_path / name]


def test_pairs_and_lists_of_files_are_refused(tmp_path):
    sitk.WriteImage(volume(), str(tmp_path / "scan.hdr"))
    with pytest.raises(ImageError, match="pairs"):
        read_image(tmp_path / "scan.hdr")
    (tmp_path / "list.mhd").write_text("ObjectType = Image\nElementDataFile = LIST\na.raw\n")
    with pytest.raises(ImageError, match="several files"):
        read_image(tmp_path / "list.mhd")


def damaged(path, offset):
    """Flip one bit, and keep the length."""
    content = bytearray(path.read_bytes())
    content[offset] ^= 16
    path.write_bytes(content)


@pytest.mark.parametrize("suffix", ["nii.gz", "NII.GZ", "mha", "nrrd"])
def test_a_damaged_file_of_the_right_length_is_refused(tmp_path, suffix):
    path = tmp_path / f"scan.{suffix}"
    sitk.WriteImage(volume(shape=(30, 30, 30)), str(tmp_path / f"scan.{suffix.casefold()}"), useCompression=True)
    (tmp_path / f"scan.{suffix.casefold()}").rename(path)
    damaged(path, path.stat().st_size // 2)
    with pytest.raises(ImageError, match=r"damaged|cannot be read"):
        read_image(path)


def test_a_wrong_check_sum_is_refused(tmp_path):
    path = tmp_path / "scan.nii.gz"
    sitk.WriteImage(volume(), str(path))
    damaged(path, -6)
    with pytest.raises(ImageError, match="CRC"):
        read_image(path)


def test_a_compressed_mhd_is_checked_beside_its_header(tmp_path):
    path = tmp_path / "scan.mhd"
    sitk.WriteImage(volume(shape=(30, 30, 30)), str(path), useCompression=True)
    np.testing.assert_array_equal(read_image(path).array, sitk.GetArrayFromImage(volume(shape=(30, 30, 30))))
    damaged(tmp_path / "scan.zraw", 5000)
    with pytest.raises(ImageError, match="compressed voxels are damaged"):
        read_image(path)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "i8", "f8"])
@pytest.mark.parametrize("suffix", ["nii", "nii.gz"])
def test_nifti_voxels_are_those_of_itk(tmp_path, dtype, suffix):
    path = tmp_path / f"scan.{suffix}"
    sitk.WriteImage(volume(dtype), str(path))
    image, expected = read_image(path), Image.from_sitk(sitk.ReadImage(str(path)))
    assert image.array.dtype == expected.array.dtype
    assert image.geometry == expected.geometry
    np.testing.assert_array_equal(image.array, expected.array)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("slope", "intercept"), [(0.0, 7.0), (1.0, 0.0), (2.0, 0.0), (1.0, -1024.0)])
def test_scaled_and_big_endian_nifti_are_read_as_itk_reads_them(tmp_path, order, slope, intercept):
    path = tmp_path / "scan.nii"
    sitk.WriteImage(volume(), str(path))
    content = bytearray(path.read_bytes())
    content[112:120] = struct.pack("<2f", slope, intercept)
    if order == ">":
        content = bytearray(swapped(bytes(content)))
    path.write_bytes(content)
    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    found = read_image(path).array
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def swapped(content: bytes) -> bytes:
    """Return a little-endian NIfTI-1 file of 16-bit voxels as a big-endian one."""
    fields = "i10s18sih2B8h3f4h8f3fhbB4f2i80s24s2h6f12f16s4s"
    return (
        struct.pack(">" + fields, *struct.unpack_from("<" + fields, content))
        + content[348:352]
        + np.frombuffer(content[352:], "<i2").astype(">i2").tobytes()
    )


def test_a_list_of_dicom_files_may_stand_in_a_text_file(shared_data, tmp_path):
    folder = shared_data / "dicom/ct_j2k_20slices"
    listed = tmp_path / "series.txt"
    listed.write_text("\n".join(str(path) for path in folder.iterdir()) + "\n")
    series, found = read_image(folder), read_image(listed)
    assert found.geometry == series.geometry
    assert found.array.tobytes() == series.array.tobytes()
    listed.write_text("missing.dcm\n")
    with pytest.raises(ImageError, match=r"file not found \| where: .*series\.txt, file 1 of the list"):
        read_image(listed)


def test_a_folder_is_no_mask(tmp_path, capfd):
    with pytest.raises(ImageError, match="the folder holds no masks"):
        read_mask(tmp_path)
    with pytest.raises(ImageError, match="0 DICOM series"):
        read_image(tmp_path)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("suffix", ["nii", "nii.gz", "nrrd", "mha"])
def test_a_suffix_may_stand_in_capitals(tmp_path, suffix):
    sitk.WriteImage(volume(), str(tmp_path / f"scan.{suffix}"))
    path = (tmp_path / f"scan.{suffix}").rename(tmp_path / f"SCAN.{suffix.upper()}")
    np.testing.assert_array_equal(read_image(path).array, sitk.GetArrayFromImage(volume()))


def test_a_list_may_come_from_any_editor_but_is_text(tmp_path):
    sitk.WriteImage(volume(), str(tmp_path / "a.nii"))
    listed = tmp_path / "list.txt"
    listed.write_text("a.nii\r\n", encoding="utf-8-sig")
    assert source_files(listed) == [tmp_path / "a.nii"]
    listed.write_bytes(b"M\xfcller.nii\n")
    with pytest.raises(ImageError, match=r"no text in UTF-8 .*list\.txt"):
        source_files(listed)


@pytest.mark.parametrize("suffix", ["nii.gz", "nrrd"])
def test_a_name_in_another_alphabet_is_refused(tmp_path, suffix):
    path = Path(os.fsdecode(b"M\xfcller." + suffix.encode()))
    sitk.WriteImage(volume(), str(tmp_path / f"a.{suffix}"))
    (tmp_path / f"a.{suffix}").rename(tmp_path / path)
    for call in (read_image, read_layers_of, lambda source: write_image(Image.from_sitk(volume()), source)):
        with pytest.raises(ImageError, match=r"no text in UTF-8 .*M\?ller.*rename") as caught:
            call(tmp_path / path)
        str(caught.value).encode()


def read_layers_of(path):
    return read_layers([path])

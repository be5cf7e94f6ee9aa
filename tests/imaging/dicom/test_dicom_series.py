"""Series found among other files, chosen, and refused unless they are one whole stack."""

import shutil

import numpy as np
import pydicom
import pytest

from radiobone.core.errors import ImageError
from radiobone.imaging.dicom import SeriesChoice, find_series, read_header, series_files
from radiobone.imaging.reading import read_image, source_files

SAGITTAL = (0, 1, 0, 0, 0, -1)


def turned(degrees):
    angle = np.radians(degrees)
    return (1, 0, 0, 0, np.cos(angle), np.sin(angle))


@pytest.fixture
def mixed(tmp_path, write_series, write_slice, write_seg):
    """Return a folder with two CT series, scouts of both, another modality, a SEG and files of other kinds."""
    write_series(tmp_path, range(0, 15, 3), uid=1, SeriesNumber=2, SeriesDescription="Body 3.0 Br38")
    write_series(tmp_path, range(0, 16, 2), uid=2, SeriesNumber=3, SeriesDescription="Bone 2.0 Br60")
    write_series(tmp_path, range(0, 30, 3), uid=3, SeriesNumber=4, SeriesDescription="Body DIXON", Modality="MR")
    scout = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "SeriesDescription": "Body 3.0 scout"}
    write_slice(tmp_path / "scout1.dcm", 0, uid=1, orientation=SAGITTAL, **scout)
    write_slice(tmp_path / "scout4.dcm", 0, uid=4, orientation=SAGITTAL, **scout)
    write_seg(tmp_path / "seg.dcm", refers_to=1)
    (tmp_path / "notes.txt").write_text("no DICOM")
    (tmp_path / "empty").write_bytes(b"")
    return tmp_path


def test_everything_in_a_folder_is_sorted(mixed):
    found = [(one.first.modality, one.kind, len(one.slices), one.part) for one in find_series(mixed)]
    assert sorted(found) == [
        ("CT", "scout", 1, 0),
        ("CT", "scout", 1, 0),
        ("CT", "stack", 5, 0),
        ("CT", "stack", 8, 0),
        ("MR", "stack", 10, 0),
        ("SEG", "other", 0, 0),
    ]


@pytest.mark.parametrize(
    ("text", "slices", "gap"), [("largest", 8, 2.0), ("2", 5, 3.0), ("bone 2.0", 8, 2.0), ("body", 5, 3.0)]
)
def test_a_series_is_chosen_by_size_number_or_words(mixed, text, slices, gap):
    image = read_image(mixed, text)
    assert image.array.shape == (slices, 4, 5)
    assert image.geometry.spacing_mm == (gap, 2.0, 1.5)
    assert image.geometry.origin_mm == (-10.0, -20.0, 0.0)
    # The pixels hold the height of their slice: files are sorted by position, not by name.
    np.testing.assert_array_equal(image.array[:, 0, 0], gap * np.arange(slices))
    assert source_files(mixed, text) == series_files(mixed, SeriesChoice(text))
    assert len(source_files(mixed, text)) == slices


def test_a_series_is_chosen_by_its_uid(mixed):
    uid = read_header(next(mixed.glob("slice1_*"))).series
    assert len(series_files(mixed, SeriesChoice(uid))) == 5


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", r"folder holds 5 DICOM series .*series 2 \(CT, 5 slices\); .*expected: one series .*--series"),
        ("thin", "0 CT series fit the choice 'thin'"),
        ("br", "2 CT series fit the choice 'br'"),
        ("4", "0 CT series fit"),
        ("scout", "0 CT series fit"),
    ],
)
def test_nothing_is_chosen_that_was_not_clearly_meant(mixed, text, told):
    with pytest.raises(ImageError, match=told) as caught:
        read_image(mixed, text)
    assert "Bone" not in str(caught.value)
    assert "DIXON" not in str(caught.value)


def test_the_largest_of_two_equal_series_is_not_guessed(tmp_path, write_series):
    write_series(tmp_path, range(4), uid=1)
    write_series(tmp_path, range(4), uid=2)
    with pytest.raises(ImageError, match="2 CT series fit the choice 'largest'"):
        read_image(tmp_path, "largest")


def test_stacks_of_one_uid_are_told_apart_by_their_plane(tmp_path, write_series, write_slice):
    write_series(tmp_path, range(0, 18, 3), uid=1)
    for x in range(4):
        write_slice(tmp_path / f"mpr{x}.dcm", 0, uid=1, orientation=SAGITTAL, position=(2.0 * x, -20, 0))
    found = find_series(tmp_path)
    assert [(len(one.slices), one.part) for one in found] == [(4, 2), (6, 1)]
    assert read_image(tmp_path, "largest").array.shape[0] == 6
    with pytest.raises(ImageError, match="slices have different orientations"):
        read_image(tmp_path)


@pytest.mark.parametrize("tag", ["AcquisitionNumber", "ConvolutionKernel", "TemporalPositionIdentifier"])
def test_stacks_of_one_uid_in_one_place_are_told_apart_by_what_differs(tmp_path, write_series, tag):
    write_series(tmp_path, range(4), uid=1, name="a", **{tag: "1"})
    write_series(tmp_path, range(4), uid=1, name="b", **{tag: "2"})
    assert [len(one.slices) for one in find_series(tmp_path)] == [4, 4]


def test_acquisitions_that_follow_each_other_are_one_stack(tmp_path, write_series):
    write_series(tmp_path, range(4), uid=1, name="a", AcquisitionNumber="1")
    write_series(tmp_path, range(4, 8), uid=1, name="b", AcquisitionNumber="2")
    assert [len(one.slices) for one in find_series(tmp_path)] == [8]


def test_doubled_slices_are_refused_and_never_split_away(tmp_path, write_series):
    files = write_series(tmp_path, range(5))
    shutil.copy(files[2], tmp_path / "copy.dcm")
    assert [len(one.slices) for one in find_series(tmp_path)] == [6]
    for choice in ("", "largest"):
        with pytest.raises(
            ImageError, match=r"1 slices at the place of another, 1 of them copies of the same image"
        ):
            read_image(tmp_path, choice)


@pytest.mark.parametrize(
    ("heights", "told"),
    [
        ([0, 3, 6, 12, 15], r"between slice1_\d+.dcm and .* 6 mm between slices 3 and 4 of 5 .*expected: 3 mm"),
        ([0, 3, 6.2, 9], "unevenly spaced"),
        ([0], "at least two slices"),
    ],
)
def test_missing_and_uneven_slices_are_refused(tmp_path, write_series, heights, told):
    write_series(tmp_path, heights)
    with pytest.raises(ImageError, match=told):
        read_image(tmp_path)


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        ({"orientation": turned(5)}, "slices have different orientations .*0.0872 apart"),
        ({"orientation": turned(90)}, "slices have different orientations"),
        ({"spacing": (2.0, 1.6)}, "slices have different pixel spacings .*from 1.5 to 2 mm"),
        ({"pixels": np.zeros((4, 6), np.int16)}, r"slices have different sizes .*\(5, 4\) and \(6, 4\)"),
        ({"Modality": "PT"}, "no CT .*modality PT .*expected: modality CT"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "a scout"),
        ({"ImagePositionPatient": None}, "does not say where its slice lies"),
        ({"PixelSpacing": [1, 2, 3]}, "its header cannot be read"),
    ],
)
def test_a_slice_that_does_not_belong_is_refused(tmp_path, write_series, write_slice, odd, told):
    write_series(tmp_path, [0, 3, 6])
    write_slice(tmp_path / "odd.dcm", 9, uid=1, **odd)
    with pytest.raises(ImageError, match=told):
        read_image(tmp_path)


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        ({"orientation": (1, 0, 0, 0.1, 1, 0)}, "not perpendicular"),
        ({"orientation": (0, 0, 0, 0, 0, 0)}, "not perpendicular, or not of length 1"),
        ({"orientation": (1, 0, 0, 0, float("nan"), 0)}, r"a number that cannot be .*orientation 1\\0\\0\\0\\nan"),
        ({"position": (0, 0, float("nan"))}, r"a number that cannot be .*got: image position 0\\0\\nan"),
        ({"spacing": (float("inf"), 1.0)}, "a number that cannot be .*got: pixel spacing inf"),
        ({"RescaleSlope": 0}, "a number that cannot be .*got: rescale slope 0 .*slope other than 0"),
        ({"RescaleSlope": float("nan")}, "got: rescale slope nan"),
        ({"RescaleIntercept": float("inf")}, "got: rescale intercept inf"),
        ({"spacing": (0.0, 1.0)}, "pixel spacing is not above 0"),
    ],
)
def test_numbers_that_make_no_grid_or_no_hu_are_refused(tmp_path, write_series, odd, told):
    write_series(tmp_path, range(3), **odd)
    with pytest.raises(ImageError, match=told):
        read_image(tmp_path)


def test_one_slice_turned_a_little_does_not_vanish_from_its_stack(tmp_path, write_series, write_slice):
    write_series(tmp_path, [0, 3, 6])
    write_slice(tmp_path / "odd.dcm", 9, uid=1, orientation=turned(5))
    with pytest.raises(ImageError, match="different orientations"):
        read_image(tmp_path, "largest")


def test_a_damaged_slice_does_not_vanish_from_its_stack(tmp_path, write_series):
    files = write_series(tmp_path, [0, 3, 6, 9])
    files[-1].write_bytes(files[-1].read_bytes()[:-10])
    with pytest.raises(ImageError, match="truncated: 30 of 40 bytes"):
        read_image(tmp_path, "largest")


def test_other_modalities_and_rescaled_units_are_no_hu(tmp_path, write_series):
    write_series(tmp_path / "mr", range(3), Modality="MR")
    with pytest.raises(ImageError, match="modality MR"):
        read_image(tmp_path / "mr")


def test_files_without_series_uid_or_preamble_are_one_series(tmp_path, write_series):
    files = write_series(tmp_path, range(4), SeriesInstanceUID=None)
    for path in files[:2]:
        data = pydicom.dcmread(path)
        data.remove_private_tags()
        with path.open("wb") as stream:
            pydicom.filewriter.write_dataset(explicit(stream), data)
    assert not files[0].read_bytes().startswith(b"\0" * 128)
    image = read_image(tmp_path)
    np.testing.assert_array_equal(image.array[:, 0, 0], np.arange(4))


def explicit(stream):
    from pydicom.filebase import DicomFileLike

    wrapped = DicomFileLike(stream)
    wrapped.is_little_endian, wrapped.is_implicit_VR = True, False
    return wrapped


def test_messages_about_a_list_name_no_file_of_it(tmp_path, write_series):
    files = write_series(tmp_path / "Doe^Jane", [0, 3, 9])
    (tmp_path / "scan.txt").write_text("\n".join(map(str, sorted(files))))
    with pytest.raises(
        ImageError, match=r"scan\.txt, between file \d of the list and file \d of the list"
    ) as told:
        read_image(tmp_path / "scan.txt")
    assert "Doe" not in str(told.value)
    files[0].unlink()
    with pytest.raises(ImageError, match=r"file not found \| where: .*scan\.txt, file \d of the list") as told:
        read_image(tmp_path / "scan.txt")
    assert "Doe" not in str(told.value)


def test_patients_with_the_same_series_uid_are_told_apart(tmp_path, write_series):
    # One above the other: together they would make one even stack.
    write_series(tmp_path, range(0, 12, 3), name="a", PatientID="1")
    write_series(tmp_path, range(12, 24, 3), name="b", PatientID="2")
    assert [len(one.slices) for one in find_series(tmp_path)] == [4, 4]
    with pytest.raises(ImageError, match="2 CT series fit the choice 'largest'"):
        read_image(tmp_path, "largest")
    with pytest.raises(ImageError, match="belong to several patients"):
        read_image(tmp_path)


def test_a_slice_that_cannot_be_opened_is_refused(tmp_path, write_series):
    write_series(tmp_path, range(3))
    (tmp_path / "slice1_003.dcm").symlink_to(tmp_path / "gone" / "slice.dcm")
    for choice in ("", "largest"):
        with pytest.raises(ImageError, match=r"cannot be read .*slice1_003.dcm .*cannot be opened \(No such file"):
            read_image(tmp_path, choice)


def test_linked_folders_are_searched_once_and_loops_end(tmp_path, write_series):
    write_series(tmp_path / "elsewhere", range(3))
    folder = tmp_path / "archive"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / name).symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "loop").symlink_to(folder)
    (found,) = find_series(folder, recursive=True)
    assert [path.parent.name for path in found.files] == ["a"] * 3

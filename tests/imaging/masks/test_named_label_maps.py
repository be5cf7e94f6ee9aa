"""Label maps whose files carry names: 3D Slicer, folders of TotalSegmentator, NIfTI headers."""

import struct

import numpy as np
import pytest
import SimpleITK as sitk

from radiobone.core.errors import GeometryError, ImageError
from radiobone.imaging import Geometry, Image, Mask
from radiobone.imaging.alignment import align_mask
from radiobone.imaging.geometry import differences
from radiobone.imaging.reading import mask_files, read_mask
from radiobone.imaging.writing import write_mask

GRID = Geometry((6, 20, 24), (2.5, 0.8, 0.7), (-8.0, 5.0, 100.0))


def labels():
    array = np.zeros(GRID.shape, np.uint8)
    array[4:6, 3:9, 5:12], array[1:3, 4:11, 6:10] = 31, 30
    return array


def write_slicer(path, array, segments, *, grid=GRID, more=""):
    """Write a .seg.nrrd byte by byte: (name, layer, value) of each segment; layers are the first axis, if any."""
    lists = array.ndim == 4
    axes = np.array(grid.spacing_mm)[::-1, None] * grid.axes[::-1]
    vectors = " ".join("(" + ",".join(repr(float(value)) for value in row) + ")" for row in axes)
    sizes = [*([array.shape[0]] if lists else []), *grid.shape[::-1]]
    lines = [
        "NRRD0004", "type: unsigned char", f"dimension: {array.ndim}", "space: left-posterior-superior",
        "sizes: " + " ".join(map(str, sizes)), "space directions: " + ("none " if lists else "") + vectors,
        "kinds: " + ("list " if lists else "") + "domain domain domain", "endian: little", "encoding: raw",
        "space origin: (" + ",".join(repr(float(value)) for value in grid.origin_mm) + ")",
    ]  # fmt: skip
    for number, (name, layer, value) in enumerate(segments):
        lines += [f"Segment{number}_ID:=Segment_{number}", f"Segment{number}_Name:={name}"]
        if layer is not None:
            lines += [f"Segment{number}_LabelValue:={value}", f"Segment{number}_Layer:={layer}"]
    voxels = np.ascontiguousarray(np.moveaxis(array, 0, -1) if lists else array).tobytes()
    path.write_bytes("\n".join([*lines, *filter(None, [more])]).encode() + b"\n\n" + voxels)
    return path


def test_a_slicer_file_keeps_values_and_names(tmp_path):
    mask = read_mask(write_slicer(tmp_path / "a.seg.nrrd", labels(), [("L1", 0, 31), ("Wirbel L2", 0, 30)]))
    assert mask.names == {31: "L1"}
    np.testing.assert_array_equal(mask.full(), labels())
    chosen = read_mask(tmp_path / "a.seg.nrrd", segments=["wirbel l2"])
    assert chosen.names == {30: "Wirbel L2"}
    np.testing.assert_array_equal(chosen.full(), np.where(labels() == 30, 30, 0))
    with pytest.raises(ImageError, match=r"no segment named 'L5'.*'L1', 'Wirbel L2'"):
        read_mask(tmp_path / "a.seg.nrrd", segments=["L5"])


def test_a_cropped_slicer_file_with_turned_axes_comes_to_its_place(tmp_path):
    array = labels()
    crop = (slice(1, 6), slice(2, 12), slice(4, 13))
    grid = Geometry((10, 5, 9), (0.8, 2.5, 0.7), tuple(GRID.world((5, 2, 4))), (1, 0, 0, 0, 0, 1, 0, -1, 0))
    turned = np.flip(array[crop], 0).transpose(1, 0, 2)
    path = write_slicer(tmp_path / "a.seg.nrrd", turned, [("L1", 0, 31), ("L2", 0, 30)], grid=grid)
    mask = read_mask(path, Image(np.zeros(GRID.shape, np.int16), GRID))
    assert mask.geometry is GRID
    np.testing.assert_array_equal(mask.full(), array)
    # Labels outside the image stay where they are, for the check of geometry to find.
    shorter = Geometry((5, 20, 24), GRID.spacing_mm, GRID.origin_mm)
    assert differences(read_mask(path, Image(np.zeros((5, 20, 24), np.int16), shorter)).geometry, shorter)


def test_layers_may_overlap_and_share_values(tmp_path):
    layers = np.stack([labels() == 31, labels() == 30, labels() > 0]).astype(np.uint8)
    segments = [("L1", 0, 1), ("L2", 1, 1), ("bone", 2, 1)]
    path = write_slicer(tmp_path / "a.seg.nrrd", layers, segments)
    mask = read_mask(path)
    assert mask.names == {1: "L1", 2: "L2"}
    np.testing.assert_array_equal(mask.full(), layers[0] + 2 * layers[1])
    with pytest.raises(ImageError, match="'L1' and 'bone' share 84 voxels"):
        read_mask(path, segments=["L1", "bone"])
    assert [read_mask(path, segments=[name]).n_voxels for name in ("L1", "bone")] == [84, 84 + 56]
    # Older versions of 3D Slicer tell neither layers nor values.
    old = write_slicer(tmp_path / "old.seg.nrrd", layers, [(name, None, None) for name, _, _ in segments])
    np.testing.assert_array_equal(read_mask(old).full(), mask.full())
    with pytest.raises(ImageError, match="layer 3 of 3"):
        read_mask(write_slicer(tmp_path / "bad.seg.nrrd", layers, [("L1", 3, 1)]))


def test_bad_slicer_files(tmp_path):
    path = write_slicer(tmp_path / "a.seg.nrrd", labels(), [("L1", 0, 31)])
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ImageError, match="cannot be read"):
        read_mask(path)
    fractions = "Segmentation_SourceRepresentation:=Fractional labelmap"
    with pytest.raises(ImageError, match="holds fractions"):
        read_mask(write_slicer(path, labels(), [("L1", 0, 31)], more=fractions))
    with pytest.raises(ImageError, match="mask is empty"):
        read_mask(write_slicer(path, 0 * labels(), [("L1", 0, 31)]))


@pytest.fixture
def folder(tmp_path):
    """Write a folder as TotalSegmentator does, with an organ that overlaps and a level that is not there."""
    folder = tmp_path / "segmentations"
    for name, array in {
        "vertebrae_L1": labels() == 31,
        "vertebrae_L2": labels() == 30,
        "vertebrae_C1": labels() == 99,
        "spinal_cord": labels() > 0,
    }.items():
        write_mask(Mask(array, GRID), folder / f"{name}.nii.gz")
    (folder / "statistics.json").write_text("{}")
    return folder


def test_a_folder_of_label_files_is_one_mask_with_values_of_the_scheme(folder):
    mask = read_mask(folder)
    assert mask.names == {31: "vertebrae_L1", 30: "vertebrae_L2"}
    np.testing.assert_array_equal(mask.full(), labels())
    assert mask.notes == ()
    assert [path.name for path in mask_files(folder)] == [
        f"vertebrae_{level}.nii.gz" for level in ("C1", "L1", "L2")
    ]
    assert mask_files(folder, ["spinal_cord"]) == [folder / "spinal_cord.nii.gz"]
    assert read_mask(folder, segments=["spinal_cord"]).names == {118: "spinal_cord"}
    listed = folder / "list.txt"
    listed.write_text("vertebrae_L1.nii.gz\nvertebrae_L2.nii.gz\n")
    np.testing.assert_array_equal(read_mask(listed).full(), labels())


def test_a_folder_made_from_a_dicom_series_may_have_its_axes_turned(tmp_path):
    # TotalSegmentator converts a series first, which turns its rows.
    turned = Geometry(GRID.shape, GRID.spacing_mm, tuple(GRID.world((0, 19, 0))), (1, 0, 0, 0, -1, 0, 0, 0, 1))
    for level, value in (("L1", 31), ("L2", 30)):
        write_mask(Mask(np.flip(labels() == value, 1), turned), tmp_path / f"vertebrae_{level}.nii.gz")
    mask = read_mask(tmp_path, Image(np.zeros(GRID.shape, np.int16), GRID))
    assert mask.geometry is GRID
    np.testing.assert_array_equal(mask.full(), labels())


def test_the_name_of_a_file_that_is_given_itself_names_nothing(tmp_path):
    write_mask(Mask(labels(), GRID), tmp_path / "L1.nii.gz")
    assert read_mask(tmp_path / "L1.nii.gz").names == {}
    np.testing.assert_array_equal(read_mask(tmp_path / "L1.nii.gz").full(), labels())


def test_bad_label_folders(folder, tmp_path):
    with pytest.raises(ImageError, match="a segment that was asked for is empty"):
        read_mask(folder, segments=["L1", "C1"])
    write_mask(Mask(labels(), GRID), folder / "vertebrae_T12.nii.gz")
    with pytest.raises(ImageError, match=r"several \| where: .*vertebrae_T12\.nii\.gz \| got: labels 30, 31"):
        read_mask(folder)
    write_mask(Mask(labels() > 0, GRID), folder / "vertebrae_T12.nii.gz")
    with pytest.raises(ImageError, match="'vertebrae_L1' and 'vertebrae_T12' share 84 voxels"):
        read_mask(folder)
    moved = Geometry(GRID.shape, GRID.spacing_mm, (-8.0, 5.0, 101.0))
    write_mask(Mask(labels() == 30, moved), folder / "vertebrae_T12.nii.gz")
    with pytest.raises(GeometryError, match=r"not lie on one grid.*vertebrae_T12.*origin.*1 mm apart"):
        read_mask(folder)
    ramp = sitk.GetImageFromArray(np.linspace(0, 1, labels().size, dtype=np.float32).reshape(GRID.shape))
    sitk.WriteImage(ramp, str(folder / "vertebrae_T12.nii.gz"))
    with pytest.raises(ImageError, match=r"no labels.*vertebrae_T12\.nii\.gz.*got: 2878 voxels such as 0\.000347"):
        read_mask(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match=r"holds no masks.*got: 0 files"):
        read_mask(tmp_path / "empty")


def test_two_files_of_one_label_are_refused(folder):
    write_mask(Mask(labels() == 31, GRID), folder / "T12.nii.gz")
    write_mask(Mask(labels() == 30, GRID), folder / "vertebrae_T12.nii.gz")
    with pytest.raises(ImageError, match=r"hold one label.*got: T12\.nii\.gz and vertebrae_T12\.nii\.gz"):
        read_mask(folder)
    assert read_mask(folder, segments=["vertebrae_t12"]).n_voxels == 56
    (folder / "vertebrae_T12.nii.gz").rename(folder / "t12.nii")
    for wanted in ([], ["T12"]):
        with pytest.raises(ImageError, match=r"hold one label.*T12\.nii\.gz and t12\.nii"):
            read_mask(folder, segments=wanted)


def test_a_link_that_leads_nowhere_is_no_missing_level(folder, tmp_path):
    (folder / "vertebrae_L2.nii.gz").rename(tmp_path / "moved.nii.gz")
    (folder / "vertebrae_L2.nii.gz").symlink_to(tmp_path / "gone.nii.gz")
    with pytest.raises(ImageError, match=r"leads nowhere.*vertebrae_L2"):
        read_mask(folder)
    (tmp_path / "moved.nii.gz").rename(tmp_path / "gone.nii.gz")
    np.testing.assert_array_equal(read_mask(folder).full(), labels())


def test_labels_of_a_float_file_that_are_too_high_are_refused(tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(labels() * np.float32(1e9)), str(tmp_path / "a.nii.gz"))
    with pytest.raises(ImageError, match=r"no labels.*got: up to 3\.1e\+10.*at most 2147483647"):
        read_mask(tmp_path / "a.nii.gz")


def test_a_folder_may_hold_one_multi_label_file_or_one_seg(tmp_path, write_seg_file, ct):
    write_mask(Mask(labels(), GRID), tmp_path / "out" / "segmentations.nii.gz")
    np.testing.assert_array_equal(read_mask(tmp_path / "out").full(), labels())
    seg = write_seg_file({"L1": labels() == 31}, name="a.dcm")
    assert mask_files(tmp_path) == [seg]
    write_seg_file({"L1": labels() == 31}, name="b.dcm")
    with pytest.raises(ImageError, match="the folder holds 2 masks"):
        read_mask(tmp_path, ct)


@pytest.mark.parametrize("suffix", ["nii", "nii.gz"])
def test_names_in_a_nifti_header_are_read(tmp_path, suffix):
    import gzip

    write_mask(Mask(labels(), GRID), tmp_path / "plain.nii")
    content = (tmp_path / "plain.nii").read_bytes()
    table = "".join(
        f'<Label Key="{key}" Red="1.0" Alpha="1"><![CDATA[{name}]]></Label>\n'
        for key, name in [(5, "liver"), (30, "vertebrae_L2"), (31, "vertebrae_L1"), (32, "vertebrae_T12")]
    )
    text = (
        f"<CaretExtension><VolumeInformation><LabelTable>{table}</LabelTable></VolumeInformation></CaretExtension>"
    )
    size = -(-(len(text) + 8) // 16) * 16
    extension = struct.pack("<ii", size, 0) + text.encode().ljust(size - 8, b"\0")
    header = content[:108] + struct.pack("<f", 352 + size) + content[112:348] + b"\1\0\0\0"
    path = tmp_path / f"segmentations.{suffix}"
    whole = header + extension + content[352:]
    path.write_bytes(gzip.compress(whole) if suffix == "nii.gz" else whole)
    mask = read_mask(path)
    assert mask.names == {30: "vertebrae_L2", 31: "vertebrae_L1"}
    np.testing.assert_array_equal(mask.full(), labels())
    assert read_mask(tmp_path / "plain.nii").names == {}
    # Names go with a mask that is resampled.
    half = Geometry((12, 20, 24), (1.25, 0.8, 0.7), GRID.origin_mm)
    assert align_mask(mask, Image(np.zeros(half.shape, np.int16), half), "")[0].names == mask.names

"""One spine, its mask in every form: the same rows of a feature table, and shared examples with their numbers."""

import csv

import numpy as np
import pytest
import SimpleITK as sitk

from radiobone.core.errors import GeometryError, ImageError, UsageError
from radiobone.features.blocks import DensityBlock
from radiobone.features.extraction import extract_cohort
from radiobone.features.request import ExtractionRequest, make_request
from radiobone.imaging import Mask
from radiobone.imaging.geometry import differences
from radiobone.imaging.reading import read_image, read_mask
from radiobone.imaging.writing import write_mask
from radiobone.study.checks import inspect_scans
from radiobone.tables.cohort import read_cohort
from radiobone.voi import find_recipe
from radiobone.voi.schemes import TOTALSEGMENTATOR

pytestmark = pytest.mark.shared_data

LEVELS = ("T12", "L1", "L2")
REQUEST = ExtractionRequest(find_recipe("label"), (DensityBlock(),))


def outlines(mask, value):
    """Contours half-way between voxels, as many programs write them, in world points."""
    from contourpy import contour_generator

    full = np.pad(mask.full() == value, 1).astype(float)
    for z in range(1, full.shape[0] - 1):
        for line in contour_generator(z=full[z]).lines(0.5):
            index = np.insert(line[:-1, ::-1] - 1, 0, z - 1, axis=1)
            yield mask.geometry.world(index)


@pytest.fixture
def spine(shared_data, tmp_path, write_seg_file, write_rtstruct):
    """Write a cohort of one real scan (stored in RAS), with its mask in five forms."""
    folder = shared_data / "spine" / "totalseg_example"
    mask = read_mask(folder / "vertebrae_ts_labels.nii.gz")
    values = {level: TOTALSEGMENTATOR.value(level) for level in LEVELS}
    parts = {level: mask.full() == value for level, value in values.items()}
    write_mask(Mask(sum(values[level] * part.astype(np.uint8) for level, part in parts.items()), mask.geometry),
               tmp_path / "map.nii.gz")  # fmt: skip
    for level, part in parts.items():
        write_mask(Mask(part, mask.geometry), tmp_path / "labels" / f"vertebrae_{level}.nii.gz")
    slicer = sitk.DICOMOrient(Mask(mask.full(), mask.geometry).to_sitk(), "LPS")[10:, 20:, 5:]
    for number, (level, value) in enumerate(values.items()):
        for name, text in {"Name": f"{level} vertebra", "LabelValue": str(value), "Layer": "0"}.items():
            slicer.SetMetaData(f"Segment{number}_{name}", text)
    sitk.WriteImage(slicer, str(tmp_path / "slicer.seg.nrrd"), True)
    write_seg_file(parts, grid=mask.geometry, series="", name="seg.dcm")
    contours = {level: list(outlines(mask, values[level])) for level in LEVELS}
    write_rtstruct(contours, series="", name="rs.dcm")
    forms = ["map.nii.gz", "labels", "slicer.seg.nrrd", "seg.dcm", "rs.dcm"]
    rows = [f"{form},{folder / 'ct.nii.gz'},{form}" for form in forms]
    (tmp_path / "cohort.csv").write_text("\n".join(["patient_id,image,mask", *rows]) + "\n")
    return read_cohort(tmp_path / "cohort.csv")


@pytest.mark.slow
def test_every_form_of_a_mask_gives_the_same_rows(spine, tmp_path):
    scans = spine.scans()
    summary = extract_cohort(scans, REQUEST, tmp_path / "features.csv", cohort=spine, progress=False)
    assert summary.counts == {"ok": 15}
    with (tmp_path / "features.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    by_form = {}
    for row in rows:
        by_form.setdefault(row.pop("patient_id"), []).append(row)
    assert [row["level"] for row in by_form["map.nii.gz"]] == list(LEVELS)
    for found in by_form.values():
        assert found == by_form["map.nii.gz"]
    # A renamed file is another level, though no byte of it has changed.
    (tmp_path / "labels" / "vertebrae_L2.nii.gz").rename(tmp_path / "labels" / "vertebrae_L3.nii.gz")
    extract_cohort(scans, REQUEST, tmp_path / "features.csv", cohort=spine, progress=False)
    with (tmp_path / "features.csv").open() as stream:
        assert [row["level"] for row in csv.DictReader(stream) if row["patient_id"] == "labels"] == [
            "T12",
            "L1",
            "L3",
        ]


def test_inspect_names_levels_by_the_file_and_tells_what_is_wrong_with_it(spine, tmp_path):
    (tmp_path / "rs.dcm").write_bytes((tmp_path / "rs.dcm").read_bytes()[:5000])
    reports = inspect_scans(spine.scans()[-2:], REQUEST, progress=False)
    assert [report.facts.get("scheme") for report in reports] == ["named", None]
    assert "damaged or truncated" in reports[1].findings[0].message


def test_segments_of_a_cohort_are_chosen_by_a_column(spine, tmp_path):
    table = tmp_path / "cohort.csv"
    header, _, labels, slicer, *_ = table.read_text().splitlines()
    table.write_text(f"{header},segments\n{labels},l1; vertebrae_T12\n{slicer},L9\n")
    cohort = read_cohort(table)
    summary = extract_cohort(cohort.scans(), REQUEST, tmp_path / "features.csv", cohort=cohort, progress=False)
    assert summary.counts == {"ok": 2, "failed": 1}
    assert "no segment named 'L9'" in summary.failures[0][1]


def test_levels_that_only_a_file_can_name_may_be_asked_for():
    assert make_request(params=None, levels="GTV_1, L1").levels == ("GTV_1", "L1")
    for level in ("L9", "label_1"):
        with pytest.raises(UsageError, match="no label scheme that can be detected"):
            make_request(params=None, levels=level)


def test_totalsegmentator_names_its_labels_in_the_header(shared_data):
    mask = read_mask(shared_data / "dicom" / "ct_j2k_20slices_seg.nii.gz")
    assert len(mask.labels()) == 31
    assert mask.names == {32: "vertebrae_T12", 33: "vertebrae_T11"}
    assert read_mask(shared_data / "spine/verse012/sub-verse012_seg-vert_msk.nii.gz").names == {}


def test_a_liver_equals_its_nrrd(shared_data):
    folder = shared_data / "dicom" / "dcmqi_seg"
    ct = read_image(folder / "ct-3slice")
    mask = read_mask(folder / "liver.dcm", ct)
    assert mask.names == {1: "Liver"}
    assert mask.n_voxels == 107098
    expected = read_mask(folder / "liver_seg.nrrd")
    assert not differences(mask.geometry, expected.geometry)
    np.testing.assert_array_equal(mask.full(), expected.full() > 0)
    assert not differences(read_mask(folder / "liver.dcm").geometry, expected.geometry)


def test_five_segments_in_seven_frames_equal_their_nrrds(shared_data):
    folder = shared_data / "dicom" / "dcmqi_seg"
    ct = read_image(folder / "ct-3slice")
    with pytest.raises(ImageError, match="'GREEN' and 'ORANGE' share 3017 voxels"):
        read_mask(folder / "partial_overlaps.dcm", ct)
    names = ("GREEN", "ORANGE", "PURPLE", "LIGHT_BLUE", "DARK_BLUE")
    layers = [
        sitk.GetArrayFromImage(sitk.ReadImage(str(folder / f"partial_overlaps-{n}.nrrd"))) for n in (1, 2, 3)
    ]
    for number, (name, layer) in enumerate(zip(names, (0, 1, 2, 0, 0), strict=True), start=1):
        mask = read_mask(folder / "partial_overlaps.dcm", ct, [name])
        np.testing.assert_array_equal(mask.full() > 0, layers[layer] == number)


COUNTS = {
    "binary": {"first segment": 638},
    "binary_fractional": {"first segment": 638},
    "true_fractional": {"first segment": 638},
    "binary_overlap": {"first segment": 64, "second segment": 16},
    "binary_single_frame": {"first segment": 1832},
}


@pytest.mark.parametrize("name", COUNTS)
def test_segs_of_highdicom_have_their_voxels_and_refuse_another_ct(shared_data, name):
    path = shared_data / "dicom" / "highdicom" / f"seg_image_ct_{name}.dcm"
    assert {key: read_mask(path, segments=[key]).n_voxels for key in COUNTS[name]} == COUNTS[name]
    with pytest.raises(GeometryError, match="refers to another series than this image"):
        read_mask(path, read_image(shared_data / "dicom/dcmqi_seg/ct-3slice"))


@pytest.mark.slow
@pytest.mark.parametrize("name", COUNTS)
def test_segs_are_read_as_highdicom_reads_them(shared_data, name):
    import highdicom

    path = shared_data / "dicom" / "highdicom" / f"seg_image_ct_{name}.dcm"
    segmentation = highdicom.seg.segread(path)
    for number, segment in enumerate(COUNTS[name], start=1):
        mask = read_mask(path, segments=[segment])
        volume = segmentation.get_volume(segment_numbers=[number], combine_segments=False)
        inside = np.asarray(volume.array)[..., 0] >= 0.5
        np.testing.assert_allclose(volume.spacing, mask.geometry.spacing_mm)
        # highdicom counts slices from head to foot.
        np.testing.assert_array_equal(mask.full() > 0, inside[::-1])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP", "FRACTIONAL"])
def test_what_highdicom_writes_is_read(shared_data, tmp_path, kind):
    import highdicom
    from pydicom import dcmread
    from pydicom.sr.codedict import codes

    folder = shared_data / "dicom/dcmqi_seg/ct-3slice"
    slices = [dcmread(path) for path in folder.iterdir()]
    for item in slices:
        item.SpecificCharacterSet, item.PatientName = "ISO_IR 100", "A^B"
    labels = np.zeros((3, 512, 512), np.uint8)
    labels[0, 100:140, 200:230], labels[1:, 50:70, 300:390] = 1, 2
    described = [
        highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=label,
            segmented_property_category=codes.SCT.AnatomicalStructure,
            segmented_property_type=codes.SCT.Vertebra,
            algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.MANUAL,
        )
        for number, label in enumerate(("Vertebra L4", "Vertebra L3"), start=1)
    ]
    highdicom.seg.Segmentation(
        source_images=slices,
        pixel_array=labels,
        segmentation_type=kind,
        segment_descriptions=described,
        series_instance_uid=highdicom.UID(),
        series_number=5,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer="maker",
        manufacturer_model_name="model",
        software_versions="1",
        device_serial_number="1",
    ).save_as(tmp_path / "seg.dcm")
    ct = read_image(folder)
    mask = read_mask(tmp_path / "seg.dcm", ct)
    assert mask.names == {1: "Vertebra L4", 2: "Vertebra L3"}
    heights = [float(item.ImagePositionPatient[2]) for item in slices]
    np.testing.assert_array_equal(mask.full(), labels[np.argsort(heights)])


def test_the_ibsi_phantom_is_outlined_as_its_mask_says(shared_data):
    folder = shared_data / "dicom" / "ibsi1_ct_phantom_rtstruct"
    mask = read_mask(folder / "mask", read_image(folder / "image"))
    expected = read_mask(shared_data / "ibsi/ibsi1_ct_phantom/mask/mask.nii.gz")
    assert mask.names == {1: "GTV-1"}
    assert mask.n_voxels == 125256
    assert mask.volume_ml == pytest.approx(358.6815, abs=1e-4)
    assert not differences(mask.geometry, expected.geometry)
    np.testing.assert_array_equal(mask.full(), expected.full())
    with pytest.raises(GeometryError, match="refers to another series"):
        read_mask(folder / "mask", read_image(shared_data / "dicom/dcmqi_seg/ct-3slice"))

"""Acquisition columns: what the header tells, and nothing where it tells nothing."""

import numpy as np
import pydicom
import pytest

from radiobone.imaging.dicom import ACQUISITION_COLUMNS, Acquisition, find_series, read_header
from radiobone.imaging.dicom.acquisition import contrast_word, exposure, summarise


def test_columns_are_text_and_empty_where_nothing_is_known():
    assert tuple(Acquisition().columns()) == ACQUISITION_COLUMNS
    assert set(Acquisition().columns().values()) == {""}
    columns = Acquisition(kvp=120.0, mas=98.5, slice_thickness_mm=0.625, contrast="no").columns()
    assert (columns["kvp"], columns["mas"], columns["slice_thickness_mm"]) == ("120", "98.5", "0.625")


@pytest.mark.parametrize(
    ("agent", "word"),
    [(None, ""), ("", ""), ("  ", ""), ("NONE", "no"), ("No", "no"), ("APPLIED", "yes"), ("Ultravist 370", "yes")],
)
def test_contrast_is_one_word(agent, word):
    assert contrast_word(agent) == word


@pytest.mark.parametrize(
    ("mas", "current", "time", "expected", "told"),
    [
        (None, None, None, None, ""),
        (None, 200, 500, 100, ""),
        (100, 200, 750, 100, ""),
        (100, None, 500, 100, ""),
        (0, 200, 500, 0, ""),
        (1000, 200, 500, 1000, "exposure of 1000 mAs, but tube current x time is 100 mAs"),
        (10, 200, 500, 10, "exposure of 10 mAs, but tube current x time is 100 mAs"),
    ],
)
def test_exposure_is_what_the_header_says_and_contradictions_are_told(mas, current, time, expected, told):
    assert exposure(mas, current, time) == (expected, told)


def test_a_series_has_the_median_exposure_and_tells_of_what_differs():
    slices = [Acquisition(kvp=120.0, mas=mas, kernel="B30f", date="2024") for mas in (90.0, 100.0, 140.0)]
    slices += [Acquisition(kvp=100.0, mas=120.0, kernel="B30f", date="2023")]
    found, notes = summarise(slices)
    assert found == Acquisition(kvp=120.0, mas=110.0, kernel="B30f", date="2023")
    assert notes == ["kvp differs between slices: 100, 120"]


def test_columns_of_a_series_come_from_its_headers(tmp_path, write_series):
    write_series(
        tmp_path,
        range(0, 9, 3),
        KVP="100",
        ExposureInuAs=80500,
        ConvolutionKernel=["Br38f", "3"],
        SliceThickness="5",
        Manufacturer="ACME ",
        StudyDate="20200102",
        AcquisitionDateTime="20200103101112.5",
        ContrastBolusAgent="none",
    )
    (series,) = find_series(tmp_path)
    assert series.acquisition() == Acquisition(
        100.0, 80.5, "Br38f 3", 5.0, 2.0, 3.0, "ACME", "", "no", "2020-01-03"
    )


def test_a_value_that_is_none_does_not_cost_the_scan(tmp_path, write_slice):
    path = write_slice(tmp_path / "x.dcm", 0)
    raw = path.read_bytes()
    data = pydicom.dcmread(path)
    data.KVP = "120"
    data.save_as(path)
    path.write_bytes(path.read_bytes().replace(b"DS\x04\x00120 ", b"DS\x04\x00high"))
    assert path.read_bytes() != raw
    header = read_header(path)
    assert header.fault == ""
    assert header.acquisition.kvp is None


def test_a_header_without_rescaling_is_told(tmp_path, write_slice):
    assert read_header(write_slice(tmp_path / "x.dcm", 0)).notes == ()
    path = write_slice(tmp_path / "y.dcm", 0, RescaleIntercept=None, RescaleSlope=None)
    assert read_header(path).notes == ("the header has no rescaling: are these HU?",)


def test_an_enhanced_file_tells_its_acquisition_in_groups(tmp_path, write_enhanced):
    from pydicom.dataset import Dataset

    path = write_enhanced(
        tmp_path / "x.dcm", np.zeros((2, 4, 5), np.uint16), [{"z": 0}, {"z": 3}], shared_rescale=(1, -1024)
    )
    data = pydicom.dcmread(path)
    shared = data.SharedFunctionalGroupsSequence[0]
    for group, name, value in (
        ("CTXRayDetailsSequence", "KVP", 80),
        ("CTExposureSequence", "ExposureInmAs", 33.0),
        ("CTReconstructionSequence", "ConvolutionKernel", "Qr40"),
    ):
        item = Dataset()
        setattr(item, name, value)
        setattr(shared, group, [item])
    data.save_as(path)
    found = read_header(path).acquisition
    assert (found.kvp, found.mas, found.kernel, found.slice_thickness_mm) == (80.0, 33.0, "Qr40", 3.0)

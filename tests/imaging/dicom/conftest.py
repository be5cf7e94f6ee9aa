"""Makers of small DICOM files with pydicom: clean ones, and traps."""

from __future__ import annotations

import numpy as np
import pytest

CT, ENHANCED, SECONDARY, SEG = (
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.2.1",
    "1.2.840.10008.5.1.4.1.1.7",
    "1.2.840.10008.5.1.4.1.1.66.4",
)

AXIAL = (1, 0, 0, 0, 1, 0)
UID = "1.2.826.0.1.3680043.10.999"


def _dataset(sop_class, uid, tags):
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = sop_class
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
    data.Modality = "CT"
    data.SeriesInstanceUID = f"{UID}.{uid}"
    data.StudyInstanceUID = f"{UID}.1000"
    data.FrameOfReferenceUID = f"{UID}.2000"
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    for name, value in tags.items():
        if value is None:
            del data[name]
        else:
            setattr(data, name, value)
    return data


def _pixels(data, pixels):
    signed = pixels.dtype.kind == "i"
    data.Rows, data.Columns = pixels.shape[-2:]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 8 * pixels.dtype.itemsize
    data.HighBit, data.PixelRepresentation = data.BitsStored - 1, int(signed)
    data.PixelData = pixels.tobytes()


@pytest.fixture
def write_slice():
    """Write one classic CT slice; tags may be given, changed, or taken away by None."""

    def write(path, z, pixels=None, *, uid=1, orientation=AXIAL, position=None, spacing=(2.0, 1.5), **tags):
        data = _dataset(CT, uid, {})
        data.ImagePositionPatient = [float(value) for value in ((-10, -20, z) if position is None else position)]
        data.ImageOrientationPatient = [float(f"{value:.12f}") for value in orientation]
        data.PixelSpacing = list(spacing)
        data.RescaleSlope, data.RescaleIntercept = 1, -1024
        _pixels(data, np.full((4, 5), 1024 + int(z), np.int16) if pixels is None else pixels)
        for name, value in tags.items():
            if value is None:
                delattr(data, name)
            else:
                setattr(data, name, value)
        path.parent.mkdir(parents=True, exist_ok=True)
        data.save_as(path, enforce_file_format=True)
        return path

    return write


@pytest.fixture
def write_series(write_slice):
    """Write slices at the given heights, in files whose names are in no order of position."""

    def write(folder, heights, *, uid=1, name="slice", **tags):
        order = np.random.default_rng(uid).permutation(len(heights))
        return [
            write_slice(folder / f"{name}{uid}_{place:03d}.dcm", z, uid=uid, **tags)
            for place, z in zip(order, heights, strict=True)
        ]

    return write


@pytest.fixture
def write_enhanced():
    """Write an enhanced multi-frame CT; each frame is a mapping of its own position, rescaling and stack."""
    from pydicom.dataset import Dataset

    def group(frame, name, **values):
        item = Dataset()
        for key, value in values.items():
            setattr(item, key, value)
        setattr(frame, name, [item])

    def write(path, stored, frames, *, shared_rescale=None, uid=1, **tags):
        data = _dataset(ENHANCED, uid, {})
        data.NumberOfFrames = len(stored)
        shared = Dataset()
        group(shared, "PlaneOrientationSequence", ImageOrientationPatient=list(AXIAL))
        group(shared, "PixelMeasuresSequence", PixelSpacing=[2.0, 1.5], SliceThickness=3.0)
        if shared_rescale is not None:
            slope, intercept = shared_rescale
            group(
                shared,
                "PixelValueTransformationSequence",
                RescaleSlope=slope,
                RescaleIntercept=intercept,
                RescaleType="HU",
            )
        data.SharedFunctionalGroupsSequence = [shared]
        items = []
        for frame in frames:
            item = Dataset()
            if "z" in frame:
                group(item, "PlanePositionSequence", ImagePositionPatient=[-10.0, -20.0, float(frame["z"])])
            if "rescale" in frame:
                slope, intercept = frame["rescale"]
                group(
                    item,
                    "PixelValueTransformationSequence",
                    RescaleSlope=slope,
                    RescaleIntercept=intercept,
                    RescaleType="HU",
                )
            group(item, "FrameContentSequence", StackID=str(frame.get("stack", 1)))
            items.append(item)
        data.PerFrameFunctionalGroupsSequence = items
        _pixels(data, stored)
        for name, value in tags.items():
            setattr(data, name, value)
        path.parent.mkdir(parents=True, exist_ok=True)
        data.save_as(path, enforce_file_format=True)
        return path

    return write


@pytest.fixture
def write_seg():
    """Write the header of a SEG, with one frame of nothing, that refers to a series."""
    from pydicom.dataset import Dataset

    def write(path, *, refers_to=None, uid=900, **tags):
        data = _dataset(SEG, uid, {"Modality": "SEG"})
        if refers_to is not None:
            item = Dataset()
            item.SeriesInstanceUID = f"{UID}.{refers_to}"
            data.ReferencedSeriesSequence = [item]
        _pixels(data, np.zeros((1, 4, 5), np.uint8))
        for name, value in tags.items():
            setattr(data, name, value)
        path.parent.mkdir(parents=True, exist_ok=True)
        data.save_as(path, enforce_file_format=True)
        return path

    return write

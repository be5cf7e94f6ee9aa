"""Makers of small DICOM SEG and RTSTRUCT files, and of the CT that they belong to."""

from __future__ import annotations

import numpy as np
import pytest

from radiobone.imaging import Geometry, Image

SEG, RTSTRUCT = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.481.3"
SERIES = "1.2.826.0.1.3680043.10.999.1"

GRID = Geometry((6, 20, 24), (2.5, 0.8, 0.7), (-8.0, 5.0, 100.0))


@pytest.fixture
def ct():
    """A scan whose series has the UID that masks refer to by default."""
    return Image(np.zeros(GRID.shape, np.int16), GRID, SERIES)


def _dataset(sop_class, modality):
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = sop_class
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
    data.Modality = modality
    data.StudyInstanceUID = data.SeriesInstanceUID = generate_uid()
    return data


def _item(**tags):
    from pydicom.dataset import Dataset

    item = Dataset()
    for name, value in tags.items():
        setattr(item, name, value)
    return item


@pytest.fixture
def write_seg_file(tmp_path):
    """Write a SEG of segments, by name, on a grid; slices without a voxel have no frame."""

    def write(
        segments, *, grid=GRID, kind="BINARY", series=SERIES, name="seg.dcm", stated=True, coded=None, order=1
    ):
        from pydicom.pixels.utils import pack_bits

        data = _dataset(SEG, "SEG")
        if series:
            data.ReferencedSeriesSequence = [_item(SeriesInstanceUID=series)]
        data.SegmentationType = kind
        if kind == "FRACTIONAL":
            data.SegmentationFractionalType, data.MaximumFractionalValue = "PROBABILITY", 200
        data.SegmentSequence = [
            _item(
                SegmentNumber=number,
                SegmentLabel=label,
                SegmentedPropertyTypeCodeSequence=[_item(CodeMeaning=(coded or {}).get(label, "Bone"))],
            )
            for number, label in enumerate(segments, start=1)
        ]
        measures = _item(PixelSpacing=list(grid.spacing_mm[1:]), SliceThickness=grid.spacing_mm[0])
        if stated:
            measures.SpacingBetweenSlices = grid.spacing_mm[0]
        along = [*grid.axes[2], *grid.axes[1]]
        data.SharedFunctionalGroupsSequence = [
            _item(
                PixelMeasuresSequence=[measures],
                PlaneOrientationSequence=[_item(ImageOrientationPatient=[float(value) for value in along])],
            )
        ]
        frames, groups = [], []
        for number, array in enumerate(segments.values(), start=1):
            for z, plane in enumerate(array):
                if plane.any() or (not array.any() and z == 0):
                    frames.append(plane)
                    groups.append(
                        _item(
                            SegmentIdentificationSequence=[_item(ReferencedSegmentNumber=number)],
                            PlanePositionSequence=[
                                _item(ImagePositionPatient=[float(value) for value in grid.world((z, 0, 0))])
                            ],
                        )
                    )
        data.PerFrameFunctionalGroupsSequence = groups[::order]
        pixels = np.array(frames[::order], np.uint8)
        data.NumberOfFrames, data.Rows, data.Columns = pixels.shape
        data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
        bits = 1 if kind == "BINARY" else 8
        data.BitsAllocated, data.BitsStored, data.HighBit = bits, bits, bits - 1
        data.PixelData = pack_bits(pixels.ravel()) if bits == 1 else pixels.tobytes() + b"\0" * (pixels.size % 2)
        data.save_as(tmp_path / name, enforce_file_format=True)
        return tmp_path / name

    return write


@pytest.fixture
def write_rtstruct(tmp_path):
    """Write an RTSTRUCT of regions: name to contours, each an array of world points or a pair with its type."""

    def write(regions, *, series=SERIES, name="rs.dcm", first=1):
        data = _dataset(RTSTRUCT, "RTSTRUCT")
        reference = _item(RTReferencedSeriesSequence=[_item(SeriesInstanceUID=series)])
        data.ReferencedFrameOfReferenceSequence = [_item(RTReferencedStudySequence=[reference])] if series else []
        data.StructureSetROISequence = [
            _item(ROINumber=number, ROIName=region) for number, region in enumerate(regions, start=first)
        ]
        data.ROIContourSequence = [
            _item(ReferencedROINumber=number, ContourSequence=[_contour(one) for one in contours])
            for number, contours in enumerate(regions.values(), start=first)
        ]
        data.save_as(tmp_path / name, enforce_file_format=True)
        return tmp_path / name

    return write


def _contour(one):
    points, kind = one if isinstance(one, tuple) else (one, "CLOSED_PLANAR")
    return _item(
        ContourGeometricType=kind,
        NumberOfContourPoints=len(points),
        ContourData=[f"{value:.10f}" for value in np.asarray(points).ravel()],
    )


@pytest.fixture
def box():
    """World corners of a rectangle in a slice of the grid, in voxels from edge to edge."""

    def corners(z, y, x, grid=GRID):
        low, high = np.array([y[0], x[0]]) - 0.5, np.array([y[1], x[1]]) - 0.5
        places = [(low[0], low[1]), (low[0], high[1]), (high[0], high[1]), (high[0], low[1])]
        return grid.world([(z, *place) for place in places])

    return corners

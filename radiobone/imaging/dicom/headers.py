"""The header of one DICOM file: only what sorts, checks, places and describes its slices."""

from __future__ import annotations

import logging
import os
import struct
import warnings
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from radiobone.imaging.dicom.acquisition import Acquisition
from radiobone.imaging.dicom.elements import acquisition_of, number, several, text
from radiobone.imaging.dicom.frames import Plane, classic_plane, frame_planes
from radiobone.imaging.dicom.truncation import pixel_fault

if TYPE_CHECKING:
    from pydicom import Dataset

logger = logging.getLogger(__name__)

_TAGS = (
    "SOPClassUID", "SOPInstanceUID", "Modality", "ImageType", "PatientID", "IssuerOfPatientID",
    "PatientBirthDate", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID",
    "SeriesNumber", "SeriesDescription", "AcquisitionNumber", "TemporalPositionIdentifier", "StudyDate",
    "SeriesDate", "AcquisitionDate", "AcquisitionDateTime", "ContentDate",
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness",
    "RescaleSlope", "RescaleIntercept", "RescaleType", "Rows", "Columns", "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsAllocated", "NumberOfFrames", "LossyImageCompression", "KVP", "Exposure", "ExposureInuAs",
    "XRayTubeCurrent", "ExposureTime", "ConvolutionKernel", "Manufacturer", "ManufacturerModelName",
    "ContrastBolusAgent", "ContrastBolusAgentSequence", "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence", "ReferencedSeriesSequence", "ReferencedFrameOfReferenceSequence",
)  # fmt: skip

_DIRECTORY = "1.2.840.10008.1.3.10"
"""SOP class of a DICOMDIR, which lists files and is none of a series."""

_PREAMBLE = 128


@dataclass(frozen=True)
class Header:
    """What is known of one DICOM file without its pixels.

    Parameters
    ----------
    path : Path
        The file.
    modality, sop_class, transfer_syntax : str
        What kind of object it is, and how its pixels are packed (UIDs).
    patient, birth_date, study, series, instance, frame_of_reference : str
        Who and what it belongs to. The patient is the issuer and the number together, or empty.
    number : int or None
        Series number.
    description : str
        Series description: free text, which never goes into an output unless identifiers are kept.
    image_type : tuple of str
        Such as ``("ORIGINAL", "PRIMARY", "AXIAL")``.
    part : tuple of str
        Acquisition, kernel and time point: what tells stacks of one series apart that lie in one place.
    size : tuple of int
        Rows and columns.
    samples : int
        Values in each pixel.
    photometric : str
        How a screen shows the values: ``MONOCHROME1`` is dark for high ones. HU are the same in either.
    planes : tuple of Plane
        One for each frame; empty where the file does not say where its pixels lie.
    frames : int
        Number of frames, 1 in a classic file, 0 in a file without pixels.
    rescale_type : str
        Unit of the rescaled values; empty where the header does not name it.
    acquisition : Acquisition
        How the slice was acquired.
    refers_to : tuple of str
        Series that a SEG or RTSTRUCT was drawn on.
    fault : str
        Why the file cannot be read, such as that it is truncated; empty if it can.
    notes : tuple of str
        What a user should know.
    label : str
        Name of the file in messages; by default its own.
    """

    path: Path
    modality: str = ""
    sop_class: str = ""
    transfer_syntax: str = ""
    patient: str = ""
    birth_date: str = ""
    study: str = ""
    series: str = ""
    instance: str = ""
    frame_of_reference: str = ""
    number: int | None = None
    description: str = ""
    image_type: tuple[str, ...] = ()
    part: tuple[str, ...] = ()
    size: tuple[int, int] = (0, 0)
    samples: int = 1
    photometric: str = ""
    planes: tuple[Plane, ...] = ()
    frames: int = 0
    rescale_type: str = ""
    acquisition: Acquisition = field(default_factory=Acquisition)
    refers_to: tuple[str, ...] = ()
    fault: str = ""
    notes: tuple[str, ...] = ()
    label: str = ""

    @property
    def name(self) -> str:
        """Name for messages."""
        return self.label or self.path.name


def is_dicom(path: Path) -> bool:
    """Return whether a file begins as DICOM files do, with or without their preamble.

    Parameters
    ----------
    path : Path
        Any file.
    """
    with path.open("rb") as stream:
        return _begins_as_dicom(stream.read(_PREAMBLE + 4))


def read_header(path: Path) -> Header | None:
    """Read the header of a file.

    Parameters
    ----------
    path : Path
        Any file.

    Returns
    -------
    Header or None
        None for a file that is no DICOM, or a DICOMDIR. A file that cannot be opened, and a DICOM file that cannot
        be understood, has a ``fault``.
    """
    try:
        with path.open("rb") as stream, warnings.catch_warnings():
            # What pydicom finds odd in a header is either checked below or does not matter here.
            warnings.simplefilter("ignore")
            if not _begins_as_dicom(stream.read(_PREAMBLE + 4)):
                return None
            stream.seek(0)
            return _read(path, stream)
    except OSError as error:
        # The words of the error itself hold the path.
        return Header(path, fault=f"it cannot be opened ({os.strerror(error.errno or 0)})")


def _begins_as_dicom(head: bytes) -> bool:
    if head[_PREAMBLE:] == b"DICM":
        return True
    # Old exports lack the preamble and begin with an element of group 0008.
    return len(head) > 8 and head[:2] == b"\x08\x00" and head[2] in (0x00, 0x01, 0x05, 0x08, 0x16) and not head[3]


def _read(path: Path, stream: BinaryIO) -> Header | None:
    import pydicom
    from pydicom.errors import BytesLengthException, InvalidDicomError

    header = Header(path)
    try:
        data = pydicom.dcmread(stream, stop_before_pixels=True, specific_tags=list(_TAGS), force=True)
        if _DIRECTORY in (data.get("SOPClassUID"), data.file_meta.get("MediaStorageSOPClassUID")):
            return None
        header = _identified(header, data)
        return _described(header, stream, data)
    except (
        ValueError, TypeError, LookupError, AttributeError, NotImplementedError, EOFError, OverflowError,
        struct.error, zlib.error, BytesLengthException, InvalidDicomError,
    ) as error:  # fmt: skip
        # The words of the error may quote what stands in the header, which may be the patient's.
        logger.debug("%s: %s", path, error)
        return replace(header, fault=f"its header cannot be read ({type(error).__name__})")


def _identified(header: Header, data: Dataset) -> Header:
    """Add what a file is and what it belongs to, so that a damaged one does not vanish from its series."""
    return replace(
        header,
        modality=text(data, "Modality"),
        sop_class=text(data, "SOPClassUID"),
        transfer_syntax=str(data.file_meta.get("TransferSyntaxUID", "")),
        patient="|".join(filter(None, (text(data, "IssuerOfPatientID"), text(data, "PatientID")))),
        birth_date=text(data, "PatientBirthDate"),
        study=text(data, "StudyInstanceUID"),
        series=text(data, "SeriesInstanceUID"),
        instance=text(data, "SOPInstanceUID"),
        frame_of_reference=_frame_of_reference(data),
        description=text(data, "SeriesDescription"),
        image_type=tuple(str(word).upper() for word in several(data.get("ImageType"))),
    )


def _described(header: Header, stream: BinaryIO, data: Dataset) -> Header:
    """Add where the slices lie, how they were acquired, and whether their pixels are all there."""
    frames = int(data.get("NumberOfFrames") or 1) if data.get("Rows") else 0
    planes = frame_planes(data) if "PerFrameFunctionalGroupsSequence" in data else classic_plane(data)
    series_number = number(data, "SeriesNumber")
    acquisition, notes = acquisition_of(data, planes)
    return replace(
        header,
        number=None if series_number is None else int(series_number),
        part=tuple(
            text(data, name) for name in ("AcquisitionNumber", "ConvolutionKernel", "TemporalPositionIdentifier")
        ),
        size=(int(data.get("Rows") or 0), int(data.get("Columns") or 0)),
        samples=int(data.get("SamplesPerPixel") or 1),
        photometric=text(data, "PhotometricInterpretation"),
        planes=planes,
        frames=frames,
        rescale_type=text(data, "RescaleType") or next((plane.unit for plane in planes if plane.unit), ""),
        acquisition=acquisition,
        refers_to=_referenced_series(data),
        fault=pixel_fault(stream, data) if frames else _headless_fault(data),
        notes=tuple(notes),
    )


def _headless_fault(data: Dataset) -> str:
    """Say what is wrong with a file without pixels; reports and contours are right to have none."""
    if text(data, "Modality") in ("", "CT"):
        return "it is truncated, or empty: it has a header without the size of an image"
    return ""


def _frame_of_reference(data: Dataset) -> str:
    found = [text(data, "FrameOfReferenceUID")]
    found += [text(item, "FrameOfReferenceUID") for item in data.get("ReferencedFrameOfReferenceSequence") or []]
    return next(filter(None, found), "")


def _referenced_series(data: Dataset) -> tuple[str, ...]:
    """Return the series that a SEG or RTSTRUCT names."""
    found = [text(item, "SeriesInstanceUID") for item in data.get("ReferencedSeriesSequence") or []]
    for frame in data.get("ReferencedFrameOfReferenceSequence") or []:
        for study in frame.get("RTReferencedStudySequence") or []:
            found += [text(item, "SeriesInstanceUID") for item in study.get("RTReferencedSeriesSequence") or []]
    return tuple(dict.fromkeys(filter(None, found)))

"""Values of header elements as plain text and numbers, and the acquisition that they tell of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from radiobone.imaging.dicom.acquisition import Acquisition, contrast_word, exposure
from radiobone.imaging.dicom.frames import Plane

if TYPE_CHECKING:
    from pydicom import Dataset

_DATES = ("AcquisitionDate", "AcquisitionDateTime", "StudyDate", "SeriesDate", "ContentDate")

_LOSSY = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.81")
"""Transfer syntaxes that always lose something, whether the header says so or not."""


def several(value: Any) -> list[Any]:
    """Return the values of an element that may hold one, several or none.

    Parameters
    ----------
    value : object
        What pydicom gives.
    """
    if value is None or value == "":
        return []
    return [value] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)


def text(data: Dataset, name: str) -> str:
    """Return an element as text; several values with blanks between, empty if it is not there.

    Parameters
    ----------
    data : Dataset
        A header, or an item of a sequence.
    name : str
        Keyword of the element.
    """
    return " ".join(str(part).strip() for part in several(data.get(name))).strip()


def number(data: Dataset, name: str) -> float | None:
    """Return an element as a number; None if it is not there, or is none: a scan is not refused for its kVp.

    Parameters
    ----------
    data : Dataset
        A header, or an item of a sequence.
    name : str
        Keyword of the element.
    """
    try:
        return float(text(data, name))
    except ValueError:
        return None


def acquisition_of(data: Dataset, planes: tuple[Plane, ...]) -> tuple[Acquisition, list[str]]:
    """Return how a file was acquired, and what is odd about it.

    Parameters
    ----------
    data : Dataset
        The header; an enhanced file tells these things in functional groups.
    planes : tuple of Plane
        Of its slices.

    Returns
    -------
    Acquisition
        With the full date.
    list of str
        Notes for a user.
    """
    groups = list(_groups(data))
    mas, note = _exposure(groups)
    is_lossy = text(data, "LossyImageCompression") == "01" or data.file_meta.get("TransferSyntaxUID") in _LOSSY
    lossy = "pixels were compressed with loss" if is_lossy else ""
    found = Acquisition(
        kvp=_first_number(groups, "KVP"),
        mas=mas,
        kernel=next(filter(None, (text(group, "ConvolutionKernel") for group in groups)), ""),
        slice_thickness_mm=planes[0].thickness_mm if planes else number(data, "SliceThickness"),
        pixel_spacing_mm=planes[0].spacing_mm[0] if planes else None,
        manufacturer=text(data, "Manufacturer"),
        model=text(data, "ManufacturerModelName"),
        contrast="yes"
        if data.get("ContrastBolusAgentSequence")
        else contrast_word(text(data, "ContrastBolusAgent")),
        date=_date(data),
    )
    unscaled = not any("RescaleIntercept" in group for group in groups) and text(data, "Modality") == "CT"
    bare = "the header has no rescaling: are these HU?" if unscaled else ""
    return found, [one for one in (note, lossy, bare) if one]


def _groups(data: Dataset) -> Iterator[Dataset]:
    """Yield the header, and the items of the shared functional groups and of those of the first frame."""
    yield data
    for name in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for frame in list(data.get(name) or [])[:1]:
            for element in frame:
                if element.VR == "SQ":
                    yield from list(element.value)[:1]


def _first_number(groups: list[Dataset], *names: str) -> float | None:
    found = (number(group, name) for group in groups for name in names)
    return next((value for value in found if value is not None), None)


def _exposure(groups: list[Dataset]) -> tuple[float | None, str]:
    """Return the exposure in mAs; classic and enhanced files name and scale it differently."""
    mas = _first_number(groups, "Exposure", "ExposureInmAs")
    micro = _first_number(groups, "ExposureInuAs")
    if mas is None and micro is not None:
        mas = micro / 1000.0
    current = _first_number(groups, "XRayTubeCurrent", "XRayTubeCurrentInmA")
    return exposure(mas, current, _first_number(groups, "ExposureTime", "ExposureTimeInms"))


def _date(data: Dataset) -> str:
    """Return the date of acquisition, or of what comes next to it, as YYYY-MM-DD."""
    for name in _DATES:
        digits = text(data, name).replace(".", "")[:8]
        if len(digits) == 8 and digits.isdigit():
            return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
    return ""

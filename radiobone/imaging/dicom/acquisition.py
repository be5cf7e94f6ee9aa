"""How a series was acquired, as columns of a cohort table."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

DOSE_FACTOR = 5.0
"""Exposure and tube current x time differ by the pitch and by how a vendor counts. By more, one is wrong."""

_NO_CONTRAST = {"no", "none", "n", "0", "without", "nativ", "native", "no contrast", "non contrast"}


@dataclass(frozen=True)
class Acquisition:
    """What the header of a slice, or of a whole series, tells of its acquisition.

    Nothing here names a person. Numbers are None and texts empty where the header says nothing.

    Parameters
    ----------
    kvp : float or None
        Tube voltage in kV.
    mas : float or None
        Exposure in mAs; where the header has none, tube current times time.
    kernel : str
        Convolution kernel.
    slice_thickness_mm : float or None
        Nominal thickness of a slice, which is not the distance of slices.
    pixel_spacing_mm, slice_spacing_mm : float or None
        Distance of the centres of rows (along a column of pixels), and of slices.
    manufacturer, model : str
        Of the scanner.
    contrast : str
        ``yes``, ``no``, or empty: a header without the tag says nothing of contrast.
    date : str
        Of the acquisition: YYYY, or YYYY-MM-DD where identifiers are kept.
    """

    kvp: float | None = None
    mas: float | None = None
    kernel: str = ""
    slice_thickness_mm: float | None = None
    pixel_spacing_mm: float | None = None
    slice_spacing_mm: float | None = None
    manufacturer: str = ""
    model: str = ""
    contrast: str = ""
    date: str = ""

    def columns(self) -> dict[str, str]:
        """Return the columns of a cohort table as text, empty where nothing is known."""
        return {item.name: _text(getattr(self, item.name)) for item in fields(self)}


ACQUISITION_COLUMNS = tuple(item.name for item in fields(Acquisition))
"""Names of the acquisition columns, in their order."""


def contrast_word(agent: str | None) -> str:
    """Reduce the free text of a contrast agent to yes, no or nothing.

    Parameters
    ----------
    agent : str or None
        Content of the tag; None where the header lacks it.

    Examples
    --------
    >>> contrast_word("ISOVUE300/100"), contrast_word("NONE"), contrast_word(None)
    ('yes', 'no', '')
    """
    word = (agent or "").strip().casefold()
    if not word:
        return ""
    return "no" if word in _NO_CONTRAST else "yes"


def summarise(slices: Sequence[Acquisition]) -> tuple[Acquisition, list[str]]:
    """Return the acquisition of a series from those of its slices.

    Tube current follows the patient, so that the exposure is the median of the slices. All else should be one
    value; where it is not, the most frequent one is taken and a note says so.

    Parameters
    ----------
    slices : sequence of Acquisition
        At least one.

    Returns
    -------
    Acquisition
        Of the series.
    list of str
        What differs between slices.
    """
    notes = []
    values = {}
    for item in fields(Acquisition):
        found = [getattr(one, item.name) for one in slices]
        values[item.name] = statistics.mode(found)
        several = sorted({_text(value) or "empty" for value in found})
        if len(several) > 1 and item.name not in ("mas", "date"):
            notes.append(f"{item.name} differs between slices: {', '.join(several[:5])}")
    exposures = [one.mas for one in slices if one.mas is not None]
    mas = statistics.median(exposures) if exposures else None
    first = min((one.date for one in slices if one.date), default="")
    return replace(Acquisition(**values), mas=mas, date=first), notes


def exposure(mas: float | None, current_ma: float | None, time_ms: float | None) -> tuple[float | None, str]:
    """Return the exposure in mAs, and a note where the header contradicts itself.

    Parameters
    ----------
    mas : float or None
        Exposure as the header tells it.
    current_ma, time_ms : float or None
        Tube current and exposure time.

    Examples
    --------
    >>> exposure(None, 200.0, 800.0)
    (160.0, '')
    >>> exposure(5100.0, 300.0, 504.0)
    (5100.0, 'exposure of 5100 mAs, but tube current x time is 151.2 mAs')
    """
    product = current_ma * time_ms / 1000.0 if current_ma and time_ms else None
    if mas is None:
        return product, ""
    if product and mas > 0 and not 1 / DOSE_FACTOR <= mas / product <= DOSE_FACTOR:
        return mas, f"exposure of {mas:g} mAs, but tube current x time is {product:g} mAs"
    return mas, ""


def _text(value: float | str | None) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{value:.6g}"

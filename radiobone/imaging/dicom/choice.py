"""Which series of a folder is meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from radiobone.core.errors import ImageError
from radiobone.imaging.dicom.series import MODALITY, Series

LARGEST = "largest"

_UID = re.compile(r"\d+(\.\d+){3,}")


@dataclass(frozen=True)
class SeriesChoice:
    """A choice among the series of a folder, as a user writes it.

    Parameters
    ----------
    text : str
        ``largest`` (the CT stack with the most slices), a SeriesInstanceUID, a series number, or words that the
        series description holds, in any case.

    Examples
    --------
    >>> SeriesChoice("body 3.0")
    SeriesChoice(text='body 3.0')
    """

    text: str

    def matches(self, series: Series) -> bool:
        """Return whether a series is one of those meant; for ``largest``, every CT stack is.

        Parameters
        ----------
        series : Series
            The series.
        """
        text = self.text.strip()
        if text.casefold() == LARGEST:
            return True
        if _UID.fullmatch(text):
            return series.first.series == text
        if text.isdigit():
            return series.first.number == int(text)
        return text.casefold() in series.first.description.casefold()

    def choose(self, found: Sequence[Series], where: str) -> Series:
        """Return the one CT stack that is meant.

        Parameters
        ----------
        found : sequence of Series
            All series of a folder. Scouts and other modalities are never chosen.
        where : str
            The folder, for messages.

        Raises
        ------
        ImageError
            If none or several stacks fit.
        """
        stacks = [series for series in found if series.kind == "stack" and series.first.modality == MODALITY]
        fitting = [series for series in stacks if self.matches(series)]
        if self.text.strip().casefold() == LARGEST and fitting:
            most = max(len(series.slices) for series in fitting)
            fitting = [series for series in fitting if len(series.slices) == most]
        if len(fitting) == 1:
            return fitting[0]
        raise ImageError(
            f"{len(fitting)} CT series fit the choice {self.text!r}",
            where=where,
            got=listing(found),
            expected="one",
            do="choose 'largest', a series number, a SeriesInstanceUID, or words of the description",
        )


def listing(found: Sequence[Series]) -> str:
    """List the series of a folder by number, kind and size: nothing that identifies a patient.

    Parameters
    ----------
    found : sequence of Series
        The series.
    """
    return "; ".join(series.name for series in found) or "no DICOM series"

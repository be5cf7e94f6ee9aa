"""Which series of a folder is meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from radiobone.core.errors import ImageError
from radiobone.imaging.dicom.headers import Header
from radiobone.imaging.dicom.kinds import MODALITY
from radiobone.imaging.dicom.series import Series

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

    @property
    def is_largest(self) -> bool:
        """Whether sizes are compared, and no header."""
        return self.text.strip().casefold() == LARGEST

    @property
    def is_uid(self) -> bool:
        """Whether this is a SeriesInstanceUID."""
        return bool(_UID.fullmatch(self.text.strip()))

    def fits(self, header: Header) -> bool:
        """Return whether a file's series is one of those meant; for ``largest``, each is.

        Parameters
        ----------
        header : Header
            Of a file.
        """
        text = self.text.strip()
        if self.is_largest:
            return True
        if self.is_uid:
            return header.series == text
        if text.isdigit():
            return header.number == int(text)
        return text.casefold() in header.description.casefold()

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
        fitting = [series for series in stacks if self.fits(series.first)]
        if self.is_largest and fitting:
            most = max(len(series.slices) for series in fitting)
            fitting = [series for series in fitting if len(series.slices) == most]
        if len(fitting) == 1:
            return fitting[0]
        raise ImageError(
            f"{len(fitting)} CT series fit the choice {self.text!r}",
            where=where,
            got=listing(found),
            expected="one",
            do="choose 'largest', a series number, a SeriesInstanceUID, or words of the description; or let "
            "`radiobone import` make a scan of each",
        )


def listing(found: Sequence[Series]) -> str:
    """List the series of a folder by number, kind and size: nothing that identifies a patient.

    Parameters
    ----------
    found : sequence of Series
        The series.
    """
    return "; ".join(series.name for series in found) or "no DICOM series"

"""One feature column: what `radiobone columns` tells of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One feature column.

    Parameters
    ----------
    name : str
        Name in the table, such as ``wavelet-LLH_firstorder_Mean``.
    family : str
        Family of features, such as ``glcm``.
    filter : str
        Image that it is computed on, such as ``wavelet-LLH``; ``original`` if unfiltered.
    unit : str
        Unit; ``1`` if it has none.
    meaning : str
        What it tells, in one line.
    """

    name: str
    family: str
    filter: str
    unit: str
    meaning: str

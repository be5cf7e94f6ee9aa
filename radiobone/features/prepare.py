"""A scan made ready for extraction: files read once, masks on the image's grid, VOIs made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from radiobone.core.batch import Outcome
from radiobone.core.errors import ConfigError, ImageError, UsageError, VoiError
from radiobone.features.request import ExtractionRequest
from radiobone.imaging import Image, Mask
from radiobone.imaging.alignment import align_mask, check_same_grid
from radiobone.imaging.reading import read_image, read_mask
from radiobone.tables.cohort import SCHEME, Scan
from radiobone.voi import Scheme, Voi, VoiRequest, choose_scheme, make_vois


@dataclass(frozen=True, eq=False)
class RawScan:
    """The files of a scan as they were read.

    Parameters
    ----------
    image : Image
        The scan.
    mask : Mask
        Its label map, on its own grid.
    body_mask : Mask, optional
        A mask that tells bodies from arches, on its own grid.
    """

    image: Image
    mask: Mask
    body_mask: Mask | None = None


@dataclass(frozen=True, eq=False)
class PreparedScan:
    """A scan that was read, and its VOIs.

    Parameters
    ----------
    image : Image
        The scan.
    mask : Mask
        Its label map, on the image's grid.
    scheme : Scheme
        What the labels mean.
    vois : dict of str to Outcome
        An outcome for each level.
    notes : list of str
        How the scheme was chosen, then what was decided while the masks were read, and what was done to them.
    aligned : bool
        Whether a mask had to be resampled.
    """

    image: Image
    mask: Mask
    scheme: Scheme
    vois: dict[str, Outcome[Voi]]
    notes: list[str]
    aligned: bool


def read_scan(scan: Scan) -> RawScan:
    """Read the files of a scan.

    Parameters
    ----------
    scan : Scan
        The files.

    Returns
    -------
    RawScan
        Image and masks, each on its own grid.

    Raises
    ------
    ImageError
        If a file cannot be used.
    """
    refuse_unsegmented(scan)
    image = read_image(scan.image, scan.series)
    body_mask = read_mask(scan.body_mask, image) if scan.body_mask is not None else None
    return RawScan(image, read_mask(scan.mask, image, scan.segments), body_mask)


def refuse_unsegmented(scan: Scan) -> None:
    """Refuse a scan whose mask could not be made, with the reason of that.

    Parameters
    ----------
    scan : Scan
        As the cohort table has it.

    Raises
    ------
    ImageError
        If its segmentation failed.
    """
    if scan.unsegmented:
        raise ImageError(f"segmentation failed: {scan.unsegmented}")


def prepare_scan(scan: Scan, request: ExtractionRequest, raw: RawScan | None = None) -> PreparedScan:
    """Bring the masks of a scan onto its grid, and make its VOIs.

    Parameters
    ----------
    scan : Scan
        The files.
    request : ExtractionRequest
        Which VOIs; its blocks play no role here.
    raw : RawScan, optional
        The files as read before; by default they are read here.

    Returns
    -------
    PreparedScan
        Image, mask and VOIs.

    Raises
    ------
    CaseError
        If image or mask cannot be used, or the label scheme cannot be told. A level that fails is an outcome.
    """
    raw = raw or read_scan(scan)
    notes: list[str] = []
    mask = _on_grid(raw.image, raw.mask, scan.mask, scan.name, request.align, notes)
    body_mask = None
    if raw.body_mask is not None and scan.body_mask is not None:
        body_mask = _on_grid(raw.image, raw.body_mask, scan.body_mask, scan.name, request.align, notes)
    try:
        scheme, chosen = choose_scheme(scan.scheme or request.scheme, mask)
    except ConfigError as error:
        # That of the request was found before; the table's own is one scan's affair.
        where = f"{scan.name}, column {SCHEME}"
        raise VoiError(error.what, where=where, got=error.got, expected=error.expected) from None
    try:
        voi_request = VoiRequest(scheme, request.recipe, request.levels, request.missing, request.options)
    except UsageError as error:
        # A detected scheme belongs to this mask alone; others may know the level.
        raise VoiError(error.what, where=scan.name, got=error.got, expected=error.expected) from None
    vois = make_vois(raw.image, mask, voi_request, body_mask)
    read = [*mask.notes, *(body_mask.notes if body_mask is not None else ())]
    return PreparedScan(raw.image, mask, scheme, vois, [chosen, *read, *notes], aligned=bool(notes))


def _on_grid(image: Image, mask: Mask, path: Path, name: str, align: bool, notes: list[str]) -> Mask:
    """Bring a mask onto the image's grid and note it, or say how the grids differ."""
    where = f"{name}, {path}"
    if not align:
        check_same_grid(image, mask, where)
        return mask
    aligned, note = align_mask(mask, image, where)
    if note:
        notes.append(note)
    return aligned

"""Pictures of a checked scan for its page: mid-sagittal, and axial through the middle of each VOI."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from radiobone.imaging import Image, Mask
from radiobone.imaging.pictures import Picture, axial, sagittal
from radiobone.reporting.qc_card import QcPicture
from radiobone.study.checks import CheckedScan
from radiobone.tables.vertebrae import VERTEBRAE, level_parts
from radiobone.voi import Voi
from radiobone.voi.spine import centroid_mm

Floats = NDArray[np.float64]

MM_PER_PIXEL = 0.6
"""Finer than most scans along the spine; a lumbar spine is then about 450 pixels high."""

LEAST_PIXELS, MOST_PIXELS = 450, 900
"""Short pictures (of one vertebra) get smaller pixels, long ones (of a whole spine or body) larger ones."""

MARGIN_MM, AXIAL_MARGIN_MM, AXIAL_MM = 30.0, 20.0, 100.0

NAME_GAP, NEAR = 8.0, 12
"""A name ends so many pixels before the contour, as that lies in so many rows above and below."""

NAME_ROWS, NAME_COLUMNS = 14.0, 40.0
"""Room that a name takes beside the letter at the edge."""


def scan_pictures(name: str, checked: CheckedScan) -> list[QcPicture]:
    """Draw the pictures of a scan.

    Parameters
    ----------
    name : str
        The scan, for the alternative texts.
    checked : CheckedScan
        The scan and its VOIs.

    Returns
    -------
    list of QcPicture
        The sagittal one, then an axial one for each VOI; without VOIs the sagittal one alone, through the middle
        of the scan, and none where the scan cannot be read.
    """
    image = checked.image
    if image is None:
        return []
    masks, vois = _outlined(checked)
    if not masks:
        alt = f"Sagittal picture through the middle of the scan of {name}, without contours"
        return [_large(_whole(image), alt, (), "sagittal, through the middle of the scan")]
    places = {level: centroid_mm(mask) for level, mask in masks.items()}
    failed = [level for level in masks if level not in vois]
    told = f"Mid-sagittal picture of {name} with the contours of {', '.join(masks)}"
    if failed:
        told += f"; no VOI could be made of {', '.join(failed)}, of which the whole label is outlined"
    picture = _mid_sagittal(image, masks, places)
    pictures = [_large(picture, told, tuple(f"{level}: no VOI" for level in failed))]
    for level, mask in masks.items():
        pictures.append(_small(name, level, vois.get(level), axial_picture(image, masks, mask, _middle(mask))))
    return pictures


def _middle(mask: Mask) -> Floats:
    """Return the middle of a VOI, or where it is widest if its middle lies between its parts, as in a disc."""
    index = np.argwhere(mask.array)
    upwards = np.abs(mask.geometry.axes[:, 2]).argmax()
    slices = index[:, upwards]
    counts = np.bincount(slices)
    if not counts[round(float(slices.mean()))]:
        index = index[slices == counts.argmax()]
    return mask.geometry.world(index.mean(axis=0) + mask.offset)


def _outlined(checked: CheckedScan) -> tuple[dict[str, Mask], dict[str, Voi]]:
    """Return what is outlined: each VOI, or the label of which none could be made; and the VOIs."""
    if checked.prepared is None:
        return {}, {}
    masks, vois = {}, {}
    prepared = checked.prepared
    for level, outcome in prepared.vois.items():
        if outcome.result is not None:
            masks[level], vois[level] = outcome.result.mask, outcome.result
            continue
        values = [prepared.scheme.value(part) for part in level_parts(level)]
        labels = [prepared.mask.select(value) for value in values if value is not None]
        if len(labels) == 1 and labels[0].n_voxels:
            masks[level] = labels[0]
    return masks, vois


def _whole(image: Image) -> Picture:
    corners = image.geometry.corners()
    extent = float(np.ptp(corners, axis=0)[1:].max())
    return sagittal(image, {}, {}, mm_per_pixel=_mm_per_pixel(extent))


def _mm_per_pixel(extent_mm: float) -> float:
    return max(min(MM_PER_PIXEL, extent_mm / LEAST_PIXELS), extent_mm / MOST_PIXELS)


def _mid_sagittal(image: Image, masks: Mapping[str, Mask], places: Mapping[str, Floats]) -> Picture:
    """Follow the vertebrae; other levels (hips, say) lie beside them."""
    spine = {level: place for level, place in places.items() if level_parts(level)[0] in VERTEBRAE}
    through = spine or dict(places)
    heights = [place[2] for place in through.values()]
    extent = float(np.ptp(heights)) + 2 * MARGIN_MM + 40.0
    return sagittal(
        image,
        masks,
        through,
        curved=bool(spine),
        margin_mm=MARGIN_MM,
        mm_per_pixel=_mm_per_pixel(extent),
    )


def axial_picture(image: Image, masks: Mapping[str, Mask], mask: Mask, middle_mm: Floats) -> Picture:
    """Draw the axial picture through the middle of a VOI.

    Parameters
    ----------
    image : Image
        The scan.
    masks : mapping of str to Mask
        All that is outlined.
    mask : Mask
        The VOI, which fits into the picture.
    middle_mm : ndarray of shape (3,)
        Its middle in the world.

    Returns
    -------
    Picture
        The patient's right on the left side.
    """
    ends = [(part.start, part.stop - 1) for part in mask.box]
    corners = mask.geometry.world(np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3))
    reach = float(np.abs(corners - middle_mm)[:, :2].max())
    size = max(AXIAL_MM, 2 * (reach + AXIAL_MARGIN_MM))
    return axial(image, masks, middle_mm, size_mm=size, mm_per_pixel=MM_PER_PIXEL * size / AXIAL_MM)


def _large(picture: Picture, alt: str, facts: tuple[str, ...], title: str = "mid-sagittal") -> QcPicture:
    contours, colours = _contours(picture)
    return QcPicture(
        picture.grey,
        contours,
        colours,
        alt,
        title,
        facts=facts,
        names=_names(picture, contours),
        sides=("A", "P"),
        mm_per_pixel=picture.mm_per_pixel,
    )


def _small(name: str, level: str, voi: Voi | None, picture: Picture) -> QcPicture:
    contours, colours = _contours(picture)
    alt = f"Axial picture of {name} through the middle of {level}"
    if voi is None:
        return QcPicture(picture.grey, contours, colours, alt, level, ("no VOI",), flagged=True, sides=("R", "L"))
    quality = voi.quality
    facts = [f"{quality.qc_volume_voi_ml:.3g} ml"]
    if quality.qc_mean_hu is not None:
        facts.insert(0, f"{quality.qc_mean_hu:.0f} HU")
    return QcPicture(
        picture.grey, contours, colours, alt, level, tuple(facts), quality.qc_needs_review, sides=("R", "L")
    )


def _contours(picture: Picture) -> tuple[NDArray[np.uint8], list[tuple[int, int, int]]]:
    """Return the contours alone: the number of the colour of each pixel, from 1, and the colours."""
    colours = list(dict.fromkeys(picture.colours.values()))
    drawn = (picture.array != picture.grey[..., None]).any(axis=-1)
    index = np.zeros(picture.grey.shape, np.uint8)
    for number, colour in enumerate(colours, start=1):
        index[drawn & (picture.array == colour).all(axis=-1)] = number
    return index, colours


def _names(picture: Picture, contours: NDArray[np.uint8]) -> list[tuple[str, float, float]]:
    """Place the name of each level before its contour, inside the picture, and clear of the name above."""
    free = NAME_ROWS
    found = []
    for level, (row, column) in sorted(picture.labels.items(), key=lambda item: item[1][0]):
        placed = min(max(row, free), len(contours) - NAME_ROWS / 2)
        free = placed + NAME_ROWS
        near = contours[max(round(row) - NEAR, 0) : round(row) + NEAR + 1]
        columns = np.flatnonzero(near.any(axis=0))
        end = (float(columns[0]) if len(columns) else column) - NAME_GAP
        found.append((level, placed, max(end, NAME_COLUMNS)))
    return found

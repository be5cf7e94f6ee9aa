"""Pictures of a scan: slices in true proportions with the contours of masks, as arrays of colours.

Rows run from head to foot (sagittal) or from front to back (axial), columns from front to back (sagittal) or from
the patient's right to left (axial), as radiologists look at them. A picture needs no straight axes: it is sampled
from the scan in mm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from radiobone.imaging.geometry import Geometry
from radiobone.imaging.volumes import Image, Mask

Floats = NDArray[np.float64]
Colour = tuple[int, int, int]
Lines = Sequence[tuple[ArrayLike, ArrayLike]]

BONE_WINDOW_HU = (-250.0, 650.0)
"""What is shown from black to white: fat stays visible, and cortex is not yet all white."""

OUTSIDE: Colour = (0, 0, 0)
"""Colour of what lies outside the scan."""

LINE: Colour = (255, 60, 60)
"""Colour of lines."""

COLOURS: tuple[Colour, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 200, 130),
    (240, 228, 66),
    (213, 94, 0),
    (204, 121, 167),
)
"""Colours of contours in turn, told apart in the common forms of colour blindness (after Okabe and Ito)."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture of a scan.

    Parameters
    ----------
    array : ndarray of shape (rows, columns, 3)
        Red, green and blue, from 0 to 255.
    mm_per_pixel : float
        Edge of a pixel, the same along rows and columns.
    labels : mapping of str to tuple of (float, float)
        Row and column of each named point.
    colours : mapping of str to tuple of int
        Colour of the contour of each mask.
    grey : ndarray of shape (rows, columns)
        The scan alone, from 0 to 255, to be shown without contours.
    """

    array: NDArray[np.uint8]
    mm_per_pixel: float
    labels: Mapping[str, tuple[float, float]]
    colours: Mapping[str, Colour]
    grey: NDArray[np.uint8]


def sagittal(
    image: Image,
    masks: Mapping[str, Mask],
    points_mm: Mapping[str, ArrayLike],
    *,
    curved: bool = True,
    lines_mm: Lines = (),
    margin_mm: float = 40.0,
    mm_per_pixel: float = 0.75,
    window_hu: tuple[float, float] = BONE_WINDOW_HU,
) -> Picture:
    """Draw the sagittal picture through points, such as the middles of vertebral bodies.

    Parameters
    ----------
    image : Image
        The scan.
    masks : mapping of str to Mask
        What is to be outlined, on the scan's grid.
    points_mm : mapping of str to array_like of shape (3,)
        Named points in the world. Without any, the plane goes through the middle of the masks, or of the scan.
    curved : bool, default True
        Follow the points to the left and right, so that all of a scoliotic spine is seen in its middle; else a
        plane through the middle of them all.
    lines_mm : sequence of pairs of array_like of shape (3,), default ()
        Lines to draw, such as the axes of a body: start and end of each in the world.
    margin_mm : float, default 40.0
        How far the picture reaches beyond masks and points.
    mm_per_pixel : float, default 0.75
        Edge of a pixel.
    window_hu : tuple of float, default (-250, 650)
        Black and white.

    Returns
    -------
    Picture
        With the front on the left side.
    """
    points = np.array([np.asarray(point, dtype=np.float64) for point in points_mm.values()]).reshape(-1, 3)
    low, high = _extent(image.geometry, masks, points, margin_mm)
    rows = np.arange(high[2], low[2], -mm_per_pixel)
    columns = np.arange(low[1], high[1], mm_per_pixel)
    through = points if len(points) else (low[None] + high[None]) / 2
    order = np.argsort(through[:, 2])
    heights, lefts = through[order, 2], through[order, 0]
    left = np.interp(rows, heights, lefts) if curved else np.full(len(rows), lefts.mean())
    world = np.empty((len(rows), len(columns), 3))
    world[..., 0], world[..., 1], world[..., 2] = left[:, None], columns, rows[:, None]

    def place(point: Floats) -> tuple[float, float]:
        return float(high[2] - point[2]) / mm_per_pixel, float(point[1] - low[1]) / mm_per_pixel

    labels = {name: place(point) for name, point in zip(points_mm, points, strict=True)}
    picture = _draw(image, masks, world, labels, mm_per_pixel, window_hu)
    _draw_lines(picture.array, lines_mm, place)
    return picture


def axial(
    image: Image,
    masks: Mapping[str, Mask],
    middle_mm: ArrayLike,
    *,
    left: ArrayLike = (1.0, 0.0, 0.0),
    back: ArrayLike = (0.0, 1.0, 0.0),
    lines_mm: Lines = (),
    size_mm: float = 120.0,
    mm_per_pixel: float = 0.75,
    window_hu: tuple[float, float] = BONE_WINDOW_HU,
) -> Picture:
    """Draw the square picture round a point, axial unless its directions say otherwise.

    Parameters
    ----------
    image : Image
        The scan.
    masks : mapping of str to Mask
        What is to be outlined, on the scan's grid.
    middle_mm : array_like of shape (3,)
        The middle of the picture in the world.
    left, back : array_like of shape (3,)
        World directions to the right of the picture and downwards; those of a vertebra show it in its own plane.
    lines_mm : sequence of pairs of array_like of shape (3,), default ()
        Lines to draw: start and end of each in the world.
    size_mm : float, default 120.0
        Edge of the picture.
    mm_per_pixel : float, default 0.75
        Edge of a pixel.
    window_hu : tuple of float, default (-250, 650)
        Black and white.

    Returns
    -------
    Picture
        With the patient's right on the left side, the front above; no labels.
    """
    steps = np.arange(-size_mm / 2, size_mm / 2, mm_per_pixel)
    across, down = (np.asarray(way, dtype=np.float64) for way in (left, back))
    across, down = across / np.linalg.norm(across), down / np.linalg.norm(down)
    middle = np.asarray(middle_mm, dtype=np.float64)
    world = middle + steps[:, None, None] * down + steps[None, :, None] * across

    def place(point: Floats) -> tuple[float, float]:
        row, column = ((point - middle) @ way + size_mm / 2 for way in (down, across))
        return float(row) / mm_per_pixel, float(column) / mm_per_pixel

    picture = _draw(image, masks, world, {}, mm_per_pixel, window_hu)
    _draw_lines(picture.array, lines_mm, place)
    return picture


def _extent(
    geometry: Geometry, masks: Mapping[str, Mask], points: Floats, margin_mm: float
) -> tuple[Floats, Floats]:
    """Return the lowest and highest world coordinates of masks and points with a margin, inside the image."""
    found = [points]
    for mask in masks.values():
        tight = mask.tight()
        if tight.array.size:
            ends = [(part.start, part.stop - 1) for part in tight.box]
            corners = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3)
            found.append(geometry.world(corners))
    places, corners = np.concatenate(found), geometry.corners()
    if len(places) == 0:
        places = corners
    low = np.maximum(places.min(axis=0) - margin_mm, corners.min(axis=0))
    high = np.minimum(places.max(axis=0) + margin_mm, corners.max(axis=0))
    return low, high


def _draw(
    image: Image,
    masks: Mapping[str, Mask],
    world: Floats,
    labels: Mapping[str, tuple[float, float]],
    mm_per_pixel: float,
    window_hu: tuple[float, float],
) -> Picture:
    """Sample a scan at world points of shape (rows, columns, 3), and outline masks in it."""
    index = np.moveaxis(image.geometry.index(world), -1, 0)
    low, high = window_hu
    grey = np.clip((_sample(image.array, index) - low) / (high - low), 0.0, 1.0)
    plain = (255.0 * np.nan_to_num(grey)).astype(np.uint8)
    array = np.repeat(plain[..., None], 3, axis=-1)
    array[np.isnan(grey)] = OUTSIDE
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(masks)}
    for name, mask in masks.items():
        tight = mask.tight()
        padded = np.pad(tight.array != 0, 1).astype(np.float32)
        offset = np.array(tight.offset).reshape(3, 1, 1)
        filled = np.nan_to_num(_sample(padded, index - offset + 1)) >= 0.5
        array[_outline(filled)] = colours[name]
    return Picture(array, mm_per_pixel, labels, colours, plain)


def _draw_lines(array: NDArray[np.uint8], lines_mm: Lines, place: Callable[[Floats], tuple[float, float]]) -> None:
    """Draw straight lines into a picture, as far as it reaches."""
    for ends in lines_mm:
        start, end = (np.array(place(np.asarray(point, dtype=np.float64))) for point in ends)
        steps = np.linspace(0.0, 1.0, 2 * int(np.ceil(np.abs(end - start).max())) + 1)[:, None]
        pixels = np.rint(start + steps * (end - start)).astype(np.intp)
        within = ((pixels >= 0) & (pixels < array.shape[:2])).all(axis=1)
        array[tuple(pixels[within].T)] = LINE


def _sample(array: NDArray[np.generic], index: Floats) -> Floats:
    """Interpolate an array linearly at places of shape (3, rows, columns); NaN outside."""
    from scipy import ndimage

    values: Floats = ndimage.map_coordinates(
        array, index, output=np.float64, order=1, cval=np.nan, prefilter=False
    )
    return values


def _outline(filled: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels of an area that have a neighbour outside it."""
    wide = np.pad(filled, 1)
    inner = wide[:-2, 1:-1] & wide[2:, 1:-1] & wide[1:-1, :-2] & wide[1:-1, 2:]
    found: NDArray[np.bool_] = filled & ~inner
    return found

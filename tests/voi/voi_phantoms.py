"""A synthetic vertebra whose body is known exactly, on any grid, and spines made of it."""

from __future__ import annotations

import itertools

import numpy as np

from radiobone.imaging import Geometry, Image, Mask

STRAIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

HEIGHT_MM = 28.0
"""Height of a body that is not deformed."""


def rotation(axis: int, degrees: float) -> np.ndarray:
    """Rotation of world vectors about the x (0), y (1) or z (2) axis."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.eye(3)
    one, other = (axis + 1) % 3, (axis + 2) % 3
    matrix[one, one] = matrix[other, other] = cosine
    matrix[one, other], matrix[other, one] = -sine, sine
    return matrix


def axis_directions() -> list[tuple[float, ...]]:
    """All 48 directions with axes along the world's: every permutation with every flip."""
    found = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            matrix = np.zeros((3, 3))
            matrix[list(order), range(3)] = signs
            found.append(tuple(matrix.ravel()))
    return found


def grid(spacing_mm=(1.0, 1.0, 1.0), direction=STRAIGHT, size_mm=100.0, centre_mm=(0, 0, 0)) -> Geometry:
    """A grid with a cube of ``size_mm`` round a world point, whatever its direction."""
    shape = tuple(int(np.ceil(size_mm / edge)) for edge in spacing_mm)
    first = Geometry(shape, tuple(spacing_mm), (0.0, 0.0, 0.0), tuple(direction))
    middle = first.world((np.array(shape) - 1) / 2)
    return Geometry(shape, tuple(spacing_mm), tuple(np.asarray(centre_mm, float) - middle), tuple(direction))


def inside_vertebra(points: np.ndarray, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Say which points (left, back, head, in mm from the middle of the back wall) are vertebra, and which body."""
    left, back, head = np.moveaxis(points / scale, -1, 0)
    body = ((left / 22) ** 2 + ((back + 14) / 20) ** 2 < 1) & (back < 0) & (np.abs(head) < 14)
    pedicles = (np.abs(np.abs(left) - 15) < 4) & (back >= -2) & (back < 14) & (np.abs(head - 4) < 7)
    ring = (left / 19) ** 2 + ((back - 8) / 15) ** 2
    canal = (left / 11) ** 2 + ((back - 8) / 9) ** 2 < 1
    slope = head + 0.4 * (back - 10)
    laminae = (ring < 1) & ~canal & (back > 8) & (np.abs(slope) < 11)
    transverse = (np.abs(left) < 40) & (np.abs(left) > 14) & (np.abs(back - 12) < 4) & (np.abs(head - 3) < 5)
    spinous = (np.abs(left) < 3) & (back > 18) & (back < 45) & (np.abs(slope + 2) < 8)
    facets = (np.abs(np.abs(left) - 15) < 5) & (np.abs(back - 15) < 6) & (np.abs(head) < 21)
    arch = (pedicles | laminae | transverse | spinous | facets) & ~(canal & (back > 0)) & ~body
    return body | arch, body


def vertebra(geometry: Geometry, turn=None, centre_mm=(0.0, 0.0, 0.0), scale=1.0) -> tuple[np.ndarray, np.ndarray]:
    """Draw a vertebra, turned by a rotation of the world; return arrays of vertebra and body."""
    index = np.stack(np.meshgrid(*(np.arange(size) for size in geometry.shape), indexing="ij"), axis=-1)
    turn = np.eye(3) if turn is None else turn
    points = (geometry.world(index) - np.asarray(centre_mm)) @ turn  # the inverse rotation of column vectors
    return inside_vertebra(points, scale)


def lower_body(points: np.ndarray, heights_mm: tuple[float, float, float]) -> np.ndarray:
    """Say which points (as in `inside_vertebra`) a deformed end plate takes from the body.

    The heights are those at the front wall, in the middle, and at the back wall. Between front and back the upper
    end plate slopes, so that the body is a wedge; over the middle 70 % of the depth both end plates are dented.
    """
    anterior, middle, posterior = heights_mm
    _, back, head = np.moveaxis(points, -1, 0)
    share = (back + 34.0) / 34.0  # 0 at the front wall, 1 at the back wall
    straight = anterior + (posterior - anterior) * share
    dent = ((anterior + posterior) / 2 - middle) * np.maximum(1 - ((share - 0.5) / 0.35) ** 2, 0)
    upper, lower = straight - 14.0 - dent / 2, -14.0 + dent / 2
    return (back < 0) & ((head > upper) | (head < lower))


def deformed(geometry: Geometry, heights_mm: tuple[float, float, float], turn=None, centre_mm=(0, 0, 0)) -> Mask:
    """Draw a vertebra with a body of known heights at front wall, middle and back wall; 28 mm if whole."""
    index = np.stack(np.meshgrid(*(np.arange(size) for size in geometry.shape), indexing="ij"), axis=-1)
    points = (geometry.world(index) - np.asarray(centre_mm)) @ (np.eye(3) if turn is None else turn)
    return Mask(inside_vertebra(points)[0] & ~lower_body(points, heights_mm), geometry)


def spine(values, spacing_mm=(2.0, 2.0, 2.0), direction=STRAIGHT, step_mm=36.0) -> Mask:
    """A straight spine with the given label values from head to foot."""
    count = len(values)
    geometry = grid(spacing_mm, direction, size_mm=max(100.0, step_mm * count + 30.0))
    array = np.zeros(geometry.shape, dtype=np.uint8)
    for place, value in enumerate(values):
        height = ((count - 1) / 2 - place) * step_mm
        array[vertebra(geometry, centre_mm=(0, 0, height))[0]] = value
    return Mask(array, geometry)


def scan(mask: Mask, bone_hu: float = 150.0, seed: int = 0) -> Image:
    """A scan with noise round ``bone_hu`` in every label and -100 HU elsewhere."""
    noise = np.random.default_rng(seed).normal(0, 20, mask.full().shape)
    return Image((np.where(mask.full() > 0, bone_hu, -100.0) + noise).astype(np.int16), mask.geometry)

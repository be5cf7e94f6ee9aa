"""A patient on a phantom whose every HU is known: body with fat, muscle and vertebrae, rods below, any tilt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiobone.imaging import Geometry, Image, Mask

ROD_DENSITIES = (200.0, 150.0, 100.0, 50.0, 0.0)
SPACING_MM = 32.0
DIAMETER_MM = 18.0
TRABECULAR_MG_CM3 = 120.0


@dataclass(frozen=True)
class Truth:
    """How densities become HU in a synthetic scan: HU = steepness * density + base.

    Parameters
    ----------
    steepness, base : float
        Of the line.
    turn_deg : float
        Turn of the phantom in the axial plane.
    slant : tuple of float
        How far the phantom drifts along x and y for each mm along z.
    noise_hu : float
        Standard deviation of the noise.
    way : int
        -1 for a phantom the other way round.
    densities : tuple of float
        Of the rods, from the patient's right to the left.
    muscle_hu, fat_hu : float
        Of tissues.
    """

    steepness: float = 1.30
    base: float = 4.0
    turn_deg: float = 0.0
    slant: tuple[float, float] = (0.0, 0.0)
    noise_hu: float = 20.0
    way: int = 1
    densities: tuple[float, ...] = ROD_DENSITIES
    muscle_hu: float = 55.0
    fat_hu: float = -105.0


def patient(truth: Truth, *, seed: int = 0) -> tuple[Image, Mask]:
    """Draw a patient with two vertebrae (bodies labelled 20 and 21) above a phantom, head at the high end of z."""
    rng = np.random.default_rng(seed)
    shape = (16, 224, 240)
    geometry = Geometry(shape, (6.0, 1.5, 1.5), (-180.0, -170.0, 700.0))
    z, y, x = geometry.world(np.indices(shape).reshape(3, -1).T).T[::-1].reshape(3, *shape)
    hu = np.full(shape, -1000.0)
    ellipse = (x / 165) ** 2 + ((y + 30) / 105) ** 2
    hu[ellipse < 1] = truth.fat_hu
    hu[(x / 140) ** 2 + ((y + 32) / 82) ** 2 < 1] = 30.0  # organs
    for side in (-1, 1):
        back = ((x - side * 28) / 24) ** 2 + ((y - 30) / 22) ** 2 < 1
        hu[back] = truth.muscle_hu
    body = (x / 22) ** 2 + ((y + 15) / 16) ** 2 < 1
    arch = (np.abs(x) < 4) & (y > 5) & (y < 42)
    middle = geometry.world((7.5, 0, 0))[2]
    above, below = (z > middle + 4) & (z < middle + 40), (z < middle - 4) & (z > middle - 40)
    labels = np.zeros(shape, np.uint8)
    for label, level in ((20, above), (21, below)):
        bone = level & (body | arch)
        hu[bone] = truth.steepness * TRABECULAR_MG_CM3 + truth.base
        hu[bone & arch] = 500.0
        labels[level & body] = label
    cosine, sine = np.cos(np.radians(truth.turn_deg)), np.sin(np.radians(truth.turn_deg))
    px = x - 3.0 - truth.slant[0] * (z - middle)
    py = y - 104.0 - truth.slant[1] * (z - middle)
    across, down = px * cosine + py * sine, -px * sine + py * cosine
    slab = (np.abs(across) < 95) & (np.abs(down) < 14) & (ellipse >= 1)
    hu[slab] = 10.0
    for centre, density in zip(rod_places(truth), truth.densities, strict=True):
        rod = (across - centre) ** 2 + down**2 < (DIAMETER_MM / 2) ** 2
        hu[rod & slab] = truth.steepness * density + truth.base
    hu[(np.abs(x) < 170) & (np.abs(y - 150) < 4)] = -300.0  # table
    noise = rng.normal(0.0, truth.noise_hu, shape)
    image = np.clip(np.rint(hu + noise), -1024, 3071).astype(np.int16)
    return Image(image, geometry), Mask(labels, geometry)


def rod_places(truth: Truth) -> NDArray[np.float64]:
    """Return the place of each rod across the phantom, in mm from its middle."""
    numbers = np.arange(len(truth.densities)) - (len(truth.densities) - 1) / 2
    places: NDArray[np.float64] = numbers * SPACING_MM * truth.way
    return places

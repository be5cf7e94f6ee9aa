"""Small scans with every property that a file may have, each made from a seed, with settings drawn for it.

A case is a pure function of its number, so that what fails can be looked at again. Sizes and numbers of grey
levels are kept small, since PyRadiomics computes each case on the whole volume.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from radiomics_scans import ALL_FAMILIES, STRAIGHT, oblique

from radiobone.imaging import Geometry, Image, Mask

DTYPES = (np.int16, np.int16, np.uint8, np.int32, np.uint16, np.float32, np.float64)
SPACINGS = ((1, 1, 1), (3, 1, 1), (0.5, 0.5, 0.5), (1.25, 0.7, 0.7), (0.8, 0.9, 3.0), (2.5, 2.5, 2.5))
TARGETS = ([1, 1, 1], [1, 1, 1], [2, 2, 2], [0, 0, 2], [0.8, 0.8, 1.1], [1.5, 1.5, 0])
TEXTURES = ("noise", "smooth", "patches", "ramp", "mostly flat", "one level", "negative", "two levels")
MASKS = (
    "ball",
    "holed",
    "sheet",
    "scattered",
    "two balls",
    "at the border",
    "everything",
    "oblique sheet",
    "slice",
)
WAVELETS = ("coif1", "haar", "db3", "sym4", "bior2.2", "rbio1.3", "dmey")
NORMS = ("euclidean", "infinity", "manhattan", "no_weighting")
INTERPOLATORS = ("sitkBSpline",) * 4 + ("sitkLinear", "sitkNearestNeighbor", "sitkGaussian")
RESEGMENTATIONS = (
    ("absolute", "quantiles"),
    ("relative", [0.3]),
    ("relative", [0.2, 0.9]),
    ("sigma", [-1.5, 2.0]),
)
RELATIVE_WIDTHS = (0.01, 0.02, 0.05, 0.1, 0.3, 1.5)
"""Widths of bins as shares of the range of the image."""


@dataclass(frozen=True)
class Generated:
    """One case.

    Parameters
    ----------
    image, mask
        The whole scan, and its VOI.
    content
        A parameter file.
    about
        What it is, in words.
    """

    image: Image
    mask: Mask
    content: dict[str, Any]
    about: str


def generated(seed: int) -> Generated:
    """Return the case of a seed."""
    rng = np.random.default_rng([3, seed])
    texture, kind = pick(rng, TEXTURES), pick(rng, MASKS)
    shape = tuple(int(size) for size in rng.integers(8, 19, 3))
    dtype = pick(rng, DTYPES)
    array = _values(rng, texture, shape, dtype)
    mask = _mask(rng, kind, shape)
    spacing = tuple(float(size) for size in pick(rng, SPACINGS))
    direction = oblique() if rng.random() < 0.15 else STRAIGHT
    geometry = Geometry(shape, spacing, tuple(rng.uniform(-300, 300, 3).round(2)), direction)
    setting = _setting(rng, array, mask, kind)
    types = _image_types(rng, array)
    families = dict(ALL_FAMILIES)
    if setting.get("force2D") and setting.get("force2Ddimension", 0) != 1 and kind == "slice":
        families["shape2D"] = []
    content = {"imageType": types, "featureClass": families, "setting": setting}
    about = f"{texture}, {kind}, {dtype.__name__}, {'x'.join(map(str, shape))}, {spacing} mm, {types}, {setting}"
    return Generated(Image(array, geometry), Mask(mask, geometry), content, about)


def pick(rng: np.random.Generator, choices: Any) -> Any:
    return choices[int(rng.integers(len(choices)))]


def _values(
    rng: np.random.Generator, texture: str, shape: tuple[int, ...], dtype: type[np.generic]
) -> NDArray[Any]:
    """Return voxels with a range that fits the pixel type."""
    noise = rng.normal(size=shape)
    smooth = sum(np.roll(noise, step, axis) for axis in range(3) for step in (-1, 0, 1)) / 3.0
    found: dict[str, Any] = {
        "noise": noise,
        "smooth": smooth + 0.2 * noise,
        "patches": np.round(smooth * 1.5),
        "ramp": np.indices(shape).sum(axis=0) / 5.0 + 0.05 * noise,
        "mostly flat": np.where(rng.random(shape) < 0.9, 0.0, noise),
        "one level": np.zeros(shape),
        "negative": smooth - 9.0,
        "two levels": np.sign(smooth),
    }
    values = found[texture] * pick(rng, (1.0, 4.0, 20.0, 90.0)) + pick(rng, (0.0, 40.0, -700.0, 150.0))
    if dtype in (np.uint8, np.uint16):
        values = np.clip(np.abs(values), 0, 190)
    return np.asarray(values if np.dtype(dtype).kind == "f" else np.round(values)).astype(dtype)


def _mask(rng: np.random.Generator, kind: str, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    index = np.indices(shape)
    middle = np.array([rng.uniform(0.35, 0.65) * size for size in shape])
    radii = np.array([rng.uniform(0.2, 0.4) * size for size in shape])

    def ball(centre: NDArray[Any], widths: NDArray[Any]) -> NDArray[np.bool_]:
        return np.asarray(
            sum(((axis - at) / width) ** 2 for axis, at, width in zip(index, centre, widths, strict=True)) <= 1
        )

    mask = ball(middle, radii)
    if kind == "holed":
        mask &= ~ball(middle, radii * 0.5) & (rng.random(shape) < 0.9)
    elif kind == "sheet":
        mask &= abs(index[pick(rng, (0, 1, 2))] - round(middle.min())) <= 1
    elif kind == "scattered":
        mask = rng.random(shape) < pick(rng, (0.02, 0.15))
    elif kind == "two balls":
        mask = ball(middle * 0.5, radii * 0.6) | ball(middle * 1.4, radii * 0.5)
    elif kind == "at the border":
        mask = ball(pick(rng, (middle * 0.2, middle * 1.7)), radii)
    elif kind == "everything":
        mask[:] = True
        mask[-1, -1, -1] = False  # PyRadiomics takes a mask of one single value for empty
    elif kind == "oblique sheet":
        mask &= index.sum(axis=0) % 4 == 0
    elif kind == "slice":
        axis = pick(rng, (0, 0, 2))
        mask &= index[axis] == round(middle[axis])
    if mask.sum() < 12:
        mask[tuple(slice(int(at) - 1, int(at) + 1 + int(kind != "slice")) for at in middle)] = True
    return mask


def _setting(rng: np.random.Generator, array: NDArray[Any], mask: NDArray[Any], kind: str) -> dict[str, Any]:
    setting: dict[str, Any] = {"minimumROIDimensions": 1}
    inside = array[mask].astype(float)
    where = rng.random()
    if where < 0.3:
        setting |= {"resampledPixelSpacing": pick(rng, TARGETS), "interpolator": pick(rng, INTERPOLATORS)}
    elif where < 0.45:
        setting["preCrop"] = True
    if where < 0.45:
        setting["padDistance"] = pick(rng, (0, 3, 5, 12))
    spread = float(np.ptp(inside)) or 10.0
    if rng.random() < 0.15 and np.ptp(array) > 0:
        setting |= {"normalize": True, "normalizeScale": pick(rng, (1, 100))}
        spread *= setting["normalizeScale"] / float(array.astype(float).std())
        if rng.random() < 0.5:
            setting["removeOutliers"] = 2
    if rng.random() < 0.25:
        setting["binCount"] = pick(rng, (1, 2, 16, 64, 200))
    else:
        width = spread * pick(rng, RELATIVE_WIDTHS)
        # A float: in 8-bit images PyRadiomics' sums with a whole width wrap round.
        setting["binWidth"] = float(max(1, round(width)) if width > 1 and rng.random() < 0.7 else f"{width:.2g}")
    if rng.random() < 0.2 and "normalize" not in setting:
        mode, limits = pick(rng, RESEGMENTATIONS)
        if limits == "quantiles":
            limits = np.quantile(inside, [0.1, 0.8]).tolist()
        setting |= {"resegmentMode": mode, "resegmentRange": limits, "resegmentShape": bool(rng.random() < 0.5)}
    if rng.random() < 0.25:
        setting["distances"] = pick(rng, ([1, 2], [2], [1, 3], [3]))
    if rng.random() < 0.25:
        setting["weightingNorm"] = pick(rng, NORMS)
    if rng.random() < 0.25:
        setting["gldm_a"] = pick(rng, (1, 2, 5))
    if rng.random() < 0.2:
        setting["symmetricalGLCM"] = False
    if rng.random() < 0.2:
        setting["voxelArrayShift"] = pick(rng, (300, 1000))
    if rng.random() < (0.6 if kind == "slice" else 0.15):
        box = [int(np.ptp(np.flatnonzero(mask.any(axis=axes)))) for axes in ((1, 2), (0, 2), (0, 1))]
        flat = [axis for axis in range(3) if box[axis] == 0]
        setting |= {"force2D": True, "force2Ddimension": flat[0] if flat else pick(rng, (0, 1, 2))}
    return setting


def _image_types(rng: np.random.Generator, array: NDArray[Any]) -> dict[str, Any]:
    """Draw the original or another image, sometimes both."""
    wavelet: dict[str, Any] = {"wavelet": pick(rng, WAVELETS)}
    if rng.random() < 0.15:
        wavelet |= {"level": 2, "binCount": 12}
    elif rng.random() < 0.1:
        wavelet |= {"start_level": 1, "binCount": 12}
    choices: list[dict[str, Any]] = [
        {"Wavelet": wavelet},
        {"LoG": {"sigma": [pick(rng, (0.5, 1.0, 2.0))]}},
        {"LoG": {"sigma": [1, 2.5], "binCount": 20}},
        {pick(rng, ("Square", "SquareRoot", "Logarithm", "Exponential")): {}},
        {"Square": {}, "SquareRoot": {}, "Logarithm": {}, "Exponential": {"binCount": 10}},
        {"Gradient": {"gradientUseSpacing": bool(rng.random() < 0.5)}},
        {"LBP2D": {"binWidth": 1.0, "lbp2DMethod": pick(rng, ("uniform", "default", "ror"))}},
        {"LBP2D": {"binCount": 6, "lbp2DRadius": 2.5, "lbp2DSamples": 11, "lbp2DMethod": "var"}},
        {"LBP3D": {"binCount": 8, "lbp3DIcosphereRadius": pick(rng, (1.0, 1.5))}},
    ]
    if rng.random() < 0.4:
        return {"Original": {}}
    drawn = pick(rng, choices)
    if not np.any(array):
        drawn = {"Gradient": {}}
    return {"Original": {}, **drawn} if rng.random() < 0.3 else drawn

"""The CT and the mask of a synthetic patient.

Everything is drawn on a grid along the patient's own L, P and S axes; only at the end are axes flipped into
the order in which the scanner stores its files. Edges are blurred while they are drawn: across a surface,
the share of a tissue in a voxel is the normal distribution function of the signed distance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiobone.imaging import Geometry, Image, Mask
from radiobone.study.demo.anatomy import Array, outline, vertebra_distance
from radiobone.study.demo.patients import Patient
from radiobone.study.demo.spine import Vertebra, pose_spine

LABELS = {"L1": 20, "L2": 21, "L3": 22}
"""Label values of the mask: VerSe numbering. T12 and L4 reach into the picture and bear no label."""

PIXEL_MM = 1.0
PSF_MM = 0.7  # Assumption: sigma of the scanner's blur.
# Field of view: to either side of L2, before the bodies, behind the spinous processes, above L1, and
# below L3, whose inferior processes reach further down than its body.
SIDE_MM, FRONT_MM, BEHIND_MM, ABOVE_MM, BELOW_MM = 52.0, 44.0, 8.0, 11.0, 19.0

# Typical values at unenhanced CT, in HU.
FAT_HU, MUSCLE_HU, DISC_HU, SAC_HU, VESSEL_HU, LIGAMENT_HU = -100.0, 52.0, 85.0, 18.0, 42.0, 35.0
# Cortex is thinner than a voxel: about 1,100 HU by 0.6 mm looks like 400 HU after the blur.
CORTEX_HU, BODY_CORTEX_MM, ARCH_CORTEX_MM = 1100.0, 0.6, 1.0
# Assumptions: how trabecular bone differs within a patient.
ARCH_DENSER_HU = 60.0
LEVEL_SD_HU = 6.0
ENDPLATE_GAIN = 0.10
VEIN_DEPTH_HU = 60.0
MUSCLE_STREAKS_HU, MUSCLE_STREAKS_MM = 14.0, 2.5
LEVEL_DISTANCE_MM = 35.0  # From one body to the next; the psoas grows on the way down.
NOISE_SPREAD = 0.12
HU_RANGE = (-1024.0, 3071.0)  # What 12-bit CT files hold.


@dataclass(frozen=True, eq=False)
class _Grid:
    """A grid along L, P and S: world coordinates in mm of its axes, relative to the middle of L2."""

    x: Array
    y: Array
    z: Array

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.z.size, self.y.size, self.x.size

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        return float(self.z[1] - self.z[0]), PIXEL_MM, PIXEL_MM

    def box(self, low: NDArray[np.float64], high: NDArray[np.float64]) -> tuple[slice, slice, slice]:
        """Return the part of the grid between two world points."""
        x, y, z = (
            slice(int(np.searchsorted(axis, start)), int(np.searchsorted(axis, stop)))
            for axis, start, stop in zip((self.x, self.y, self.z), low, high, strict=True)
        )
        return z, y, x

    def world(self, box: tuple[slice, slice, slice]) -> tuple[Array, Array, Array]:
        """Return the coordinates x, y and z of a box, to be broadcast."""
        z, y, x = box
        return self.x[None, None, x], self.y[None, y, None], self.z[z, None, None]


def synthesize(patient: Patient, seed: int = 0) -> tuple[Image, Mask]:
    """Make the CT (HU, 16-bit) and the label map (8-bit) of a patient.

    Parameters
    ----------
    patient : Patient
        From `simulate_patients`.
    seed : int, default 0
        The cohort's seed; anatomy, texture and noise depend on it and the patient's index.

    Returns
    -------
    image : Image
        The CT, stored as the patient's scanner stores it.
    mask : Mask
        L1, L2 and L3, whole vertebrae, on the same grid.
    """
    rng = np.random.default_rng([seed, 2, patient.index])
    spine = pose_spine(patient, rng)
    grid = _field_of_view(spine, patient)
    trabecular = patient.texture_sd_hu * _pattern(
        rng,
        grid,
        [
            patient.texture_length_mm * patient.texture_anisotropy,
            patient.texture_length_mm,
            patient.texture_length_mm,
        ],
    )
    hu = _soft_tissue(spine, grid, rng)
    labels = np.zeros(grid.shape, dtype=np.uint8)
    nearest = np.full(grid.shape, np.inf, dtype=np.float32)
    for vertebra in spine:
        mean_hu = patient.trabecular_hu + rng.normal(0.0, LEVEL_SD_HU)
        _draw_vertebra(vertebra, grid, hu, labels, nearest, trabecular, mean_hu)
    hu += _noise(patient, grid, rng)
    voxels = np.clip(np.rint(hu), *HU_RANGE).astype(np.int16)
    return _as_stored(voxels, labels, grid, patient, rng)


def _field_of_view(spine: tuple[Vertebra, ...], patient: Patient) -> _Grid:
    """Lay a grid round L1 to L3, wide enough that no process is cut."""
    labelled = [one for one in spine if one.level in LABELS]
    tips = [one.centre + one.axes[1] * one.shape.spinous_tip for one in labelled]
    top, bottom = labelled[0], labelled[-1]
    y_low, y_high = min(one.centre[1] for one in labelled) - FRONT_MM, max(tip[1] for tip in tips) + BEHIND_MM
    z_low = bottom.centre[2] - 0.5 * bottom.shape.height - BELOW_MM
    z_high = top.centre[2] + 0.5 * top.shape.height + ABOVE_MM
    x, y, z = (
        step * np.arange(np.floor(low / step), np.ceil(high / step) + 1)
        for low, high, step in (
            (-SIDE_MM, SIDE_MM, PIXEL_MM),
            (y_low, y_high, PIXEL_MM),
            (z_low, z_high, patient.scanner.slice_thickness_mm),
        )
    )
    return _Grid(x.astype(np.float32), y.astype(np.float32), z.astype(np.float32))


def _soft_tissue(spine: tuple[Vertebra, ...], grid: _Grid, rng: np.random.Generator) -> Array:
    """Draw fat, muscles, vessels, discs and the canal along the curve of the spine."""
    from scipy.ndimage import gaussian_filter

    centres = np.array([one.centre for one in spine[::-1]])
    x0, y0 = (np.interp(grid.z, centres[:, 2], centres[:, axis]).astype(np.float32) for axis in (0, 1))
    u = grid.x[None, None, :] - x0[:, None, None]
    v = grid.y[None, :, None] - y0[:, None, None]
    levels_down = -grid.z[:, None, None] / np.float32(LEVEL_DISTANCE_MM)
    shape = spine[2].shape
    half_width, half_depth, canal = 0.5 * shape.width, 0.5 * shape.depth, shape.canal_centre
    side = np.abs(u)

    def inside(across: Array, width: float | Array, along: Array, depth: float | Array) -> NDArray[np.bool_]:
        return (across / width) ** 2 + (along / depth) ** 2 < 1.0

    hu = np.full(grid.shape, FAT_HU, dtype=np.float32)
    streaks = _pattern(rng, grid, [3 * MUSCLE_STREAKS_MM, MUSCLE_STREAKS_MM, MUSCLE_STREAKS_MM])
    psoas_at = side - half_width - 9.0 - 2.0 * levels_down
    muscles = inside(psoas_at, 10.0 + 3.0 * levels_down, v - 5.0, 15.0 + 3.0 * levels_down)
    muscles |= inside(side - 24.0, 22.0, v - canal - 27.0, 20.0)  # erector spinae
    muscles |= inside(side - half_width - 27.0, 14.0, v - canal, 8.0)  # quadratus lumborum
    np.copyto(hu, MUSCLE_HU + MUSCLE_STREAKS_HU * streaks, where=muscles)
    behind = v - canal
    np.copyto(hu, np.float32(LIGAMENT_HU), where=(side < 2.5) & (behind > 8.0) & (behind < 36.0))
    vessels = inside(u - 7.0, 9.0, v + half_depth + 11.0, 9.0)  # aorta, to the left
    vessels |= inside(u + 14.0, 11.0, v + half_depth + 10.0, 8.0)  # inferior vena cava
    np.copyto(hu, np.float32(VESSEL_HU), where=vessels)
    sac = inside(u, 0.5 * shape.canal_width - 2.5, behind + 0.5, 0.5 * shape.canal_depth - 1.5)
    np.copyto(hu, np.float32(SAC_HU), where=sac)
    # A disc is as wide as the endplates.
    endplate = np.full(1, 0.5 * shape.height, dtype=np.float32)
    np.copyto(hu, np.float32(DISC_HU), where=outline((u, v, endplate), shape) < 0.98)
    blurred: Array = gaussian_filter(hu, [PSF_MM / step for step in grid.spacing_mm], mode="nearest")
    return blurred


def _draw_vertebra(
    vertebra: Vertebra,
    grid: _Grid,
    hu: Array,
    labels: NDArray[np.uint8],
    nearest: Array,
    trabecular: Array,
    mean_hu: float,
) -> None:
    """Draw one vertebra into the picture and into the label map; where two touch, the nearer surface counts."""
    from scipy.special import ndtr

    shape = vertebra.shape
    reach = np.array([0.5 * shape.transverse_span + 5.0, 0.0, shape.height + 8.0])
    front = np.array([0.0, -0.5 * shape.depth - 5.0, 0.0])
    back = np.array([0.0, shape.spinous_tip + 8.0, 0.0])
    box = grid.box(vertebra.centre - reach + front, vertebra.centre + reach + back)
    points = vertebra.local(*grid.world(box))
    whole, body, arch = vertebra_distance(points, shape)
    # A neighbour's facet stands between: cut this vertebra half-way.
    before = nearest[box]
    own = np.maximum(whole, 0.5 * (whole - before))
    nearest[box] = np.minimum(before, whole)
    label = LABELS.get(vertebra.level)
    if label is not None:
        labels[box][own < 0.0] = label
    arch_share = ndtr((body - arch) / 1.5)
    inside = _trabecular_hu(points, vertebra, mean_hu) + trabecular[box] + ARCH_DENSER_HU * arch_share
    thickness = BODY_CORTEX_MM + (ARCH_CORTEX_MM - BODY_CORTEX_MM) * arch_share
    bone = ndtr(own / -PSF_MM)
    core = ndtr((own + thickness) / -PSF_MM)
    hu[box] += bone * (CORTEX_HU - hu[box]) + core * (inside - CORTEX_HU)


def _trabecular_hu(points: tuple[Array, Array, Array], vertebra: Vertebra, mean_hu: float) -> Array:
    """Return the mean HU of spongy bone at each place: more near the endplates, less at the basivertebral vein."""
    u, v, w = points
    shape = vertebra.shape
    level = np.minimum(np.abs(w) * (2.0 / shape.height), 1.0)
    along = np.clip(v / shape.back_wall, 0.0, 1.0)
    vein = along * np.exp(-((u / 4.0) ** 2) - (w / 2.5) ** 2)
    return np.asarray(
        mean_hu + ENDPLATE_GAIN * abs(mean_hu) * (level**2 - 1.0 / 3.0) - VEIN_DEPTH_HU * vein, dtype=np.float32
    )


def _pattern(rng: np.random.Generator, grid: _Grid, lengths_mm: list[float]) -> Array:
    """Return a smooth random field of mean 0 and SD 1, with a correlation length along each of (z, y, x)."""
    return _smooth(rng, grid, [length / step for length, step in zip(lengths_mm, grid.spacing_mm, strict=True)])


def _noise(patient: Patient, grid: _Grid, rng: np.random.Generator) -> Array:
    """Return image noise in HU, correlated in the plane of the slices."""
    scanner = patient.scanner
    sd_hu = scanner.noise_sd_hu * np.exp(rng.normal(0.0, NOISE_SPREAD))
    return np.float32(sd_hu) * _smooth(rng, grid, [0.0, scanner.noise_length_px, scanner.noise_length_px])


def _smooth(rng: np.random.Generator, grid: _Grid, sigmas_px: list[float]) -> Array:
    """Return white noise after a Gaussian filter, brought back to SD 1 by the filter's own gain."""
    from scipy.ndimage import gaussian_filter, gaussian_filter1d

    field: Array = rng.standard_normal(grid.shape, dtype=np.float32)
    field = gaussian_filter(field, sigmas_px, mode="wrap", truncate=3.0)
    for sigma in sigmas_px:
        impulse = np.zeros(2 * int(3.0 * sigma + 1.0) + 1)
        impulse[impulse.size // 2] = 1.0
        response = gaussian_filter1d(impulse, sigma, truncate=3.0, mode="constant") if sigma > 0 else impulse
        field /= np.float32(np.sqrt((response**2).sum()))
    return field


def _as_stored(
    voxels: NDArray[np.int16], labels: NDArray[np.uint8], grid: _Grid, patient: Patient, rng: np.random.Generator
) -> tuple[Image, Mask]:
    """Flip the axes into the scanner's storage order, and place the patient in the scanner."""
    signs = patient.scanner.axis_signs
    # Half millimetres are exact in the single precision of NIfTI.
    table = np.rint(2.0 * rng.normal(0.0, (10.0, 15.0, 120.0))) / 2.0
    ends = [axis[0] if sign > 0 else axis[-1] for axis, sign in zip((grid.x, grid.y, grid.z), signs, strict=True)]
    x, y, z = (float(end + shift) for end, shift in zip(ends, table, strict=True))
    direction = tuple(float(value) for value in np.diag(signs).ravel())
    geometry = Geometry(grid.shape, grid.spacing_mm, (x, y, z), direction)
    flip = tuple(slice(None, None, sign) for sign in signs[::-1])
    return Image(np.ascontiguousarray(voxels[flip]), geometry), Mask(np.ascontiguousarray(labels[flip]), geometry)

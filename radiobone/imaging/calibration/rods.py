"""Rods of a phantom: found below the patient by their layout and the order of their densities, and measured.

The search is radiobone's own. In planes across the spine, the whole layout of rods is laid over the scan at every
place, turned by up to 20 degrees and either way round. Where it fits, the disc of every rod is even, and the means
of the discs rise in a straight line with the known densities. Planes must agree on one straight, maybe slanting,
course along the table.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radiobone.core.errors import CalibrationError
from radiobone.imaging.calibration.fitting import WATER_INTERCEPT_HU, Point
from radiobone.imaging.calibration.planes import (
    Floats,
    Plane,
    axial_planes,
    sample,
    slice_distance,
    spine_heights,
)
from radiobone.imaging.calibration.settings import PhantomSettings
from radiobone.imaging.volumes import Image, Mask

N_PLANES = 9
"""Planes that are searched."""

SEARCHED_SHARE = 0.8
"""Share of a rod's radius that must be even where the layout fits."""

MEASURED_SHARE = 0.6
"""Share of a rod's radius that is measured: away from its wall, and safe against a slight misplacement."""

MAX_TURN_DEG = 20.0
TURN_STEP_DEG = 2.0

STEEPNESS = (0.4, 4.0)
"""HU for one mg/cm3 that any tube voltage and standard could give, with a wide margin."""

BASE_HU = 150.0
"""How far from water a rod without mineral may be: air and tables are far from it."""

MAX_MISFIT = 0.1
"""How far the discs may be from even and from the line, as a share of the range of all rods."""

MEASURED_SLICES = 60
"""At most so many slices are measured, spread over the spine."""


@dataclass(frozen=True, eq=False)
class _Fit:
    """The layout laid over one plane: its misfit, its middle in the world, its turn, and which way round."""

    misfit: float
    middle_mm: tuple[float, float, float]
    turn_deg: float
    way: int


@dataclass(frozen=True, eq=False)
class Course:
    """Where rods lie: a straight line for each.

    Parameters
    ----------
    points_mm : ndarray of shape (n_rods, 3)
        World point on the axis of each rod.
    along : ndarray of shape (3,)
        World direction, 1 mm along z.
    z_mm : tuple of (float, float)
        From where to where they were seen; a phantom may end within the scan.
    notes : tuple of str
        How they were found.
    """

    points_mm: Floats
    along: Floats
    z_mm: tuple[float, float] = (0.0, 0.0)
    notes: tuple[str, ...] = ()


def find_rods(image: Image, mask: Mask, settings: PhantomSettings) -> Course:
    """Find the rods of a phantom below the spine, that is towards the patient's back.

    A phantom before a patient who lies on the belly is not found; its rods may be given as labels.

    Parameters
    ----------
    image : Image
        The scan.
    mask : Mask
        Its labels, which tell where the spine is.
    settings : PhantomSettings
        The phantom.

    Returns
    -------
    Course
        The axis of each rod.

    Raises
    ------
    CalibrationError
        If the layout does not fit in half of the planes, or the planes do not agree.
    """
    layout = _layout(settings)
    step = float(np.clip(min(_diameters(settings)) / 12, 0.6, 2.0))
    planes = axial_planes(image, mask, spine_heights(mask, N_PLANES), step)
    fits = [_fit_layout(plane, layout, settings) for plane in planes]
    good = [found for found in fits if found is not None and found.misfit <= MAX_MISFIT]
    best = min((found.misfit for found in fits if found is not None), default=float("inf"))
    if len(good) < max(2, len(planes) / 2):
        raise CalibrationError(
            "the rods of the phantom were not found below the spine",
            got=f"{len(good)} of {len(planes)} planes with discs that fit (best misfit {best:.2f})",
            expected=f"at least half of them with a misfit of at most {MAX_MISFIT:g}",
            do="check rods, spacing and diameters in the calibration file; or give a column calibration_mask",
        )
    return _course(good, layout, settings, len(planes))


def measure_rods(image: Image, mask: Mask, course: Course, settings: PhantomSettings) -> list[Point]:
    """Measure rods across the slices of the spine.

    Parameters
    ----------
    image : Image
        The scan.
    mask : Mask
        Its labels.
    course : Course
        From `find_rods`.
    settings : PhantomSettings
        The phantom.

    Returns
    -------
    list of Point
        In the order of the rods: the median over slices of the mean in the middle of the rod, so that a bubble or
        the end of a phantom does not count; and the standard deviation over slices.
    """
    heights = spine_heights(mask, MEASURED_SLICES)
    seen = (heights > course.z_mm[0] - 1e-3) & (heights < course.z_mm[1] + 1e-3)
    return _measure(image, course, heights[seen], settings)


def measure_positions(image: Image, settings: PhantomSettings) -> list[Point]:
    """Measure rods round given points.

    Parameters
    ----------
    image : Image
        The scan.
    settings : PhantomSettings
        With ``positions_mm``.

    Returns
    -------
    list of Point
        In the order of the rods, as `measure_rods` measures them, along ``length_mm``.
    """
    assert settings.positions_mm is not None
    course = Course(np.array(settings.positions_mm), np.array([0.0, 0.0, 1.0]))
    n_slices = max(1, round(settings.length_mm / slice_distance(image)))
    heights = (np.arange(n_slices) - (n_slices - 1) / 2) * settings.length_mm / n_slices
    return _measure(image, course, heights, settings, relative=True)


def measure_labels(image: Image, mask: Mask, settings: PhantomSettings) -> list[Point]:
    """Measure rods in a label map, in all of its voxels.

    Parameters
    ----------
    image : Image
        The scan.
    mask : Mask
        With a label for each rod, on the scan's grid.
    settings : PhantomSettings
        The phantom.

    Returns
    -------
    list of Point
        In the order of the rods.

    Raises
    ------
    CalibrationError
        If a label is missing.
    """
    points = []
    for number in range(len(settings.rods)):
        label = settings.label(number)
        part = mask.select(label)
        hu = image.array[part.box][part.array].astype(np.float64)
        if not hu.size:
            raise CalibrationError(
                f"the label of rod {number + 1} is not in the mask",
                got=", ".join(map(str, mask.labels())) or "no label",
                expected=str(label),
            )
        points.append(_point(number, float(hu.mean()), float(hu.std()), settings))
    return points


def _point(number: int, hu: float, sd: float, settings: PhantomSettings) -> Point:
    rod = settings.rods[number]
    return Point(f"rod {number + 1}", rod.density_mg_cm3, hu, sd, rod.water_mg_cm3)


def _diameters(settings: PhantomSettings) -> list[float]:
    return [rod.diameter_mm or 0.0 for rod in settings.rods]


def _layout(settings: PhantomSettings) -> Floats:
    """Return the place (x, y) of each rod from the middle of them all, in mm."""
    places = [
        (rod.x_mm if rod.x_mm is not None else number * (settings.spacing_mm or 0.0), rod.y_mm)
        for number, rod in enumerate(settings.rods)
    ]
    layout = np.array(places)
    centred: Floats = layout - layout.mean(axis=0)
    return centred


def _turned(layout: Floats, turn_deg: float, way: int) -> Floats:
    """Return the layout turned in the plane; the phantom may lie with its other end to the head."""
    cosine, sine = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    x, y = layout[:, 0] * way, layout[:, 1]
    return np.stack([x * cosine - y * sine, x * sine + y * cosine], axis=1)


def _fit_layout(plane: Plane, layout: Floats, settings: PhantomSettings) -> _Fit | None:
    """Lay the layout over one plane everywhere, coarsely and then finely; None without a place that could be."""
    middle = plane.middle
    if middle is None:
        return None
    reach = int(np.ceil(np.abs(layout).sum(axis=1).max() / plane.step_mm)) + 2
    discs = {size: _discs(plane, size, reach) for size in set(_diameters(settings))}
    turns = np.arange(-MAX_TURN_DEG, MAX_TURN_DEG + TURN_STEP_DEG / 2, TURN_STEP_DEG)
    best: _Fit | None = None
    for way in (1, -1):
        best = _best(plane, discs, layout, turns, way, reach, int(middle[0]), settings, best)
    if best is None:
        return None
    fine = best.turn_deg + np.arange(-1.5, 1.6, 0.5)
    return _best(plane, discs, layout, fine, best.way, reach, int(middle[0]), settings, best)


def _discs(plane: Plane, diameter_mm: float, reach: int) -> tuple[Floats, Floats]:
    """Return mean and variance of the disc round every pixel, with a margin of pixels that fit nothing."""
    from scipy import ndimage, signal

    radius = SEARCHED_SHARE * diameter_mm / 2 / plane.step_mm
    steps = np.arange(-int(radius), int(radius) + 1)
    disc = (steps[:, None] ** 2 + steps[None, :] ** 2 <= radius**2).astype(np.float64)
    disc /= disc.sum()
    inside = np.isfinite(plane.hu)
    hu = ndimage.gaussian_filter(np.where(inside, plane.hu, -1000.0), 0.06 * diameter_mm / plane.step_mm)
    mean = signal.fftconvolve(hu, disc, mode="same")
    variance = np.maximum(signal.fftconvolve(hu**2, disc, mode="same") - mean**2, 0.0)
    return np.pad(mean, reach), np.pad(variance, reach, constant_values=1e12)


def _best(
    plane: Plane,
    discs: dict[float, tuple[Floats, Floats]],
    layout: Floats,
    turns: Floats,
    way: int,
    reach: int,
    first_row: int,
    settings: PhantomSettings,
    best: _Fit | None,
) -> _Fit | None:
    """Return the best place and turn of the layout among those given, or what was better before."""
    rows, columns = plane.hu.shape
    known = np.array([rod.density_mg_cm3 for rod in settings.rods])
    water_hu = 0.0 if settings.rods[0].water_mg_cm3 is None else -WATER_INTERCEPT_HU
    for turn in turns:
        shifts = np.rint(_turned(layout, float(turn), way) / plane.step_mm).astype(int)
        means, variance = [], np.zeros((rows - first_row, columns))
        for rod, size, (right, down) in zip(settings.rods, _diameters(settings), shifts, strict=True):
            part = (
                slice(reach + first_row + down, reach + rows + down),
                slice(reach + right, reach + right + columns),
            )
            means.append(discs[size][0][part] - (rod.water_mg_cm3 or 0.0))
            variance += discs[size][1][part] / len(known)
        misfit = _misfit(means, variance, known, water_hu)
        place = np.unravel_index(int(np.argmin(misfit)), misfit.shape)
        found = float(misfit[place])
        if np.isfinite(found) and (best is None or found < best.misfit):
            x = plane.corner_mm[0] + float(place[1]) * plane.step_mm
            y = plane.corner_mm[1] + float(place[0] + first_row) * plane.step_mm
            best = _Fit(found, (x, y, plane.z_mm), float(turn), way)
    return best


def _misfit(means: list[Floats], variance: Floats, known: Floats, water_hu: float) -> Floats:
    """Return how badly discs fit densities, at every place: as a share of the range of HU."""
    spread = known - known.mean()
    n_rods, total = len(means), float(spread @ spread)
    average = sum(means) / n_rods
    slope = sum(weight * mean for weight, mean in zip(spread, means, strict=True)) / total
    scatter = sum((mean - average) ** 2 for mean in means) - slope**2 * total
    spoilt = np.sqrt(np.maximum(scatter, 0.0) / n_rods + variance)
    possible = (slope >= STEEPNESS[0]) & (slope <= STEEPNESS[1])
    possible &= np.abs(average - slope * known.mean() - water_hu) <= BASE_HU
    span = np.ptp(spread) * np.where(possible, slope, 1.0)
    misfit: Floats = np.where(possible, spoilt / span, np.inf)
    return misfit


def _course(good: list[_Fit], layout: Floats, settings: PhantomSettings, n_planes: int) -> Course:
    """Lay one straight line through the middles of planes, and refuse planes that do not agree on one."""
    way = 1 if sum(found.way for found in good) >= 0 else -1
    same = [found for found in good if found.way == way]
    middles = np.array([found.middle_mm for found in same])
    heights = middles[:, 2]
    first, second = np.triu_indices(len(same), 1)
    apart = np.abs(heights[second] - heights[first]) > 0
    first, second = first[apart], second[apart]
    rise = (middles[second, :2] - middles[first, :2]) / (heights[second] - heights[first])[:, None]
    slant = np.median(rise, axis=0) if len(rise) else np.zeros(2)
    z = float(np.median(heights))
    base = np.median(middles[:, :2] - np.outer(heights - z, slant), axis=0)
    off = np.linalg.norm(middles[:, :2] - base - np.outer(heights - z, slant), axis=1)
    near = off <= 0.25 * min(_diameters(settings))
    if near.sum() < max(2, n_planes / 2):
        raise CalibrationError(
            "planes do not agree on where the rods of the phantom lie",
            got=f"{int(near.sum())} of {n_planes} planes on one line",
            expected="at least half of them",
            do="give a column calibration_mask, or positions_mm",
        )
    turn = float(np.median([found.turn_deg for found, agrees in zip(same, near, strict=True) if agrees]))
    places = base + _turned(layout, turn, way)
    points = np.column_stack([places, np.full(len(places), z)])
    note = f"rods found in {int(near.sum())} of {n_planes} planes, the row turned by {turn:.1f} degrees"
    seen = (float(heights[near].min()), float(heights[near].max()))
    return Course(points, np.array([*slant, 1.0]), seen, (note,))


def _measure(
    image: Image, course: Course, heights: Floats, settings: PhantomSettings, relative: bool = False
) -> list[Point]:
    """Measure the middle of each rod at heights in the world, or at heights from each rod's own point."""
    points = []
    for number, (place, diameter) in enumerate(zip(course.points_mm, _diameters(settings), strict=True)):
        step = diameter / 40
        across = np.arange(-MEASURED_SHARE * diameter / 2, MEASURED_SHARE * diameter / 2 + step / 2, step)
        x, y = np.meshgrid(across, across)
        disc = (x**2 + y**2) <= (MEASURED_SHARE * diameter / 2) ** 2
        flat = np.column_stack([x[disc], y[disc], np.zeros(int(disc.sum()))])
        along = heights if relative else heights - place[2]
        centres = place + along[:, None] * course.along
        hu = sample(image, centres[:, None, :] + flat[None]).mean(axis=1)
        hu = hu[np.isfinite(hu)]
        if not hu.size:
            raise CalibrationError(
                f"rod {number + 1} lies outside the scan", got=f"at {np.round(place, 1).tolist()} mm (x, y, z)"
            )
        points.append(_point(number, float(np.median(hu)), float(hu.std()), settings))
    return points

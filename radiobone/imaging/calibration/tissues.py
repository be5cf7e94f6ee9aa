"""Fat, muscle and air of the patient: where they are found, and the peak of their HU.

A line through the peaks of air, fat and muscle in the histogram of a region is the calibration of Eggermont et
al. (PLoS ONE 2019;14:e0220564), there for the thigh. HU of adipose tissue from -190 to -30 and of muscle from -29
to 150 are the usual ranges of body composition. Radiobone's own choice is the region at the spine: fat from 4 to
40 mm below the skin; muscle in two columns behind the vertebrae, from 12 to 45 mm beside the middle of the spine,
where the erector spinae lies; air from 10 mm off the skin. Edges are left out, so that no voxel is half one tissue
and half another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import CalibrationError
from radiobone.imaging.calibration.fitting import Point
from radiobone.imaging.calibration.planes import Floats, Plane, axial_planes, spine_heights
from radiobone.imaging.calibration.settings import InternalSettings
from radiobone.imaging.volumes import Image, Mask

Bools = NDArray[np.bool_]

N_PLANES = 12
STEP_MM = 1.0

END_SHARE = 0.08
"""Share of the spine's height that is left out at either end, where sacrum and cut labels lie."""

MIN_SPINE_MM2 = 400.0
"""Less of a vertebra in a plane, as between two, does not tell where its middle is."""


BODY_HU = -300.0
FAT_HU = (-190.0, -30.0)
MUSCLE_HU = (-29.0, 150.0)
AIR_HU = (-1100.0, -850.0)

SKIN_MM = (4.0, 40.0)
"""How deep below the skin fat is taken."""

BESIDE_MM = (12.0, 45.0)
BEHIND_MM = (10.0, 75.0)
"""Where muscle is taken: beside and behind the middle of the spine's labels."""

BONE_HU = 180.0
OFF_BONE_MM = 4.0
MARROW_MM = 8.0
"""Bone without a label (sacrum, ribs) is closed over gaps of twice this, since its marrow looks like muscle."""

OFF_SKIN_MM = 10.0
EDGE_MM = {"fat": 2.0, "muscle": 3.0, "air": 3.0}
"""How far from its edge a tissue is taken."""

MIN_AREA_MM2 = 500.0
"""Less of a tissue, summed over all planes, gives no reliable peak; less air in one plane tells no skin."""

PLAUSIBLE_HU = {"air": (-1030.0, -960.0), "fat": (-130.0, -70.0), "muscle": (33.0, 90.0)}
"""Peaks outside give a warning: contrast medium, fat within muscle, a region that is no such tissue.

Muscle below 33 HU is fatty even in heavy people (Martin et al., J Clin Oncol 2013;31:1539); taken for muscle, it
makes the slope too steep and bone too dense. The other limits are radiobone's own choice.
"""


@dataclass(frozen=True, eq=False)
class TissueRegions:
    """Where tissues were found in one plane.

    Parameters
    ----------
    plane : Plane
        The plane.
    regions : mapping of str to ndarray of bool
        For each tissue, its pixels.
    """

    plane: Plane
    regions: Mapping[str, Bools]


def find_tissues(image: Image, mask: Mask) -> list[TissueRegions]:
    """Find fat, muscle and air in planes across the spine.

    Parameters
    ----------
    image : Image
        The scan.
    mask : Mask
        Its labels: vertebrae, or their bodies.

    Returns
    -------
    list of TissueRegions
        For each plane that shows the spine.
    """
    planes = axial_planes(image, mask, spine_heights(mask, N_PLANES, END_SHARE), STEP_MM)
    return [TissueRegions(plane, _regions(plane)) for plane in planes if plane.spine_mm2 >= MIN_SPINE_MM2]


def measure_tissues(
    image: Image, mask: Mask, settings: InternalSettings, labels: Mask | None
) -> tuple[list[Point], list[str]]:
    """Measure the tissues of a calibration file.

    Parameters
    ----------
    image : Image
        The scan.
    mask : Mask
        Its labels.
    settings : InternalSettings
        Which tissues, and their densities.
    labels : Mask or None
        Where tissues with a label are measured.

    Returns
    -------
    points : list of Point
        One for each tissue.
    warnings : list of str
        Peaks that are not plausible.

    Raises
    ------
    CalibrationError
        If there is too little of a tissue.
    """
    searched = [name for name, tissue in settings.tissues.items() if tissue.label is None]
    found = find_tissues(image, mask) if searched else []
    points, warnings = [], []
    for name, tissue in settings.tissues.items():
        if tissue.label is None:
            values = np.concatenate([part.plane.hu[part.regions[name]] for part in found] or [np.zeros(0)])
            area = len(values) * STEP_MM**2
            if area < MIN_AREA_MM2:
                raise CalibrationError(
                    f"too little {name} was found for a calibration",
                    got=f"{area:.0f} mm2 in {len(found)} planes",
                    expected=f"at least {MIN_AREA_MM2:g} mm2",
                    do="give their labels; a field of view without skin or back muscles allows no more",
                )
            hu = histogram_peak(values)
        else:
            values = _labelled(image, labels, name, tissue.label)
            hu = float(np.median(values))
        points.append(Point(name, tissue.density_mg_cm3, hu, float(values.std())))
        low, high = PLAUSIBLE_HU.get(name, (-np.inf, np.inf))
        if not low <= hu <= high:
            warnings.append(
                f"{name} at {hu:.0f} HU, expected {low:g} to {high:g}: "
                "fat or contrast medium in it, or another tissue"
            )
    return points, warnings


def histogram_peak(values: Sequence[float] | Floats) -> float:
    """Return the HU at which a smoothed histogram is highest.

    Parameters
    ----------
    values : sequence of float
        HU of a region in which one tissue prevails.

    Examples
    --------
    >>> round(histogram_peak([50.0] * 90 + [51.0] * 90 + [-20.0] * 30), 1)
    50.5
    """
    from scipy import ndimage

    hu = np.asarray(values, dtype=np.float64)
    # Bins of 0.5 HU round whole numbers, which most scans hold; room at the ends for the smoothing.
    low, high = np.floor(hu.min()) - 20.25, np.ceil(hu.max()) + 20.25
    counts, edges = np.histogram(hu, bins=np.arange(low, high + 0.5, 0.5))
    quartiles = np.percentile(hu, [25, 75])
    # Half of Silverman's width keeps a shoulder of fat from drawing the peak of muscle; never under 2 HU.
    width = max(2.0, 0.5 * 0.9 * (quartiles[1] - quartiles[0]) / 1.34 * len(hu) ** -0.2)
    smooth = ndimage.gaussian_filter1d(counts.astype(np.float64), width / 0.5, mode="constant")
    top = int(np.argmax(smooth))
    before, at, after = smooth[max(top - 1, 0)], smooth[top], smooth[min(top + 1, len(smooth) - 1)]
    curve = before - 2 * at + after
    shift = 0.5 * (before - after) / curve if curve < 0 else 0.0
    return float((edges[top] + edges[top + 1]) / 2 + 0.5 * shift)


def _regions(plane: Plane) -> dict[str, Bools]:
    from scipy import ndimage

    middle = plane.middle
    assert middle is not None
    inside = np.isfinite(plane.hu)
    hu = np.where(inside, plane.hu, -1000.0)
    smooth = ndimage.gaussian_filter(hu, 2.0 / STEP_MM)
    body = _body(smooth)
    air = _room_air(inside & ~body & (smooth < BODY_HU), hu)
    depth: Floats = np.full(hu.shape, np.inf)
    if air.any():
        depth = ndimage.distance_transform_edt(~air) * STEP_MM
    off_body = ndimage.distance_transform_edt(~body) * STEP_MM
    bone = plane.spine | (ndimage.gaussian_filter(hu, 1.0 / STEP_MM) > BONE_HU)
    off_bone = ndimage.distance_transform_edt(~_closed(bone)) * STEP_MM
    rows, columns = np.indices(hu.shape)
    beside: Floats = np.abs(columns - middle[1]) * STEP_MM
    behind: Floats = np.asarray(rows - middle[0]) * STEP_MM
    fat = body & _between(smooth, FAT_HU) & _between(depth, SKIN_MM)
    muscle = body & _between(smooth, MUSCLE_HU) & (off_bone >= OFF_BONE_MM)
    muscle &= _between(beside, BESIDE_MM) & _between(behind, BEHIND_MM) & (depth >= SKIN_MM[0])
    outside = air & _between(smooth, AIR_HU) & (off_body >= OFF_SKIN_MM)
    # Air that was set to one value, outside the scanned circle or by clipping, is no measurement.
    outside &= hu > hu[inside].min()
    found = {"fat": fat, "muscle": muscle, "air": outside}
    return {name: _inner(part, EDGE_MM[name]) & inside for name, part in found.items()}


def _body(smooth: Floats) -> Bools:
    """Return the largest body of one plane with all that it encloses; a table that it rests on falls away."""
    from scipy import ndimage

    radius = int(3 / STEP_MM)
    steps = np.arange(-radius, radius + 1)
    ball = steps[:, None] ** 2 + steps[None, :] ** 2 <= radius**2
    opened = ndimage.binary_opening(smooth > BODY_HU, ball)
    parts, count = ndimage.label(opened)
    if count == 0:
        empty: Bools = np.zeros(smooth.shape, dtype=bool)
        return empty
    largest = 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    filled: Bools = ndimage.binary_fill_holes(parts == largest)
    return filled


def _room_air(dark: Bools, hu: Floats) -> Bools:
    """Return the dark parts that are air, and not lung or bowel that the field of view cuts open."""
    from scipy import ndimage

    parts, count = ndimage.label(dark)
    numbers = np.arange(1, count + 1)
    wide = np.bincount(parts.ravel(), minlength=count + 1)[1:] * STEP_MM**2 >= MIN_AREA_MM2
    as_dark = np.array([float(np.median(hu[parts == number])) <= AIR_HU[1] for number in numbers], dtype=bool)
    kept: Bools = np.isin(parts, numbers[wide & as_dark])
    return kept


def _closed(bone: Bools) -> Bools:
    """Return bone with its marrow: closed over gaps, and filled."""
    from scipy import ndimage

    margin = int(MARROW_MM / STEP_MM) + 1
    wide = ndimage.distance_transform_edt(~np.pad(bone, margin)) * STEP_MM <= MARROW_MM
    shut = ndimage.distance_transform_edt(wide) * STEP_MM > MARROW_MM
    filled: Bools = ndimage.binary_fill_holes(shut | np.pad(bone, margin))
    return filled[margin:-margin, margin:-margin]


def _inner(region: Bools, edge_mm: float) -> Bools:
    from scipy import ndimage

    inner: Bools = ndimage.distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1] * STEP_MM > edge_mm
    return inner


def _between(values: Floats, limits: tuple[float, float]) -> Bools:
    found: Bools = (values >= limits[0]) & (values <= limits[1])
    return found


def _labelled(image: Image, labels: Mask | None, name: str, label: int) -> Floats:
    part = labels.select(label) if labels is not None else None
    if part is None or not part.n_voxels:
        raise CalibrationError(
            f"the label of {name} is not there",
            got="no calibration mask" if labels is None else ", ".join(map(str, labels.labels())) or "no label",
            expected=str(label),
            do="give the file in the cohort's column calibration_mask",
        )
    values: Floats = image.array[part.box][part.array].astype(np.float64)
    return values

"""Agreement of two masks, level by level: overlap, distances of surfaces, and volumes.

The surface of a level is made of its voxels that share a face with a voxel outside it; what lies beyond the grid
is outside. Distances run between the centres of such voxels, in mm, whatever the spacing along each axis.

Notes
-----
- Dice: ``2 |A and B| / (|A| + |B|)`` (Dice, Ecology 1945, doi 10.2307/1932409).
- HD95: the larger one of the 95th percentiles of the distances from A to B and from B to A, as Metrics Reloaded
  has it (Maier-Hein et al., Nature Methods 2024, doi 10.1038/s41592-023-02151-z). Some programs take one
  percentile of both directions together, which lies below it.
- ASSD: the mean of all distances of both directions together (Heimann et al., IEEE Transactions on Medical Imaging
  2009, doi 10.1109/TMI.2009.2013851).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import GeometryError, UsageError, VoiError
from radiobone.imaging import Mask
from radiobone.imaging.geometry import differences
from radiobone.imaging.volumes import union
from radiobone.tables.vertebrae import level_order, level_parts
from radiobone.voi.merging import merge_masks
from radiobone.voi.schemes import Scheme
from radiobone.voi.spine import find_labels, take_label

Floats = NDArray[np.float64]
Present = Literal["both", "a", "b", "none"]

PERCENTILE = 95.0
"""Of surface distances, so that a few stray voxels do not decide."""

NAN = float("nan")


@dataclass(frozen=True)
class LevelAgreement:
    """How two masks agree on one level.

    Parameters
    ----------
    level : str
        The level.
    present : {"both", "a", "b", "none"}
        Which masks hold it.
    dice : float
        From 0 to 1; 0 where only one mask holds the level, NaN where none does.
    hd95_mm, assd_mm : float
        Distances of the surfaces; NaN unless both masks hold the level.
    volume_a_ml, volume_b_ml : float
        Volumes; 0 where a mask does not hold the level.
    """

    level: str
    present: Present
    dice: float
    hd95_mm: float
    assd_mm: float
    volume_a_ml: float
    volume_b_ml: float

    @property
    def volume_difference_ml(self) -> float:
        """The second volume less the first one; NaN where no mask holds the level."""
        return NAN if self.present == "none" else self.volume_b_ml - self.volume_a_ml

    @property
    def volume_difference_percent(self) -> float:
        """The difference as a share of the first volume, in percent; NaN where this is 0."""
        return 100.0 * (self.volume_difference_ml / self.volume_a_ml) if self.volume_a_ml else NAN


def compare_masks(
    mask_a: Mask,
    mask_b: Mask,
    scheme_a: Scheme,
    scheme_b: Scheme,
    levels: Sequence[str] | None = None,
) -> list[LevelAgreement]:
    """Compare two label maps of one scan, which may be numbered differently.

    Parameters
    ----------
    mask_a, mask_b : Mask
        On one grid.
    scheme_a, scheme_b : Scheme
        What the labels of each mean.
    levels : sequence of str, optional
        The levels wanted, merged ones (``T12+L1``) among them; by default all that either mask holds and its
        scheme names.

    Returns
    -------
    list of LevelAgreement
        One for each level, from head to foot, then by name; a level that a mask lacks is there, too. A merged
        level is present in a mask that holds all its parts.

    Raises
    ------
    GeometryError
        If the masks do not lie on one grid.
    VoiError
        If no scheme names any label, and no levels are asked for.
    UsageError
        If neither scheme knows a level that is asked for.
    """
    if different := differences(mask_a.geometry, mask_b.geometry):
        raise GeometryError("the two masks do not lie on the same grid", got="; ".join(different))
    # One grid may be told with other last digits in two files.
    mask_b = replace(mask_b, geometry=mask_a.geometry)
    for level in (part for merged in levels or () for part in level_parts(merged)):
        if scheme_a.value(level) is None and scheme_b.value(level) is None:
            names = " and ".join(dict.fromkeys((scheme_a.name, scheme_b.name)))
            raise UsageError(f"the label scheme {names} has no such level", got=level)
    found_a, found_b = _labels(mask_a, scheme_a), _labels(mask_b, scheme_b)
    wanted = sorted(dict.fromkeys(levels or (*found_a, *found_b)), key=level_order)
    if not wanted:
        raise VoiError(
            "neither mask holds a label that its scheme names",
            got=f"labels {scheme_a.describe(mask_a.labels())} and {scheme_b.describe(mask_b.labels())}",
            do="name another scheme; raw takes any label",
        )
    return [compare_level(level, _level(found_a, level), _level(found_b, level)) for level in wanted]


def _labels(mask: Mask, scheme: Scheme) -> dict[str, Mask]:
    boxes = find_labels(mask)
    return {
        level: take_label(mask, value, box)
        for value, box in boxes.items()
        if (level := scheme.level(value)) is not None
    }


def _level(labels: Mapping[str, Mask], level: str) -> Mask | None:
    """Return a level, its parts merged; None unless all of them are there."""
    parts = [labels[part] for part in level_parts(level) if part in labels]
    if len(parts) < len(level_parts(level)):
        return None
    return merge_masks(parts) if len(parts) > 1 else parts[0]


def compare_level(level: str, a: Mask | None, b: Mask | None) -> LevelAgreement:
    """Compare one level of two masks.

    Parameters
    ----------
    level : str
        Its name.
    a, b : Mask or None
        Boolean, on one grid, not empty; None where the mask does not hold the level.

    Returns
    -------
    LevelAgreement
        The figures.
    """
    if a is None or b is None:
        present: Present = "none" if a is b else "a" if b is None else "b"
        volumes = [0.0 if mask is None else mask.volume_ml for mask in (a, b)]
        return LevelAgreement(level, present, NAN if present == "none" else 0.0, NAN, NAN, *volumes)
    hd95, assd = surface_distances(a, b)
    return LevelAgreement(level, "both", dice(a, b), hd95, assd, a.volume_ml, b.volume_ml)


def dice(a: Mask, b: Mask) -> float:
    """Return the Dice coefficient of two masks.

    Parameters
    ----------
    a, b : Mask
        Boolean, on one grid, not both empty.
    """
    box = union(a.box, b.box)
    common = int(np.count_nonzero(a.within(box) & b.within(box)))
    return 2.0 * common / (a.n_voxels + b.n_voxels)


def surface_distances(a: Mask, b: Mask) -> tuple[float, float]:
    """Return HD95 and ASSD of two masks in mm.

    Parameters
    ----------
    a, b : Mask
        Boolean, on one grid, not empty.

    Returns
    -------
    tuple of float
        HD95 and ASSD.
    """
    from scipy.spatial import cKDTree

    points_a, points_b = surface_mm(a), surface_mm(b)
    towards_b = cKDTree(points_b).query(points_a)[0]
    towards_a = cKDTree(points_a).query(points_b)[0]
    hd95 = max(np.percentile(towards_b, PERCENTILE), np.percentile(towards_a, PERCENTILE))
    assd = (towards_b.sum() + towards_a.sum()) / (len(points_a) + len(points_b))
    return float(hd95), float(assd)


def surface_mm(mask: Mask) -> Floats:
    """Return the centres of the voxels at the surface of a mask.

    Parameters
    ----------
    mask : Mask
        Boolean.

    Returns
    -------
    ndarray of shape (n, 3)
        Along the grid's own axes (z, y, x), in mm; distances are those in the world, since these axes stand at
        right angles.
    """
    filled = np.pad(mask.array.astype(bool), 1)
    inner = filled[1:-1, 1:-1, 1:-1].copy()
    for axis in range(3):
        for shift in (-1, 1):
            inner &= np.roll(filled, shift, axis)[1:-1, 1:-1, 1:-1]
    index = np.argwhere(filled[1:-1, 1:-1, 1:-1] & ~inner) + mask.offset
    points: Floats = index * np.asarray(mask.geometry.spacing_mm)
    return points

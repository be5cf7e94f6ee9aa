"""Several levels merged into one VOI: the union of their VOIs, and what can be said of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import reduce
from typing import Any

from radiobone.imaging import Image, Mask
from radiobone.imaging.volumes import relative, union
from radiobone.voi.quality import VoiQuality, mean_hu

SUMS = ("qc_voxels_label", "qc_volume_label_ml", "qc_components")
"""Columns that add up over the parts: labels have no voxel in common, as widened VOIs may."""

SMALLEST = ("qc_largest_part_share", "qc_room_above_mm", "qc_room_below_mm")
"""Columns of which the smallest one is that of the whole."""


def merge_masks(masks: Sequence[Mask]) -> Mask:
    """Return the union of boolean masks on one grid.

    Parameters
    ----------
    masks : sequence of Mask
        At least one.

    Returns
    -------
    Mask
        Boolean, in the box that holds them all.
    """
    box = reduce(union, (mask.box for mask in masks))
    array = masks[0].within(box)
    for mask in masks[1:]:
        array[relative(mask.box, box)] |= mask.array
    z, y, x = (part.start for part in box)
    return Mask(array, masks[0].geometry, (z, y, x))


def merge_quality(parts: Mapping[str, VoiQuality], voi: Mask, image: Image | None) -> VoiQuality:
    """Say of a merged VOI what its parts say of themselves.

    Labels add up, size and mean HU are those of the VOI, and room is what is left beside all of them. What is good
    (``..._ok``) must be so in every part, what is bad in any; texts name their part. Any other number belongs to
    one vertebra, and is None.

    Parameters
    ----------
    parts : mapping of str to VoiQuality
        Level to its quality.
    voi : Mask
        The merged VOI.
    image : Image or None
        The scan.

    Returns
    -------
    VoiQuality
        Of all together.
    """
    own = {"qc_voxels_voi": voi.n_voxels, "qc_volume_voi_ml": voi.volume_ml, "qc_mean_hu": mean_hu(voi, image)}
    found: dict[str, Any] = {}
    for field in fields(VoiQuality):
        values = {level: getattr(part, field.name) for level, part in parts.items()}
        known = [value for value in values.values() if value is not None]
        if field.name in own:
            found[field.name] = own[field.name]
        elif field.name in SUMS:
            found[field.name] = sum(known)
        elif field.name in SMALLEST:
            found[field.name] = min(known)
        elif not known:
            found[field.name] = None
        else:
            found[field.name] = _rule(field.name, known)(values)
    return VoiQuality(**found)


def _rule(name: str, known: Sequence[Any]) -> Callable[[Mapping[str, Any]], Any]:
    """Return how the values of a column become one."""
    if all(isinstance(value, bool) for value in known):
        if name.endswith("_ok"):
            return _worst
        return lambda values: any(values.values())
    if all(isinstance(value, str) for value in known):
        return _one_text
    return lambda values: None


def _worst(values: Mapping[str, bool | None]) -> bool | None:
    """Return False if any part is bad, else None if any cannot be judged, else True."""
    return False if False in values.values() else None if None in values.values() else True


def _one_text(values: Mapping[str, str]) -> str:
    """Return a text that all parts share as it is, and others with the names of their parts."""
    if len(set(values.values())) == 1:
        return next(iter(values.values()))
    return "; ".join(f"{level}: {text}" for level, text in values.items() if text)

"""Which measured quality is a reason to look at a VOI before it is used, and which is only worth knowing.

A VOI needs review where its numbers are likely wrong (a cut or misplaced VOI, a wrong label, metal) or where its
vertebra is one that studies leave out (a fracture). Whatever happens at every end of every scan does not. The
bounds are radiobone's own choice, after the spines of the test suite, except the grades of a fracture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from radiobone.voi.metal import DARK_HU, METAL_HU
from radiobone.voi.quality import VoiQuality

VOLUME_JUMP = 1.35
"""A label this many times as large, or as small, as those next to it let expect is no whole vertebra alone.

In the spines of the test suite the ratio is 0.87 to 1.07, collapsed vertebrae included, and 0.87 to 1.16 beside a
label that was spoilt. Spoilt labels themselves reach 0.44 to 0.72 without their arch, 1.4 to 1.9 with the body of
the next one, and 1.8 to 2.3 with all of it.
"""

STEP_JUMP = 1.4
"""A distance to the next label this many times as long, or as short, as those nearby is none of neighbours.

In the spines of the test suite the ratio is 0.86 to 1.11. A name that is left out makes it 2; a spine that has no
T12, and is named so, makes it 0.5.
"""

SMALLEST_LARGEST_PART = 0.95
"""If the largest part holds less of a label than this, the rest is more than crumbs."""

METAL_ML = 0.1
"""Less metal than this is noise: a pedicle screw measures about 1 ml."""

DARK_SHARE = 0.03
"""More of a label than this is dark only by streaks, gas or a shifted mask: 0 to 1.2 % in the test suite."""

LOWEST_GRADE = 1
"""Grade of height loss from which a VOI is to be looked at."""

LOSSES = {
    "qc_wedge_percent": "anterior height {:.0f}% below the posterior one",
    "qc_biconcave_percent": "middle height {:.0f}% below the posterior one",
    "qc_anterior_loss_percent": "anterior height {:.0f}% below the neighbours'",
    "qc_middle_loss_percent": "middle height {:.0f}% below the neighbours'",
    "qc_posterior_loss_percent": "posterior height {:.0f}% below the neighbours'",
}
"""Losses of height, as they are told."""


def judge(quality: VoiQuality, told: Sequence[str] = ()) -> VoiQuality:
    """Say whether a VOI needs review, and why.

    Parameters
    ----------
    quality : VoiQuality
        What was measured.
    told : sequence of str
        What its recipe had to say; worth knowing, and no reason for review.

    Returns
    -------
    VoiQuality
        With review and warnings.
    """
    reasons = list(_reasons(quality))
    warnings = [*told, *_remarks(quality), *reasons]
    return replace(
        quality,
        qc_needs_review=bool(reasons),
        qc_review_reason="; ".join(reasons),
        qc_warnings="; ".join(warnings),
    )


def _remarks(quality: VoiQuality) -> Iterator[str]:
    """Tell what is worth knowing, and often harmless: processes at the border, crumbs of a label."""
    if quality.qc_touches_border and not (quality.qc_voi_touches_border or quality.qc_body_touches_border):
        yield "label reaches the image border"
    if quality.qc_components > 1 and quality.qc_largest_part_share >= SMALLEST_LARGEST_PART:
        yield f"label has {quality.qc_components} parts"


def _reasons(quality: VoiQuality) -> Iterator[str]:
    """Tell what should be looked at."""
    if quality.qc_body_touches_border:
        yield "body reaches the image border"
    if quality.qc_voi_touches_border:
        yield "VOI reaches the image border"
    if quality.qc_largest_part_share < SMALLEST_LARGEST_PART:
        share = quality.qc_largest_part_share
        yield f"label has {quality.qc_components} parts, the largest with {share:.0%} of it"
    if quality.qc_level_order_ok is False:
        yield "level out of order with its neighbours"
    if _jumps(quality.qc_centroid_step_ratio, STEP_JUMP):
        ratio = quality.qc_centroid_step_ratio
        yield f"distance to the next label is {ratio:.2f} times what its name and those nearby let expect"
    if _jumps(quality.qc_volume_ratio, VOLUME_JUMP):
        yield f"volume of the label is {quality.qc_volume_ratio:.2f} times what its neighbours let expect"
    yield from _doubts_of_hu(quality)
    if (quality.qc_fracture_grade or 0) >= LOWEST_GRADE:
        losses = {name: value for name in LOSSES if (value := getattr(quality, name)) is not None}
        worst = max(losses, key=lambda name: losses[name])
        yield f"fracture? grade {quality.qc_fracture_grade}: {LOSSES[worst].format(losses[worst])}"


def _doubts_of_hu(quality: VoiQuality) -> Iterator[str]:
    if quality.qc_mean_hu_ok is False:
        yield f"mean of {quality.qc_mean_hu:.0f} HU is not plausible for bone"
    if (quality.qc_metal_near_ml or 0.0) >= METAL_ML:
        yield f"metal? {quality.qc_metal_near_ml:.1f} ml above {METAL_HU:.0f} HU in or near the label"
    if (quality.qc_dark_share or 0.0) >= DARK_SHARE:
        yield f"{quality.qc_dark_share:.0%} of the label is below {DARK_HU:.0f} HU: streaks, gas, or a mask beside"


def _jumps(ratio: float | None, limit: float) -> bool:
    return ratio is not None and not 1.0 / limit < ratio < limit

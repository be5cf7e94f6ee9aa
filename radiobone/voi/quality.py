"""Quality of one VOI: the ``qc_...`` columns of the feature table, in their fixed order."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from radiobone.core.errors import VoiError
from radiobone.imaging import Image, Mask
from radiobone.voi.erosion import part_sizes, touches_border
from radiobone.voi.fracture import find_losses
from radiobone.voi.metal import find_metal
from radiobone.voi.neighbours import ALIKE, Neighbourhood
from radiobone.voi.recipes import Made, Source
from radiobone.voi.room import find_room
from radiobone.voi.trabecular import build_body

PLAUSIBLE_MEAN_HU = (-100.0, 500.0)
"""Plausible mean HU of a vertebral VOI.

Normative L1 trabecular means fall from about 230 HU at 20 years to 90 HU at 90, with a standard deviation of
about 40 (Jang et al., Radiology 2019, doi 10.1148/radiol.2019181648); a whole label with its cortex reaches
twice as much. The bounds lie far outside, at pure fat and at sclerosis: what falls beyond is more likely a
missing rescale intercept, an implant, or a mask beside the spine.
"""


@dataclass(frozen=True)
class VoiQuality:
    """What can be said about a VOI before any feature; None where it cannot be judged.

    Parameters
    ----------
    qc_voxels_label, qc_volume_label_ml : int, float
        Size of the source label.
    qc_components : int
        Parts of the source label that are not connected through faces.
    qc_touches_border : bool
        The source label reaches the border of the image, so it may be cut.
    qc_level_order_ok : bool or None
        The level stands in order, and at a plausible distance, with the vertebrae next to it in the mask.
    qc_body_source : str
        Where the body came from: ``cut``, the kind of body mask, or empty if the recipe needs no body.
    qc_voxels_voi, qc_volume_voi_ml : int, float
        Size of the VOI.
    qc_voi_touches_border : bool
        The VOI itself reaches the border of the image.
    qc_mean_hu : float or None
        Mean of the VOI on the image's own grid.
    qc_mean_hu_ok : bool or None
        The mean is plausible for bone (see ``PLAUSIBLE_MEAN_HU``).
    qc_largest_part_share : float
        Share of the source label's voxels in its largest connected part.
    qc_centroid_step_mm : float or None
        Mean distance of the label's centroid from those next to it along the spine, for each step.
    qc_centroid_step_ratio : float or None
        Such a distance as a ratio to those nearby, the one that differs more (C3 to L6).
    qc_volume_ratio : float or None
        Volume of the label as a ratio to what the labels next to it let expect (C3 to L6).
    qc_body_touches_border : bool or None
        The body reaches the border of the image, so it is cut (C3 to L6; None if no body is found).
    qc_room_above_mm, qc_room_below_mm : float
        Distance of the body, or of the label if no body is found, from the upper and lower end of the image.
    qc_short_field_of_view : bool or None
        The image ends before the next vertebra above or below could be whole (C3 to L6).
    qc_metal_share : float or None
        Share of the label's voxels that are denser than bone (see `radiobone.voi.metal`).
    qc_metal_near_ml : float or None
        Volume denser than bone in and near the label.
    qc_dark_share : float or None
        Share of the label's voxels that are darker than any tissue of it: streaks, gas.
    qc_height_anterior_mm, qc_height_middle_mm, qc_height_posterior_mm : float or None
        Heights of the body in its own axes (T1 to L6; None if the body is cut, or no axes are found).
    qc_wedge_percent, qc_biconcave_percent : float or None
        Loss of the anterior and of the middle height against the posterior one.
    qc_anterior_loss_percent, qc_middle_loss_percent, qc_posterior_loss_percent : float or None
        Loss of each height against the mean of the next vertebra above and the next below.
    qc_fracture_grade : int or None
        0 to 3, by the largest of the five losses (see `radiobone.voi.fracture`): a suspicion, no finding.
    qc_needs_review : bool
        The VOI should be looked at before it is used.
    qc_review_reason : str
        Why, in words, separated by semicolons.
    qc_warnings : str
        All that is worth knowing, these reasons among it, in words, separated by semicolons.
    """

    qc_voxels_label: int
    qc_volume_label_ml: float
    qc_components: int
    qc_touches_border: bool
    qc_level_order_ok: bool | None
    qc_body_source: str
    qc_voxels_voi: int
    qc_volume_voi_ml: float
    qc_voi_touches_border: bool
    qc_mean_hu: float | None
    qc_mean_hu_ok: bool | None
    qc_largest_part_share: float
    qc_centroid_step_mm: float | None
    qc_centroid_step_ratio: float | None
    qc_volume_ratio: float | None
    qc_body_touches_border: bool | None
    qc_room_above_mm: float
    qc_room_below_mm: float
    qc_short_field_of_view: bool | None
    qc_metal_share: float | None
    qc_metal_near_ml: float | None
    qc_dark_share: float | None
    qc_height_anterior_mm: float | None
    qc_height_middle_mm: float | None
    qc_height_posterior_mm: float | None
    qc_wedge_percent: float | None
    qc_biconcave_percent: float | None
    qc_anterior_loss_percent: float | None
    qc_middle_loss_percent: float | None
    qc_posterior_loss_percent: float | None
    qc_fracture_grade: int | None
    qc_needs_review: bool = False
    qc_review_reason: str = ""
    qc_warnings: str = ""

    def columns(self) -> dict[str, int | float | bool | str | None]:
        """Return the columns by name, in their order.

        Returns
        -------
        dict
            Column to value; None where nothing can be said.
        """
        return asdict(self)


def measure(source: Source, made: Made, spine: Neighbourhood) -> VoiQuality:
    """Measure all that is said of one VOI, without judging it.

    Parameters
    ----------
    source : Source
        What the VOI was made from.
    made : Made
        The VOI.
    spine : Neighbourhood
        All labels of the mask.

    Returns
    -------
    VoiQuality
        The quality columns; what `radiobone.voi.review` adds is empty.
    """
    label, level = source.label, source.level
    parts = part_sizes(label)
    mean = mean_hu(made.mask, source.image)
    steps = spine.steps_mm(level)
    body = _find_body(source) if level in ALIKE else None
    room = find_room(label if body is None else body)
    metal = None if source.image is None else find_metal(label, source.image)
    heights = spine.heights(level)
    losses = None if heights is None else find_losses(heights, spine.heights_nearby(level))
    return VoiQuality(
        qc_voxels_label=label.n_voxels,
        qc_volume_label_ml=label.volume_ml,
        qc_components=len(parts),
        qc_touches_border=touches_border(label),
        qc_level_order_ok=spine.spine.level_ok(level),
        qc_body_source=made.body_source,
        qc_voxels_voi=made.mask.n_voxels,
        qc_volume_voi_ml=made.mask.volume_ml,
        qc_voi_touches_border=touches_border(made.mask),
        qc_mean_hu=mean,
        qc_mean_hu_ok=None if mean is None else PLAUSIBLE_MEAN_HU[0] <= mean <= PLAUSIBLE_MEAN_HU[1],
        qc_largest_part_share=max(parts) / label.n_voxels,
        qc_centroid_step_mm=float(np.mean(steps)) if steps else None,
        qc_centroid_step_ratio=spine.step_ratio(level),
        qc_volume_ratio=spine.volume_ratio(level),
        qc_body_touches_border=None if body is None else touches_border(body),
        qc_room_above_mm=room.above_mm,
        qc_room_below_mm=room.below_mm,
        qc_short_field_of_view=spine.is_at_the_end(level, room),
        qc_metal_share=metal.share if metal else None,
        qc_metal_near_ml=metal.near_ml if metal else None,
        qc_dark_share=metal.dark_share if metal else None,
        qc_height_anterior_mm=heights.anterior_mm if heights else None,
        qc_height_middle_mm=heights.middle_mm if heights else None,
        qc_height_posterior_mm=heights.posterior_mm if heights else None,
        qc_wedge_percent=losses.wedge if losses else None,
        qc_biconcave_percent=losses.biconcave if losses else None,
        qc_anterior_loss_percent=losses.anterior if losses else None,
        qc_middle_loss_percent=losses.middle if losses else None,
        qc_posterior_loss_percent=losses.posterior if losses else None,
        qc_fracture_grade=losses.grade if losses else None,
    )


def _find_body(source: Source) -> Mask | None:
    try:
        return source.once(build_body).mask
    except VoiError:
        return None


def mean_hu(voi: Mask, image: Image | None) -> float | None:
    """Return the mean HU of a VOI; None without an image.

    Parameters
    ----------
    voi : Mask
        Boolean.
    image : Image or None
        The scan on the same grid.
    """
    return None if image is None else float(image.array[voi.box][voi.array].mean(dtype="float64"))

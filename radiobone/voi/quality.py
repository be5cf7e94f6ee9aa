"""Quality of one VOI: the ``qc_...`` columns of the feature table, in their fixed order."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from radiobone.imaging import Image, Mask
from radiobone.voi.erosion import count_components, touches_border
from radiobone.voi.recipes import Made, Source

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
    qc_warnings : str
        All that deserves a look, in words, separated by semicolons.
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
    qc_warnings: str

    def columns(self) -> dict[str, int | float | bool | str | None]:
        """Return the columns by name, in their order.

        Returns
        -------
        dict
            Column to value; None where nothing can be said.
        """
        return asdict(self)


def assess(source: Source, made: Made, level_ok: bool | None) -> VoiQuality:
    """Judge one VOI.

    Parameters
    ----------
    source : Source
        What the VOI was made from.
    made : Made
        The VOI.
    level_ok : bool or None
        Whether the level stands in order with its neighbours.

    Returns
    -------
    VoiQuality
        The quality columns.
    """
    components = count_components(source.label)
    cut = touches_border(source.label)
    mean = _mean_hu(made.mask, source.image)
    mean_ok = None if mean is None else PLAUSIBLE_MEAN_HU[0] <= mean <= PLAUSIBLE_MEAN_HU[1]
    warnings = list(made.warnings)
    if cut:
        warnings.append("label reaches the image border")
    if components > 1:
        warnings.append(f"label has {components} parts")
    if level_ok is False:
        warnings.append("level out of order with its neighbours")
    if mean is not None and not mean_ok:
        warnings.append(f"mean of {mean:.0f} HU is not plausible for bone")
    return VoiQuality(
        qc_voxels_label=source.label.n_voxels,
        qc_volume_label_ml=source.label.volume_ml,
        qc_components=components,
        qc_touches_border=cut,
        qc_level_order_ok=level_ok,
        qc_body_source=made.body_source,
        qc_voxels_voi=made.mask.n_voxels,
        qc_volume_voi_ml=made.mask.volume_ml,
        qc_voi_touches_border=touches_border(made.mask),
        qc_mean_hu=mean,
        qc_mean_hu_ok=mean_ok,
        qc_warnings="; ".join(warnings),
    )


def _mean_hu(voi: Mask, image: Image | None) -> float | None:
    return None if image is None else float(image.array[voi.box][voi.array].mean(dtype="float64"))

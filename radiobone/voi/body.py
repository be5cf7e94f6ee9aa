"""The vertebral body: from a body mask where there is one, else cut from the label of the whole vertebra."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import GeometryError, VoiError
from radiobone.imaging import Mask
from radiobone.imaging.geometry import differences
from radiobone.voi.axes import VertebraAxes
from radiobone.voi.erosion import largest_component
from radiobone.voi.spine import find_labels

Kind = Literal["same_labels", "totalsegmentator_body", "tptbox_subregions"]

TOTALSEGMENTATOR_BODY = 1
"""TotalSegmentator, task ``vertebrae_body``: 1 is body, 2 is disc."""

TPTBOX_BODY = (49, 50)
"""TPTBox subregions: 49 border and 50 inside of the body; 41 to 48 are the arch and its processes."""

SAME_LABELS_SHARE = 0.9
"""A body mask numbered like the vertebra mask agrees with it in more than this share of its voxels."""


@dataclass(frozen=True, eq=False)
class BodyMask:
    """A mask that tells bodies from arches.

    Parameters
    ----------
    mask : Mask
        On the grid of the vertebra mask.
    kind : {"same_labels", "totalsegmentator_body", "tptbox_subregions"}
        How its labels are to be read; ``same_labels`` has the vertebra mask's numbers on the bodies only.
    """

    mask: Mask
    kind: Kind

    def of(self, label: Mask, value: int) -> Mask:
        """Return the body of one vertebra: the part of its label that the body mask calls body.

        Parameters
        ----------
        label : Mask
            The label of the vertebra, boolean, in its tight box.
        value : int
            Its label value in the vertebra mask.

        Returns
        -------
        Mask
            The largest part of the body, boolean.

        Raises
        ------
        VoiError
            If the body mask holds nothing of this vertebra.
        """
        values = self.mask.within(label.box)
        if self.kind == "same_labels":
            body = values == value
        elif self.kind == "totalsegmentator_body":
            body = values == TOTALSEGMENTATOR_BODY
        else:
            body = np.isin(values, TPTBOX_BODY)
        found = largest_component(Mask(label.array & body, label.geometry, label.offset))
        if found.n_voxels == 0:
            raise VoiError(
                "the body mask holds nothing of this vertebra", do="check the body mask, or leave it out"
            )
        return found


def recognise_body_mask(body_mask: Mask, mask: Mask) -> BodyMask:
    """Recognise how a body mask is labelled.

    Parameters
    ----------
    body_mask : Mask
        The body mask.
    mask : Mask
        The vertebra mask.

    Returns
    -------
    BodyMask
        The mask and its kind.

    Raises
    ------
    GeometryError
        If it does not lie on the grid of the vertebra mask.
    VoiError
        If its labels are of no kind that is known.
    """
    different = differences(mask.geometry, body_mask.geometry)
    if different:
        raise GeometryError(
            "the body mask does not lie on the grid of the vertebra mask",
            got="; ".join(different),
            do="resample it",
        )
    values = set(find_labels(body_mask))
    if values and _agreement(body_mask, mask) > SAME_LABELS_SHARE:
        return BodyMask(body_mask, "same_labels")
    if TOTALSEGMENTATOR_BODY in values and values <= {1, 2}:
        return BodyMask(body_mask, "totalsegmentator_body")
    if values & set(TPTBOX_BODY) and min(values) >= 40:
        return BodyMask(body_mask, "tptbox_subregions")
    raise VoiError(
        "the body mask is empty" if not values else "the labels of the body mask are not known",
        got=", ".join(map(str, sorted(values))) or "no labels",
        expected="1 body, 2 disc (TotalSegmentator vertebrae_body); 41 to 50 (TPTBox subregions); "
        "or the numbers of the vertebra mask",
        do="relabel it as one of these",
    )


def _agreement(body_mask: Mask, mask: Mask) -> float:
    """Return the share of a body mask's voxels that have the same value in the vertebra mask."""
    body = body_mask.tight()
    filled: NDArray[np.bool_] = body.array != 0
    return float((mask.within(body.box)[filled] == body.array[filled]).mean())


def cut_along(vertebra: Mask, axes: VertebraAxes) -> Mask:
    """Cut the body from the label of a whole vertebra along the back wall of the body.

    All that lies in front of the plane of the back wall belongs to the body: pedicles, arch and processes lie
    behind it.

    Parameters
    ----------
    vertebra : Mask
        The label of the whole vertebra, boolean.
    axes : VertebraAxes
        With the origin on the back wall of the body.

    Returns
    -------
    Mask
        The body, boolean, in its tight box.
    """
    index = np.argwhere(vertebra.array)
    front = axes.coordinates(vertebra.geometry.world(index + vertebra.offset))[:, 1] < 0
    array = np.zeros(vertebra.array.shape, dtype=bool)
    array[tuple(index[front].T)] = True
    return largest_component(Mask(array, vertebra.geometry, vertebra.offset))

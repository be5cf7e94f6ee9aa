"""What a network is shown of a VOI: pictures along the planes of the body, or a volume.

Pictures stand as radiologists hang them: an axial one with the front above, a sagittal one with the head above and
the front to the left, a coronal one with the head above; the patient's right is on the left side. A volume has the
axes of all arrays, (z, y, x), growing to the head, to the back and to the left. All this holds however the file
stores its axes; in an oblique scan the planes are those of the scan that are nearest to the body's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import EngineError
from radiobone.features.deep.body import Body, body
from radiobone.features.deep.framing import frame
from radiobone.features.deep.params import DeepParams, View
from radiobone.features.deep.resampling import Line
from radiobone.features.deep.sampling import sample
from radiobone.features.deep.slices import chosen_slices, middle_slice
from radiobone.imaging import Image, Mask
from radiobone.imaging.geometry import differences

ACROSS: dict[View, int] = {"axial": 0, "coronal": 1, "sagittal": 2}
"""The axis (0 is z) across which the slices of a view lie."""

Shown = tuple[NDArray[np.float64], NDArray[np.bool_]]


@dataclass(frozen=True)
class Place:
    """Where an input lies in the scan.

    Parameters
    ----------
    view : str
        As in the parameter file.
    slices : tuple of int
        The slice of each channel, counted from the feet, the front or the right of the scan; of ``triplanar`` the
        axial, coronal and sagittal one; empty for a volume.
    pixel_mm : tuple of float
        Edges of a pixel along (z, y, x), 0.0 across a picture.
    """

    view: View
    slices: tuple[int, ...]
    pixel_mm: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Inputs:
    """What a network is shown of one VOI.

    Parameters
    ----------
    array : ndarray of shape (n, channels, y, x) or (n, channels, z, y, x), float32
        From 0 (lower bound of the window) to 1 (upper bound), before the weights' normalisation.
    mask : ndarray of the same shape, bool
        Which pixels of each channel belong to the VOI.
    places : tuple of n Place
        Where each input lies: by view in the order of the parameter file, then by slice.
    """

    array: NDArray[np.float32]
    mask: NDArray[np.bool_]
    places: tuple[Place, ...]

    @property
    def views(self) -> tuple[View, ...]:
        """The view of each input."""
        return tuple(place.view for place in self.places)


def make_inputs(image: Image, voi: Mask, params: DeepParams) -> Inputs:
    """Make the inputs of one VOI.

    Parameters
    ----------
    image : Image
        The scan, in HU.
    voi : Mask
        The VOI on the scan's grid; every voxel that is not 0 belongs to it.
    params : DeepParams
        What is to be seen.

    Returns
    -------
    Inputs
        One input for each picture, or the one volume.

    Raises
    ------
    EngineError
        If the VOI lies on another grid, has too few voxels or sticks out of its window, if nothing of it is left
        in a picture, or if the scan holds NaN or infinite values there.

    Notes
    -----
    Pixels are interpolated linearly (see `resampling`), in the plane of a picture only: a picture is a slice of
    the scan. A picture that reaches beyond the scan goes on with the lower bound of the window, as does a volume:
    a VOI at the scan's border fails in no other block either. A neighbour (``channels: adjacent``) beyond the
    first or last slice is that slice once more: a black channel would look like no picture that the network knows.
    """
    found = differences(image.geometry, voi.geometry)
    if found:
        raise EngineError(
            "image and mask do not lie on the same grid",
            got="; ".join(found) + " (image, mask)",
            expected="one grid",
            do="check that they belong together, or resample the mask to the image's grid",
        )
    n_voxels = voi.n_voxels
    if n_voxels < params.min_voxels:
        raise EngineError(
            "the VOI is too small",
            got=f"{n_voxels} voxels",
            expected=f"at least {params.min_voxels} (min_voxels)",
            do="check the mask, or lower min_voxels",
        )
    seen = body(image, voi)
    shots = [shot for view in params.views for shot in _shots(seen, view, params)]
    array = np.empty((len(shots), params.n_channels, *params.sizes), dtype=np.float32)
    mask = np.empty(array.shape, dtype=bool)
    for number, (place, channels) in enumerate(shots):
        if params.masking != "crop" and not any(inside.any() for _, inside in channels):
            raise EngineError(
                "nothing of the VOI is left in its picture",
                where=place.view,
                got=f"{n_voxels} voxels in pixels of {max(place.pixel_mm):.4g} mm",
                expected="pixels that are finer than the VOI is thin",
                do="lower spacing_mm, raise size, or use masking: crop_mask",
            )
        for channel in range(array.shape[1]):
            # One slice (or volume) is repeated over all channels.
            array[number, channel], mask[number, channel] = channels[channel % len(channels)]
    return Inputs(array, mask, tuple(place for place, _ in shots))


def _shots(body: Body, view: View, params: DeepParams) -> Iterator[tuple[Place, Sequence[Shown]]]:
    """Yield the inputs of one view, each with its place and its channels (one, where all hold the same)."""
    if view == "volume":
        lines = frame(body, (0, 1, 2), params)
        yield _place(body, view, (), lines), [sample(body, lines, params)]
    elif view == "triplanar":
        lines = frame(body, (0, 1, 2), params)
        numbers = tuple(middle_slice(body, axis) for axis in range(3))
        planes = [_picture(body, axis, number, lines, params) for axis, number in enumerate(numbers)]
        yield _place(body, view, numbers, lines), planes
    else:
        axis = ACROSS[view]
        lines = frame(body, [other for other in range(3) if other != axis], params)
        for number in chosen_slices(body, axis, params):
            last = body.hu.shape[axis] - 1
            numbers = (
                (max(number - 1, 0), number, min(number + 1, last)) if params.channels == "adjacent" else (number,)
            )
            yield (
                _place(body, view, numbers, lines),
                [_picture(body, axis, number, lines, params) for number in numbers],
            )


def _picture(body: Body, axis: int, number: int, lines: dict[int, Line], params: DeepParams) -> Shown:
    """Show a slice across an axis as radiologists see it."""
    in_plane = {other: line for other, line in lines.items() if other != axis}
    grey, inside = sample(body, in_plane, params, at={axis: number})
    # Slices along the body have rows that grow to the head: the head belongs above.
    return (grey, inside) if axis == 0 else (grey[::-1], inside[::-1])


def _place(body: Body, view: View, slices: tuple[int, ...], lines: dict[int, Line]) -> Place:
    z, y, x = (lines[axis].step * body.spacing_mm[axis] if axis in lines else 0.0 for axis in range(3))
    return Place(view, slices, (z, y, x))

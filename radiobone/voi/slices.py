"""Two-dimensional VOIs: one or several slices of a vertebra, in planes of the image itself.

Extraction with ``force2D`` compares neighbours within planes of the voxel grid, and ``shape2D`` wants exactly one
of them. A plane in the body's own axes would cut the grid in steps and fit neither, so slices are whole planes of
the image: those across the array axis that lies nearest to the axis of the patient that the plane is named after.
Where that is not the first array axis, ``force2Ddimension`` has to name it (0 is z, 1 is y, 2 is x), and a warning
says so; ``shape2D`` has no values across y, as in PyRadiomics. Resampling across the slices would make several of
one: leave ``resampledPixelSpacing`` out, or 0 for that axis.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from radiobone.core.errors import VoiError
from radiobone.imaging import Geometry, Mask
from radiobone.voi.frame import FramedBody, frame_body
from radiobone.voi.options import Plane, VoiOptions
from radiobone.voi.source import Made, Source
from radiobone.voi.trabecular import build_body, build_trabecular

PLANES: tuple[Plane, ...] = ("sagittal", "coronal", "axial")
"""The plane across each axis of the patient, and of the body: left, back, head."""

TOLD_OBLIQUE_DEG = 20.0
"""A slice that lies more obliquely in the body than this is told: cut so, a body looks 6 % longer than it is."""


def build_slices(source: Source, options: VoiOptions) -> Made:
    """Take slices of a vertebra, evenly spaced along its body's own axis.

    Of n slices, number k goes through the point at k / (n + 1) of the body's height (axial), depth (coronal) or
    width (sagittal), so that none touches an end plate unless it lies obliquely.

    Parameters
    ----------
    source : Source
        One level of one scan.
    options : VoiOptions
        Number of slices, their plane, and the region that they are taken of.

    Returns
    -------
    Made
        The slices, with a warning where they lie obliquely, or not across the first array axis.

    Raises
    ------
    VoiError
        If the body or its axes cannot be told, or it has fewer slices than are wanted.
    """
    framed = frame_body(source)
    region = take_region(source, options)
    mask = region.mask
    axis = array_axis(mask.geometry, options.plane)
    chosen = np.isin(np.arange(*mask.box[axis].indices(mask.geometry.shape[axis])), _places(framed, axis, options))
    shape = [1, 1, 1]
    shape[axis] = -1
    voi = Mask(mask.array & chosen.reshape(shape), mask.geometry, mask.offset).tight()
    if voi.n_voxels == 0:
        raise VoiError(f"no voxel of the {options.region} lies in these slices", do="check the label")
    told = (*framed.warnings, *region.warnings, *_warnings(framed, axis, options.plane))
    return Made(voi, framed.body.body_source, told)


def build_slice_mid(source: Source, options: VoiOptions) -> Made:
    """Take the one slice through the middle of the body.

    Parameters
    ----------
    source : Source
        One level of one scan.
    options : VoiOptions
        The plane, and the region that the slice is taken of.

    Returns
    -------
    Made
        The slice, with a warning where it lies obliquely, or not across the first array axis.

    Raises
    ------
    VoiError
        If the body or its axes cannot be told.
    """
    return build_slices(source, replace(options, n_slices=1))


def take_region(source: Source, options: VoiOptions) -> Made:
    """Make the region that slices or a field of view are taken of.

    Parameters
    ----------
    source : Source
        One level of one scan.
    options : VoiOptions
        The region, and the options of the trabecular one.

    Returns
    -------
    Made
        The label, the body, or the inside of the body.

    Raises
    ------
    VoiError
        If it cannot be made.
    """
    if options.region == "label":
        return Made(source.label)
    return build_trabecular(source, options) if options.region == "trabecular" else build_body(source)


def array_axis(geometry: Geometry, plane: Plane) -> int:
    """Return the array axis across which a plane of the patient lies.

    Parameters
    ----------
    geometry : Geometry
        The image's grid.
    plane : {"axial", "coronal", "sagittal"}
        The plane.

    Returns
    -------
    int
        0 for z, 1 for y, 2 for x, as ``force2Ddimension`` counts them.
    """
    return int(np.argmax(np.abs(geometry.axes[:, PLANES.index(plane)])))


def _places(framed: FramedBody, axis: int, options: VoiOptions) -> list[int]:
    """Return the indices of the slices along an axis of the whole grid."""
    own = PLANES.index(options.plane)
    frame, body = framed.frame, framed.body.mask
    count = options.n_slices
    shares = np.arange(1, count + 1) / (count + 1) - 0.5
    points = frame.axes.origin_mm + shares[:, None] * frame.size_mm[own] * frame.axes.directions[own]
    places = sorted(int(place) for place in np.rint(body.geometry.index(points)[:, axis]))
    if len(set(places)) < count:
        raise VoiError(
            "the body has fewer slices than are wanted",
            got=f"{frame.size_mm[own]:.0f} mm in slices {body.geometry.spacing_mm[axis]:g} mm apart",
            expected=f"room for {count} slices with their distances",
            do="lower n_slices",
        )
    return places


def _warnings(framed: FramedBody, axis: int, plane: Plane) -> tuple[str, ...]:
    normal = framed.frame.axes.directions[PLANES.index(plane)]
    cosine = abs(float(framed.body.mask.geometry.axes[axis] @ normal))
    oblique = float(np.degrees(np.arccos(min(cosine, 1.0))))
    told = []
    if oblique > TOLD_OBLIQUE_DEG:
        told.append(f"{plane} slices lie {oblique:.0f} degrees oblique to the body")
    if axis != 0:
        shape = ", and shape2D has none there" if axis == 1 else ""
        told.append(
            f"{plane} slices lie across array axis {axis}: 2D features need force2Ddimension: {axis}{shape}"
        )
    return tuple(told)

"""Whether a mask lies on the image's grid, and bringing it there when the user asks for it."""

from __future__ import annotations

from radiobone.core.errors import GeometryError
from radiobone.imaging.geometry import differences
from radiobone.imaging.volumes import Image, Mask


def check_same_grid(image: Image | Mask, mask: Mask, where: str) -> None:
    """Refuse a mask that does not lie on the grid of an image, or of another mask.

    Parameters
    ----------
    image : Image or Mask
        The scan, or the other mask.
    mask : Mask
        A label map that should lie on its grid.
    where : str
        Case and file, for the message.

    Raises
    ------
    GeometryError
        If the grids differ; lists every difference with its magnitude.
    """
    found = differences(image.geometry, mask.geometry)
    if found and isinstance(image, Mask):
        raise GeometryError(
            "the two masks do not lie on the same grid",
            where=where,
            got="; ".join(found),
            expected="one grid",
            do="check that they belong together; --align b-to-a resamples the second mask",
        )
    if found:
        raise GeometryError(
            "image and mask do not lie on the same grid",
            where=where,
            got="; ".join(found) + " (image, mask)",
            expected="one grid",
            do="check that they belong together; --align mask-to-image resamples the mask",
        )


def align_mask(mask: Mask, image: Image | Mask, where: str) -> tuple[Mask, str]:
    """Resample a label map onto the grid of an image, or of another mask, nearest neighbour.

    Parameters
    ----------
    mask : Mask
        The label map, on any grid in the same world.
    image : Image or Mask
        The scan, or the other mask.
    where : str
        Case and file, for the message.

    Returns
    -------
    aligned : Mask
        On that grid.
    note : str
        What was done and the share of the mask's volume that was kept, for the manifest; empty if both lie on
        one grid already.

    Raises
    ------
    GeometryError
        If nothing of the mask lies inside the image.
    """
    import SimpleITK as sitk

    found = differences(image.geometry, mask.geometry)
    if not found:
        return mask, ""
    target = "other mask" if isinstance(image, Mask) else "image"
    grid, source = image.geometry, mask.to_sitk()
    resampled = sitk.Resample(
        source,
        grid.shape[::-1],
        sitk.Transform(),
        sitk.sitkNearestNeighbor,
        grid.origin_mm,
        grid.spacing_mm[::-1],
        grid.direction,
        0,
        source.GetPixelID(),
    )
    aligned = Mask(sitk.GetArrayFromImage(resampled), grid, names=mask.names, notes=mask.notes)
    if not aligned.n_voxels:
        raise GeometryError(
            f"nothing of the mask lies inside the {target}",
            where=where,
            got="; ".join(found) + f" ({target}, mask)",
            do="check that they belong to the same scan",
        )
    share = aligned.volume_ml / mask.volume_ml
    return aligned, f"mask resampled to the {target}'s grid ({'; '.join(found)}); {share:.1%} of its volume kept"

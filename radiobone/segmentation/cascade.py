"""Two passes: a coarse model finds the spine, a fine one delineates it inside its box."""

from __future__ import annotations

import math

import numpy as np

from radiobone.core.errors import ImageError, UsageError
from radiobone.imaging import Geometry, Image, Mask
from radiobone.imaging.volumes import Box, expand
from radiobone.segmentation.labels import Values
from radiobone.segmentation.model import Model
from radiobone.segmentation.segmenter import Segmenter

LEAST_PIECE_ML = 1.0
"""Smaller pieces of the coarse mask do not widen the box: they are specks far from the spine."""


class Cascade:
    """A coarse and a fine model with the interface of one.

    Parameters
    ----------
    coarse : Segmenter
        Every label of its model counts as spine.
    fine : Segmenter
        Gives the labels.
    margin_mm : float, default 20.0
        How far beyond the coarse mask the fine model looks, on all sides.

    Raises
    ------
    UsageError
        If the margin is negative.

    Notes
    -----
    Inside the box the fine model's windows lie elsewhere than on the whole scan, so that single voxels at the
    edges of vertebrae may differ from a fine pass over everything.
    """

    def __init__(self, coarse: Segmenter, fine: Segmenter, margin_mm: float = 20.0) -> None:
        if not (margin_mm >= 0 and math.isfinite(margin_mm)):
            raise UsageError("no margin", got=margin_mm, expected="0 mm or more")
        self.coarse = coarse
        self.fine = fine
        self.margin_mm = margin_mm

    @property
    def models(self) -> tuple[Model, ...]:
        """The coarse model and the fine one."""
        return (*self.coarse.models, *self.fine.models)

    @property
    def values(self) -> Values:
        """Values of the fine model's labels."""
        return self.fine.values

    @property
    def settings(self) -> dict[str, object]:
        """All that masks depend on beside the models and the image."""
        return {"margin_mm": self.margin_mm, "coarse": self.coarse.settings, "fine": self.fine.settings}

    def predict(self, image: Image, *, progress: bool = False) -> Mask:
        """Segment a scan.

        Parameters
        ----------
        image : Image
            HU on any grid.
        progress : bool, default False
            Show a bar of the windows of each pass, if standard error is a terminal.

        Returns
        -------
        Mask
            On the image's own grid; it holds the box of the spine.

        Raises
        ------
        ImageError
            If the coarse model finds no spine, or an image would need more memory than the limit.
        """
        box = self.find_box(image, progress=progress)
        z, y, x = (part.start for part in box)
        old = image.geometry
        shape = (box[0].stop - z, box[1].stop - y, box[2].stop - x)
        ox, oy, oz = old.world((z, y, x)).tolist()
        inner = Geometry(shape, old.spacing_mm, (ox, oy, oz), old.direction)
        fine = self.fine.predict(Image(image.array[box], inner), progress=progress)
        return Mask(fine.array, old, (z, y, x), notes=fine.notes)

    def find_box(self, image: Image, *, progress: bool = False) -> Box:
        """Find the box of the spine, with its margin.

        Parameters
        ----------
        image : Image
            The scan.
        progress : bool, default False
            Show a bar.

        Raises
        ------
        ImageError
            If the coarse model finds no spine.
        """
        from scipy import ndimage

        mask = self.coarse.predict(image, progress=progress)
        # An empty mask stays whole, since an array without voxels has no pieces to ask for.
        mask = mask.tight() if mask.n_voxels else mask
        pieces, count = ndimage.label(mask.array)
        # Slice by slice, since NumPy counts in 64 bits for each voxel.
        voxels = sum((np.bincount(plane.ravel(), minlength=count + 1) for plane in pieces), np.zeros(count + 1))
        sizes = voxels[1:] * image.geometry.voxel_volume_mm3 / 1000.0
        boxes = [
            box for box, size in zip(ndimage.find_objects(pieces), sizes, strict=True) if size >= LEAST_PIECE_ML
        ]
        if not boxes:
            raise ImageError(
                "the coarse pass found no spine",
                got=f"pieces of up to {max(sizes, default=0.0):.2g} ml",
                expected=f"at least {LEAST_PIECE_ML:g} ml",
                do="check that the image is a CT of the trunk, and the model's order of axes (--orientation)",
            )
        z, y, x = (
            slice(
                min(box[axis].start for box in boxes) + mask.offset[axis],
                max(box[axis].stop for box in boxes) + mask.offset[axis],
            )
            for axis in range(3)
        )
        dz, dy, dx = (math.ceil(self.margin_mm / size) for size in image.geometry.spacing_mm)
        return expand((z, y, x), (dz, dy, dx), image.geometry.shape)

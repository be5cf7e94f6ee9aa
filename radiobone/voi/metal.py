"""Metal in and near a vertebra, and the dark streaks that it throws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radiobone.imaging import Image, Mask
from radiobone.imaging.volumes import expand

METAL_HU = 2500.0
"""Metal is denser than this, in HU (radiobone's own choice).

The densest bone in the spines of the test suite measures 2,103 HU, noise of a sharp kernel included; a 12-bit
file ends at 3,071 HU, so that metal cannot be told by a higher bound there.
"""

NEAR_MM = 10.0
"""Metal is looked for so far round the box of the label: screws, rods and cages, but not clips in the abdomen."""

DARK_HU = -250.0
"""Neither bone, marrow, fat nor water is darker than this: streaks and gas are, and lung at the label's edge."""


@dataclass(frozen=True)
class Metal:
    """What was found of metal.

    Parameters
    ----------
    share : float
        Share of the label's voxels above ``METAL_HU``.
    near_ml : float
        Volume above ``METAL_HU`` in the box of the label, ``NEAR_MM`` wider on all sides.
    dark_share : float
        Share of the label's voxels below ``DARK_HU``.
    """

    share: float
    near_ml: float
    dark_share: float


def find_metal(label: Mask, image: Image) -> Metal:
    """Look for metal in and near a label.

    Parameters
    ----------
    label : Mask
        Boolean, in its tight box.
    image : Image
        On the same grid.

    Returns
    -------
    Metal
        What was found.
    """
    z, y, x = (int(np.ceil(NEAR_MM / edge)) for edge in label.geometry.spacing_mm)
    near = image.array[expand(label.box, (z, y, x), label.geometry.shape)]
    hu = image.array[label.box][label.array]
    return Metal(
        float(np.mean(hu > METAL_HU)),
        float(np.count_nonzero(near > METAL_HU)) * label.geometry.voxel_volume_mm3 / 1000.0,
        float(np.mean(hu < DARK_HU)),
    )

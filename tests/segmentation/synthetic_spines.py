"""Synthetic CTs of spines with their masks: nothing but the order of vertebrae tells one from another.

All vertebrae of a scan have one shape up to small random changes, and HU of one distribution; which levels a scan
shows, how they lean, and what lies around them is drawn anew for each scan.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from radiobone.imaging import Geometry, Image, Mask
from radiobone.imaging.writing import write_image, write_mask
from radiobone.tables.vertebrae import VARIANTS, VERTEBRAE
from radiobone.voi.schemes import VERSE

NAMES = [name for name in VERTEBRAE if name not in VARIANTS and name != "S1"]

STEP_MM = 27.0

TINY = {
    "spacing_mm": (3.0, 3.0, 3.0),
    "patch": (32, 32, 32),
    "features": (8, 16, 32),
    "batch_size": 2,
    "convolutions": 1,
}
"""A network that a processor trains in seconds."""


def synthetic_scan(seed: int, number: int = 4, lowest: str = "L4", spacing_mm: float = 3.0) -> tuple[Image, Mask]:
    """Return a scan and its mask (values as in VerSe) with so many whole vertebrae."""
    random = np.random.default_rng(seed)
    size = (round((number * STEP_MM + 24) / spacing_mm), round(105 / spacing_mm), round(105 / spacing_mm))
    geometry = Geometry(size, (spacing_mm,) * 3, tuple(random.uniform(-200, 200, 3)))
    z, y, x = (np.arange(length) * spacing_mm for length in size)
    head, back, left = np.meshgrid(z - z.mean(), y - y.mean(), x - x.mean(), indexing="ij")
    bend, lean = random.uniform(-0.12, 0.12, 2)
    left, back = left + bend * head, back + lean * head
    levels = NAMES[NAMES.index(lowest) - number + 1 : NAMES.index(lowest) + 1][::-1]
    labels = np.zeros(size, dtype=np.uint8)
    cortex = np.zeros(size, dtype=bool)
    for place, level in enumerate(levels):
        middle = (place - (number - 1) / 2) * STEP_MM
        scale = random.uniform(0.92, 1.08)
        whole, inner = _vertebra((head - middle) / scale, back / scale, left / scale)
        labels[whole] = VERSE.value(level)
        cortex |= whole & ~inner
    hu = np.full(size, -100.0)
    hu[(left / 48) ** 2 + (back / 48) ** 2 < 1] = 40.0
    hu[((left - 30) / 14) ** 2 + ((back + 22) / 12) ** 2 < 1] = random.uniform(60, 160)  # a vessel, or a kidney
    hu[labels > 0] = random.uniform(120, 200)
    hu[cortex] = random.uniform(350, 500)
    hu += random.normal(0, 25, size)
    return Image(hu.round().astype(np.int16), geometry), Mask(labels, geometry)


def _vertebra(head: np.ndarray, back: np.ndarray, left: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which points (mm) lie in a vertebra, and which below its shell."""

    def shape(rim: float) -> np.ndarray:
        body = (left / (21 - rim)) ** 2 + ((back + 10) / (16 - rim)) ** 2 < 1
        body &= np.abs(head) < 10 - rim
        pedicles = (np.abs(np.abs(left) - 13) < 5 - rim) & (back > -6) & (back < 16) & (np.abs(head - 2) < 6 - rim)
        arch = ((left / (19 - rim)) ** 2 + ((back - 12) / (16 - rim)) ** 2 < 1) & (back > 12)
        arch &= (np.abs(head) < 8 - rim) & ((left / (9 + rim)) ** 2 + ((back - 12) / (8 + rim)) ** 2 > 1)
        spine = (np.abs(left) < 4 - rim / 2) & (back > 20) & (back < 38 - rim) & (np.abs(head + 2) < 7 - rim)
        return body | pedicles | arch | spine

    return shape(0.0), shape(2.5)


def write_cohort(folder: Path, number: int, first_seed: int = 0) -> Path:
    """Write scans, masks and a cohort table with the levels at hand."""
    random = np.random.default_rng(first_seed)
    rows = ["patient_id,image,mask,anchor"]
    for seed in range(first_seed, first_seed + number):
        lowest = str(random.choice(["T12", "L2", "L4", "L5"]))
        image, mask = synthetic_scan(seed, int(random.integers(3, 6)), lowest)
        write_image(image, folder / f"ct_{seed:02d}.nii.gz")
        write_mask(mask, folder / f"mask_{seed:02d}.nii.gz")
        rows.append(f"p{seed:02d},ct_{seed:02d}.nii.gz,mask_{seed:02d}.nii.gz,lowest={lowest}")
    path = folder / "cohort.csv"
    path.write_text("\n".join(rows) + "\n")
    return path

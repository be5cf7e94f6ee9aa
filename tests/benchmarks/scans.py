"""Seeded synthetic scans for the benchmark: vertebral bodies of an exact number of voxels in a noisy trunk."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

BODY = 28_279
"""Voxels of 1 mm³ of a body."""

LARGE_BODY = 10 * BODY

SHAPE = (60, 512, 512)
FINE_SHAPE, FINE_SPACING_MM = (300, 512, 512), (1.25, 0.7, 0.7)
SEED = 20240


def make(folder: Path) -> None:
    """Write all scans and masks of the benchmark; those of 1 mm plain and compressed."""
    middle = np.asarray(SHAPE) / 2.0 + 0.3
    labels = {name: np.zeros(SHAPE, np.uint8) for name in ("one", "large", "five")}
    one = body(SHAPE, (1.0, 1.0, 1.0), middle, BODY)
    large = body(SHAPE, (1.0, 1.0, 1.0), middle, LARGE_BODY)
    labels["one"][one], labels["large"][large] = 1, 1
    shells = [one, large]
    for label, (dy, dx) in enumerate(((0, 0), (-70, -60), (-70, 60), (70, -60), (70, 60)), start=1):
        shells.append(body(SHAPE, (1.0, 1.0, 1.0), np.add(middle, (0, dy, dx)), BODY))
        labels["five"][shells[-1]] = label
    for name, part in (("one", [one]), ("large", [large]), ("five", shells[2:])):
        write(trunk(SHAPE, (1.0, 1.0, 1.0), part), (1.0, 1.0, 1.0), folder / f"plain/{name}-ct.nii")
        write(labels[name], (1.0, 1.0, 1.0), folder / f"plain/{name}-mask.nii")
    for kind in ("ct", "mask"):
        sitk.WriteImage(sitk.ReadImage(str(folder / f"plain/one-{kind}.nii")), str(folder / f"one-{kind}.nii.gz"))
    fine = body(FINE_SHAPE, FINE_SPACING_MM, np.asarray(FINE_SHAPE) / 2.0 + 0.3, round(BODY / 0.7 / 0.7 / 1.25))
    mask = np.zeros(FINE_SHAPE, np.uint8)
    mask[fine] = 1
    write(trunk(FINE_SHAPE, FINE_SPACING_MM, [fine]), FINE_SPACING_MM, folder / "plain/fine-ct.nii")
    write(mask, FINE_SPACING_MM, folder / "plain/fine-mask.nii")


def body(
    shape: tuple[int, int, int], spacing_mm: tuple[float, float, float], centre: NDArray[np.float64], n: int
) -> tuple[NDArray[np.intp], ...]:
    """Return the indices (z, y, x) of the ``n`` voxels of a rounded elliptical cylinder (10 x 16 x 20)."""
    half = 1.7 * (n * np.prod(spacing_mm) / 18_000) ** (1 / 3) * np.array([10, 16, 20]) / spacing_mm
    start = np.maximum(centre - half, 0).astype(int)
    stop = np.minimum(centre + half, shape).astype(int)
    z, y, x = (
        (np.arange(low, high) - middle) * step / edge
        for low, high, middle, step, edge in zip(start, stop, centre, spacing_mm, (10, 16, 20), strict=True)
    )
    size = np.abs(z)[:, None, None] ** 6 + ((y**2)[:, None] + x**2) ** 3
    chosen = np.argpartition(size.ravel(), n)[:n]
    return tuple(index + low for index, low in zip(np.unravel_index(chosen, size.shape), start, strict=True))


def trunk(
    shape: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
    bodies: list[tuple[NDArray[np.intp], ...]],
) -> NDArray[np.int16]:
    """Return HU: air, an ellipse of soft tissue, 340 x 300 mm, and noisy trabecular bone in the bodies."""
    rng = np.random.default_rng(SEED)
    y, x = ((np.arange(size) - size / 2) * step for size, step in zip(shape[1:], spacing_mm[1:], strict=True))
    inside = (y[:, None] / 150) ** 2 + (x / 170) ** 2 < 1
    bone = np.zeros(shape, bool)
    for indices in bodies:
        bone[indices] = True
    hu = np.empty(shape, np.int16)
    for plane, filled in zip(hu, bone, strict=True):
        noise = gaussian_filter(rng.standard_normal(shape[1:], dtype=np.float32), 0.7)
        noise /= noise.std()
        plane[:] = np.round(
            np.where(filled, 160 + 100 * noise, np.where(inside, 40 + 15 * noise, -1000 + 8 * noise))
        )
    return hu


def write(array: NDArray[np.generic], spacing_mm: tuple[float, float, float], path: Path) -> None:
    """Write an image, and its array alone beside it, making their folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path.with_suffix(".npy"), array)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing_mm[::-1])
    sitk.WriteImage(image, str(path))


if __name__ == "__main__":
    make(Path(sys.argv[1]))

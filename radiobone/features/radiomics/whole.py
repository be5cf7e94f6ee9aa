"""What is asked of a whole scan: its extremes and its normalisation, without a float copy of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import EngineError
from radiobone.features.radiomics.settings import Settings
from radiobone.imaging import Image


@dataclass(frozen=True)
class Normalisation:
    """PyRadiomics' ``normalize``: values in standard deviations of the whole image, times a scale.

    Parameters
    ----------
    mean, sd : float
        Of all voxels of the image; ``sd`` with ``n - 1`` in the denominator.
    scale : float
        ``normalizeScale``.
    outliers : float or None
        ``removeOutliers``: values beyond so many standard deviations are set there.
    """

    mean: float
    sd: float
    scale: float
    outliers: float | None

    def __call__(self, array: NDArray[Any]) -> NDArray[np.float64]:
        """Return normalised values."""
        values: NDArray[np.float64] = (array.astype(np.float64) - self.mean) * (1.0 / self.sd)
        if self.outliers is not None:
            np.clip(values, -self.outliers, self.outliers, out=values)
        values *= self.scale
        return values


@dataclass(frozen=True, eq=False)
class WholeScan:
    """A scan whose statistics are computed once, when first asked for, and serve all its VOIs.

    Parameters
    ----------
    image : Image
        The whole scan. Its voxels are held in the machine's own byte order.
    """

    image: Image

    def __post_init__(self) -> None:
        array = self.image.array
        if not array.dtype.isnative:
            native = array.astype(array.dtype.newbyteorder("="))
            object.__setattr__(self, "image", Image(native, self.image.geometry))

    @cached_property
    def extremes(self) -> tuple[float, float]:
        """Smallest and largest value of the whole image.

        Raises
        ------
        EngineError
            If a voxel is NaN or infinite.
        """
        low, high = float(self.image.array.min()), float(self.image.array.max())
        if not (math.isfinite(low) and math.isfinite(high)):
            raise EngineError(
                "the image holds NaN or infinite values, and a statistic of the whole image is asked for",
                got=f"values from {low} to {high}",
                expected="finite values",
                do="mend the image, or leave out normalize and Square, SquareRoot, Logarithm, Exponential",
            )
        return low, high

    @cached_property
    def bound(self) -> float:
        """What no finite voxel of the whole image exceeds, up or down (see the function of this name)."""
        return bound(self.image.array)

    @cached_property
    def mean_sd(self) -> tuple[float, float]:
        """Mean and standard deviation of the whole image, without a float copy of it.

        Raises
        ------
        EngineError
            If a voxel is NaN or infinite.

        Notes
        -----
        Whole numbers are summed exactly, slice by slice, so the result has the very bits of ITK's compensated
        sums. Of other images ITK's filter itself is asked, since its sums may be off in the last bit: LBP3D
        compares interpolated with neighbouring values, and in a flat region that bit decides. One thread makes it
        the same in every run.
        """
        low, high = self.extremes
        array = self.image.array
        if low == high:
            return low, 0.0
        if array.dtype.kind not in "iu" or max(abs(low), abs(high)) >= 2**20:  # squares would overflow a sum
            return _mean_sd_by_itk(self.image)
        total = total_squared = 0
        for part in array:
            values = part.astype(np.int64)
            total += values.sum().item()
            total_squared += np.square(values).sum().item()
        mean = float(total) / array.size
        variance = (float(total_squared) - float(total) * float(total) / array.size) / (array.size - 1)
        return mean, math.sqrt(max(variance, 0.0))

    def normalisation(self, settings: Settings) -> Normalisation | None:
        """Return how PyRadiomics normalises this image, or None if the settings do not ask for it.

        Parameters
        ----------
        settings : Settings
            The parameter file's ``setting``.

        Raises
        ------
        EngineError
            If the image has one single value, or a voxel that is NaN or infinite.
        """
        if not settings.normalize:
            return None
        mean, sd = self.mean_sd
        if sd == 0:
            raise EngineError(
                "the image has one single value and cannot be normalised",
                got=f"{mean:g} everywhere",
                do="check the image, or set normalize: false",
            )
        return Normalisation(mean, sd, settings.normalizeScale, settings.removeOutliers)


def bound(array: NDArray[Any]) -> float:
    """Return a number that no finite voxel's absolute value exceeds.

    Parameters
    ----------
    array : ndarray
        Voxels of any shape, which may hold NaN and infinity.

    Returns
    -------
    float
        Of pixel types of 8 and 16 bits all that they can hold, since that costs no look at the voxels; else the
        largest absolute value of the finite ones, 0 if there is none.
    """
    if array.dtype.kind == "b":
        return 1.0
    if array.dtype.kind in "iu" and array.dtype.itemsize <= 2:
        return float(2 ** (8 * array.dtype.itemsize))
    ends = _ends(array)
    if not np.isfinite(ends).all():
        ends = _ends(array[np.isfinite(array)])
    return max(abs(float(end)) for end in ends)


def _ends(array: NDArray[Any]) -> list[Any]:
    """Return the smallest and the largest number, NaN left out."""
    if array.size == 0:
        return [0.0, 0.0]
    return [np.fmin.reduce(array, axis=None), np.fmax.reduce(array, axis=None)]


def _mean_sd_by_itk(image: Image) -> tuple[float, float]:
    import SimpleITK as sitk

    statistics = sitk.StatisticsImageFilter()
    statistics.SetNumberOfThreads(1)
    statistics.Execute(image.to_sitk())
    return float(statistics.GetMean()), float(statistics.GetSigma())

"""What training volumes go through by chance, so that the network does not learn them by heart."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from radiobone.learning.network.volumes import Volumes

AXES = ("z", "y", "x")


@dataclass(frozen=True)
class Augmentation:
    """Mirrors, shifts, and changes of intensity; everything is drawn from a generator that the caller seeds.

    Parameters
    ----------
    flips : collection of {"z", "y", "x"}
        Axes along which a volume is mirrored every second time.
    max_shift : int
        By how many voxels a volume is shifted at most, along each axis; its border is repeated.
    intensity : float
        Values are multiplied by up to 1 plus or minus this, and moved by up to as much of their spread.
    """

    flips: Collection[str] = ()
    max_shift: int = 0
    intensity: float = 0.0

    def __call__(self, batch: Volumes, rng: np.random.Generator) -> Volumes:
        """Change the volumes of a batch, each in its own way.

        Parameters
        ----------
        batch : ndarray of shape (n, z, y, x)
            Standardised volumes; a changed copy is returned.
        rng : Generator
            What is drawn does not depend on the volumes.

        Returns
        -------
        ndarray of the same shape
            Changed volumes.
        """
        changed = np.empty_like(batch)
        for number, volume in enumerate(batch):
            for axis in range(3):
                if AXES[axis] in self.flips and rng.random() < 0.5:
                    volume = np.flip(volume, axis)
                if self.max_shift:
                    by = int(rng.integers(-self.max_shift, self.max_shift + 1))
                    last = volume.shape[axis] - 1
                    volume = volume.take(np.clip(np.arange(last + 1) - by, 0, last), axis)
            if self.intensity:
                factor, added = 1.0 + rng.uniform(-self.intensity, self.intensity, size=2)
                volume = volume * np.float32(factor) + np.float32(added - 1.0)
            changed[number] = volume
        return changed

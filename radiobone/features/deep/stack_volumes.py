"""Volumes of a stack of patches, kept one by one until the stack is put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.core.files import atomic_path
from radiobone.features.deep.patch_params import PatchParams


@dataclass(frozen=True)
class KeptVolumes:
    """Volumes in a folder, one file each, named by their key.

    Parameters
    ----------
    folder : Path
        Where they lie.
    params : PatchParams
        Their shape and type.
    """

    folder: Path
    params: PatchParams

    def has(self, key: str) -> bool:
        """Say whether the volume of a key is there, whole and of the right kind.

        Parameters
        ----------
        key : str
            SHA-256 of everything that it depends on.
        """
        try:
            held = np.load(self._path(key), mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return False
        return bool(held.shape == self.params.shape and held.dtype == self.params.dtype)

    def put(self, key: str, volume: NDArray[Any]) -> None:
        """Keep a volume.

        Parameters
        ----------
        key : str
            As for `has`.
        volume : ndarray of shape (z, y, x)
            Is brought to the type of the file.
        """
        with atomic_path(self._path(key)) as part:
            np.save(part, volume.astype(self.params.dtype), allow_pickle=False)

    def get(self, key: str) -> NDArray[Any]:
        """Read a volume.

        Parameters
        ----------
        key : str
            As for `has`.
        """
        volume: NDArray[Any] = np.load(self._path(key), allow_pickle=False)
        return volume

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.npy"

    def write(self, out: Path, keys: Sequence[str]) -> None:
        """Write volumes into one file, one after the other, so that it may be larger than memory.

        Parameters
        ----------
        out : Path
            The ``.npy`` file.
        keys : sequence of str
            Of its rows.
        """
        shape = (len(keys), *self.params.shape)
        with atomic_path(out) as part:
            stack = np.lib.format.open_memmap(part, mode="w+", dtype=self.params.dtype, shape=shape)
            for row, key in enumerate(keys):
                stack[row] = self.get(key)
            stack.flush()

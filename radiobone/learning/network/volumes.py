"""Volumes indexable by row: plain arrays, flattened rows, and a file that stays on disk; read batch by batch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.learning.data import DataError

Volumes = NDArray[np.float32]

_AXES = "(n, z, y, x) or (n, 1, z, y, x)"


@dataclass(frozen=True, eq=False)
class VolumeStack:
    """Rows of a stack of volumes in a ``.npy`` file, of which nothing is read until it is needed.

    Indexing by row gives another such view, so that the folds of a cross-validation, each in a worker of its own,
    hold no copy of the volumes: ``np.asarray(stack[rows])`` reads them.

    Parameters
    ----------
    path : Path
        A ``.npy`` file of shape (n, z, y, x) or (n, 1, z, y, x).
    rows : ndarray of int
        Rows of the file, in the order of this view.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "stack.npy"
    ...     np.save(path, np.zeros((5, 8, 8, 8), np.float16))
    ...     stack = VolumeStack.open(path)
    ...     stack.shape, stack[[3, 1]].shape, np.asarray(stack[2:3]).shape
    ((5, 8, 8, 8), (2, 8, 8, 8), (1, 8, 8, 8))
    """

    path: Path
    rows: NDArray[np.intp]

    @staticmethod
    def open(path: Path) -> VolumeStack:
        """Look at a file of volumes, all rows of it.

        Parameters
        ----------
        path : Path
            The file.

        Returns
        -------
        VolumeStack
            Its rows in their order.

        Raises
        ------
        DataError
            If it is no ``.npy`` file of numbers with one axis of rows and three of space.
        """
        held = _mapped(path)
        if held.ndim not in (4, 5) or held.dtype.kind not in "fiu":
            raise DataError(
                "the file holds no stack of volumes",
                where=str(path),
                got=f"shape {held.shape} of {held.dtype}",
                expected=_AXES,
            )
        return VolumeStack(path.absolute(), np.arange(len(held)))

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of rows, then the shape of a volume."""
        return (len(self.rows), *_mapped(self.path).shape[1:])

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the voxels."""
        return _mapped(self.path).dtype

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: Any) -> VolumeStack:
        chosen = self.rows[rows]
        if chosen.ndim != 1:
            raise IndexError("a stack of volumes is indexed by several rows: stack[3:4], or stack[[3]]")
        return VolumeStack(self.path, chosen)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("volumes in a file cannot be had without a copy")
        read = np.asarray(_mapped(self.path)[self.rows])
        return read if dtype is None else read.astype(dtype, copy=False)


def _mapped(path: Path) -> NDArray[Any]:
    try:
        mapped: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            "the stack of volumes cannot be read", where=str(path), got=error, do="write it anew"
        ) from None
    return mapped


def volume_shape(X: Any) -> tuple[int, int, int]:
    """Return the edges of the volumes of a stack.

    Parameters
    ----------
    X : ndarray or VolumeStack of shape (n, z, y, x) or (n, 1, z, y, x)
        Volumes.

    Returns
    -------
    tuple of int
        Voxels along (z, y, x).

    Raises
    ------
    DataError
        For any other number of axes, several channels, an empty stack, or what holds no numbers.
    """
    shape, kind = tuple(X.shape), np.dtype(X.dtype).kind
    if len(shape) not in (4, 5) or (len(shape) == 5 and shape[1] != 1) or kind not in "fiub":
        what = "one channel" if len(shape) == 5 else "volumes"
        raise DataError(f"X must hold {what}", got=f"shape {shape} of {X.dtype}", expected=f"{_AXES} of numbers")
    if not all(shape):
        raise DataError("X holds no volume, or empty ones", got=f"shape {shape}", expected=_AXES)
    z, y, x = shape[-3:]
    return z, y, x


def read_batch(X: Any, rows: NDArray[np.intp], shape: tuple[int, int, int]) -> Volumes:
    """Read some volumes.

    Parameters
    ----------
    X : ndarray or VolumeStack
        All volumes, or flattened rows of them.
    rows : ndarray of int
        Which.
    shape : tuple of int
        Voxels along (z, y, x).

    Returns
    -------
    ndarray of shape (n, z, y, x), float32
        A copy.
    """
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, which is refused
        return np.asarray(X[rows]).reshape(len(rows), *shape).astype(np.float32)


def mean_and_spread(X: Any, shape: tuple[int, int, int], n_rows: int) -> tuple[float, float]:
    """Return mean and standard deviation over all voxels of all volumes, and refuse what is not finite.

    Parameters
    ----------
    X : ndarray or VolumeStack
        All volumes, or flattened rows of them.
    shape : tuple of int
        Voxels along (z, y, x).
    n_rows : int
        How many are read at a time.

    Returns
    -------
    mean, spread : float
        The spread of volumes that are all alike is 1.

    Raises
    ------
    DataError
        With the first row that holds NaN or infinite values.
    """
    n, total, squares = 0, 0.0, 0.0
    for start in range(0, len(X), n_rows):
        rows = np.arange(start, min(start + n_rows, len(X)))
        batch = read_batch(X, rows, shape).astype(np.float64)
        check_finite(batch, start)
        n += batch.size
        total += float(batch.sum())
        squares += float(np.square(batch).sum())
    mean = total / n
    variance = squares / n - mean**2
    # What rounding leaves of equal values is no spread.
    return mean, variance**0.5 if variance > 1e-12 * max(squares / n, 1e-300) else 1.0


def check_finite(batch: NDArray[Any], start: int = 0) -> None:
    """Refuse volumes with NaN or infinite voxels.

    Parameters
    ----------
    batch : ndarray of shape (n, z, y, x)
        Volumes.
    start : int, default 0
        Number of the first row, for the message.

    Raises
    ------
    DataError
        With the first such row.
    """
    wrong = ~np.isfinite(batch).reshape(len(batch), -1).all(axis=1)
    if wrong.any():
        raise DataError(
            "volumes with NaN or infinite voxels",
            where=f"row {start + int(wrong.argmax())}",
            got=f"{int(wrong.sum())} such rows among those read at a time",
            expected="finite numbers within the range of float32",
            do="leave these rows out, and count them",
        )

"""One native thread: the same bytes whatever the number of workers, and no fight for cores."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from threadpoolctl import threadpool_limits


@contextlib.contextmanager
def one_native_thread() -> Iterator[None]:
    """Hold BLAS, OpenMP and SimpleITK at one thread inside the block.

    joblib's loky limits BLAS and OpenMP in its workers but leaves SimpleITK at all cores.
    """
    import SimpleITK as sitk

    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)

"""Small cohorts on disk: noise with two box-shaped 'vertebrae', L1 above L2 in VerSe numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from radiobone.core.errors import VoiError
from radiobone.imaging import Geometry, Image, Mask
from radiobone.imaging.writing import write_image, write_mask
from radiobone.tables.cohort import Cohort, read_cohort
from radiobone.voi import axes

GRID = Geometry((40, 24, 24), (2.0, 1.5, 1.5))


def write_scan(folder: Path, name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    hu = rng.integers(-1000, 400, GRID.shape).astype(np.int16)
    labels = np.zeros(GRID.shape, np.uint8)
    labels[25:35, 6:18, 5:17] = 20
    labels[8:18, 6:18, 5:17] = 21
    write_image(Image(hu, GRID), folder / f"{name}_ct.nii.gz")
    write_mask(Mask(labels, GRID), folder / f"{name}_mask.nii.gz")


KNOWN: dict[tuple[bytes, bytes], Any] = {}


@pytest.fixture(scope="module", autouse=True)
def _seek_each_canal_once() -> Iterator[None]:
    """Remember the canals of the phantoms: to seek one takes longer than all that these tests look at."""
    seek = axes.find_canal

    def once(points: NDArray[np.float64], towards_head: NDArray[np.float64]) -> Any:
        key = points.tobytes(), towards_head.tobytes()
        if key not in KNOWN:
            try:
                KNOWN[key] = seek(points, towards_head)
            except VoiError as error:
                KNOWN[key] = error.with_traceback(None)
        if isinstance(KNOWN[key], VoiError):
            raise copy(KNOWN[key])
        return KNOWN[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(axes, "find_canal", once)
        yield


@pytest.fixture
def make_cohort(tmp_path: Path) -> Callable[[list[str]], Cohort]:
    """Write scans of the named patients (a patient's scan depends on the name alone) and their table."""

    def make(names: list[str]) -> Cohort:
        for name in names:
            if not (tmp_path / f"{name}_ct.nii.gz").exists():
                write_scan(tmp_path, name, sum(map(ord, name)))
        lines = ["patient_id,image,mask", *(f"{name},{name}_ct.nii.gz,{name}_mask.nii.gz" for name in names)]
        (tmp_path / "cohort.csv").write_text("\n".join(lines) + "\n")
        return read_cohort(tmp_path / "cohort.csv")

    return make

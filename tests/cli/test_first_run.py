"""The first run after installation: kernels are compiled once, and the user is told before anything else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import radiobone
from radiobone.core.resources import folder
from radiobone.features.radiomics.kernels.jit import NOTICE
from radiobone.imaging import Geometry, Image, Mask
from radiobone.imaging.writing import write_image, write_mask

GRID = Geometry((20, 24, 24), (2.0, 1.5, 1.5))
PARAMS = "featureClass: {firstorder: [Mean], ngtdm: [Contrast]}\n"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Copy the package as if it had been installed where nobody may write."""
    package = tmp_path / "site/radiobone"
    shutil.copytree(Path(radiobone.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    for kind in ("params", "pipelines"):
        if not (package / kind).exists():
            shutil.copytree(folder(kind), package / kind)
    (package / "features/radiomics/kernels/__pycache__").write_text("a file, so that no folder can be made here")
    for number in range(2):
        hu = np.random.default_rng(number).integers(-200, 400, GRID.shape).astype(np.int16)
        labels = np.zeros(GRID.shape, np.uint8)
        labels[5:15, 6:18, 5:17] = 20
        write_image(Image(hu, GRID), tmp_path / f"{number}.nii.gz")
        write_mask(Mask(labels, GRID), tmp_path / f"{number}_mask.nii.gz")
    lines = ["patient_id,image,mask", *(f"{n},{n}.nii.gz,{n}_mask.nii.gz" for n in range(2))]
    (tmp_path / "cohort.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "own.yaml").write_text(PARAMS)
    return package.parent


def extract(site: Path, out: str, jobs: int, cache: Path) -> str:
    """Extract in a new process; return what it wrote to standard error."""
    code = "from radiobone.cli import main; main()"
    options = ["--cohort", "cohort.csv", "--params", "own.yaml", "--scheme", "verse", "--jobs", str(jobs)]
    done = subprocess.run(
        [sys.executable, "-B", "-c", code, "extract", *options, "--out", out],
        cwd=site.parent,
        env={**os.environ, "PYTHONPATH": str(site), "XDG_CACHE_HOME": str(cache), "LOCALAPPDATA": str(cache)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "darwin", reason="the cache of macOS has a fixed place")
@pytest.mark.parametrize("jobs", [1, 2])
def test_kernels_are_compiled_once_for_all_workers_and_kept_in_the_users_cache(installed, jobs):
    cache = installed.parent / "cache"
    assert extract(installed, "first.csv", jobs, cache) == f"INFO {NOTICE}\n"
    assert list(cache.glob("radiobone/kernels-*/*.bin"))
    for again in (1, 2):
        assert extract(installed, f"again{again}.csv", again, cache) == ""
    tables = [(installed.parent / f"{name}.csv").read_bytes() for name in ("first", "again1", "again2")]
    assert tables[0] == tables[1] == tables[2]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "darwin", reason="the cache of macOS has a fixed place")
def test_where_no_kernel_can_be_kept_it_is_said_once_and_features_are_computed(installed):
    cache = installed.parent / "cache"
    cache.write_text("a file")
    told = extract(installed, "first.csv", 2, cache)
    assert told.count("compiled kernels cannot be kept") == 1
    assert told.count(NOTICE) == 1
    assert len(told.splitlines()) == 2
    assert (installed.parent / "first.csv").exists()

"""A scan of 1 GB with a VOI of 10 MB: the engine takes memory for the VOI, and none for the scan."""

from __future__ import annotations

import subprocess
import sys

import pytest

RISE = """
import numpy as np
from radiobone.core.config import validate
from radiobone.features.radiomics.native.engine import NativeEngine
from radiobone.features.radiomics.params import RadiomicsParams
from radiobone.imaging import Geometry, Image, Mask

def status(key):
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(key))

# Memory of a page is taken when it is first looked at: a copy of the scan would show.
array = np.zeros((2000, 512, 512), np.int16)
array[900:1080, 200:380, 200:380] = np.random.default_rng(0).integers(-200, 400, (180, 180, 180))
mask = Mask(np.ones((170, 170, 170), bool), Geometry(array.shape, (0.8, 0.7, 0.7)), (905, 205, 205))
image = Image(array, mask.geometry)
content = {"imageType": {"Original": {}, "LoG": {"sigma": [3.0]}}, "featureClass": {"firstorder": []}}
params = validate(RadiomicsParams, content, "test")
engine = NativeEngine()
engine.prepare(params)
before = status("VmRSS")
found = engine.extract(image, {"voi": mask}, params)["voi"]
assert len(found.features) == 36, found
print(array.nbytes, status("VmHWM") - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak from /proc")
def test_a_small_voi_of_a_huge_scan_takes_little() -> None:
    done = subprocess.run([sys.executable, "-c", RISE], capture_output=True, text=True, check=True)
    scan, rise = (int(value) for value in done.stdout.split())
    assert scan > 1e9
    assert rise < 0.5e9, f"{rise / 1e9:.2f} GB"

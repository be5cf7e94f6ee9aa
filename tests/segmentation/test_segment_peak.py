"""The forecast of memory beside what a process of its own took: never too low, and not absurdly high."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from handmade import random_weights, write_folder

pytestmark = [pytest.mark.segment, pytest.mark.slow]

PEAK = """
import sys
from pathlib import Path

import numpy as np

from radiobone.imaging import Geometry, Image
from radiobone.segmentation import Segmenter, read_model

shape = tuple(int(size) for size in sys.argv[2].split("x"))
array = np.random.default_rng(0).normal(0, 300, shape).astype(np.int16)
segmenter = Segmenter(read_model(Path(sys.argv[1])), device="cpu", threads=1, step_size=1.0, memory_limit_gb=100)
image = Image(array, Geometry(shape, (1.0, 1.0, 1.0)))
forecast = segmenter.forecast(image).total
mask = segmenter.predict(image)
assert mask.array.shape == shape
status = Path("/proc/self/status").read_text().splitlines()
(peak,) = (int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
print(int(forecast), peak)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak from /proc")
@pytest.mark.parametrize(
    ("shape", "outputs", "spacing_mm"),
    [
        pytest.param("64x288x288", 27, 1.0, id="many labels"),
        pytest.param("160x288x288", 2, 3.0, id="a large scan for a coarse model"),
    ],
)
def test_a_prediction_takes_no_more_than_was_forecast(tmp_path: Path, shape: str, outputs: int, spacing_mm: float):
    labels = {f"label_{number}": number for number in range(1, outputs)}
    folder = write_folder(
        tmp_path / "model", [random_weights(0, outputs)], labels, norm=True, patch=(32, 64, 64),
        spacing=(spacing_mm,) * 3,
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(folder), shape], capture_output=True, text=True, check=True
    )
    forecast, peak = (int(value) for value in done.stdout.split())
    assert peak < forecast < 3 * peak, (forecast / 1e9, peak / 1e9)

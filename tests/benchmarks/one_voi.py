"""Time and memory of one VOI: radiobone beside PyRadiomics on the whole files, interleaved in one run.

Each round starts a child process for either, so that peak memory is its own; both hold one native thread and
read the same files. Run by hand:

    python tests/benchmarks/one_voi.py IMAGE MASK LABEL --params full --rounds 5
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

RADIOBONE = """
from pathlib import Path
from radiobone.features.radiomics.params import read_params
from radiobone.features.radiomics.registry import find_engine
from radiobone.imaging.reading import read_image, read_mask

params, engine = read_params({params!r}), find_engine({engine!r})
image, mask = read_image(Path({image!r})), read_mask(Path({mask!r})).select({label})

def extract():
    return len(engine.extract(image, {{"voi": mask}}, params)["voi"].features)
"""

PYRADIOMICS = """
import logging
import SimpleITK as sitk
from radiobone.core.resources import find
from radiomics.featureextractor import RadiomicsFeatureExtractor

logging.disable(logging.CRITICAL)
extractor = RadiomicsFeatureExtractor(str(find("params", {params!r})))
image, mask = sitk.ReadImage({image!r}), sitk.ReadImage({mask!r})

def extract():
    return sum(not name.startswith("diagnostics") for name in extractor.execute(image, mask, label={label}))
"""

MEASURE = """
import resource, time
from radiobone.core.threads import one_native_thread

with one_native_thread():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    begin = time.perf_counter()
    count = extract()
    seconds = time.perf_counter() - begin
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(seconds, peak, peak - before, count)
"""


def measure(code: str) -> list[float]:
    """Run one child process; return seconds, peak memory, its rise (MB), and the number of features."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code + MEASURE], capture_output=True, text=True, check=True
    )
    return [float(value) for value in done.stdout.split()]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image")
    parser.add_argument("mask")
    parser.add_argument("label", type=int)
    parser.add_argument("--params", default="full")
    parser.add_argument("--engine", default="pyradiomics")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = vars(parser.parse_args())
    rounds = chosen.pop("rounds")
    codes = {"radiobone": RADIOBONE.format(**chosen), "PyRadiomics, whole files": PYRADIOMICS.format(**chosen)}
    runs: dict[str, list[list[float]]] = {name: [] for name in codes}
    for _ in range(rounds):
        for name, code in codes.items():
            runs[name].append(measure(code))
    print(f"{'':<26}{'min s':>8}{'median s':>10}{'peak MB':>10}{'rise MB':>10}{'features':>10}")
    for name, measured in runs.items():
        seconds, peak, rise, count = zip(*measured, strict=True)
        figures = (min(seconds), statistics.median(seconds), statistics.median(peak), statistics.median(rise))
        print(
            f"{name:<26}{figures[0]:>8.2f}{figures[1]:>10.2f}{figures[2]:>10.0f}{figures[3]:>10.0f}{count[0]:>10.0f}"
        )
    ours, theirs = (statistics.median(run[0] for run in runs[name]) for name in codes)
    print(f"ratio of the medians, PyRadiomics to radiobone: {theirs / ours:.2f}")


if __name__ == "__main__":
    main()

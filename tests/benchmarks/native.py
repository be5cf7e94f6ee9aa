"""The benchmark of the native engine: one Markdown table, everything interleaved in one run, one pinned thread.

Run by hand, for instance:

    python tests/benchmarks/native.py --rounds 5 --pictologics /path/to/python3.12 > table.md
    python tests/benchmarks/native.py --cases one five --engines "radiobone native" --rounds 2

Each round starts a process for each case and each engine, so that peak memory is its own. The seconds of all calls
of all rounds are pooled: their minimum, their median, and the ratio of the minima to the native engine's. Data are
synthetic and seeded (``scans.py``); what each engine computes stands in ``contestants.py``.
"""

from __future__ import annotations

import argparse
import compileall
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from scans import FINE_SPACING_MM

HERE = Path(__file__).parent
PRESET = HERE.parents[1] / "params/ct_trabecular.yaml"

FILTERS: dict[str, Any] = {"Original": {}, "Wavelet": {}, "LoG": {"sigma": [1.0, 2.0, 3.0, 4.0, 5.0]}}
FAMILIES: dict[str, Any] = {
    name: [] for name in ("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")
}
PARAMS = {
    "unresampled": {"binWidth": 25},
    "resampled": {"binWidth": 25, "resampledPixelSpacing": [1, 1, 1], "interpolator": "sitkBSpline"},
}
"""The ``setting`` of either parameter file; in the second, padDistance is PyRadiomics' default of 5."""

NATIVE, OLD, WHOLE, CROPPED, PEER = (
    "radiobone native", "radiobone pyradiomics", "PyRadiomics", "PyRadiomics, cropped", "Pictologics",
)  # fmt: skip

ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS",
        "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "PICTOLOGICS_NUM_THREADS",
    ),
    "1",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """What is computed, and by whom.

    Parameters
    ----------
    title : str
        For the table.
    data : str
        How the files' names begin.
    params : str
        Name of the parameter file.
    engines : tuple of str
        The contestants.
    n_labels : int
        VOIs of the scan; each has its label, from 1 on.
    from_files : bool
        Whether the compressed files are read each time, or what they hold lies in memory.
    """

    title: str
    data: str
    params: str
    engines: tuple[str, ...]
    n_labels: int = 1
    from_files: bool = False

    def order(self, folder: Path) -> dict[str, Any]:
        """Return the case as a contestant takes it."""
        place, suffix = (folder, ".nii.gz") if self.from_files else (folder / "plain", ".nii")
        params = PRESET if self.params == "trabecular" else folder / f"{self.params}.yaml"
        return {
            "image": str(place / f"{self.data}-ct{suffix}"),
            "mask": str(place / f"{self.data}-mask{suffix}"),
            "params": str(params),
            "labels": list(range(1, self.n_labels + 1)),
            "spacing_mm": FINE_SPACING_MM if self.data == "fine" else (1.0, 1.0, 1.0),
            "from_files": self.from_files,
        }


CASES = {
    "one": Case("28k voxels, 14 images", "one", "unresampled", (NATIVE, OLD, WHOLE, CROPPED, PEER)),
    "large": Case("282k voxels, 14 images", "large", "unresampled", (NATIVE, WHOLE, CROPPED, PEER)),
    # PyRadiomics on the whole files takes five times as long as for one label.
    "five": Case("five labels of 28k, 14 images", "five", "unresampled", (NATIVE, OLD, CROPPED, PEER), 5),
    "files": Case("28k, from .nii.gz", "one", "unresampled", (NATIVE, WHOLE, PEER), from_files=True),
    "trabecular": Case("0.7 x 0.7 x 1.25 mm, ct_trabecular", "fine", "trabecular", (NATIVE, OLD, WHOLE)),
    "resampled": Case("0.7 x 0.7 x 1.25 mm, padDistance 5", "fine", "resampled", (NATIVE, OLD, WHOLE)),
}


@dataclass
class Figures:
    """What was measured of one engine in one case.

    Seconds of each call, and for each process its peak memory and by how much the calls raised it (10⁶ bytes).
    """

    seconds: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    rises: list[float] = field(default_factory=list)
    features: int = 0


Measured = dict[tuple[str, str], Figures]


def prepare(folder: Path) -> None:
    """Write parameter files and scans, and compile the byte code of radiobone."""
    for name, setting in PARAMS.items():
        content = {"imageType": FILTERS, "featureClass": FAMILIES, "setting": setting}
        (folder / f"{name}.yaml").write_text(json.dumps(content))  # JSON is YAML
    subprocess.run([sys.executable, str(HERE / "scans.py"), str(folder)], check=True)
    spec = find_spec("radiobone")
    assert spec is not None
    assert spec.origin is not None
    compileall.compile_dir(Path(spec.origin).parent, quiet=1)


def run(engine: str, order: dict[str, Any], pictologics: str | None) -> dict[str, Any]:
    """Run one engine on one case in a process of its own."""
    python = pictologics if engine == PEER else sys.executable
    assert python is not None
    command = [python, "-W", "ignore", str(HERE / "contestants.py"), json.dumps({**order, "engine": engine})]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **ONE_THREAD})
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def measure(chosen: argparse.Namespace, folder: Path) -> Measured:
    """Run all rounds."""
    measured: Measured = {}
    for number in range(chosen.rounds):
        for name in chosen.cases:
            for engine in CASES[name].engines:
                if engine not in chosen.engines or (engine == PEER and chosen.pictologics is None):
                    continue
                print(f"round {number + 1}: {name}, {engine}", file=sys.stderr)
                result = run(engine, CASES[name].order(folder), chosen.pictologics)
                figures = measured.setdefault((name, engine), Figures())
                figures.seconds += result["seconds"]
                figures.peaks.append(result["peak_mb"])
                figures.rises.append(result["peak_mb"] - result["before_mb"])
                figures.features = result["features"]
    return measured


def first_calls(folder: Path) -> tuple[float, float]:
    """Return the seconds from the start of a process to its first VOI: without and with compiled kernels."""
    with tempfile.TemporaryDirectory() as kernels:
        order = {**CASES["one"].order(folder), "kernels": kernels, "once": True}
        seconds = []
        for _ in range(4):
            begin = time.perf_counter()
            run(NATIVE, order, None)
            seconds.append(time.perf_counter() - begin)
    return seconds[0], min(seconds[1:])


def table(measured: Measured) -> Iterator[str]:
    """Yield the lines of the Markdown table."""
    yield "| case | engine | min s | median s | native is faster by | peak MB | rise MB | features |"
    yield "|:--|:--|--:|--:|--:|--:|--:|--:|"
    for (name, engine), figures in measured.items():
        fastest, native = min(figures.seconds), measured.get((name, NATIVE))
        ratio = f"{fastest / min(native.seconds):.1f}" if native and engine != NATIVE else ""
        yield (
            f"| {CASES[name].title} | {engine} | {fastest:.4f} | {statistics.median(figures.seconds):.4f} "
            f"| {ratio} | {statistics.median(figures.peaks):.0f} | {statistics.median(figures.rises):.0f} "
            f"| {figures.features} |"
        )


def slopes(measured: Measured) -> Iterator[str]:
    """Yield, as rows of the table, how cost grows: 1 is linear."""
    for other, factor, what in (("large", 10.0, "voxels, 28k to 282k"), ("five", 5.0, "labels, 1 to 5")):
        for engine in (NATIVE, CROPPED, PEER):
            if {("one", engine), (other, engine)} <= set(measured):
                ratio = min(measured[other, engine].seconds) / min(measured["one", engine].seconds)
                yield f"| slope over {what} | {engine} | {math.log(ratio) / math.log(factor):.2f} | | | | | |"


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--engines", nargs="+", default=[NATIVE, OLD, WHOLE, CROPPED, PEER], metavar="NAME")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictologics", metavar="PYTHON", help="an interpreter that has Pictologics 0.9.0")
    parser.add_argument("--folder", type=Path, help="where the scans are kept for the next run")
    parser.add_argument("--first-call", action="store_true", help="also time a fresh installation's first calls")
    chosen = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        if not (folder / "plain/fine-mask.nii").exists():
            folder.mkdir(parents=True, exist_ok=True)
            prepare(folder)
        measured = measure(chosen, folder)
        rows = [*table(measured), *slopes(measured)]
        if chosen.first_call:
            first, later = first_calls(folder)
            rows.append(
                f"| first process after installation, to its first VOI | {NATIVE} | {first:.2f} | | | | | |"
            )
            rows.append(f"| a later process, to its first VOI | {NATIVE} | {later:.2f} | | | | | |")
    print("\n".join(rows))


if __name__ == "__main__":
    main()

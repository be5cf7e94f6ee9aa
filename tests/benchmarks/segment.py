"""The benchmark of segmentation: ``radiobone segment`` and nnU-Net's own command line, on one model, in one run.

Run by hand, for instance:

    python tests/benchmarks/segment.py --data ../shared/data --rounds 2 > table.md
    python tests/benchmarks/segment.py --data ../shared/data --model nnUNetTrainer__nnUNetPlans__3d_fullres
    python tests/benchmarks/segment.py --data ../shared/data --peak large

Ten real CTs are written as NIfTI in the model's order of axes, since nnU-Net's reader turns nothing. Each round
runs, one after another: ``radiobone segment --cohort`` on all; nnU-Net's ``nnUNetv2_predict_from_modelfolder`` on
the folder of all; and ten calls of it, each on a folder with one. Every call is a new process, and its seconds are
those of the whole process; processor seconds, with those of all processes that it starts, tell more where other
work runs beside it. Peaks are of the largest process of a call (nnU-Net starts up to seven), in 10⁹ bytes.

Without ``--model`` an untrained network is taken, of the size named by ``--network``: what it answers is rubbish,
but it costs what a trained one does.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from radiobone.imaging import Image
from radiobone.imaging.orientation import turn_to
from radiobone.imaging.reading import read_image, read_mask
from radiobone.imaging.writing import write_image

sys.path.insert(0, str(Path(__file__).parents[1] / "segmentation"))

SCANS = (
    "spine/totalseg_example/ct.nii.gz",
    "spine/verse012/sub-verse012_ct.nii.gz",
    "spine/tptbox_l3/sub-ct_label-22_ct.nii.gz",
    "dicom/ct_j2k_20slices",
    "ibsi/ibsi1_ct_phantom/image/phantom.nii.gz",
    "pyradiomics/lung1_image.nrrd",
    "sts/STS_002/CT_image.nii.gz",
    "sts/STS_003/CT_image.nii.gz",
    "sts/STS_008/CT_image.nii.gz",
    "spine/totalseg_example/ct.nii.gz",
)
"""Nine real CTs, and one of them twice."""

ORIENTATION = "LPS"


@dataclass(frozen=True)
class Network:
    """An untrained network.

    Parameters
    ----------
    features : tuple of int
        Of each stage.
    patch : tuple of int
        Voxels of a window.
    spacing_mm : float
        On all axes.
    n_labels : int
        Without background.
    """

    features: tuple[int, ...]
    patch: tuple[int, int, int]
    spacing_mm: float
    n_labels: int


NETWORKS = {
    "tiny": Network((8, 16, 32), (32, 32, 32), 3.0, 1),
    "small": Network((8, 16, 32, 64), (64, 64, 64), 2.0, 7),
    # As nnU-Net plans a spine at 1 mm for a GPU with 8 GB, with the labels of VerSe.
    "large": Network((32, 64, 128, 256, 320, 320), (128, 128, 128), 1.0, 26),
}


@dataclass
class Figures:
    """Seconds, processor seconds and greatest peaks of one contestant, for each round."""

    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the shared data")
    parser.add_argument("--model", type=Path, help="model folder; an untrained network by default")
    parser.add_argument("--network", choices=NETWORKS, default="small")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--mirroring", action="store_true", help="also on mirrored windows, if the model did")
    parser.add_argument("--peak", choices=NETWORKS, help="instead: seconds and peak of single scans, one by one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.peak:
            single(options.data, untrained(folder / "model", NETWORKS[options.peak]), folder)
            return
        model = options.model or untrained(folder / "model", NETWORKS[options.network])
        compare(options.data, model, folder, options.rounds, options.mirroring)


def untrained(folder: Path, network: Network) -> Path:
    """Write the folder of an untrained network."""
    from handmade import random_weights, write_folder

    weights = random_weights(0, network.n_labels + 1, network.features, norm=True)
    labels = {f"label_{number}": number for number in range(1, network.n_labels + 1)}
    return write_folder(
        folder, [weights], labels, features=network.features, norm=True, patch=network.patch,
        spacing=(network.spacing_mm,) * 3, orientation=ORIENTATION,
    )  # fmt: skip


def prepare(data: Path, folder: Path) -> list[Path]:
    """Write the scans as nnU-Net wants them, and a cohort table beside them."""
    files, lines = [], ["patient_id,image"]
    for number, name in enumerate(SCANS):
        image = read_image(data / name)
        turn = turn_to(image.geometry, ORIENTATION)
        array = np.ascontiguousarray(turn.there(image.array)).astype(np.int16)
        # Any grid with these voxel sizes serves: only voxels and spacing are looked at.
        geometry = type(image.geometry)(array.shape, turn.values(image.geometry.spacing_mm))
        path = folder / f"all/scan{number:02d}_0000.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(Image(array, geometry), path)
        alone = folder / f"one{number:02d}" / path.name
        alone.parent.mkdir()
        alone.symlink_to(path)
        files.append(path)
        lines.append(f"scan{number:02d},{path}")
        print(f"{path.name}: {name}, {' x '.join(map(str, array.shape[::-1]))}", file=sys.stderr)
    (folder / "cohort.csv").write_text("\n".join(lines) + "\n")
    return files


def call(arguments: list[str], environment: dict[str, str] | None = None) -> tuple[float, float, float]:
    """Run a process; return its seconds, processor seconds, and the peak of the largest process in it in GB."""
    begin = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        process = os.posix_spawn(
            arguments[0], arguments, {**os.environ, **(environment or {})},
            file_actions=[(os.POSIX_SPAWN_DUP2, log.fileno(), 1), (os.POSIX_SPAWN_DUP2, log.fileno(), 2)],
        )  # fmt: skip
        _, status, usage = os.wait4(process, 0)
        seconds = time.perf_counter() - begin
        if os.waitstatus_to_exitcode(status):
            log.seek(0)
            sys.exit(f"{' '.join(arguments)} failed:\n{log.read().decode(errors='replace')[-3000:]}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e9


def ours(model: Path, *more: str) -> list[str]:
    """Return the beginning of our command."""
    code = "import sys; from radiobone.cli import main; sys.exit(main())"
    return [
        sys.executable,
        "-c",
        code,
        "segment",
        "--model",
        str(model),
        "--device",
        "cpu",
        "--scheme",
        "model",
        *more,
    ]


def theirs(model: Path, images: Path, out: Path, mirroring: bool) -> list[str]:
    """Return nnU-Net's command."""
    code = "from nnunetv2.inference.predict_from_raw_data import predict_entry_point_modelfolder as run; run()"
    more = [] if mirroring else ["--disable_tta"]
    return [
        sys.executable, "-c", code, "-i", str(images), "-o", str(out), "-m", str(model), "-f", "0",
        "-device", "cpu", "--disable_progress_bar", *more,
    ]  # fmt: skip


def compare(data: Path, model: Path, folder: Path, rounds: int, mirroring: bool) -> None:
    """Time all contestants in turn, and compare their masks."""
    files = prepare(data, folder)
    figures = {name: Figures() for name in ("radiobone, ten scans", "nnU-Net, ten scans", "nnU-Net, ten calls")}
    quiet = {"nnUNet_compile": "f", "nnUNet_raw": str(folder), "nnUNet_preprocessed": str(folder)}
    quiet["nnUNet_results"] = str(folder)
    mirror = "--mirroring" if mirroring else "--no-mirroring"
    for turn in range(rounds):
        cohort = ["--cohort", str(folder / "cohort.csv"), "--out", str(folder / f"ours{turn}")]
        add(figures["radiobone, ten scans"], [call(ours(model, *cohort, mirror, "--orientation", ORIENTATION))])
        whole = folder / f"theirs{turn}"
        add(figures["nnU-Net, ten scans"], [call(theirs(model, folder / "all", whole, mirroring), quiet)])
        single_calls = [
            call(theirs(model, folder / f"one{number:02d}", folder / f"single{turn}", mirroring), quiet)
            for number in range(len(files))
        ]
        add(figures["nnU-Net, ten calls"], single_calls)
    differing = total = 0
    for number in range(len(files)):
        one = read_any(folder / f"ours0/masks/scan{number:02d}_1.nii.gz")
        other = read_any(folder / f"theirs0/scan{number:02d}.nii.gz")
        differing, total = differing + int((one != other).sum()), total + one.size
    base = statistics.median(figures["radiobone, ten scans"].seconds)
    print("| | seconds for ten CTs, each round | median, per CT | ratio | processor seconds, ratio | peak, GB |")
    print("|---|---|---|---|---|---|")
    work = statistics.median(figures["radiobone, ten scans"].processor)
    for name, found in figures.items():
        median = statistics.median(found.seconds)
        told = ", ".join(f"{seconds:.1f}" for seconds in found.seconds)
        spent = statistics.median(found.processor)
        cells = (told, f"{median / len(files):.2f}", f"{median / base:.2f}", f"{spent:.1f}, {spent / work:.2f}")
        print(f"| {name} | {' | '.join(cells)} | {max(found.peaks):.2f} |")
    print(f"\nMasks differ in {differing} of {total} voxels; {len(os.sched_getaffinity(0))} cores.")


def add(figures: Figures, calls: list[tuple[float, float, float]]) -> None:
    """Add one round: seconds of all its calls, and the greatest peak."""
    figures.seconds.append(sum(seconds for seconds, _, _ in calls))
    figures.processor.append(sum(spent for _, spent, _ in calls))
    figures.peaks.append(max(peak for _, _, peak in calls))


def read_any(path: Path) -> np.ndarray:
    """Read a mask's voxels, an empty one's too."""
    return read_image(path).array


def single(data: Path, model: Path, folder: Path) -> None:
    """Print seconds, peak and forecast of single scans, each in a process of its own."""
    from radiobone.segmentation import Segmenter, read_model

    segmenter = Segmenter(read_model(model), device="cpu")
    print("| CT | voxels (x, y, z) | seconds | peak, GB | forecast, GB |\n|---|---|---|---|---|")
    for name in dict.fromkeys(SCANS[:3]):
        image = read_image(data / name)
        needed = segmenter.forecast(image)
        out = folder / "mask.nii.gz"
        seconds, _, peak = call(ours(model, str(data / name), "--out", str(out), "--no-mirroring"))
        same = read_mask(out).geometry == image.geometry
        size = " x ".join(map(str, image.array.shape[::-1]))
        print(f"| {name} | {size} | {seconds:.1f} | {peak:.2f} | {needed.total / 1e9:.2f} |", flush=True)
        print(f"{needed}; geometry kept: {same}", file=sys.stderr)


if __name__ == "__main__":
    main()

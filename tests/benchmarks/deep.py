"""The benchmark of deep features: one Markdown table, both sides interleaved in one run, one thread.

Run by hand, for instance:

    python tests/benchmarks/deep.py --rounds 3 > table.md
    python tests/benchmarks/deep.py --presets resnet50_imagenet --devices cpu --levels 5

The other side is a plain loop as scripts have it: the pictures of one VOI after the other, each alone through the
network as MONAI builds it. Both sides see the same pictures and the same seeded random weights (values of weights
take no time), and their features are compared. Four stages are measured: the network alone on pictures in memory;
a scan in memory, with its pictures made; a scan from compressed files, which the loop reads once, or once for each
VOI, as a loop over the rows of a table does.

The scan is synthetic and seeded: 300 x 512 x 512 voxels of 1.25 x 0.7 x 0.7 mm, with a column of vertebral bodies.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scans import FINE_SHAPE, FINE_SPACING_MM, body, trunk, write

from radiobone.features.deep.block import DeepBlock
from radiobone.features.deep.compute import Network, find_device, steady
from radiobone.features.deep.networks import build, run_layer
from radiobone.features.deep.normalising import normalised
from radiobone.features.deep.params import DeepParams, read_deep_params
from radiobone.features.deep.patches import make_inputs
from radiobone.imaging import Image, Mask
from radiobone.imaging.reading import read_image, read_mask

PRESETS = ("resnet18_imagenet", "resnet50_imagenet", "densenet121_imagenet", "resnet18_3d_medicalnet")
VOXELS = 40_000

Vectors = NDArray[np.float32]
Side = Callable[[], Vectors]


@dataclass(frozen=True)
class Scan:
    """The files of a scan, what they hold, and the VOIs."""

    files: tuple[Path, Path]
    image: Image
    vois: dict[str, Mask]


def make_scan(folder: Path, levels: int) -> Scan:
    """Write a scan with so many vertebral bodies."""
    middle = np.asarray(FINE_SHAPE) / 2.0 + 0.3
    steps = (np.arange(levels) - (levels - 1) / 2) * 42 / FINE_SPACING_MM[0]
    bodies = [body(FINE_SHAPE, FINE_SPACING_MM, np.add(middle, (step, 0, 0)), VOXELS) for step in steps]
    labels = np.zeros(FINE_SHAPE, np.uint8)
    for label, indices in enumerate(bodies, start=1):
        labels[indices] = label
    files = folder / "ct.nii.gz", folder / "mask.nii.gz"
    write(trunk(FINE_SHAPE, FINE_SPACING_MM, bodies), FINE_SPACING_MM, files[0])
    write(labels, FINE_SPACING_MM, files[1])
    return Scan(files, *read(files))


def read(files: tuple[Path, Path]) -> tuple[Image, dict[str, Mask]]:
    """Read image and mask, and cut the mask into VOIs."""
    image, mask = read_image(files[0]), read_mask(files[1])
    return image, {
        str(label): Mask(mask.array == label, mask.geometry) for label in np.unique(mask.array) if label
    }


class Plain:
    """One picture at a time through the network as it is built."""

    def __init__(self, params: DeepParams, device: str) -> None:
        self.params, self.device = params, device
        self.net = build(params.backbone, params.n_channels, seed=params.seed).to(device)

    def network(self, pictures: NDArray[np.float32]) -> Vectors:
        """Run the network on each picture."""
        with steady(self.device):
            return np.concatenate(
                [
                    run_layer(self.net, torch.from_numpy(picture[None]).to(self.device), self.params.layer)
                    .cpu()
                    .numpy()
                    for picture in pictures
                ]
            )

    def vois(self, image: Image, vois: dict[str, Mask]) -> Vectors:
        """Make the pictures of each VOI, and run the network on them."""
        return np.concatenate([self.network(pictures_of(image, voi, self.params)) for voi in vois.values()])

    def rows(self, scan: Scan) -> Vectors:
        """Read the scan for each VOI."""
        found = []
        for key in scan.vois:
            image, vois = read(scan.files)
            found.append(self.vois(image, {key: vois[key]}))
        return np.concatenate(found)


class Batched:
    """Radiobone's block."""

    def __init__(self, params: DeepParams, device: str) -> None:
        self.params, self.device = params, device
        self.block = DeepBlock(params, "benchmark", device=device)
        self.net = Network(params, None, device, "benchmark")

    def network(self, pictures: NDArray[np.float32]) -> Vectors:
        """Run the network on all pictures."""
        return np.stack([vector for _, vector in self.net.features(enumerate(pictures))])

    def vois(self, image: Image, vois: dict[str, Mask]) -> Vectors:
        """Compute the block: a row for each VOI, views side by side."""
        found = [list(values.features.values()) for _, values in self.block.stream(image, vois)]
        width = self.params.network.layers[self.params.layer]
        return np.array(found, dtype=np.float32).reshape(-1, width)


def pictures_of(image: Image, voi: Mask, params: DeepParams) -> NDArray[np.float32]:
    """Make the normalised pictures of a VOI."""
    return normalised(make_inputs(image, voi, params).array, params.input_normalisation)


def stages(scan: Scan, plain: Plain, batched: Batched) -> Iterator[tuple[str, Side, Side]]:
    """Yield each stage: its name, the plain loop and radiobone."""
    pictures = np.concatenate([pictures_of(scan.image, voi, plain.params) for voi in scan.vois.values()])
    yield "network alone", lambda: plain.network(pictures), lambda: batched.network(pictures)
    yield (
        "scan in memory",
        lambda: plain.vois(scan.image, scan.vois),
        lambda: batched.vois(scan.image, scan.vois),
    )
    yield "files, read once", lambda: plain.vois(*read(scan.files)), lambda: batched.vois(*read(scan.files))
    yield "files, read for each VOI", lambda: plain.rows(scan), lambda: batched.vois(*read(scan.files))


def measure(sides: tuple[Side, Side], rounds: int, device: str) -> tuple[list[float], float]:
    """Time both sides in turn; return the least seconds of each, and by how much their features differ.

    On the processor its own seconds are taken, which other programs disturb less; all is done by one thread.
    """
    clock = time.process_time if device == "cpu" else time.perf_counter
    best, found = [np.inf, np.inf], [side() for side in sides]
    for _ in range(rounds):
        for number, side in enumerate(sides):
            begin = clock()
            found[number] = side()
            best[number] = min(best[number], clock() - begin)
    plain, ours = found
    return best, float(np.abs(ours - plain).max() / np.abs(plain).max())


def main() -> None:
    """Print the table, and end with 1 if the two sides give other features."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--presets", nargs="+", default=PRESETS)
    parser.add_argument(
        "--devices", nargs="+", default=["cpu", *(["cuda"] if find_device("auto") == "cuda" else [])]
    )
    parser.add_argument("--levels", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    print(f"torch {torch.__version__}, {asked.levels} VOIs, least seconds of {asked.rounds} rounds, one thread\n")
    print("| network | device | inputs | stage | plain loop (s) | radiobone (s) | ratio | largest difference |")
    print("|---|---|---|---|---|---|---|---|")
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        scan = make_scan(Path(folder), asked.levels)
        for preset in asked.presets:
            given = read_deep_params(preset)
            keys = {name: getattr(given, name) for name in given.model_fields_set - {"weights_sha256"}}
            params = DeepParams(**keys | {"weights": "random", "normalisation": given.input_normalisation})
            inputs = asked.levels * len(params.views)
            for device in asked.devices:
                plain, batched = Plain(params, device), Batched(params, device)
                for stage, *sides in stages(scan, plain, batched):
                    (slow, fast), difference = measure((sides[0], sides[1]), asked.rounds, device)
                    worst = max(worst, difference)
                    cells = [preset, device, inputs, stage, f"{slow:.2f}", f"{fast:.2f}", f"{slow / fast:.2f}"]
                    print("|", " | ".join(map(str, cells)), f"| {difference:.1e} |", flush=True)
    sys.exit(worst > 1e-5)


if __name__ == "__main__":
    main()

"""What a network with real pretrained weights makes of real scans: distances between VOIs, as one Markdown table.

Run by hand, with the shared data beside the checkout and the weights installed or given:

    python tests/benchmarks/deep_real_weights.py ../shared/data > table.md
    python tests/benchmarks/deep_real_weights.py ../shared/data --preset resnet50_imagenet --weights resnet50.pth

Every VOI of four scans goes through the pretrained network and through the same one with random weights; so does
noise in its place (normal HU with the mean and the spread of the scan, each voxel for itself). Features are
standardised over the VOIs of the real scans, for each network by itself. A network that has learned to see would
find VOIs of one patient nearer to each other than to those of other patients, and noise far away from both.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radiobone.features.deep.params import DeepParams, read_deep_params
from radiobone.features.extraction import extract_cohort
from radiobone.features.request import make_request
from radiobone.imaging import Image
from radiobone.imaging.reading import read_image
from radiobone.imaging.writing import write_image
from radiobone.tables.cohort import Scan
from radiobone.tables.features import read_features
from radiobone.tables.keys import DEFAULT_SCAN, LEVEL, PATIENT

SCANS = (
    ("totalseg", "spine/totalseg_example/ct.nii.gz", "spine/totalseg_example/vertebrae_ts_labels.nii.gz"),
    ("verse012", "spine/verse012/sub-verse012_ct.nii.gz", "spine/verse012/sub-verse012_seg-vert_msk.nii.gz"),
    ("tptbox", "spine/tptbox_l3/sub-ct_label-22_ct.nii.gz", "spine/tptbox_l3/sub-ct_seg-vert_label-22_msk.nii.gz"),
    ("lung1", "pyradiomics/lung1_image.nrrd", "pyradiomics/lung1_label.nrrd"),
)
SCHEMES = {"totalseg": "totalsegmentator", "verse012": "verse", "tptbox": "verse", "lung1": "raw"}
SEED = 2024

Vectors = NDArray[np.float64]


def scans_of(data: Path) -> list[Scan]:
    """List the scans, each with what its labels mean."""
    return [
        Scan(name, DEFAULT_SCAN, data / image, data / mask, scheme=SCHEMES[name]) for name, image, mask in SCANS
    ]


def noise_of(scans: list[Scan], folder: Path) -> list[Scan]:
    """Write noise in the place of each scan."""
    rng, found = np.random.default_rng(SEED), []
    for scan in scans:
        image = read_image(scan.image)
        hu = rng.normal(image.array.mean(), image.array.std(), image.array.shape).astype(np.float32)
        path = folder / f"{scan.patient_id}.nii.gz"
        write_image(Image(hu, image.geometry), path)
        found.append(Scan(scan.patient_id, DEFAULT_SCAN, path, scan.mask, scheme=scan.scheme))
    return found


def extract(
    scans: list[Scan], out: Path, preset: str, weights: list[str], device: str
) -> tuple[list[str], list[str], Vectors]:
    """Return patient, level and features of every VOI that the network could see; name the others."""
    request = make_request(params="none", deep=[preset], weights=weights, device=device)
    summary = extract_cohort(scans, request, out)
    for name, reason in summary.failures:
        print(f"- failed: {name}: {reason}")
    features = read_features(out)
    table = features.table[features.table["status"] == "ok"]
    columns = [name for name in features.features if name.startswith("deep-")]
    return table[PATIENT].tolist(), table[LEVEL].tolist(), table[columns].to_numpy(np.float64)


def unpretrained(params: DeepParams, folder: Path) -> str:
    """Write the same parameter file with random weights."""
    keys = {name: getattr(params, name) for name in params.model_fields_set - {"weights_sha256"}}
    keys |= {"weights": "random", "normalisation": params.input_normalisation}
    path = folder / "unpretrained.yaml"
    path.write_text(json.dumps(keys))
    return str(path)


def distances(first: Vectors, second: Vectors) -> dict[str, Vectors]:
    """Return all distances between two sets of vectors."""
    lengths = np.linalg.norm(first, axis=1)[:, None] * np.linalg.norm(second, axis=1)
    return {
        "cosine": 1 - first @ second.T / lengths,
        "Euclid": np.linalg.norm(first[:, None] - second[None], axis=2) / np.sqrt(first.shape[1]),
    }


def rows(name: str, patients: list[str], real: Vectors, noise: Vectors) -> None:
    """Print the rows of one network."""
    mean, spread = real.mean(axis=0), real.std(axis=0)
    kept = spread > 0
    real, noise = ((part - mean)[:, kept] / spread[kept] for part in (real, noise))
    same = np.equal.outer(patients, patients)
    pairs = np.triu(np.ones_like(same), 1)
    to_noise = distances(real, noise)
    for kind, found in distances(real, real).items():
        groups = found[same & pairs], found[~same & pairs], to_noise[kind].ravel()
        cells = (f"{np.median(group):.2f} ({group.min():.2f} to {group.max():.2f})" for group in groups)
        print(f"| {name} | {kind} | {int(kept.sum())} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Print what failed, whether all is finite, and the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--preset", default="i3resnet152_astra")
    parser.add_argument("--weights", nargs="*", default=[])
    parser.add_argument("--device", default="auto")
    asked = parser.parse_args()
    scans, params = scans_of(asked.data), read_deep_params(asked.preset)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        noisy = noise_of(scans, folder)
        found = {}
        for weights, preset, files in (
            (params.weights, asked.preset, asked.weights),
            ("random", unpretrained(params, folder), []),
        ):
            for kind, given in (("real", scans), ("noise", noisy)):
                found[weights, kind] = extract(
                    given, folder / f"{weights}-{kind}.csv", preset, files, asked.device
                )
    patients, levels, real = found[params.weights, "real"]
    by_patient = {
        name: [level for who, level in zip(patients, levels, strict=True) if who == name] for name in SCHEMES
    }
    print(f"- VOIs: {'; '.join(f'{name}: ' + ', '.join(those) for name, those in by_patient.items())}")
    print(f"- all features finite: {all(np.isfinite(values).all() for *_, values in found.values())}")
    alike = np.corrcoef(real.ravel(), found["random", "real"][2].ravel())[0, 1]
    print(f"- correlation of all features with those of random weights: {alike:.3f}\n")
    print("| weights | distance | columns that vary | within a patient | between patients | to noise |")
    print("|---|---|---|---|---|---|")
    for weights in (params.weights, "random"):
        rows(weights, patients, found[weights, "real"][2], found[weights, "noise"][2])


if __name__ == "__main__":
    main()

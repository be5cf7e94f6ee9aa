"""One engine on one case, in a process of its own: seconds of each call, features, and peak memory, as JSON.

Run by ``native.py``. Pictologics runs in another interpreter, so nothing is imported before its engine is known.
"""

from __future__ import annotations

import json
import logging
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

MARGIN = 32
"""Voxels that an expert leaves round the VOI when he crops by hand."""

ENOUGH_S = 2.0
"""Calls are repeated until they took this long together."""


def radiobone(case: dict[str, Any], name: str) -> Callable[[], int]:
    """Return radiobone's extraction of a case."""
    import numpy as np

    from radiobone.features.radiomics.params import read_params
    from radiobone.features.radiomics.registry import find_engine
    from radiobone.imaging import Geometry, Image, Mask

    if "kernels" in case:
        from radiobone.features.radiomics.kernels import kept

        kept.cache_folder = lambda: Path(case["kernels"])  # type: ignore[assignment]
    params, engine = read_params(case["params"]), find_engine(name)

    def extract(image: Any, mask: Any) -> int:
        vois = {str(label): mask.select(label) for label in case["labels"]}
        return sum(len(values.features) for values in engine.extract(image, vois, params).values())

    if "kernels" not in case:
        engine.prepare(params)
    files = Path(case["image"]), Path(case["mask"])
    if case["from_files"]:
        from radiobone.imaging.reading import read_image, read_mask

        return lambda: extract(read_image(files[0]), read_mask(files[1]))
    hu, labels = (np.load(path.with_suffix(".npy")) for path in files)
    geometry = Geometry(hu.shape, tuple(case["spacing_mm"]))
    return lambda: extract(Image(hu, geometry), Mask(labels, geometry))


def pyradiomics(case: dict[str, Any], cropped: bool) -> Callable[[], int]:
    """Return PyRadiomics' own extraction of a case, from whole files or boxes that were cropped beforehand."""
    import numpy as np
    import SimpleITK as sitk
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    logging.disable(logging.CRITICAL)
    extractor = RadiomicsFeatureExtractor(case["params"])
    image, mask = case["image"], case["mask"]
    if not case["from_files"]:
        image, mask = sitk.ReadImage(image), sitk.ReadImage(mask)
    pairs = dict.fromkeys(case["labels"], (image, mask))
    if cropped:
        filled = sitk.GetArrayViewFromImage(mask)
        for label in case["labels"]:
            where = np.argwhere(filled == label)[:, ::-1]
            low = np.maximum(where.min(axis=0) - MARGIN, 0)
            high = np.minimum(where.max(axis=0) + MARGIN + 1, image.GetSize())
            box = [slice(int(first), int(last)) for first, last in zip(low, high, strict=True)]
            pairs[label] = image[box], mask[box]

    def extract() -> int:
        found = [extractor.execute(*pair, label=label) for label, pair in pairs.items()]
        return sum(not name.startswith("diagnostics") for result in found for name in result)

    return extract


def pictologics(case: dict[str, Any]) -> Callable[[], int]:
    """Return Pictologics' extraction of a case that is not resampled: the same 14 images, IBSI's features.

    The 18 statistics and the 79 features of five kinds of matrices (GLCM, GLRLM, GLSZM, NGTDM, NGLDM; its sixth,
    GLDZM, has no counterpart) of each image, and 27 of shape. Bins of 25 from -1000 on.
    """
    from itertools import product

    from pictologics import RadiomicsPipeline, load_image

    families = ["intensity", "glcm", "glrlm", "glszm", "ngtdm", "ngldm"]
    filters = {"original": {}}
    for sigma in range(1, 6):
        filters[f"log-{sigma}"] = {"type": "log", "sigma_mm": float(sigma)}
    for bands in map("".join, product("LH", repeat=3)):
        filters[bands] = {
            "type": "wavelet", "wavelet": "coif1", "decomposition": bands, "boundary": "periodic",
        }  # fmt: skip
    pipeline = RadiomicsPipeline(load_standard=False)
    for name, chosen in filters.items():
        wanted = {
            "families": ["morphology", *families] if name == "original" else families,
            "include_spatial_intensity": False,
            "include_local_intensity": False,
        }
        steps = [
            *([{"step": "filter", "params": chosen}] if chosen else []),
            {"step": "discretise", "params": {"method": "FBS", "bin_width": 25.0, "min_val": -1000.0}},
            {"step": "extract_features", "params": wanted},
        ]
        pipeline.add_config(name, steps)
    image, mask = case["image"], case["mask"]
    if not case["from_files"]:
        image, mask = load_image(image), load_image(mask, stored_type=True)

    def extract() -> int:
        found = pipeline.run_rois(image, mask, labels=case["labels"])
        return sum(int(series.notna().sum()) for roi in found.values() for series in roi.values())

    return extract


ENGINES: dict[str, Callable[[dict[str, Any]], Callable[[], int]]] = {
    "radiobone native": lambda case: radiobone(case, "native"),
    "radiobone pyradiomics": lambda case: radiobone(case, "pyradiomics"),
    "PyRadiomics": lambda case: pyradiomics(case, cropped=False),
    "PyRadiomics, cropped": lambda case: pyradiomics(case, cropped=True),
    "Pictologics": pictologics,
}


def peak_mb() -> float:
    """Return this process's peak memory in 10⁶ bytes; NaN where the system does not tell it."""
    status = Path("/proc/self/status")
    if not status.exists():
        return math.nan
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


def main() -> None:
    """Run the engine and the case that stand in the first argument."""
    case = json.loads(sys.argv[1])
    extract = ENGINES[case["engine"]](case)
    before, seconds = peak_mb(), []
    while not seconds or (sum(seconds) < ENOUGH_S and not case.get("once")):
        begin = time.perf_counter()
        count = extract()
        seconds.append(time.perf_counter() - begin)
    # The first call loads what later ones find ready; it stands only where no other one is made.
    result = {"seconds": seconds[1:] or seconds, "features": count, "before_mb": before, "peak_mb": peak_mb()}
    print(json.dumps(result))


if __name__ == "__main__":
    main()

"""The same masks as nnU-Net's own predictor, which holds the outputs of the whole scan at once."""

from __future__ import annotations

import contextlib
import io
import json
from unittest import mock

import numpy as np
import pytest
from handmade import random_weights, write_folder

from radiobone.imaging import Geometry, Image
from radiobone.segmentation import Segmenter, read_model

pytestmark = [pytest.mark.segment, pytest.mark.slow]

TORCH = {
    "resampling_fn_data": "resample_torch_fornnunet",
    "resampling_fn_probabilities": "resample_torch_fornnunet",
}
for key in ("resampling_fn_data_kwargs", "resampling_fn_probabilities_kwargs"):
    TORCH[key] = {"is_seg": False, "force_separate_z": None}
LABELS = {"one": 1, "two": 2, "three": 3}

CASES = {
    "same spacing": {},
    "finer and coarser": {"spacing": (2.1, 0.8, 1.3)},
    "thick slices in": {"image_mm": (5.0, 1.0, 1.2)},
    "thick slices in the middle axis": {"image_mm": (1.0, 4.5, 1.1), "spacing": (1.3, 2.0, 1.0)},
    "thick slices out": {"spacing": (4.0, 1.0, 1.0)},
    "transposed": {"transpose": (2, 0, 1), "spacing": (1.2, 1.6, 0.9)},
    "mirrored": {"mirror": (0, 2)},
    "smaller than a window": {"patch": (32, 16, 48)},
    "three folds": {"folds": 3, "spacing": (1.5, 1.5, 1.5)},
    "regions": {"labels": {"whole": [1, 2, 3], "core": [2, 3], "kernel": [3]}, "spacing": (1.5, 1.2, 1.0)},
    "torch": {"more": TORCH, "spacing": (1.5, 0.8, 1.0)},
    "torch, thick slices": {"more": TORCH, "image_mm": (5.0, 1.0, 1.0), "spacing": (2.0, 1.5, 1.0)},
    "z-score": {"more": {"normalization_schemes": ["ZScoreNormalization"]}, "spacing": (1.5, 1.5, 1.5)},
    "z-score inside": {
        "more": {"normalization_schemes": ["ZScoreNormalization"], "use_mask_for_norm": [True]},
        "empty": True,
    },
    "empty margin": {"empty": True, "spacing": (1.3, 1.3, 1.3)},
    "slices": {"patch": (16, 24), "spacing": (0.9, 1.2), "mirror": (0, 1)},
}


def smooth_image(spacing_mm=(1.0, 1.0, 1.0), empty=False):
    from scipy import ndimage

    rng = np.random.default_rng(7)
    array = ndimage.gaussian_filter(rng.normal(0.0, 4000.0, (37, 29, 41)), 1.5).astype(np.int16)
    if empty:
        array[:5], array[:, 25:], array[:, :, :7] = 0, 0, 0
    return Image(array, Geometry(array.shape, spacing_mm))


def by_nnunet(model, image, step):
    """Predict as nnU-Net does, with its own preprocessing, windows, resampling and labels."""
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    from radiobone.segmentation.network import build_networks

    cpu = torch.device("cpu")
    with contextlib.redirect_stdout(io.StringIO()):
        predictor = nnUNetPredictor(
            tile_step_size=step, device=cpu, allow_tqdm=False, perform_everything_on_device=False
        )
        predictor.manual_initialization(
            build_networks(model, cpu)[0],
            model.plans,
            model.setup,
            list(model.weights),
            json.loads((model.folder / "dataset.json").read_text()),
            model.trainer,
            tuple(axis - 3 + len(model.setup.patch_size) for axis in model.mirror_axes) or None,
        )
        properties = {"spacing": list(image.geometry.spacing_mm)}
        return predictor.predict_single_npy_array(image.array[None].astype(np.float32), properties)


def both(tmp_path, name, sums):
    case = dict(CASES[name])
    image = smooth_image(case.pop("image_mm", (1.0, 1.0, 1.0)), case.pop("empty", False))
    labels = case.pop("labels", LABELS)
    dimensions = len(case.get("patch", (1, 1, 1)))
    outputs = 3 if labels is not LABELS else 4
    weights = [random_weights(seed, outputs, dimensions=dimensions) for seed in range(case.pop("folds", 1))]
    folder = write_folder(tmp_path / "model", weights, labels, norm=True, orientation="as_is", **case)
    model = read_model(folder)
    mask = Segmenter(model, device="cpu", threads=1, scheme="model").predict(image)
    with sums:
        expected = by_nnunet(model, image, 0.5)
    counts = np.bincount(expected.ravel(), minlength=4)
    assert (counts > 1000).sum() >= 4, "the rubbish of this network is too uniform to test anything"
    return mask.array, expected


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("name", CASES)
def test_masks_are_those_of_nnunets_own_predictor(tmp_path, name):
    import torch

    # In half precision, in which nnU-Net sums, voxels between two classes may fall to either.
    mask, expected = both(tmp_path, name, mock.patch.object(torch, "half", torch.float32))
    assert (mask != expected).sum() <= 5


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
def test_nnunets_half_precision_moves_few_voxels(tmp_path):
    mask, expected = both(tmp_path, "finer and coarser", contextlib.nullcontext())
    assert (mask != expected).mean() < 2e-3

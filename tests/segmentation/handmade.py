"""nnU-Net model folders made by hand: networks whose answers are known without any training."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from radiobone.imaging import Geometry, Image

SCALE = 100.0
"""HU for one unit of the networks' values."""


def write_folder(
    folder: Path,
    weights: Sequence[Mapping[str, Any]],
    labels: Mapping[str, Any],
    *,
    features: Sequence[int] = (4, 4),
    norm: bool = False,
    patch: Sequence[int] = (16, 16, 16),
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
    transpose: Sequence[int] = (0, 1, 2),
    mirror: Sequence[int] | None = None,
    orientation: str | None = "LPS",
    more: Mapping[str, Any] | None = None,
) -> Path:
    """Write a model folder as nnU-Net's training leaves it, one fold for each set of weights."""
    import torch

    folder.mkdir(parents=True)
    dimensions = len(patch)
    stages = len(features)
    plans = {
        "dataset_name": "Dataset001_Handmade",
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": list(transpose),
        "transpose_backward": list(np.argsort(transpose).tolist()),
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {
            "0": {"mean": 0.0, "std": SCALE, "percentile_00_5": -1000.0, "percentile_99_5": 2000.0}
        },
        "configurations": {
            "3d_fullres": {
                "data_identifier": "nnUNetPlans_3d_fullres",
                "preprocessor_name": "DefaultPreprocessor",
                "batch_size": 2,
                "patch_size": list(patch),
                "spacing": list(spacing),
                "normalization_schemes": ["CTNormalization"],
                "use_mask_for_norm": [False],
                "resampling_fn_data": "resample_data_or_seg_to_shape",
                "resampling_fn_seg": "resample_data_or_seg_to_shape",
                "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
                "resampling_fn_data_kwargs": {
                    "is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None,
                },
                "resampling_fn_seg_kwargs": {"is_seg": True, "order": 1, "order_z": 0, "force_separate_z": None},
                "resampling_fn_probabilities_kwargs": {
                    "is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None,
                },
                "architecture": {
                    "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
                    "arch_kwargs": {
                        "n_stages": stages,
                        "features_per_stage": list(features),
                        "conv_op": f"torch.nn.modules.conv.Conv{dimensions}d",
                        "kernel_sizes": [[3] * dimensions] * stages,
                        "strides": [[1] * dimensions, *[[2] * dimensions] * (stages - 1)],
                        "n_conv_per_stage": [1] * stages,
                        "n_conv_per_stage_decoder": [1] * (stages - 1),
                        "conv_bias": True,
                        "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{dimensions}d" if norm else None,
                        "norm_op_kwargs": {"eps": 1e-05, "affine": True} if norm else None,
                        "dropout_op": None,
                        "dropout_op_kwargs": None,
                        "nonlin": "torch.nn.LeakyReLU",
                        "nonlin_kwargs": {"inplace": True},
                    },
                    "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
                },
            }
        },
    }  # fmt: skip
    plans["configurations"]["3d_fullres"].update(more or {})
    (folder / "plans.json").write_text(json.dumps(plans))
    dataset = {"channel_names": {"0": "CT"}, "labels": {"background": 0, **labels}, "file_ending": ".nii.gz"}
    if any(isinstance(value, list) for value in labels.values()):
        dataset["regions_class_order"] = list(range(1, len(labels) + 1))
    (folder / "dataset.json").write_text(json.dumps(dataset))
    if orientation is not None:
        (folder / "radiobone.json").write_text(json.dumps({"orientation": orientation}))
    for fold, content in enumerate(weights):
        (folder / f"fold_{fold}").mkdir()
        checkpoint = {
            "network_weights": dict(content),
            "optimizer_state": {"state": {}, "param_groups": []},
            "grad_scaler_state": None,
            "logging": {"mean_fg_dice": [np.float64(0.5)], "train_losses": [np.float32(1.0)]},
            "_best_ema": np.float64(0.5),
            "current_epoch": 1,
            "init_args": {"plans": plans, "configuration": "3d_fullres", "fold": fold, "dataset_json": dataset},
            "trainer_name": "nnUNetTrainer",
            "inference_allowed_mirroring_axes": None if mirror is None else tuple(mirror),
        }
        torch.save(checkpoint, folder / f"fold_{fold}" / "checkpoint_final.pth")
    return folder


def random_weights(
    seed: int, outputs: int, features: Sequence[int] = (4, 4), norm: bool = True, dimensions: int = 3
) -> dict[str, Any]:
    """Return weights of an untrained network: its answers are rubbish, but depend on everything."""
    import torch
    from dynamic_network_architectures.architectures.unet import PlainConvUNet

    stages = len(features)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = PlainConvUNet(
            1,
            stages,
            list(features),
            torch.nn.Conv3d if dimensions == 3 else torch.nn.Conv2d,
            3,
            [1, *[2] * (stages - 1)],
            1,
            outputs,
            1,
            True,
            (torch.nn.InstanceNorm3d if dimensions == 3 else torch.nn.InstanceNorm2d) if norm else None,
            {"eps": 1e-05, "affine": True} if norm else None,
            None,
            None,
            torch.nn.LeakyReLU,
            {"inplace": True},
        )
        weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        # No class may win everywhere: each weighs the features differently, and none their mean.
        heads = torch.randn_like(weights["decoder.seg_layers.0.weight"])
        weights["decoder.seg_layers.0.weight"] = heads - heads.mean(dim=1, keepdim=True)
        return weights


def edge_weights(threshold_hu: float = 200.0, edge_hu: float = 400.0) -> dict[str, Any]:
    """Return weights of a network that labels tissue above a threshold, and three of its six faces.

    1 is the tissue; 2, 3 and 4 are its faces where HU rise along x, y and z, so that an answer tells the sides of
    the image apart.
    """
    import torch

    weights = {name: torch.zeros_like(tensor) for name, tensor in random_weights(0, 5, norm=False).items()}
    first = torch.zeros((4, 1, 3, 3, 3))
    bias = torch.tensor([-threshold_hu, -edge_hu, -edge_hu, -edge_hu]) / SCALE
    first[0, 0, 1, 1, 1] = 1.0
    for channel, axis in ((1, 2), (2, 1), (3, 0)):
        ahead, behind = [1, 1, 1], [1, 1, 1]
        ahead[axis], behind[axis] = 2, 0
        first[(channel, 0, *ahead)], first[(channel, 0, *behind)] = 1.0, -1.0
    last = torch.zeros((4, 8, 3, 3, 3))
    for channel in range(4):
        last[channel, 4 + channel, 1, 1, 1] = 1.0  # behind the four upsampled channels stand those of the skip
    heads = torch.zeros((5, 4, 1, 1, 1))
    for channel, factor in enumerate((1.0, 100.0, 200.0, 400.0)):
        heads[1 + channel, channel] = factor
    for name in weights:
        if "encoder.stages.0" in name:
            weights[name] = first if name.endswith("weight") else bias
        elif name.startswith("decoder.stages.0") and name.endswith("weight"):
            weights[name] = last
        elif name == "decoder.seg_layers.0.weight":
            weights[name] = heads
    return weights


EDGE_LABELS = {"tissue": 1, "face_x": 2, "face_y": 3, "face_z": 4}


def lopsided(spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Image:
    """Return an image (LPS) with a body of three arms of different lengths, off the middle."""
    array = np.full((26, 22, 30), -100, dtype=np.int16)
    array[5:9, 4:8, 6:10] = 800
    array[5:9, 4:8, 6:24] = 800
    array[5:9, 4:16, 6:10] = 800
    array[5:20, 4:8, 6:10] = 800
    return Image(array, Geometry(array.shape, spacing_mm, (-12.0, 31.0, 7.5)))

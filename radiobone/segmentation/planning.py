"""nnU-Net's plans for an exported data set, with changes where a smaller or coarser network is wanted."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, PositiveFloat, PositiveInt

from radiobone.core.batch import run_cases
from radiobone.core.config import FileModel, read_yaml, validate
from radiobone.core.errors import ModelError, UsageError
from radiobone.core.files import write_json
from radiobone.segmentation.export import ENDING, Exported
from radiobone.segmentation.nnunet import DATASET, PLANS, PREPROCESSED, RAW, nnunet_session

FINGERPRINT_VOXELS = 10_000_000
"""Voxels of labels from which mean, SD and percentiles of HU are taken, over all cases.

nnU-Net takes ten times as many, which changes no digit that matters and costs gigabytes.
"""

MOST_FEATURES = 320
"""nnU-Net's bound on the features of a stage of a 3D network."""


def _along_all_axes(value: object) -> object:
    """Let one size stand for all axes."""
    return (value,) * 3 if isinstance(value, (int, float, str)) and not isinstance(value, bool) else value


Spacing = Annotated[tuple[PositiveFloat, PositiveFloat, PositiveFloat], BeforeValidator(_along_all_axes)]


class PlanChanges(FileModel):
    """What a network is to have instead of what nnU-Net would choose; also a YAML file.

    Parameters
    ----------
    spacing_mm : tuple of float, optional
        Voxel size (z, y, x) in mm, or one number for all axes; larger ones give the coarse model of a cascade.
    patch : tuple of int, optional
        Voxels (z, y, x) of the network's window.
    features : tuple of int, optional
        Features of each stage, from the finest; their number is that of the stages.
    batch_size : int, optional
        Windows in each step.
    convolutions : int, optional
        Convolutions in each stage.
    """

    spacing_mm: Spacing | None = None
    patch: tuple[PositiveInt, PositiveInt, PositiveInt] | None = None
    features: tuple[PositiveInt, ...] | None = Field(default=None, min_length=2)
    batch_size: PositiveInt | None = None
    convolutions: PositiveInt | None = None


@dataclass(frozen=True)
class Planned:
    """A data set that is ready to be learned from.

    Parameters
    ----------
    work : Path
        nnU-Net's folders.
    plans, dataset : dict
        As they will stand in the model folder.
    configuration : str
        nnU-Net's name of the network's kind, such as ``3d_fullres``.
    """

    work: Path
    plans: dict[str, Any]
    dataset: dict[str, Any]
    configuration: str


def read_changes(path: Path) -> PlanChanges:
    """Read changes of plans from a YAML file.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    ConfigError
        If it is not valid.
    """
    return validate(PlanChanges, read_yaml(path), str(path))


def plan_training(
    exported: Exported,
    work: Path,
    configuration: str,
    changes: PlanChanges,
    *,
    jobs: int = 1,
    progress: bool = True,
) -> Planned:
    """Let nnU-Net plan a network for a data set, apply changes, and preprocess all cases.

    Parameters
    ----------
    exported : Exported
        A data set in ``<work>/raw``.
    work : Path
        nnU-Net's folders.
    configuration : str
        ``3d_fullres``, ``3d_lowres`` or ``2d``.
    changes : PlanChanges
        What is to differ from nnU-Net's choice.
    jobs : int, default 1
        Worker processes.
    progress : bool, default True
        Show a bar.

    Raises
    ------
    UsageError
        If the configuration is none of the data set's, or the changes do not fit together.
    ModelError
        If a case cannot be preprocessed.
    """
    folder = work / PREPROCESSED / DATASET
    write_json(folder / "dataset_fingerprint.json", _fingerprint(exported, jobs, progress))
    with nnunet_session(work):
        plans = _plan(changes)
        setup = plans["configurations"].get(configuration)
        if setup is None or "inherits_from" in setup:
            raise UsageError(
                "nnU-Net plans no such configuration for this data set",
                got=configuration,
                expected=", ".join(name for name, one in plans["configurations"].items() if "patch_size" in one),
            )
        setup.pop("next_stage", None)
        plans["configurations"] = {configuration: _change(setup, changes, plans["transpose_forward"])}
    write_json(folder / f"{PLANS}.json", plans)
    dataset = json.loads((exported.folder / "dataset.json").read_text(encoding="utf-8"))
    del dataset["dataset"], dataset["overwrite_image_reader_writer"]
    planned = Planned(work, plans, dataset, configuration)
    _preprocess(exported, planned, jobs, progress)
    return planned


def _fingerprint(exported: Exported, jobs: int, progress: bool) -> dict[str, Any]:
    """Return what nnU-Net wants to know of a data set: sizes, spacings, and the HU inside labels."""
    share = max(1, FINGERPRINT_VOXELS // len(exported.cases))
    outcomes = run_cases(
        [case.name for case in exported.cases],
        functools.partial(_measure, exported=exported, n_voxels=share),
        name=str,
        jobs=jobs,
        description="measuring scans",
        progress=progress,
    )
    found = [outcome.result for outcome in outcomes if outcome.result is not None]
    if len(found) < len(outcomes):
        reasons = [outcome.reason for outcome in outcomes if outcome.status != "ok"]
        raise ModelError("exported scans cannot be measured", where=str(exported.folder), got="; ".join(reasons))
    values = np.concatenate([item[2] for item in found]).astype(np.float64)
    low, median, high = (float(value) for value in np.percentile(values, (0.5, 50.0, 99.5)))
    return {
        "spacings": [item[1] for item in found],
        "shapes_after_crop": [item[0] for item in found],
        "foreground_intensity_properties_per_channel": {
            "0": {
                "mean": float(values.mean()),
                "median": median,
                "std": float(values.std()),
                "min": float(values.min()),
                "max": float(values.max()),
                "percentile_99_5": high,
                "percentile_00_5": low,
            }
        },
        "median_relative_size_after_cropping": float(np.median([item[3] for item in found])),
    }


def _measure(
    name: str, exported: Exported, n_voxels: int
) -> tuple[list[int], list[float], NDArray[np.float32], float]:
    """Return shape and spacing of a case, some HU inside its labels, and the share that is not empty."""
    with nnunet_session(exported.folder.parent.parent):
        from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO
        from nnunetv2.preprocessing.cropping.cropping import crop_to_nonzero

        image_file, label_file = _files(exported.folder, name)
        reader = SimpleITKIO()
        image, properties = reader.read_images([image_file])
        labels, _ = reader.read_seg(label_file)
        cropped, labels, _ = crop_to_nonzero(image, labels)
    # Voxels that teach nothing are no part of any label: nnU-Net would count their HU as well.
    inside = cropped[(labels > 0) & (labels < exported.classes.ignore_value)]
    # As many of each case, as nnU-Net draws them: a scan of small voxels weighs no more than others.
    chosen = np.random.RandomState(1234).choice(inside, n_voxels if len(inside) else 0)
    share = math.prod(cropped.shape) / math.prod(image.shape)
    return (
        [int(size) for size in cropped.shape[1:]],
        [float(size) for size in properties["spacing"]],
        chosen,
        share,
    )


def _plan(changes: PlanChanges) -> dict[str, Any]:
    from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner
    from nnunetv2.utilities.json_export import recursive_fix_for_json_export

    spacing = None if changes.spacing_mm is None else [float(size) for size in changes.spacing_mm]
    planner = ExperimentPlanner(DATASET, plans_name=PLANS, overwrite_target_spacing=spacing)
    plans: dict[str, Any] = planner.plan_experiment()
    recursive_fix_for_json_export(plans)
    return plans


def _change(setup: dict[str, Any], changes: PlanChanges, transpose: Sequence[int]) -> dict[str, Any]:
    """Return a configuration with changes, whose parts fit together."""
    network = setup["architecture"]["arch_kwargs"]
    if changes.patch is not None or changes.features is not None:
        patch = list(setup["patch_size"])
        if changes.patch is not None:
            patch = [changes.patch[axis] for axis in transpose][3 - len(patch) :]
        strides, kernels = _stages(setup["spacing"], patch, changes.features)
        usual = [min(MOST_FEATURES, 32 * 2**stage) for stage in range(len(strides))]
        setup["patch_size"] = patch
        network.update(
            n_stages=len(strides),
            strides=strides,
            kernel_sizes=kernels,
            features_per_stage=list(changes.features or usual),
            n_conv_per_stage=[2] * len(strides),
            n_conv_per_stage_decoder=[2] * (len(strides) - 1),
        )
    if changes.convolutions is not None:
        stages = network["n_stages"]
        network["n_conv_per_stage"] = [changes.convolutions] * stages
        network["n_conv_per_stage_decoder"] = [changes.convolutions] * (stages - 1)
    if changes.batch_size is not None:
        setup["batch_size"] = changes.batch_size
    return setup


def _stages(
    spacing: Sequence[float], patch: Sequence[int], features: Sequence[int] | None
) -> tuple[list[list[int]], list[list[int]]]:
    """Return strides and kernels of the stages of a network for a window, chosen as nnU-Net does."""
    from nnunetv2.experiment_planning.experiment_planners.network_topology import get_pool_and_conv_props

    _, strides, kernels, _, _ = get_pool_and_conv_props(spacing, patch, 4, 999999)
    wanted = len(strides) if features is None else len(features)
    strides = [[int(step) for step in stage] for stage in strides[:wanted]]
    kernels = [[int(size) for size in stage] for stage in kernels[:wanted]]
    steps = [math.prod(stage[axis] for stage in strides) for axis in range(len(patch))]
    if len(strides) < wanted or any(size % step for size, step in zip(patch, steps, strict=True)):
        raise UsageError(
            "the window does not fit the network's stages",
            got=f"patch {list(patch)}, {wanted} stages",
            expected=f"up to {len(strides)} stages, and sizes that {steps} divide",
        )
    return strides, kernels


def _preprocess(exported: Exported, planned: Planned, jobs: int, progress: bool) -> None:
    outcomes = run_cases(
        [case.name for case in exported.cases],
        functools.partial(_preprocess_case, planned=planned),
        name=str,
        jobs=jobs,
        description="preprocessing scans",
        progress=progress,
    )
    failed = [
        f"{case.scan.name}: {outcome.reason}"
        for case, outcome in zip(exported.cases, outcomes, strict=True)
        if outcome.status != "ok"
    ]
    if failed:
        raise ModelError("nnU-Net cannot preprocess some scans", where=str(planned.work), got="; ".join(failed))


def _preprocess_case(name: str, planned: Planned) -> str:
    with nnunet_session(planned.work):
        from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
        from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

        manager = PlansManager(planned.plans)
        setup = manager.get_configuration(planned.configuration)
        folder = planned.work / PREPROCESSED / DATASET / setup.data_identifier
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(f"{name}*"):
            old.unlink()
        image, label = _files(planned.work / RAW / DATASET, name)
        DefaultPreprocessor(verbose=False).run_case_save(
            str(folder / name), [image], label, manager, setup, planned.dataset
        )
    return name


def _files(folder: Path, name: str) -> tuple[str, str]:
    return str(folder / "imagesTr" / f"{name}_0000{ENDING}"), str(folder / "labelsTr" / f"{name}{ENDING}")

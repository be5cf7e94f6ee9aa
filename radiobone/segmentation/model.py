"""A trained nnU-Net v2 model folder, read and checked once."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import field_validator

from radiobone.core.config import FileModel, validate
from radiobone.core.errors import ModelError, UsageError
from radiobone.core.extras import require
from radiobone.core.hashing import sha256_file, sha256_json
from radiobone.imaging.orientation import check_orientation
from radiobone.segmentation.loading import load_checkpoint, take_weights

if TYPE_CHECKING:
    import torch

NOTES = "radiobone.json"
"""What radiobone's own training leaves in a model folder, and nnU-Net does not know."""

DEFAULT_CHECKPOINT = "checkpoint_final.pth"

DEFAULT_ORIENTATION = "RAS"
"""For models of others whose plans name a reader that keeps the files' own axes.

RAS is what NIfTI tools call canonical, to which TotalSegmentator and most published spine data are brought.
"""

_ASSUMED = "assumed"

_REORIENTING_READERS = {"NibabelIOWithReorient": "RAS", "SimpleITKIOWithReorient": "RAS"}
"""Readers of nnU-Net that turn every file to one order themselves."""


class ModelNotes(FileModel):
    """The file ``radiobone.json`` in a model folder.

    Parameters
    ----------
    orientation : str
        Order of axes of the images that the model learned from: three letters for x, y and z, each the side to
        which the index grows.
    labels : dict of str to int, optional
        What it learned, without background.
    mirror_axes : tuple of int, optional
        Array axes (z, y, x) of turned images along which it learned from mirrored images.
    versions : dict of str to str, optional
        Packages that trained it.
    """

    orientation: str
    labels: dict[str, int] | None = None
    mirror_axes: tuple[int, ...] | None = None
    versions: dict[str, str] | None = None

    @field_validator("orientation")
    @classmethod
    def _check(cls, orientation: str) -> str:
        try:
            return check_orientation(orientation)
        except UsageError as error:
            raise ValueError(f"{error.what}, expected {error.expected}") from None


@dataclass(frozen=True)
class Checkpoint:
    """One fold's weights.

    Parameters
    ----------
    fold : str
        Number of the fold, or ``all``.
    path : Path
        The file.
    sha256 : str
        Of its bytes.
    """

    fold: str
    path: Path
    sha256: str


@dataclass(frozen=True, eq=False)
class Model:
    """A model folder with its weights in memory.

    Parameters
    ----------
    folder : Path
        Where it lies.
    configuration : str
        nnU-Net's configuration, such as ``3d_fullres``.
    trainer : str
        Name of the trainer; it is told, never looked up.
    labels : mapping of str to int
        Names and values of the labels, without background.
    regions : tuple of int
        For a model of regions (that may overlap), the value of each output, later ones above earlier ones; empty
        for ordinary labels.
    n_outputs : int
        Outputs of the network; ordinary labels have one for the background, too.
    patch : tuple of int
        Voxels of the network's window along its axes; the first is 1 for a network of slices.
    spacing_mm : tuple of float or None
        Voxel size along the network's axes, in mm; None is that of the image.
    transpose : tuple of int
        Array axis of the turned image for each axis of the network.
    orientation : str
        Order of axes to which images are turned.
    orientation_source : str
        How it was found, for the manifest.
    mirror_axes : tuple of int
        Axes of the network along which it learned from mirrored images.
    checkpoints : tuple of Checkpoint
        Folds whose outputs are averaged.
    sha256 : str
        Of all that its masks depend on: plans, labels, weights and order of axes.
    plans, setup : object
        nnU-Net's own managers of the plans and of the configuration.
    weights : tuple of mapping
        Of each fold.
    """

    folder: Path
    configuration: str
    trainer: str
    labels: Mapping[str, int]
    regions: tuple[int, ...]
    n_outputs: int
    patch: tuple[int, int, int]
    spacing_mm: tuple[float | None, float | None, float | None]
    transpose: tuple[int, int, int]
    orientation: str
    orientation_source: str
    mirror_axes: tuple[int, ...]
    checkpoints: tuple[Checkpoint, ...]
    sha256: str
    plans: Any = field(repr=False)
    setup: Any = field(repr=False)
    weights: tuple[Mapping[str, torch.Tensor], ...] = field(repr=False)

    @property
    def is_order_assumed(self) -> bool:
        """Whether nothing says to which order of axes images are to be turned."""
        return self.orientation_source.startswith(_ASSUMED)


def read_model(
    folder: Path,
    folds: Sequence[int | str] | None = None,
    *,
    checkpoint: str = DEFAULT_CHECKPOINT,
    orientation: str | None = None,
) -> Model:
    """Read a folder that nnU-Net v2's training left, and check that it can be used.

    Parameters
    ----------
    folder : Path
        Holds ``dataset.json``, ``plans.json`` and a folder ``fold_...`` for each fold, such as
        ``nnUNetTrainer__nnUNetPlans__3d_fullres``.
    folds : sequence of int or str, optional
        Folds to be averaged, by number, or ``all``. By default every numbered fold, none of which may lack its
        weights; where none has any, ``all``.
    checkpoint : str, default "checkpoint_final.pth"
        Which weights of each fold.
    orientation : str, optional
        Order of axes of the images that the model learned from (``RAS``, ``LPS``, ..., or ``as_is`` for the axes
        of each file). By default as ``radiobone.json`` in the folder says, else as the reader named in the plans
        turns images, else RAS.

    Raises
    ------
    ModelError
        If a file or fold is missing or damaged, the weights are not safe to load, or the model takes more than
        one image or the masks of an earlier stage.
    UsageError
        If ``orientation`` is no order of axes.
    MissingExtraError
        If torch or nnU-Net is not installed.
    """
    folder = Path(folder)
    dataset = _read_json(folder, "dataset.json")
    plans_content = _read_json(folder, "plans.json")
    paths = _fold_files(folder, folds, checkpoint)
    contents = [load_checkpoint(path) for path in paths.values()]
    configuration = _same_configuration(contents, paths)
    plans, setup, manager = _managers(plans_content, configuration, dataset, folder)
    _check_inputs(dataset, setup, folder)
    order, source = _orientation(orientation, folder, plans_content)
    checkpoints = tuple(Checkpoint(fold, path, sha256_file(path)) for fold, path in paths.items())
    patch = (1,) * (3 - len(setup.patch_size)) + tuple(int(size) for size in setup.patch_size)
    spacing = (None,) * (3 - len(setup.spacing)) + tuple(float(size) for size in setup.spacing)
    regions = tuple(int(value) for value in manager.regions_class_order) if manager.has_regions else ()
    kept = [plans_content, dataset, configuration, order, [item.sha256 for item in checkpoints]]
    return Model(
        folder=folder,
        configuration=configuration,
        trainer=str(contents[0].get("trainer_name", "")),
        labels=_labels(dataset, regions, folder),
        regions=regions,
        n_outputs=int(manager.num_segmentation_heads),
        patch=(patch[0], patch[1], patch[2]),
        spacing_mm=(spacing[0], spacing[1], spacing[2]),
        transpose=_three(plans.transpose_forward, folder),
        orientation=order,
        orientation_source=source,
        mirror_axes=tuple(
            int(axis) + 3 - len(setup.patch_size)
            for axis in contents[0].get("inference_allowed_mirroring_axes") or ()
        ),
        checkpoints=checkpoints,
        sha256=sha256_json(kept),
        plans=plans,
        setup=setup,
        weights=tuple(take_weights(content) for content in contents),
    )


def model_files(
    folder: Path, folds: Sequence[int | str] | None = None, *, checkpoint: str = DEFAULT_CHECKPOINT
) -> list[Path]:
    """List the files that `read_model` reads, without loading them: it needs no extra.

    Parameters
    ----------
    folder, folds, checkpoint : Path, sequence, str
        As `read_model` takes them.

    Raises
    ------
    ModelError
        If one of them is missing.
    """
    for name in ("dataset.json", "plans.json"):
        _read_json(folder, name)
    notes = [folder / NOTES] if (folder / NOTES).is_file() else []
    return [
        folder / "dataset.json", folder / "plans.json", *notes, *_fold_files(folder, folds, checkpoint).values(),
    ]  # fmt: skip


def _read_json(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        below = sorted(item.parent for item in folder.glob("*/plans.json")) if folder.is_dir() else []
        raise ModelError(
            f"the model folder lacks {name}" if folder.is_dir() else "no model folder",
            where=str(folder),
            expected="a folder with dataset.json, plans.json and fold_0, fold_1, ...",
            do=f"give {' or '.join(map(str, below))}" if below else "give the folder that nnU-Net's training left",
        ) from None
    except (OSError, ValueError) as error:
        raise ModelError("the file is not valid JSON", where=str(path), got=error, do="copy it anew") from None
    if not isinstance(content, dict):
        raise ModelError("the file holds no mapping", where=str(path), got=type(content).__name__)
    return content


def _fold_files(folder: Path, folds: Sequence[int | str] | None, checkpoint: str) -> dict[str, Path]:
    """Return the checkpoint of each fold wanted, and refuse a fold that lacks it."""
    present = {path.parent.name.removeprefix("fold_"): path for path in folder.glob(f"fold_*/{checkpoint}")}
    if folds is None:
        begun = [path.name.removeprefix("fold_") for path in folder.glob("fold_*") if path.is_dir()]
        numbered = sorted((fold for fold in begun if fold.isdecimal()), key=int)
        is_numbered = any(fold in present for fold in numbered)
        wanted = numbered if is_numbered else [fold for fold in present if fold == "all"]
    else:
        wanted = list(dict.fromkeys(str(fold).strip() for fold in folds))
    missing = [fold for fold in wanted if fold not in present]
    if missing or not wanted:
        raise ModelError(
            "the model folder lacks a fold" if wanted else "the model folder holds no trained fold",
            where=str(folder),
            got=f"{checkpoint} in folds {', '.join(sorted(present)) or 'none'}",
            expected=", ".join(f"fold_{fold}/{checkpoint}" for fold in missing or ("0",)),
            do="name the folds that are wanted (--folds), or copy or finish the missing ones"
            if wanted
            else "give the folder of a finished training",
        )
    return {fold: present[fold] for fold in wanted}


def _same_configuration(contents: Sequence[Mapping[str, Any]], paths: Mapping[str, Path]) -> str:
    names = [str(content["init_args"].get("configuration")) for content in contents]
    if len(set(names)) > 1:
        told = ", ".join(f"fold {fold}: {name}" for fold, name in zip(paths, names, strict=True))
        raise ModelError("the folds are of different configurations", got=told, expected="one configuration")
    return names[0]


def _managers(content: dict[str, Any], configuration: str, dataset: dict[str, Any], folder: Path) -> Any:
    """Let nnU-Net read its plans, silently, and say in our words where it cannot."""
    require("nnunetv2", "segment")
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    try:
        with contextlib.redirect_stdout(io.StringIO()):
            plans = PlansManager(content)
            setup = plans.get_configuration(configuration)
            return plans, setup, plans.get_label_manager(dataset)
    except (KeyError, RuntimeError, ValueError, TypeError, AssertionError) as error:
        raise ModelError(
            "nnU-Net cannot make sense of the model's plans or labels",
            where=str(folder),
            got=f"{type(error).__name__}: {error}",
            expected=f"plans.json with configuration {configuration!r}, and dataset.json with labels",
        ) from None


def _check_inputs(dataset: Mapping[str, Any], setup: Any, folder: Path) -> None:
    channels = dataset.get("channel_names") or dataset.get("modality") or {"0": "CT"}
    if len(channels) != 1:
        raise ModelError(
            "the model takes more than one image",
            where=str(folder),
            got=", ".join(map(str, channels.values())),
            expected="one CT",
        )
    if setup.previous_stage_name is not None:
        raise ModelError(
            "the model is the second stage of nnU-Net's own cascade, which takes masks of the first",
            where=str(folder),
            got=f"previous stage {setup.previous_stage_name}",
            expected="a model that takes the image alone",
            do="use the first stage, or a 3d_fullres model after a coarse one (--coarse)",
        )


def _orientation(asked: str | None, folder: Path, plans: Mapping[str, Any]) -> tuple[str, str]:
    if asked is not None:
        return check_orientation(asked), "as asked for"
    if (folder / NOTES).is_file():
        notes = validate(ModelNotes, _read_json(folder, NOTES), str(folder / NOTES))
        return notes.orientation, f"as {NOTES} says"
    reader = str(plans.get("image_reader_writer"))
    if reader in _REORIENTING_READERS:
        return _REORIENTING_READERS[reader], f"as nnU-Net's reader {reader} turns images"
    return (
        DEFAULT_ORIENTATION,
        f"{_ASSUMED}: the model does not say, and its reader {reader} keeps the files' axes",
    )


def _labels(dataset: Mapping[str, Any], regions: Sequence[int], folder: Path) -> dict[str, int]:
    names = {
        name: value
        for name, value in dataset["labels"].items()
        if name not in ("background", "ignore") and value not in (0, [0])
    }
    if regions:
        return dict(zip(names, regions, strict=True))
    labels = {name: int(value[0] if isinstance(value, list) else value) for name, value in names.items()}
    if not labels or sorted(labels.values()) != list(range(1, len(labels) + 1)):
        raise ModelError(
            "the model's labels do not count from 1",
            where=str(folder / "dataset.json"),
            got=", ".join(f"{name} {value}" for name, value in labels.items()) or "only background",
            expected="1, 2, 3, ... in the order of the network's outputs, as nnU-Net trains them",
            do="restore the dataset.json that the model was trained with; --scheme changes the values of masks",
        )
    return labels


def _three(axes: Sequence[int], folder: Path) -> tuple[int, int, int]:
    if sorted(axes) != [0, 1, 2]:
        raise ModelError("the plans transpose axes in no known way", where=str(folder), got=list(axes))
    return int(axes[0]), int(axes[1]), int(axes[2])

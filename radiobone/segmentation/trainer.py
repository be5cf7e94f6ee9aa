"""One fold of a training: nnU-Net's own trainer, made quiet, resumable, and faithful to the sides of the body."""

from __future__ import annotations

import contextlib
import csv
import io
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from radiobone.core.batch import progress_bar
from radiobone.core.errors import UsageError, one_line
from radiobone.core.files import atomic_path, write_text
from radiobone.imaging.orientation import head_axis
from radiobone.segmentation.export import ORIENTATION
from radiobone.segmentation.loading import load_checkpoint
from radiobone.segmentation.nnunet import nnunet_session
from radiobone.segmentation.planning import Planned

if TYPE_CHECKING:
    import torch

FINAL, LATEST = "checkpoint_final.pth", "checkpoint_latest.pth"

CURVES = "training.csv"
"""In each fold's folder: a row for each epoch."""

LOG = "training.log"

SAVE_EVERY = 10
"""Epochs after which a stopped training goes on; nnU-Net's own 50 are an hour or two."""

UPRIGHT = math.radians(30.0)
"""How far a window may be turned if spines are not to stand on their heads: nnU-Net's own bound for 3D windows.

Flat windows it turns all the way round. Half a turn in a sagittal or coronal plane with a mirrored other axis is a
spine that is mirrored from head to foot.
"""


@dataclass(frozen=True)
class Schedule:
    """How long and on what a fold is trained.

    Parameters
    ----------
    epochs : int, default 1000
        nnU-Net's own number, whatever a trainer of one's own would take; the learning rate falls to 0 over them.
    iterations : int, default 250
        Steps in each epoch.
    validation_iterations : int, default 50
        Batches on which each epoch is judged.
    seed : int, default 0
        Of weights, windows, augmentation and the division of patients into folds; exact only without worker
        processes.
    """

    epochs: int = 1000
    iterations: int = 250
    validation_iterations: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "iterations", "validation_iterations"):
            if getattr(self, name) < 1:
                raise UsageError(
                    f"no number of {name.replace('_', ' ')}", got=getattr(self, name), expected="1 or more"
                )
        if not 0 <= self.seed < 2**31:
            raise UsageError("no seed", got=self.seed, expected="0 to 2147483647")


@dataclass(frozen=True)
class TrainedFold:
    """What became of one fold.

    Parameters
    ----------
    fold : str
        Number, or ``all``.
    folder : Path
        Holds the checkpoint, the curves and the log.
    epochs : int
        All of them, those of earlier runs included.
    train_loss, patch_dice : float
        Of the last epoch; the Dice is that of windows, not of scans. NaN if the training diverged, or if no window
        held a label.
    """

    fold: str
    folder: Path
    epochs: int
    train_loss: float
    patch_dice: float


def train_fold(
    planned: Planned,
    out: Path,
    fold: str,
    schedule: Schedule,
    *,
    device: torch.device,
    mirror: Sequence[int],
    base: type[Any] | None = None,
    workers: int = 0,
    progress: bool = True,
) -> TrainedFold:
    """Train one fold, or go on with one that was stopped.

    Parameters
    ----------
    planned : Planned
        The data set.
    out : Path
        The model folder.
    fold : str
        Number, or ``all``.
    schedule : Schedule
        How long.
    device : torch.device
        Where.
    mirror : sequence of int
        Array axes (z, y, x) of turned images along which windows may be mirrored.
    base : type, optional
        nnU-Net's trainer, or a class made from it.
    workers : int, default 0
        Processes that prepare batches.
    progress : bool, default True
        Show a bar of the epochs with the time left.
    """
    folder = out / f"fold_{fold}"
    with nnunet_session(planned.work, workers=workers), _seeded(schedule.seed), _fast_convolutions(device):
        trainer = _build(planned, out, fold, schedule, device, mirror, base)
        for part in folder.glob(".part-*"):
            part.unlink()  # half a checkpoint, of a run that was killed while it wrote it
        if (folder / LATEST).is_file():
            load_checkpoint(folder / LATEST)  # refuses a damaged one, and runs nothing that stands in it
            trainer.load_checkpoint(str(folder / LATEST))
            _seed(schedule.seed + trainer.current_epoch)  # the same windows are not drawn once more
        with progress_bar(f"training fold {fold}", schedule.epochs, progress) as advance:
            for _ in range(trainer.current_epoch):
                advance()
            trainer.after_epoch = _after_epoch(trainer, folder / CURVES, advance)
            try:
                _run(trainer)
            finally:
                _stop_workers(trainer)
        logged = trainer.logger.get_checkpoint()
    return TrainedFold(
        fold,
        folder,
        len(logged["train_losses"]),
        float(logged["train_losses"][-1]),
        float(logged["mean_fg_dice"][-1]),
    )


def read_fold(out: Path, fold: str) -> TrainedFold | None:
    """Return a fold that an earlier run finished, or None.

    Parameters
    ----------
    out : Path
        The model folder.
    fold : str
        Number, or ``all``.
    """
    folder = out / f"fold_{fold}"
    if not (folder / FINAL).is_file() or not (folder / CURVES).is_file():
        return None
    with (folder / CURVES).open(encoding="utf-8", newline="") as stream:
        last = list(csv.DictReader(stream))[-1]
    return TrainedFold(fold, folder, int(last["epoch"]), float(last["train_loss"]), float(last["patch_dice"]))


def _run(trainer: Any) -> None:
    import torch

    try:
        trainer.run_training()
    except torch.cuda.OutOfMemoryError as error:
        raise UsageError(
            "the GPU has too little memory for this network",
            got=one_line(error)[:200],
            expected=f"memory for windows of {trainer.configuration_manager.patch_size} voxels, "
            f"{trainer.batch_size} at once",
            do="give a smaller patch or batch_size (--changes), free the GPU, or use a larger one",
        ) from None


def _build(
    planned: Planned,
    out: Path,
    fold: str,
    schedule: Schedule,
    device: torch.device,
    mirror: Sequence[int],
    base: type[Any] | None,
) -> Any:
    """Make the trainer; nnU-Net's constructor takes no more than its own arguments."""
    trainer = _trainer_class(base, mirror, planned.plans["transpose_forward"])(
        plans={**planned.plans, "continue_training": False},
        configuration=planned.configuration,
        fold=int(fold) if fold.isdecimal() else fold,
        dataset_json=planned.dataset,
        device=device,
    )
    Path(trainer.log_file).unlink(missing_ok=True)
    folder = out / f"fold_{fold}"
    folder.mkdir(parents=True, exist_ok=True)
    trainer.output_folder_base, trainer.output_folder = str(out), str(folder)
    trainer.log_file = str(folder / LOG)
    trainer.device = device  # nnU-Net takes the first GPU whatever it is told
    trainer.num_epochs = schedule.epochs
    trainer.num_iterations_per_epoch = schedule.iterations
    trainer.num_val_iterations_per_epoch = schedule.validation_iterations
    trainer.save_every = SAVE_EVERY
    # nnU-Net would draw a picture of 30 x 54 inches after every epoch, and change the style of all others.
    trainer.logger.plot_progress_png = lambda folder: None
    return trainer


def _trainer_class(base: type[Any] | None, mirror: Sequence[int], transpose: Sequence[int]) -> type[Any]:
    """Make a class from nnU-Net's trainer, or from the one given; nnU-Net is imported no earlier than here."""
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    parent: Any = base or nnUNetTrainer

    class Trainer(parent):  # type: ignore[misc]
        """Mirrors and turns only as it may, and writes whole files or none."""

        after_epoch: Callable[[], None]

        def configure_rotation_dummyDA_mirroring_and_inital_patch_size(self) -> Any:
            rotation, dummy, initial, axes = super().configure_rotation_dummyDA_mirroring_and_inital_patch_size()
            dropped = 3 - len(self.configuration_manager.patch_size)
            axes = tuple(axis for axis in axes or () if transpose[axis + dropped] in mirror)
            self.inference_allowed_mirroring_axes = axes
            head = head_axis(ORIENTATION)
            across = (dummy or dropped) and transpose[0] == head  # turned in planes across the spine alone
            if head not in mirror and not across and isinstance(rotation, tuple):
                rotation = (max(rotation[0], -UPRIGHT), min(rotation[1], UPRIGHT))
            return rotation, dummy, initial, axes

        def save_checkpoint(self, filename: str) -> None:
            if Path(filename).name in (FINAL, LATEST):
                with atomic_path(Path(filename)) as part:
                    super().save_checkpoint(str(part))

        def on_epoch_end(self) -> None:
            super().on_epoch_end()
            self.after_epoch()

        def print_to_log_file(self, *told: Any, **options: Any) -> None:
            # The log stays in the model folder, which names no folder of the machine that trained it.
            place = str(self.preprocessed_dataset_folder_base)
            super().print_to_log_file(*(str(item).replace(place, "") for item in told), **options)

        def plot_network_architecture(self) -> None:
            """Nothing: it takes a package that few have."""

        def _save_debug_information(self) -> None:
            """Nothing: it would write the machine's name into the model folder."""

    # nnU-Net's own predictor looks the trainer up by this name.
    Trainer.__name__ = parent.__name__
    return Trainer


def _after_epoch(trainer: Any, path: Path, advance: Callable[[], None]) -> Callable[[], None]:
    """Return what is done after each epoch: the curves are written, and the bar moves."""

    def after() -> None:
        logged = trainer.logger.get_checkpoint()
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["epoch", "learning_rate", "train_loss", "validation_loss", "patch_dice", "seconds"])
        for epoch, rate in enumerate(logged["lrs"][: trainer.current_epoch]):
            begin, end = logged["epoch_start_timestamps"][epoch], logged["epoch_end_timestamps"][epoch]
            values = [float(logged[name][epoch]) for name in ("train_losses", "val_losses", "mean_fg_dice")]
            told = [f"{value:.5f}" for value in values]
            writer.writerow([epoch + 1, f"{float(rate):.6g}", *told, f"{end - begin:.2f}"])
        write_text(path, text.getvalue())
        advance()

    return after


def _stop_workers(trainer: Any) -> None:
    """End the processes that prepare batches, which a training that was stopped leaves behind."""
    for loader in (trainer.dataloader_train, trainer.dataloader_val):
        finish = getattr(loader, "_finish", None)
        if finish is not None:
            finish()


def _seed(seed: int) -> None:
    import torch

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed the generators that nnU-Net draws from, and give them back as they were."""
    import torch

    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - nnU-Net draws from it
    with torch.random.fork_rng():
        _seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002


@contextlib.contextmanager
def _fast_convolutions(device: torch.device) -> Iterator[None]:
    """Let cuDNN choose its algorithms by trial: all windows are of one size."""
    import torch

    if device.type != "cuda":
        yield
        return
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before

"""What a run of segmentation leaves beside its masks: which models, which settings, what became of each scan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from radiobone.core.config import FileModel
from radiobone.segmentation.model import Model

GIVEN = "given"
"""Status of a mask that no model of the run made."""


class FoldRecord(FileModel):
    """One fold of a model.

    Parameters
    ----------
    fold : str
        Number, or ``all``.
    checkpoint : str
        Name of the file.
    sha256 : str
        Of its bytes.
    """

    fold: str
    checkpoint: str
    sha256: str


class ModelRecord(FileModel):
    """One model.

    Parameters
    ----------
    folder : str
        Its folder's name, without what stands above it.
    configuration, trainer : str
        As nnU-Net names them.
    orientation, orientation_source : str
        Order of axes to which images are turned, and how it was found.
    sha256 : str
        Of all that its masks depend on.
    labels : dict of str to int
        The model's own.
    folds : list of FoldRecord
        That were averaged.
    """

    folder: str
    configuration: str
    trainer: str
    orientation: str
    orientation_source: str
    sha256: str
    labels: dict[str, int]
    folds: list[FoldRecord]


class SegmentedScan(FileModel):
    """What became of one scan.

    Parameters
    ----------
    patient_id, scan_id : str
        Who, and which of their scans.
    status, reason : str
        ``ok`` or ``failed``, and why; ``given`` if the mask was there and was kept as it is.
    mask : str, optional
        The file, relative to the manifest; where the scan failed, no file lies there.
    image_sha256, mask_sha256 : str, optional
        Of the files' bytes.
    anchor : str, optional
        The vertebra from which levels were counted.
    levels : tuple of str
        Levels in the mask.
    notes : tuple of str
        What was assumed or left out.
    seconds : float, optional
        Time of this scan; None if an earlier run had finished it.
    """

    patient_id: str
    scan_id: str
    status: str
    reason: str = ""
    mask: str | None = None
    image_sha256: str | None = None
    mask_sha256: str | None = None
    anchor: str | None = None
    levels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float | None = None


class SegmentationManifest(FileModel):
    """The manifest of a run.

    Parameters
    ----------
    created : str
        Time, UTC.
    versions : dict of str to str
        Packages that can move a voxel.
    machine : str
        Operating system and processor type.
    models : list of ModelRecord
        The one model, or the coarse one and the fine one.
    settings : dict
        How they were used.
    scheme : str
        Under which masks are to be read.
    cohort, cohort_sha256 : str, optional
        The table that the scans come from.
    table_sha256, replaced_table_sha256 : str, optional
        Of the cohort table that was written, and of the one that stood in its place.
    counts : dict of str to int
        Scans by status.
    scans : list of SegmentedScan
        In the order of patients.
    """

    created: str
    versions: dict[str, str]
    machine: str
    models: list[ModelRecord]
    settings: dict[str, Any]
    scheme: str
    cohort: str | None = None
    cohort_sha256: str | None = None
    table_sha256: str | None = None
    replaced_table_sha256: str | None = None
    counts: dict[str, int]
    scans: list[SegmentedScan]


def model_records(models: Sequence[Model]) -> list[ModelRecord]:
    """Return what a manifest tells of models.

    Parameters
    ----------
    models : sequence of Model
        One, or the coarse and the fine one.
    """
    return [
        ModelRecord(
            folder=model.folder.resolve().name,
            configuration=model.configuration,
            trainer=model.trainer,
            orientation=model.orientation,
            orientation_source=model.orientation_source,
            sha256=model.sha256,
            labels=dict(model.labels),
            folds=[
                FoldRecord(fold=item.fold, checkpoint=item.path.name, sha256=item.sha256)
                for item in model.checkpoints
            ],
        )
        for model in models
    ]


class TrainedFoldRecord(FileModel):
    """One fold of a training.

    Parameters
    ----------
    fold : str
        Number, or ``all``.
    epochs : int
        Trained.
    train_loss, patch_dice : float, optional
        Of the last epoch, if they are numbers; the Dice is that of windows, not of scans.
    held_out_dice : float, optional
        Mean over the scans that the fold held out, and their labels.
    held_out_scans, held_out_failed : int, optional
        Those scans; and how many of them could not be segmented, which the mean lacks.
    """

    fold: str
    epochs: int
    train_loss: float | None
    patch_dice: float | None
    held_out_dice: float | None = None
    held_out_scans: int | None = None
    held_out_failed: int | None = None


class TrainingManifest(FileModel):
    """The manifest of a training; it names no patient.

    Parameters
    ----------
    created : str
        Time, UTC.
    versions : dict of str to str
        Packages.
    machine : str
        Operating system and processor type.
    key : str
        Hash of all that the weights depend on.
    cohort_sha256 : str
        Of the cohort table.
    n_scans, n_patients : int
        That were learned from, held-out ones included.
    labels : dict of str to int
        Of the network, with background.
    schemes : list of str
        How the masks' values were read.
    settings : dict
        The request.
    folds : list of TrainedFoldRecord
        That are finished.
    """

    created: str
    versions: dict[str, str]
    machine: str
    key: str
    cohort_sha256: str
    n_scans: int
    n_patients: int
    labels: dict[str, int]
    schemes: list[str]
    settings: dict[str, Any]
    folds: list[TrainedFoldRecord]

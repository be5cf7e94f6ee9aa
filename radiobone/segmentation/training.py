"""From a cohort with masks to a model folder that `read_model` takes, by nnU-Net v2 in this process."""

from __future__ import annotations

import gc
import json
import math
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from radiobone.core.errors import UsageError
from radiobone.core.files import check_output, write_json, write_text
from radiobone.core.hashing import sha256_json
from radiobone.core.provenance import machine, now, versions
from radiobone.segmentation.cases import Case, classes_of, survey_cohort
from radiobone.segmentation.export import ORIENTATION, export_cohort
from radiobone.segmentation.judging import HeldOut, judge_fold, read_held_out
from radiobone.segmentation.model import NOTES, ModelNotes
from radiobone.segmentation.nnunet import DATASET, PREPROCESSED, RAW, check_nnunet
from radiobone.segmentation.planning import Planned, plan_training
from radiobone.segmentation.records import TrainedFoldRecord, TrainingManifest
from radiobone.segmentation.segmenter import find_device
from radiobone.segmentation.trainer import TrainedFold, read_fold, train_fold
from radiobone.segmentation.training_request import ALL, TrainingRequest, fold_names, held_out
from radiobone.tables.cohort import Cohort

MANIFEST = "training.manifest.json"

CASES = "cases.csv"
"""Behind the name of the model folder: which scan is which case, and in which fold it is held out.

It stands beside the folder and not in it, so that a model can be given away without the names of patients.
"""

MOST_WORKERS = 12
"""Processes that prepare batches for one GPU: nnU-Net's own number."""

_PREPARED = "prepared.json"


@dataclass(frozen=True)
class TrainingSummary:
    """What was trained.

    Parameters
    ----------
    folder : Path
        The model folder.
    labels : dict of str to int
        Of the network.
    folds : tuple of TrainedFold
        In the order asked for.
    kept : tuple of str
        Folds that an earlier run had finished.
    held_out : dict of str to HeldOut
        For each numbered fold that was judged, its Dice on the scans that it held out.
    """

    folder: Path
    labels: dict[str, int]
    folds: tuple[TrainedFold, ...]
    kept: tuple[str, ...]
    held_out: dict[str, HeldOut]


def train_model(
    cohort: Cohort,
    out: Path,
    request: TrainingRequest | None = None,
    *,
    folds: Sequence[int | str] = (ALL,),
    device: str = "auto",
    trainer: type[Any] | None = None,
    jobs: int = 1,
    workers: int | None = None,
    work: Path | None = None,
    keep_work: bool = False,
    judge: bool = True,
    progress: bool = True,
) -> TrainingSummary:
    """Train an nnU-Net v2 model on a cohort with masks; a training that was stopped goes on.

    Parameters
    ----------
    cohort : Cohort
        With images and masks.
    out : Path
        The model folder: ``plans.json``, ``dataset.json``, ``fold_.../checkpoint_final.pth``, ``radiobone.json``.
    request : TrainingRequest, optional
        What is to be trained.
    folds : sequence of int or str, default ("all",)
        ``all`` learns from every scan; a number holds out that part of the patients.
    device : str, default "auto"
        ``cpu``, ``cuda``, ``cuda:1``; ``auto`` takes a GPU if there is one.
    trainer : type, optional
        A class made from nnU-Net's ``nnUNetTrainer``, with a loss or an optimiser of its own, say. The network
        must be that of the plans.
    jobs : int, default 1
        Processes for export and preprocessing.
    workers : int, optional
        Processes that prepare batches during the training; by default none on a processor, up to 12 with a GPU.
    work : Path, optional
        Where a folder is made for what is only needed meanwhile; by default in the model folder.
    keep_work : bool, default False
        Keep it.
    judge : bool, default True
        Segment the scans that each numbered fold held out, and write ``fold_.../held_out.csv``.
    progress : bool, default True
        Show bars with the time left, if standard error is a terminal.

    Raises
    ------
    TableError
        If scans cannot be learned from, all named, or there are fewer patients than folds.
    UsageError
        If the folder holds another model, the GPU asked for is absent, or the request does not fit the data.
    MissingExtraError
        If torch or nnU-Net is not installed.
    """
    request = request or TrainingRequest()
    check_nnunet()
    target = find_device(device)
    names = fold_names(folds, request, cohort)
    check_output(out / MANIFEST)
    check_output(_cases_file(out))
    cases = survey_cohort(cohort, request.export, jobs=jobs, progress=progress)
    key = _key(cases, request, trainer)
    _check_folder(out, key)
    # A folder of its own, so that nothing of the user's is ever removed, and folds that are trained side by side,
    # on a GPU each, never meet.
    place = (work or out) / f"training-{key[:12]}-{'-'.join(names)}"
    found = {name: read_fold(out, name) for name in names}
    kept = tuple(name for name, fold in found.items() if fold is not None)
    if len(kept) < len(names):
        planned = _prepare(cohort, cases, request, place, jobs, progress)
        _write_notes(out, planned, request)
        _write_cases(out, cases, request)
        _write_manifest(out, key, cohort, cases, request, planned.dataset)
        if workers is None:
            workers = 0 if target.type == "cpu" else min(MOST_WORKERS, os.cpu_count() or 1)
        for name in names:
            if found[name] is None:
                found[name] = train_fold(
                    planned,
                    out,
                    name,
                    request.schedule,
                    device=target,
                    mirror=request.mirror_axes,
                    base=trainer,
                    workers=workers,
                    progress=progress,
                )
                gc.collect()  # optimisers refer to themselves: the next fold would not fit beside this one
                _write_manifest(out, key, cohort, cases, request, planned.dataset)
    if judge:
        _judge(out, names, cases, request, device, progress)
    dataset = json.loads((out / "dataset.json").read_text(encoding="utf-8"))
    _write_manifest(out, key, cohort, cases, request, dataset)
    if not keep_work:
        shutil.rmtree(place, ignore_errors=True)
    done = tuple(fold for fold in found.values() if fold is not None)
    judged = {name: known for name in names if (known := read_held_out(out, name)) is not None}
    return TrainingSummary(out, dataset["labels"], done, kept, judged)


def _judge(
    out: Path, names: Sequence[str], cases: Sequence[Case], request: TrainingRequest, device: str, progress: bool
) -> None:
    """Judge the numbered folds that are not judged yet."""
    groups = held_out(cases, request.n_folds, request.schedule.seed)
    classes = classes_of(cases, request.export)
    for name in names:
        known = read_held_out(out, name)
        if name != ALL and (known is None or known.n_failed):
            judge_fold(out, name, groups[int(name)], classes, request.export, device=device, progress=progress)


def _key(cases: Sequence[Case], request: TrainingRequest, trainer: type[Any] | None) -> str:
    """Return a hash of all that the weights depend on; which folds were trained is no part of it."""
    found = versions()
    name = None if trainer is None else f"{trainer.__module__}.{trainer.__qualname__}"
    files = [
        [case.name, case.sha256, {str(value): level for value, level in case.levels.items()}] for case in cases
    ]
    patients = [case.scan.patient_id for case in cases]
    packages = {package: found.get(package) for package in ("torch", "nnunetv2")}
    return sha256_json([files, patients, _settings(request), name, packages])


def _settings(request: TrainingRequest) -> dict[str, Any]:
    content = asdict(request)
    content["changes"] = request.changes.model_dump(mode="json", exclude_none=True)
    content["mirror"] = list(request.mirror)
    return content


def _check_folder(out: Path, key: str) -> None:
    """Refuse to mix two trainings in one folder."""
    manifest = out / MANIFEST
    known = json.loads(manifest.read_text(encoding="utf-8")).get("key") if manifest.is_file() else None
    if known == key or not (known or (out / "plans.json").exists()):
        return
    raise UsageError(
        "the folder holds a model that was trained otherwise",
        where=str(out),
        got="other scans, settings or versions" if known else "a model without radiobone's manifest",
        expected="an empty folder, or the same training to go on with",
        do="choose another --out, or remove this folder",
    )


def _prepare(
    cohort: Cohort,
    cases: Sequence[Case],
    request: TrainingRequest,
    work: Path,
    jobs: int,
    progress: bool,
) -> Planned:
    """Export, plan and preprocess; or take what an earlier run prepared from the same files."""
    path = work / _PREPARED
    if path.is_file():
        content = json.loads(path.read_text(encoding="utf-8"))
        return Planned(work, content["plans"], content["dataset"], request.configuration)
    shutil.rmtree(work, ignore_errors=True)
    try:
        raw = work / RAW / DATASET
        exported = export_cohort(cohort, raw, request.export, cases=cases, jobs=jobs, progress=progress)
        planned = plan_training(
            exported, work, request.configuration, request.changes, jobs=jobs, progress=progress
        )
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)  # half a preparation is of no use to anyone
        raise
    splits = []
    for out in held_out(cases, request.n_folds, request.schedule.seed):
        names = {case.name for case in out}
        splits.append({"train": [case.name for case in cases if case.name not in names], "val": sorted(names)})
    write_json(work / PREPROCESSED / DATASET / "splits_final.json", splits)
    shutil.rmtree(work / RAW)  # preprocessed scans are all that the training reads
    write_json(path, {"plans": planned.plans, "dataset": planned.dataset})
    return planned


def _write_notes(out: Path, planned: Planned, request: TrainingRequest) -> None:
    labels = {
        name: value for name, value in planned.dataset["labels"].items() if name not in ("background", "ignore")
    }
    notes = ModelNotes(
        orientation=ORIENTATION, labels=labels, mirror_axes=request.mirror_axes, versions=versions()
    )
    write_json(out / NOTES, notes.model_dump(mode="json"))


def _write_cases(out: Path, cases: Sequence[Case], request: TrainingRequest) -> None:
    """Write which scan is which case, and in which numbered fold it is held out."""
    import pandas as pd

    fold_of = {
        case.name: fold
        for fold, group in enumerate(held_out(cases, request.n_folds, request.schedule.seed))
        for case in group
    }
    rows = [
        [case.scan.patient_id, case.scan.scan_id, case.scan.repeat, case.name, fold_of[case.name]]
        for case in cases
    ]
    table = pd.DataFrame(rows, columns=["patient_id", "scan_id", "repeat", "case", "held_out_in_fold"])
    write_text(_cases_file(out), table.to_csv(index=False, lineterminator="\n"))


def _cases_file(out: Path) -> Path:
    folder = Path(os.path.abspath(out))  # "." has no name
    return folder.with_name(f"{folder.name}.{CASES}")


def _write_manifest(
    out: Path,
    key: str,
    cohort: Cohort,
    cases: Sequence[Case],
    request: TrainingRequest,
    dataset: dict[str, Any],
) -> None:
    names = [ALL, *map(str, range(request.n_folds))]
    finished = [fold for name in names if (fold := read_fold(out, name)) is not None]
    manifest = TrainingManifest(
        created=now(),
        versions=versions(),
        machine=machine(),
        key=key,
        cohort_sha256=cohort.sha256,
        n_scans=len(cases),
        n_patients=len({case.scan.patient_id for case in cases}),
        labels=dataset["labels"],
        schemes=sorted({case.how.partition(":")[0].partition(",")[0] for case in cases}),
        settings=_settings(request),
        folds=[_record(out, fold) for fold in finished],
    )
    write_json(out / MANIFEST, manifest.model_dump(mode="json"))


def _record(out: Path, fold: TrainedFold) -> TrainedFoldRecord:
    judged = read_held_out(out, fold.fold)
    return TrainedFoldRecord(
        fold=fold.fold,
        epochs=fold.epochs,
        train_loss=fold.train_loss if math.isfinite(fold.train_loss) else None,
        patch_dice=fold.patch_dice if math.isfinite(fold.patch_dice) else None,
        held_out_dice=judged.dice if judged else None,
        held_out_scans=judged.n_scans if judged else None,
        held_out_failed=judged.n_failed if judged else None,
    )

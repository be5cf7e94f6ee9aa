"""How well a fold does on the scans that it held out: whole masks, on the scans' own grids."""

from __future__ import annotations

import csv
import functools
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radiobone.core.batch import run_cases
from radiobone.core.files import write_text
from radiobone.imaging.orientation import turn_to
from radiobone.segmentation.cases import Case, ExportRequest, read_pair
from radiobone.segmentation.classes import Classes
from radiobone.segmentation.export import ORIENTATION, teaching_labels
from radiobone.segmentation.labels import MODEL
from radiobone.segmentation.model import read_model
from radiobone.segmentation.segmenter import Segmenter

HELD_OUT = "held_out.csv"
"""In each numbered fold's folder: a row for each label of each scan that it held out."""

_COLUMNS = ("case", "label", "dice", "true_ml", "predicted_ml", "reason")


@dataclass(frozen=True)
class HeldOut:
    """How a fold did on the scans that it held out.

    Parameters
    ----------
    dice : float or None
        Mean over scans and labels; None if no scan could be segmented.
    n_scans, n_failed : int
        Held out; and those of them that could not be segmented, which the mean lacks.
    """

    dice: float | None
    n_scans: int
    n_failed: int


@dataclass(frozen=True)
class LabelScore:
    """One label of one scan.

    Parameters
    ----------
    label : str
        Its name.
    dice : float
        Over the voxels that are annotated; 0 where only one mask holds the label.
    true_ml, predicted_ml : float
        Volumes there.
    """

    label: str
    dice: float
    true_ml: float
    predicted_ml: float


def judge_fold(
    out: Path,
    fold: str,
    cases: Sequence[Case],
    classes: Classes,
    request: ExportRequest,
    *,
    device: str = "auto",
    progress: bool = True,
) -> Path:
    """Segment scans that a fold held out, and write how their masks agree with the true ones.

    Parameters
    ----------
    out : Path
        The model folder.
    fold : str
        Number, or ``all``.
    cases : sequence of Case
        The scans.
    classes : Classes
        What was learned.
    request : ExportRequest
        How masks became labels.
    device : str, default "auto"
        As for `Segmenter`.
    progress : bool, default True
        Show a bar.

    Returns
    -------
    Path
        The table: case, label, dice, true_ml, predicted_ml, reason (of a scan that cannot be segmented).
    """
    segmenter = Segmenter(read_model(out, [fold]), device=device, scheme=MODEL)
    outcomes = run_cases(
        cases,
        functools.partial(score_case, segmenter=segmenter, classes=classes, request=request),
        name=lambda case: case.name,
        description=f"judging fold {fold}",
        progress=progress,
    )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for case, outcome in zip(cases, outcomes, strict=True):
        if outcome.result is None:
            writer.writerow([case.name, "", "", "", "", outcome.reason])
        for item in outcome.result or ():
            volumes = (f"{item.true_ml:.3f}", f"{item.predicted_ml:.3f}")
            writer.writerow([case.name, item.label, f"{item.dice:.5f}", *volumes, ""])
    path = out / f"fold_{fold}" / HELD_OUT
    write_text(path, text.getvalue())
    return path


def score_case(case: Case, segmenter: Segmenter, classes: Classes, request: ExportRequest) -> list[LabelScore]:
    """Segment one scan, and compare each label that either mask holds.

    Parameters
    ----------
    case : Case
        The scan.
    segmenter : Segmenter
        With the model's own values.
    classes : Classes
        What was learned.
    request : ExportRequest
        How masks became labels.
    """
    image, mask = read_pair(case.scan, request)
    turn = turn_to(image.geometry, ORIENTATION)
    truth = teaching_labels(case, mask, turn, classes, request)
    found = turn.there(segmenter.predict(image).array)
    known = truth != classes.ignore_value
    scores = []
    for label, value in classes.labels.items():
        one, other = (truth == value) & known, (found == value) & known
        sizes = [int(np.count_nonzero(part)) for part in (one, other)]
        if any(sizes):
            volumes = [size * image.geometry.voxel_volume_mm3 / 1000.0 for size in sizes]
            scores.append(LabelScore(label, 2.0 * int(np.count_nonzero(one & other)) / sum(sizes), *volumes))
    return scores


def read_held_out(out: Path, fold: str) -> HeldOut | None:
    """Return how a fold did on the scans that it held out; None if it was not judged.

    Parameters
    ----------
    out : Path
        The model folder.
    fold : str
        Number, or ``all``.
    """
    path = out / f"fold_{fold}" / HELD_OUT
    if not path.is_file():
        return None
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    values = [float(row["dice"]) for row in rows if row["dice"]]
    mean = math.fsum(values) / len(values) if values else None
    return HeldOut(mean, len({row["case"] for row in rows}), sum(bool(row["reason"]) for row in rows))

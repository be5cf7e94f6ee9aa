"""A cohort with masks as a data set of nnU-Net: one order of axes for all, and the labels to be learned.

nnU-Net's usual reader does not look at directions. So every scan is turned to one order of axes (`ORIENTATION`),
by a permutation and flips and never by resampling, and the model folder records it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiobone.core.batch import run_cases
from radiobone.core.files import write_json
from radiobone.imaging import Geometry, Image, Mask
from radiobone.imaging.orientation import Turn, head_axis, turn_to
from radiobone.imaging.writing import write_image, write_mask
from radiobone.segmentation.cases import (
    BEYOND,
    Case,
    ExportRequest,
    all_results,
    classes_of,
    read_pair,
    survey_cohort,
)
from radiobone.segmentation.classes import Classes
from radiobone.tables.cohort import Cohort

ORIENTATION = "LPS"
"""Order of axes of exported images: arrays (z, y, x) grow to the head, to the back and to the left."""

ENDING = ".nii.gz"


@dataclass(frozen=True)
class Exported:
    """A data set of nnU-Net.

    Parameters
    ----------
    folder : Path
        Holds ``imagesTr``, ``labelsTr`` and ``dataset.json``.
    classes : Classes
        What its labels mean.
    cases : tuple of Case
        In the order of the cohort table.
    """

    folder: Path
    classes: Classes
    cases: tuple[Case, ...]


def export_cohort(
    cohort: Cohort,
    folder: Path,
    request: ExportRequest | None = None,
    *,
    cases: Sequence[Case] | None = None,
    jobs: int = 1,
    progress: bool = True,
) -> Exported:
    """Write a cohort with masks as a data set of nnU-Net.

    Parameters
    ----------
    cohort : Cohort
        With images and masks.
    folder : Path
        Such as ``nnUNet_raw/Dataset001_spine``; made if need be.
    request : ExportRequest, optional
        How masks become labels.
    cases : sequence of Case, optional
        From `survey_cohort`, if that was done before.
    jobs : int, default 1
        Worker processes.
    progress : bool, default True
        Show a bar.

    Raises
    ------
    TableError
        As `survey_cohort`, and if a mask lies on another grid than its image.
    UsageError
        If the masks hold nothing that could be learned as asked for.
    """
    request = request or ExportRequest()
    if cases is None:
        cases = survey_cohort(cohort, request, jobs=jobs, progress=progress)
    classes = classes_of(cases, request)
    outcomes = run_cases(
        cases,
        functools.partial(_export, folder=folder, classes=classes, request=request),
        name=lambda case: case.scan.name,
        jobs=jobs,
        description="exporting scans",
        progress=progress,
    )
    all_results(cohort, [case.scan for case in cases], outcomes)
    write_json(folder / "dataset.json", _dataset(cases, classes))
    return Exported(folder, classes, tuple(cases))


def turned_geometry(geometry: Geometry, turn: Turn) -> Geometry:
    """Return the grid of a turned array: every voxel keeps its place in the world.

    Parameters
    ----------
    geometry : Geometry
        Of the array as it was.
    turn : Turn
        What was done to the array.
    """
    order, flipped = list(turn.order), list(turn.flipped)
    first = [0, 0, 0]
    for axis in flipped:
        first[order[axis]] = geometry.shape[order[axis]] - 1
    rows = geometry.axes[order]
    rows[flipped] *= -1.0
    ox, oy, oz = geometry.world(first).tolist()
    z, y, x = (geometry.shape[axis] for axis in order)
    direction = tuple(float(value) for value in rows[::-1].T.ravel())
    return Geometry((z, y, x), turn.values(geometry.spacing_mm), (ox, oy, oz), direction)


def teaching_labels(
    case: Case, mask: Mask, turn: Turn, classes: Classes, request: ExportRequest
) -> NDArray[np.uint8]:
    """Return what a mask teaches: the network's labels, turned, with voxels that teach nothing marked.

    Parameters
    ----------
    case : Case
        From `survey_cohort`.
    mask : Mask
        Its mask, on the image's grid.
    turn : Turn
        From the image's order of axes to that of the export.
    classes : Classes
        What is learned.
    request : ExportRequest
        Which voxels teach nothing.
    """
    labels: NDArray[np.uint8] = classes.lookup(case.levels, request.ignored)[turn.there(mask.full())]
    if request.unannotated == BEYOND:
        along = np.moveaxis(labels, head_axis(ORIENTATION), 0)
        filled = np.flatnonzero(along.any(axis=(1, 2)))
        along[: filled[0]] = classes.ignore_value
        along[filled[-1] + 1 :] = classes.ignore_value
    return labels


def _export(case: Case, folder: Path, classes: Classes, request: ExportRequest) -> str:
    image, mask = read_pair(case.scan, request)
    turn = turn_to(image.geometry, ORIENTATION)
    geometry = turned_geometry(image.geometry, turn)
    labels = teaching_labels(case, mask, turn, classes, request)
    array = np.ascontiguousarray(turn.there(image.array))
    write_image(Image(array, geometry), folder / "imagesTr" / f"{case.name}_0000{ENDING}")
    write_mask(Mask(labels, geometry), folder / "labelsTr" / f"{case.name}{ENDING}")
    return case.name


def _dataset(cases: Sequence[Case], classes: Classes) -> dict[str, Any]:
    return {
        "channel_names": {"0": "CT"},
        "labels": classes.dataset_labels(),
        "numTraining": len(cases),
        "file_ending": ENDING,
        "overwrite_image_reader_writer": "SimpleITKIO",
        # Spares nnU-Net the search for files, for which it would start twelve processes.
        "dataset": {
            case.name: {
                "images": [f"imagesTr/{case.name}_0000{ENDING}"],
                "label": f"labelsTr/{case.name}{ENDING}",
            }
            for case in cases
        },
    }

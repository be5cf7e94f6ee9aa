"""What is to be trained: the request, and the folds of patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from radiobone.core.errors import TableError, UsageError
from radiobone.imaging.orientation import head_axis
from radiobone.segmentation.cases import Case, ExportRequest
from radiobone.segmentation.classes import LEVELS
from radiobone.segmentation.export import ORIENTATION
from radiobone.segmentation.planning import PlanChanges
from radiobone.segmentation.trainer import Schedule
from radiobone.tables.cohort import Cohort

ALL = "all"
"""The fold that learns from all scans, and holds none out."""

AXES = {"z": 0, "y": 1, "x": 2}

CONFIGURATIONS = ("3d_fullres", "3d_lowres", "2d")
"""nnU-Net's, without the second stage of its own cascade."""


@dataclass(frozen=True)
class TrainingRequest:
    """What is to be trained.

    Parameters
    ----------
    export : ExportRequest
        How masks become labels.
    configuration : str, default "3d_fullres"
        nnU-Net's kind of network: ``3d_fullres``, ``3d_lowres`` or ``2d``.
    changes : PlanChanges
        What is to differ from nnU-Net's plans.
    schedule : Schedule
        How long.
    mirror : tuple of str, default ("x",)
        Axes along which the network learns from mirrored images: ``x`` is left and right, ``y`` front and back,
        ``z`` head and foot, which is refused where levels are told apart. Each one makes later predictions twice
        as long. Without ``z`` no spine is turned upside down either.
    n_folds : int, default 5
        Into which patients are divided for the numbered folds.
    """

    export: ExportRequest = field(default_factory=ExportRequest)
    configuration: str = "3d_fullres"
    changes: PlanChanges = field(default_factory=PlanChanges)
    schedule: Schedule = field(default_factory=Schedule)
    mirror: tuple[str, ...] = ("x",)
    n_folds: int = 5

    def __post_init__(self) -> None:
        if self.configuration not in CONFIGURATIONS:
            raise UsageError("no such configuration", got=self.configuration, expected=", ".join(CONFIGURATIONS))
        unknown = [axis for axis in self.mirror if axis not in AXES]
        if unknown:
            raise UsageError("no axes for mirroring", got=", ".join(unknown), expected="any of x, y, z")
        if self.export.labels == LEVELS and head_axis(ORIENTATION) in self.mirror_axes:
            raise UsageError(
                "levels cannot be learned from spines that are mirrored from head to foot",
                got="mirroring along z",
                expected="x and y at most: a mirrored L1 stands where L5 does",
            )
        if self.n_folds < 2:
            raise UsageError("no number of folds", got=self.n_folds, expected="2 or more")

    @property
    def mirror_axes(self) -> tuple[int, ...]:
        """Array axes of `mirror`."""
        return tuple(sorted(AXES[axis] for axis in self.mirror))


def fold_names(folds: Sequence[int | str], request: TrainingRequest, cohort: Cohort) -> list[str]:
    """Return the names of folds, each once, or refuse those that cannot be.

    Parameters
    ----------
    folds : sequence of int or str
        As asked for.
    request : TrainingRequest
        Number of folds.
    cohort : Cohort
        The patients.

    Raises
    ------
    UsageError
        If there is no such fold.
    TableError
        If there are fewer patients than folds.
    """
    told = [str(fold).strip() for fold in folds]
    names = list(dict.fromkeys(str(int(name)) if name.isdecimal() else name for name in told))
    wrong = [name for name in names if name != ALL and not (name.isdecimal() and int(name) < request.n_folds)]
    if wrong or not names:
        raise UsageError(
            "no such fold", got=", ".join(wrong) or "none", expected=f"all, or 0 to {request.n_folds - 1}"
        )
    patients = len({scan.patient_id for scan in cohort.scans()})
    if names != [ALL] and patients < request.n_folds:
        raise TableError(
            "there are too few patients for the folds",
            where=str(cohort.path),
            got=f"{patients} patients, {request.n_folds} folds",
            expected="a patient in each fold at least",
            do="lower --n-folds, or train on all (--folds all)",
        )
    return names


def held_out(cases: Sequence[Case], n_folds: int, seed: int) -> list[list[Case]]:
    """Divide cases into folds of whole patients, of nearly equal numbers.

    Parameters
    ----------
    cases : sequence of Case
        All.
    n_folds : int
        Number of folds.
    seed : int
        Of the order of patients.

    Returns
    -------
    list of list of Case
        For each fold the cases that it holds out.
    """
    patients = sorted({case.scan.patient_id for case in cases})
    shuffled = np.random.default_rng(seed).permutation(len(patients))
    fold_of = {patients[patient]: place % n_folds for place, patient in enumerate(shuffled)}
    return [[case for case in cases if fold_of[case.scan.patient_id] == fold] for fold in range(n_folds)]

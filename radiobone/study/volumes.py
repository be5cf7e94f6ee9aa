"""Arms that learn from volumes: which row of a stack of patches is whose, and what stacks are made from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from radiobone.core.errors import TableError, UsageError
from radiobone.core.extras import require
from radiobone.core.hashing import sha256_json
from radiobone.features.deep.stack import VALUES_REVISION, write_stack
from radiobone.features.deep.stack_files import ROW, PatchStack, index_path, read_stack
from radiobone.features.request import ExtractionRequest
from radiobone.reporting.words import file_name
from radiobone.study.dataset import Dataset
from radiobone.study.journal import Journal, Say, files_of, state_of
from radiobone.study.recipe import Recipe
from radiobone.study.recipe.design import ArmChoice
from radiobone.tables.cohort import Cohort
from radiobone.tables.features import FeatureTable, manifest_path
from radiobone.tables.keys import PATIENT, REPEAT, STATUS
from radiobone.tables.repeats import choose_repeat
from radiobone.tables.units import features_of_levels
from radiobone.tables.wide import restrict_levels

if TYPE_CHECKING:
    from radiobone.learning.network.volumes import VolumeStack

Stacks = Mapping[str, PatchStack]
"""The stacks of a study by the names of the arms that learn from them."""

_SHOWN = 5


def check_networks(recipe: Recipe) -> None:
    """Say what networks lack before scans are read.

    Parameters
    ----------
    recipe : Recipe
        The study.

    Raises
    ------
    UsageError
        If PyTorch, MONAI or a GPU that an arm asks for is missing.
    """
    for arm in recipe.all_arms:
        if arm.volumes is not None:
            from radiobone.learning.network.running import find_device

            require("torch", "deep")
            require("monai", "deep")
            find_device(arm.network_options.device)


def stack_hashes(stacks: Stacks) -> dict[str, str]:
    """Return the SHA-256 of the stacks of a study, by what they are.

    Parameters
    ----------
    stacks : mapping of str to PatchStack
        The stacks by arm.
    """
    return {f"patches_{name}_sha256": stack.manifest.stack_sha256 for name, stack in sorted(stacks.items())}


def volumes_of(recipe: Recipe, arm: ArmChoice, dataset: Dataset, stacks: Stacks) -> VolumeStack:
    """Put the volumes of an arm into the order of the study's rows.

    Parameters
    ----------
    recipe : Recipe
        The study.
    arm : ArmChoice
        One that learns from volumes.
    dataset : Dataset
        Its rows.
    stacks : mapping of str to PatchStack
        The stacks by arm.

    Returns
    -------
    VolumeStack
        One volume for each row; none is read yet.

    Raises
    ------
    UsageError
        If the arm has no stack.
    TableError
        If a row has no volume, or several.
    """
    from radiobone.learning.network.volumes import VolumeStack

    if arm.name not in stacks:
        raise UsageError(
            f"arm {arm.name!r} learns from volumes, which are cut out of scans",
            where=recipe.name,
            do="use 'radiobone run', which does so",
        )
    assert recipe.voi is not None
    stack = stacks[arm.name]
    where = str(index_path(stack.path))
    table = FeatureTable(stack.index[stack.index[STATUS] == "ok"], [ROW], None, index_path(stack.path))
    if recipe.unit_levels is not None:
        table = features_of_levels(table, recipe.unit_levels)
    table = choose_repeat(table, recipe.table.repeat if REPEAT in table.table.columns else None)
    rows = restrict_levels(table, recipe.voi.level_names).table.set_index(PATIENT)[ROW]
    rows = rows[rows.index.isin(dataset.X.index)]
    twice = sorted(set(rows.index[rows.index.duplicated()]))
    if twice:
        raise TableError(
            f"arm {arm.name!r}: patients with several volumes",
            where=where,
            got=", ".join(twice[:_SHOWN]) + f" ({len(twice)})",
            expected="one scan, and one level, for each row of the study",
        )
    lacking = [str(name) for name in dataset.X.index if name not in rows.index]
    if lacking:
        raise TableError(
            f"arm {arm.name!r}: no volume, though there are features",
            where=where,
            got=", ".join(lacking[:_SHOWN]) + f" ({len(lacking)})",
            expected="one for each row, since all arms learn from the same rows",
            do="see the column reason; exclude these patients, or cut volumes out in another way",
        )
    return VolumeStack.open(stack.path)[rows.loc[dataset.X.index].to_numpy(dtype="int64")]


def cut_volumes(
    recipe: Recipe,
    arm: ArmChoice,
    request: ExtractionRequest,
    cohort: Cohort,
    out: Path,
    *,
    jobs: int,
    progress: bool,
    say: Say,
) -> PatchStack:
    """Cut the volumes of an arm out, unless that is done; VOIs that failed are tried again.

    Parameters
    ----------
    recipe : Recipe
        The study.
    arm : ArmChoice
        One that learns from volumes.
    request : ExtractionRequest
        Of the main VOI.
    cohort : Cohort
        The scans.
    out : Path
        The study's folder.
    jobs : int
        Worker processes.
    progress : bool
        Show a progress bar.
    say : callable
        Called with one line of text.

    Returns
    -------
    PatchStack
        As it lies in the folder.
    """
    assert arm.volumes is not None
    assert recipe.voi is not None
    step = f"patches {arm.name}"
    path = out / f"patches.{file_name(arm.name)}.npy"
    scans = cohort.scans()
    inputs = {
        "cohort": cohort.sha256,
        "files": state_of(
            (file for scan in scans for source in scan.files for file in files_of(source)), cohort.path.parent
        ),
        "settings": sha256_json([recipe.voi.model_dump(mode="json"), request.recipe.id, request.align]),
        "volumes": sha256_json([arm.volumes.sha256, VALUES_REVISION]),
        "masks": sha256_json([[Path(scan.scheme).name, scan.unsegmented] for scan in scans]),
    }
    journal = Journal(out)
    if journal.done(step, inputs):
        say(f"{step}: done before, {path.name}")
        return read_stack(path)
    if path.exists() and not path.with_name(f"{path.name}.resume").is_dir():
        raise UsageError(
            "the study's folder holds a stack of volumes that it did not cut out",
            where=str(path),
            do="choose another folder",
        )
    say(f"{step}: {len(scans)} scans to {path.name}")
    journal.begin()
    summary = write_stack(scans, request, arm.volumes, path, cohort=cohort, jobs=jobs, progress=progress)
    if not summary.failures:
        journal.note(step, inputs, [path, index_path(path), manifest_path(path)])
    return read_stack(path)

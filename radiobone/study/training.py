"""The study on tables: validation of every arm on the same folds, the final fit, and all that is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radiobone.core.batch import progress_bar
from radiobone.core.files import write_json, write_text
from radiobone.study.arms import Planned, columns_of, fit_final, plan_arms
from radiobone.study.dataset import Dataset, Tables, assemble
from radiobone.study.journal import Journal, Say
from radiobone.study.learned import curve, learned_content, permutations
from radiobone.study.outputs import FLOW, FOLDS, KEPT, MODEL, PREDICTIONS, RESULTS, make_way, step_inputs
from radiobone.study.recipe import Recipe
from radiobone.study.report import write_report
from radiobone.study.results import file_hashes, results_content
from radiobone.study.validation import validate
from radiobone.study.volumes import Stacks, stack_hashes
from radiobone.tables.cohort import Cohort
from radiobone.tables.features import FeatureTable


@dataclass(frozen=True, eq=False)
class Study:
    """A finished study.

    Parameters
    ----------
    folder : Path
        Where its files lie.
    results : dict
        The content of ``results.json``.
    """

    folder: Path
    results: dict[str, Any]


def train(
    recipe: Recipe,
    features: Tables | FeatureTable | None,
    cohort: Cohort,
    out: Path,
    *,
    stacks: Stacks | None = None,
    masks: Mapping[str, Any] | None = None,
    jobs: int = 1,
    progress: bool = True,
    say: Say = lambda text: None,
) -> Study:
    """Validate a recipe's procedure, fit it on all patients, and write every result.

    The reported figures are those of the procedure on patients that it has not seen; the saved model is the
    same procedure fitted on all of them. A study that was stopped goes on from its finished outer folds, and one
    that is finished, from the same tables by the same recipe, is read and not computed again.

    Parameters
    ----------
    recipe : Recipe
        The study.
    features : mapping of str to FeatureTable, FeatureTable or None
        The long tables by VOI; one alone is the main one; none for a recipe without features.
    cohort : Cohort
        Labels and exclusions.
    out : Path
        Folder for the results.
    stacks : mapping of str to PatchStack, optional
        The volumes of arms that learn from them, by arm.
    masks : mapping, optional
        How masks were made, for ``results.json`` (``segmentation``), if the study made any.
    jobs : int, default 1
        Outer folds in parallel; the result is the same for any number.
    progress : bool, default True
        Show a progress bar.
    say : callable, optional
        Called with one line of text about each step.

    Returns
    -------
    Study
        The folder and the content of its ``results.json``.

    Raises
    ------
    TableError
        If the tables do not fit the recipe (see `radiobone.study.dataset.assemble`); then nothing is written.
    UsageError
        If the folder cannot be written, or holds an input or files of these names that are no study.
    """
    tables = {"": features} if isinstance(features, FeatureTable) else dict(features or {})
    stacks = stacks or {}
    known = step_inputs(recipe, tables, cohort, masks, stacks)
    journal = Journal(out)
    if all(journal.done(step, inputs) for step, inputs in known.items()):
        say("validate, fit, report: done before")
        return Study(out, json.loads((out / RESULTS).read_text(encoding="utf-8")))
    dataset = assemble(recipe, tables, cohort)
    arms = plan_arms(recipe, dataset, stacks)
    fitted = journal.done("fit", known["fit"])
    files = [cohort.path, *(table.path for table in tables.values() if table.path is not None)]
    files += [stack.path for stack in stacks.values()]
    make_way(out, files, journal, keep_model=fitted)
    journal.begin()
    write_text(out / FLOW, dataset.flow.table.to_csv(index=False, lineterminator="\n"))
    journal.note("label", known["label"], [out / FLOW])
    names = ", ".join(arm.name for arm in arms)
    n_patients = len(set(dataset.patients))
    who = f"{n_patients} patients" + (f", {len(dataset.X)} vertebrae" if recipe.unit_levels else "")
    say(f"validate: {who}; {names}, controls and baselines")
    validated = validate(recipe, dataset, arms, out / KEPT, jobs, progress)
    write_text(out / PREDICTIONS, validated.predictions.to_csv(index=False, lineterminator="\n"))
    write_text(out / FOLDS, validated.folds.to_csv(index=False, lineterminator="\n"))
    journal.note("validate", known["validate"], [out / PREDICTIONS, out / FOLDS])
    say("fit: the procedure on all patients" if not fitted else "fit: done before")
    with progress_bar("fitting on all patients", 1, progress and not fitted) as advance:
        model, files = _final_model(recipe, arms[0], dataset, file_hashes(tables, cohort, masks), tables, out)
        advance()
    journal.note("fit", known["fit"], files)
    say("report: tables and figures")
    results = results_content(recipe, dataset, validated, tables, cohort, masks)
    results["inputs"] |= stack_hashes(stacks)
    permuted = permutations(recipe, dataset, arms[0], out / KEPT, jobs, progress)
    results |= learned_content(permuted, curve(recipe, dataset, arms[0], out / KEPT, jobs, progress))
    written = write_report(recipe, dataset, validated, model, results, out, progress)
    # Last: a folder with results.json is a finished study.
    write_json(out / RESULTS, results)
    journal.note("report", known["report"], [*written, out / RESULTS])
    return Study(out, results)


def _final_model(
    recipe: Recipe, arm: Planned, dataset: Dataset, hashes: dict[str, str], tables: Tables, out: Path
) -> tuple[Any, list[Path]]:
    """Fit and save the primary arm's procedure on all patients, or read the model that is there."""
    from radiobone.learning.disk.persistence import MANIFEST, load_model, save_model
    from radiobone.learning.disk.persistence import MODEL as ESTIMATOR
    from radiobone.study.prediction import study_source

    files = [out / MODEL / name for name in (ESTIMATOR, MANIFEST)]
    if all(path.is_file() for path in files):
        return load_model(out / MODEL).estimator, files
    model = fit_final(arm, dataset)
    save_model(
        out / MODEL,
        model,
        columns_of(dataset, arm),
        dataset.y.to_numpy(),
        label=recipe.label.model_dump(mode="json"),
        source=study_source(recipe, tables, dataset, arm.columns),
        inputs={"recipe_sha256": recipe.sha256} | hashes,
    )
    return model, files

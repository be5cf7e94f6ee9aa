"""Training: nested cross-validation of the procedure, then its final fit on all patients."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radiobone.core.batch import progress_bar
from radiobone.core.errors import UsageError
from radiobone.core.files import check_output, write_json, write_text
from radiobone.core.hashing import sha256_file
from radiobone.core.provenance import machine, now, versions
from radiobone.reporting.figures import confusion_figure, roc_figure, save_figure
from radiobone.reporting.nested import confusions, node_scores
from radiobone.study.dataset import Dataset, assemble
from radiobone.study.procedure import procedure
from radiobone.study.recipe import Recipe
from radiobone.tables.cohort import Cohort
from radiobone.tables.features import FeatureTable

if TYPE_CHECKING:
    from radiobone.evaluation import NestedResult

RESULTS, PREDICTIONS, FOLDS, FLOW = "results.json", "predictions.csv", "folds.csv", "flow.csv"
ROC, CONFUSION, MODEL = "roc.png", "confusion.png", "model"


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
    recipe: Recipe, features: FeatureTable, cohort: Cohort, out: Path, *, jobs: int = 1, progress: bool = True
) -> Study:
    """Validate a recipe's procedure, fit it on all patients, and write every result.

    The reported figures are those of the procedure on patients that it has not seen; the saved model is the
    same procedure fitted on all of them.

    Parameters
    ----------
    recipe : Recipe
        The study.
    features : FeatureTable
        The long table.
    cohort : Cohort
        Labels and exclusions.
    out : Path
        Folder for the results.
    jobs : int, default 1
        Outer folds in parallel; the result is the same for any number.
    progress : bool, default True
        Show a progress bar.

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
    from threadpoolctl import threadpool_limits

    from radiobone.evaluation import KFolds, NestedCV
    from radiobone.learning.persistence import save_model
    from radiobone.learning.routing import fit_with_groups
    from radiobone.study.prediction import feature_source

    dataset = assemble(recipe, features, cohort)
    dataset = replace(dataset, X=dataset.X[dataset.columns(recipe.primary_arm)])
    inputs = {
        "features_sha256": sha256_file(features.path) if features.path else None,
        "cohort_sha256": cohort.sha256,
    }
    _clear(out, [path for path in (features.path, cohort.path) if path is not None])
    write_text(out / FLOW, dataset.flow.table.to_csv(index=False, lineterminator="\n"))
    validation = NestedCV(
        procedure(recipe),
        KFolds(recipe.validation.outer_folds, recipe.validation.repeats, recipe.validation.seed),
        jobs=jobs,
        classes=recipe.classes,
    )
    patients = dataset.X.index.to_numpy()
    n_folds = recipe.validation.outer_folds * recipe.validation.repeats
    with progress_bar("validating, outer folds", n_folds, progress) as advance:
        nested = validation.run(
            dataset.X,
            dataset.y.to_numpy(),
            groups=patients,
            ids=dataset.X.index.to_frame(),
            progress=lambda done, total: advance(),
        )
    # One thread, as in the outer folds: sums of several threads differ in their last bits.
    with threadpool_limits(limits=1):
        model = fit_with_groups(procedure(recipe), dataset.X, dataset.y.to_numpy(), patients)
    results = _results(recipe, nested, dataset, inputs)
    write_text(out / PREDICTIONS, nested.predictions.to_csv(index=False, lineterminator="\n"))
    write_text(out / FOLDS, nested.folds.to_csv(index=False, lineterminator="\n"))
    save_figure(roc_figure(node_scores(results, nested.predictions)), out / ROC)
    save_figure(confusion_figure(confusions(results)), out / CONFUSION)
    save_model(
        out / MODEL,
        model,
        dataset.X,
        dataset.y.to_numpy(),
        label=recipe.label.model_dump(mode="json"),
        source=feature_source(features, recipe.table.levels, recipe.table.blocks, recipe.voi.level_names),
        inputs={"recipe_sha256": recipe.sha256} | {name: found for name, found in inputs.items() if found},
    )
    # Last: see above.
    write_json(out / RESULTS, results)
    return Study(out, results)


def _clear(out: Path, inputs: list[Path]) -> None:
    """Remove an earlier study from a folder, and nothing else.

    A folder with results.json is a finished study: the earlier one ends here, and the new one is not finished yet.
    """
    from radiobone.learning.persistence import MANIFEST
    from radiobone.learning.persistence import MODEL as ESTIMATOR

    names = (RESULTS, PREDICTIONS, FOLDS, FLOW, ROC, CONFUSION, f"{MODEL}/{ESTIMATOR}", f"{MODEL}/{MANIFEST}")
    paths = [out / name for name in names]
    for path in paths:
        check_output(path, inputs)
    found = [path for path in paths if path.exists()]
    if found and not _is_study(out / RESULTS, out / FLOW):
        raise UsageError(
            "the folder holds files of these names that are no study of radiobone",
            where=str(out),
            got=", ".join(path.name for path in found),
            do="choose another folder",
        )
    for path in found:
        path.unlink()


def _is_study(results: Path, flow: Path) -> bool:
    """Say whether a folder holds a study, finished or stopped: its results, or at least its flow table."""
    if results.is_file():
        try:
            content = json.loads(results.read_text(encoding="utf-8"))
        except ValueError:
            return False
        return isinstance(content, dict) and {"recipe", "nodes", "three_class"} <= set(content)
    return flow.is_file() and flow.read_text(encoding="utf-8").startswith("step,reason,class,")


def _results(
    recipe: Recipe, nested: NestedResult, dataset: Dataset, inputs: dict[str, str | None]
) -> dict[str, Any]:
    results = nested.results()
    primary = next(node for node in results["nodes"] if node["name"] == recipe.primary.node)
    return {
        "recipe": {"name": recipe.name, "sha256": recipe.sha256, "content": recipe.model_dump(mode="json")},
        "inputs": inputs,
        "primary": {
            "node": recipe.primary.node,
            "positive": primary["positive"],
            "metric": recipe.primary.metric,
            "rows": "true_members",
            **primary["on_true_members"][recipe.primary.metric],
            "note": "all other figures are exploratory",
        },
        **results,
        "flow": dataset.flow.table.to_dict("records"),
        "created": now(),
        "versions": versions(),
        "machine": machine(),
    }

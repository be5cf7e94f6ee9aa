"""The files of a study: their names, what makes each stale, and how an earlier study makes way."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radiobone.core.errors import UsageError
from radiobone.core.files import check_output
from radiobone.core.hashing import sha256_json
from radiobone.features.deep.stack_files import PatchStack
from radiobone.study.journal import JOURNAL, Journal
from radiobone.study.recipe import Recipe
from radiobone.study.registry import STEPS
from radiobone.tables.cohort import Cohort
from radiobone.tables.features import FeatureTable

if TYPE_CHECKING:
    import pandas as pd

RESULTS, PREDICTIONS, FOLDS, FLOW = "results.json", "predictions.csv", "folds.csv", "flow.csv"
MODEL, FIGURES, TABLES, FORMULA, KEPT = "model", "figures", "tables", "formula", "folds.resume"

LEARNED = ("label", "validate", "fit", "report")
"""The steps after extraction, in order."""


def step_inputs(
    recipe: Recipe,
    tables: Mapping[str, FeatureTable],
    cohort: Cohort,
    masks: Mapping[str, Any] | None = None,
    stacks: Mapping[str, PatchStack] | None = None,
) -> dict[str, dict[str, str]]:
    """Tell what each step after extraction is made from.

    Parameters
    ----------
    recipe : Recipe
        The study.
    tables : mapping of str to FeatureTable
        The feature tables by VOI.
    cohort : Cohort
        The cohort table.
    masks : mapping, optional
        How masks were made, which the model and the results tell.
    stacks : mapping of str to PatchStack, optional
        The volumes of arms that learn from them, by arm.

    Returns
    -------
    dict of str to dict of str to str
        For each step, SHA-256 of its inputs by what they are; the tables' are of their content in memory.
    """
    data = {"cohort": table_sha256(cohort.table)}
    data |= {f"features {name}".strip(): table_sha256(table.table) for name, table in sorted(tables.items())}
    for name, stack in sorted((stacks or {}).items()):
        data[f"patches {name}"] = sha256_json([stack.manifest.stack_sha256, stack.manifest.index_sha256])
    found = {}
    for name in LEARNED:
        keys = STEPS[name].keys or tuple(type(recipe).model_fields)
        found[name] = {"recipe": sha256_json(recipe.content(keys)), **data}
        if masks is not None and name in ("fit", "report"):
            found[name]["masks"] = sha256_json(dict(masks))
    return found


def table_sha256(table: pd.DataFrame) -> str:
    """Return a hash of a table's columns and cells; its index plays no part.

    Parameters
    ----------
    table : DataFrame
        Numbers and text.

    Returns
    -------
    str
        SHA-256.
    """
    digest = hashlib.sha256("\x1f".join(map(str, table.columns)).encode())
    for _, kinds in table.dtypes.groupby(table.dtypes.astype(str), sort=True):
        part = table[list(kinds.index)]
        if all(getattr(kind, "kind", "O") in "fiub" for kind in kinds):
            digest.update(part.to_numpy(dtype="float64", na_value=float("nan")).tobytes())
        else:
            for column in part.columns:
                digest.update("\x1f".join(part[column].astype(str)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def make_way(out: Path, inputs: Iterable[Path], journal: Journal, *, keep_model: bool) -> None:
    """Remove an earlier study from a folder, and nothing else.

    A folder with results.json is a finished study: the earlier one ends here, and the new one is not finished yet.
    Finished outer folds stay, since a new study may go on from them.

    Parameters
    ----------
    out : Path
        The folder.
    inputs : iterable of Path
        What must not be touched.
    journal : Journal
        What the earlier study wrote.
    keep_model : bool
        Whether its model is that of the new one, too.

    Raises
    ------
    UsageError
        If the folder cannot be written, or holds an input, or files of these names that are no study.
    """
    from radiobone.learning.disk.persistence import MANIFEST
    from radiobone.learning.disk.persistence import MODEL as ESTIMATOR

    model = [f"{MODEL}/{ESTIMATOR}", f"{MODEL}/{MANIFEST}"]
    written = {name for step in LEARNED for name in journal.outputs(step)}
    names = {RESULTS, PREDICTIONS, FOLDS, FLOW, *model, *written}
    paths = [out / name for name in sorted(names)]
    given = list(inputs)
    for path in (*paths, out / JOURNAL):
        check_output(path, given)
    found = [path for path in paths if path.exists()]
    if found and not written and not _is_study(out / RESULTS, out / FLOW):
        raise UsageError(
            "the folder holds files of these names that are no study of radiobone",
            where=str(out),
            got=", ".join(path.name for path in found),
            do="choose another folder",
        )
    kept = {out / name for name in journal.outputs("fit")} if keep_model else set()
    for path in found:
        if path not in kept:
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

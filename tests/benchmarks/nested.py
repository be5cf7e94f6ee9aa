"""The benchmark of a whole nested study: radiobone against a plain scikit-learn pipeline, one thread, in one run.

Run by hand, for instance:

    python tests/benchmarks/nested.py
    python tests/benchmarks/nested.py --memory 5 --exact 1 --sizes 750 1500 3000 --default

The work: 400 patients of three classes and 1,500 features in families that share latent factors; two nodes
(osteoporosis against the rest, osteopenia against normal); five outer folds, five inner folds, 30 settings of a
support vector machine by their area under the ROC curve; standardisation and a LASSO over 100 penalties by five
folds of its own inside each training set. All sides have the same folds. Plain scikit-learn (``Pipeline``,
``GridSearchCV``, ``LassoCV`` at its defaults) repeats the LASSO for every setting, so that it is timed on one
outer fold with one setting and extrapolated by the arithmetic that is printed; with ``memory=`` it runs whole, or
on as many outer folds as asked for.

Seconds are those of the process (``time.process_time``), which other programs on the machine disturb little; those
of the clock stand beside them.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import LassoCV
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from radiobone.evaluation import KFolds, NestedCV
from radiobone.learning import (
    CorrelationFilter,
    HierarchicalClassifier,
    LassoSelector,
    SelectiveClassifierCV,
    osteoporosis_first,
)

Array = NDArray[np.float64]


class Folds(StratifiedKFold):
    """Stratified folds for tables in which every row is a patient."""

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Any:
        """Return the splits; groups say nothing more."""
        return super().split(X, y)


INNER = Folds(5, shuffle=True, random_state=0)
PLAIN_INNER = StratifiedKFold(5, shuffle=True, random_state=0)
"""Inner folds, and those of the LASSO: the same rows on both sides."""

COSTS = [0.01, 0.1, 1.0, 10.0, 100.0]
GRID: list[dict[str, list[Any]]] = [
    {"kernel": ["linear"], "C": COSTS},
    {"kernel": ["rbf"], "C": COSTS, "gamma": ["scale", 0.001, 0.01, 0.1, 1.0]},
]
"""Thirty settings."""

ONE = [{"kernel": ["linear"], "C": [1.0]}]
N_SETTINGS, N_OUTER, N_INNER = 30, 5, 5


@dataclass(frozen=True)
class Seconds:
    """How long something took, by the process and by the clock."""

    process: float
    clock: float

    @staticmethod
    def of(work: Callable[[], Any]) -> tuple[Seconds, Any]:
        process, clock = time.process_time(), time.perf_counter()
        result = work()
        return Seconds(time.process_time() - process, time.perf_counter() - clock), result

    def times(self, factor: float) -> Seconds:
        return Seconds(self.process * factor, self.clock * factor)

    def __str__(self) -> str:
        return f"{self.process:,.1f} s ({self.clock:,.1f} s by the clock)"


@dataclass(frozen=True)
class Task:
    """One node on the training rows of one outer fold."""

    fold: int
    node: str
    rows: NDArray[np.intp]
    codes: NDArray[np.intp]


@dataclass(frozen=True)
class Choice:
    """What was selected for a task, and which setting was chosen."""

    features: frozenset[int]
    settings: dict[str, Any]


Choices = dict[tuple[int, str], Choice]


def table(n_features: int, n_rows: int = 400, n_factors: int = 40, seed: int = 0) -> tuple[Array, NDArray[Any]]:
    """Draw features as radiomics gives them: families that share factors, and a score behind the classes."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n_rows, n_factors))
    loadings = rng.normal(size=(n_factors, n_features)) * (rng.random((n_factors, n_features)) < 0.15)
    X = factors @ loadings + 0.5 * rng.normal(size=(n_rows, n_features))
    score = factors[:, :8] @ np.linspace(1.0, 0.3, 8) + 1.5 * rng.normal(size=n_rows)
    classes = np.array(["osteoporosis", "osteopenia", "normal"])
    return X, classes[np.digitize(score, np.quantile(score, [1 / 3, 2 / 3]))]


def run_ours(X: Array, y: NDArray[Any], correlation: bool = False) -> tuple[Seconds, Any]:
    """Run radiobone's nested validation."""
    steps: list[tuple[str, Any]] = [("scale", StandardScaler()), ("lasso", LassoSelector(cv=INNER))]
    if correlation:
        steps.insert(1, ("correlation", CorrelationFilter()))
    node = SelectiveClassifierCV(
        selection=Pipeline(steps), model=SVC(class_weight="balanced"), grid=GRID, cv=INNER, scoring="roc_auc"
    )
    study = NestedCV(HierarchicalClassifier(estimator=node, nodes=osteoporosis_first()), plan=KFolds(N_OUTER))
    return Seconds.of(lambda: study.run(X, y, groups=[f"P{row:04d}" for row in range(len(y))]))


def tasks_of(result: Any) -> list[Task]:
    """Return every node of every outer fold, with the rows that radiobone trained it on."""
    labels = result.data.labels
    found = []
    for number, fit in enumerate(result.fits):
        train = np.setdiff1d(np.arange(len(labels)), fit.test)
        for node in osteoporosis_first():
            rows = train[np.isin(labels[train], list(node.members))]
            found.append(Task(number, node.name, rows, np.isin(labels[rows], list(node.positive)).astype(np.intp)))
    return found


def choices_of(result: Any) -> Choices:
    """Return what radiobone selected and chose."""
    return {
        (number, node.name): Choice(frozenset(int(name[1:]) for name in node.selected), node.settings)
        for number, fit in enumerate(result.fits)
        for node in fit.nodes
    }


def search(X: Array, task: Task, grid: Any, memory: str | None) -> Choice:
    """Fit plain scikit-learn's grid search over the whole pipeline."""
    select = SelectFromModel(LassoCV(alphas=100, cv=PLAIN_INNER), threshold=np.finfo(float).tiny)
    steps = [("scale", StandardScaler()), ("lasso", select), ("model", SVC(class_weight="balanced"))]
    settings = [{f"model__{name}": values for name, values in part.items()} for part in grid]
    found = GridSearchCV(Pipeline(steps, memory=memory), settings, scoring="roc_auc", cv=PLAIN_INNER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of LassoCV, which stops before it has converged
        found.fit(X[task.rows], task.codes)
    kept = found.best_estimator_.named_steps["lasso"].get_support(indices=True)
    best = {name.removeprefix("model__"): value for name, value in found.best_params_.items()}
    return Choice(frozenset(kept.tolist()), best)


def search_all(X: Array, tasks: list[Task], grid: Any, memory: bool, jobs: int) -> tuple[Seconds, Choices]:
    """Run the grid search for all tasks; add up the seconds of all processes."""
    found = Parallel(n_jobs=jobs)(delayed(timed_search)(X, task, grid, memory) for task in tasks)
    seconds = Seconds(sum(one.process for one, _ in found), sum(one.clock for one, _ in found))
    return seconds, {(task.fold, task.node): choice for task, (_, choice) in zip(tasks, found, strict=True)}


def timed_search(X: Array, task: Task, grid: Any, memory: bool) -> tuple[Seconds, Choice]:
    """Run the grid search for one task, on one thread."""
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(limits=1):
        return Seconds.of(lambda: search(X, task, grid, folder if memory else None))


def compare_exactly(X: Array, task: Task) -> str:
    """Compare the selector with a LassoCV that is given the time to converge."""
    rows = StandardScaler().fit_transform(X[task.rows])
    ours, mine = Seconds.of(lambda: LassoSelector(cv=INNER).fit(rows, task.codes))
    exact = LassoCV(alphas=100, cv=PLAIN_INNER, tol=1e-9, max_iter=1_000_000)
    theirs, other = Seconds.of(lambda: exact.fit(rows, task.codes.astype(float)))
    same = np.array_equal(mine.get_support(), other.coef_ != 0)
    return (
        f"{mine.get_support().sum()} features, {'the same' if same else 'NOT the same'}; "
        f"penalty {'the same' if np.isclose(mine.alpha_, other.alpha_, rtol=1e-9) else 'NOT the same'}; "
        f"{theirs} against {ours}"
    )


def report(name: str, seconds: Seconds, ours: Seconds) -> None:
    """Print the seconds of one side, and their ratio to radiobone's."""
    ratio = f"{seconds.process / ours.process:,.1f} times ({seconds.clock / ours.clock:,.1f} by the clock)"
    say(f"{name}: {seconds}; {ratio}")


def differences(name: str, others: Choices, ours: Choices) -> None:
    """Print whether the choices of another side are the same, or in what they differ."""
    same = 0
    for key, other in others.items():
        mine = ours[key]
        if other.features == mine.features and other.settings == mine.settings:
            same += 1
            continue
        where = f"{name}, outer fold {key[0]}, {key[1]}"
        more, less = sorted(other.features - mine.features), sorted(mine.features - other.features)
        say(f"  {where}: {len(mine.features)} features here, only there {more}, only here {less}")
        if other.settings != mine.settings:
            say(f"  {where}: {other.settings} there, {mine.settings} here")
    say(f"  {name}: selected features and chosen setting equal in {same} of {len(others)} fits")


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, default=1500)
    parser.add_argument("--no-plain", action="store_true", help="leave out the extrapolated plain pipeline")
    parser.add_argument("--rounds", type=int, default=2, help="runs of radiobone, of which the fastest counts")
    parser.add_argument("--jobs", type=int, default=1, help="processes of scikit-learn; seconds are added up")
    parser.add_argument(
        "--memory", type=int, default=0, metavar="FOLDS", help="outer folds with memory=; 5 is whole, ~700 s"
    )
    parser.add_argument(
        "--exact", type=int, default=0, help="training sets on which LassoCV runs at tol=1e-9, too"
    )
    parser.add_argument(
        "--sizes", type=int, nargs="*", default=[], help="numbers of features, for radiobone alone"
    )
    parser.add_argument("--default", action="store_true", help="radiobone with its correlation filter, too")
    asked = parser.parse_args()
    say(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; one thread")

    X, y = table(asked.features)
    runs = [run_ours(X, y) for _ in range(asked.rounds)]
    ours, result = min(runs, key=lambda run: run[0].process)
    tasks, choices = tasks_of(result), choices_of(result)
    X = result.data.X
    say(f"radiobone: {ours}")
    if asked.default:
        report("radiobone with its correlation filter", run_ours(X, y, correlation=True)[0], ours)
    if not asked.no_plain:
        one, _ = search_all(X, [task for task in tasks if task.fold == 0], ONE, False, asked.jobs)
        fits, whole = N_INNER + 1, N_INNER * N_SETTINGS + 1
        say(f"plain: outer fold 0, both nodes, one setting ({fits} fits a node): {one}")
        say(f"plain: {one.process:,.1f} s x {whole} / {fits} fits x {N_OUTER} outer folds")
        report("plain scikit-learn, extrapolated", one.times(whole / fits * N_OUTER), ours)
    if asked.memory:
        some = [task for task in tasks if task.fold < asked.memory]
        seconds, others = search_all(X, some, GRID, True, asked.jobs)
        if asked.memory < N_OUTER:
            say(f"memory=: {seconds} for {asked.memory} outer folds, x {N_OUTER} / {asked.memory}")
        report("scikit-learn with memory=", seconds.times(N_OUTER / asked.memory), ours)
        differences("LassoCV at its default tolerance", others, choices)
    for task in tasks[: asked.exact]:
        say(f"LassoCV at tol=1e-9, outer fold {task.fold}, {task.node}: {compare_exactly(X, task)}")
    for size in asked.sizes:
        say(f"radiobone, {size} features: {run_ours(*table(size))[0]}")
    say(f"load average {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    with threadpool_limits(limits=1):
        main()

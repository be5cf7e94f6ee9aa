"""Networks in the nested cross-validation: an arm whose X is a stack, on the folds of all the others."""

import numpy as np
import pandas as pd
import pytest
from network_volumes import rods, toy
from sklearn.linear_model import LogisticRegression

from radiobone.evaluation import Arm, ArmsCV, KFolds, Primary
from radiobone.learning import HierarchicalClassifier, VolumeStack

pytestmark = pytest.mark.deep


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Two rows of each patient, in a file; in a table the brightness that a rod adds, in noise."""
    path = tmp_path_factory.mktemp("stack") / "stack.npy"
    X, y = rods(60, seed=5, edge=8)
    order = np.argsort(y, kind="stable")
    X, y = X[order], y[order]
    np.save(path, X)
    groups = np.array([f"p{row // 2:02d}" for row in range(60)])
    table = pd.DataFrame({"mean": X.mean(axis=(1, 2, 3)), "noise": np.random.default_rng(0).normal(size=60)})
    return VolumeStack.open(path), table, y, groups


def run(cohort, keep=None, jobs=1, **options):
    stack, table, y, groups = cohort
    network = HierarchicalClassifier(estimator=toy(**options))
    arms = [
        Arm("table", table, HierarchicalClassifier(estimator=LogisticRegression())),
        Arm("network", stack, network),
    ]
    primary = Primary("0_vs_1", "auc", "table", against="network")
    cv = ArmsCV(arms, primary, KFolds(folds=2), jobs=jobs)
    ids = pd.DataFrame({"patient_id": groups, "level": np.tile(["L1", "L2"], 30)})
    return cv.run(y, groups=groups, ids=ids, keep=keep)


@pytest.mark.slow
def test_a_network_stands_beside_a_table_on_the_same_folds(cohort):
    result = run(cohort, epochs=20)
    network = result.nested["network"]
    assert network.folds.equals(result.nested["table"].folds)
    assert network.results()["nodes"][0]["on_true_members"]["auc"]["mean"] > 0.9
    (line,) = [line for line in result.comparisons if line["primary"]]
    assert (line["arm"], line["against"]) == ("table", "network")
    assert np.isfinite(line["difference"])
    chosen = network.results()["nodes"][0]["settings"]
    assert all(1 <= fold["epochs"] <= 20 for fold in chosen)


@pytest.mark.slow
def test_any_number_of_jobs_predicts_the_same_and_finished_folds_are_kept(cohort, tmp_path, monkeypatch):
    one = run(cohort, epochs=2, keep=tmp_path / "kept").predictions
    two = run(cohort, epochs=2, jobs=2).predictions
    pd.testing.assert_frame_equal(one, two, check_exact=True)
    monkeypatch.setattr("radiobone.learning.network.classifier.train", lambda *_: pytest.fail("trained again"))
    again = run(cohort, epochs=2, keep=tmp_path / "kept").predictions
    pd.testing.assert_frame_equal(one, again, check_exact=True)

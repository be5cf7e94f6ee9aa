"""Several rows (vertebrae) of a patient, each with a class of its own: patients stay the units."""

import numpy as np
import pandas as pd
import pytest
from sklearn.naive_bayes import GaussianNB

from radiobone.evaluation import Arm, ArmsCV, FixedSplit, KFolds, NestedCV, Primary
from radiobone.evaluation.fold_figures import FigureOptions
from radiobone.evaluation.statistics.bootstrap import bootstrap_interval
from radiobone.evaluation.statistics.clustered import clustered_auc_interval, clustered_auc_test
from radiobone.evaluation.statistics.delong import delong_interval, delong_test
from radiobone.evaluation.statistics.mcnemar import mcnemar_test
from radiobone.evaluation.statistics.resampled import corrected_interval
from radiobone.evaluation.statistics.weighted import binary_statistics
from radiobone.learning import DataError, HierarchicalClassifier
from radiobone.learning.nodes import Node

LEVELS = np.array([f"L{number}" for number in range(1, 6)])
NODE = Node("weak_vs_normal", positive=["weak"], negative=["normal"])
LIGHT = FigureOptions(draws=200)


def vertebrae(n=60, seed=0):
    """One to five rows of each patient, whose features and classes are alike."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(n), 1 + np.arange(n) % 5)
    level = np.concatenate([LEVELS[: 1 + number % 5] for number in range(n)])
    strength = rng.normal(size=n)[patient] + rng.normal(0, 0.3, len(patient))
    y = np.where(strength < 0, "weak", "normal")
    common = rng.normal(size=(n, 2))[patient]
    X = pd.DataFrame(strength[:, None] + 1.5 * common + rng.normal(0, 0.3, (len(patient), 2)), columns=["a", "b"])
    ids = pd.DataFrame({"patient_id": [f"p{number:02d}" for number in patient], "level": level})
    return X, y, ids["patient_id"], ids


def test_classes_of_rows_need_the_switch():
    X, y, patients, ids = vertebrae()
    assert pd.Series(y).groupby(patients).nunique().max() == 2, "some patients have vertebrae of both classes"
    model = HierarchicalClassifier(nodes=[NODE], estimator=GaussianNB())
    with pytest.raises(DataError, match=r"disagree on the class.*labels_by='row'"):
        NestedCV(model, KFolds(3)).run(X, y, groups=patients, ids=ids)
    assert (
        NestedCV(model, KFolds(3), labels_by="row").run(X, y, groups=patients, ids=ids).validation["n_rows"] > 60
    )


def test_patients_are_whole_and_the_units_of_the_corrected_interval():
    X, y, patients, ids = vertebrae()
    model = HierarchicalClassifier(nodes=[NODE], estimator=GaussianNB())
    found = NestedCV(model, KFolds(3, repeats=2), labels_by="row").run(X, y, groups=patients, ids=ids)
    assert (found.folds.groupby(["repeat", "fold", "group"])["role"].nunique() == 1).all()
    tested = found.folds[found.folds["role"] == "test"].groupby("repeat")
    assert (tested.size() == len(y)).all()
    figure = found.results()["nodes"][0]["on_true_members"]["auc"]
    by_patient = corrected_interval(figure["folds"], *found.patients, repeats=2)
    assert figure["interval"]["low"] == pytest.approx(by_patient.low)
    assert sum(found.patients[1]) == 2 * 60, "patients are counted, not rows"


def test_a_fixed_set_and_pooled_scores_are_judged_by_patient():
    X, y, patients, ids = vertebrae(n=100)
    number = ids["patient_id"].str[1:].astype(int)
    split = pd.DataFrame({"split": np.where(number % 2 == 0, "train", "test")})
    arms = [
        Arm("both", X, HierarchicalClassifier(nodes=[NODE], estimator=GaussianNB())),
        Arm("one", X[["a"]], HierarchicalClassifier(nodes=[NODE], estimator=GaussianNB())),
    ]
    primary = Primary(NODE.name, "auc", "both", against="one")
    plan = FixedSplit("split", tests=("test",))
    found = ArmsCV(arms, primary, plan, options=LIGHT, labels_by="row").run(
        y, groups=patients, ids=ids, attributes=split
    )
    results = found.results()
    fit, other = found.nested["both"].fits[0], found.nested["one"].fits[0]
    data = found.main.data
    positive, who = data.labels[fit.test] == "weak", data.groups[fit.test]
    score, against = fit.node_proba[:, 0], other.node_proba[:, 0]

    auc = results["nodes"][0]["on_true_members"]["auc"]["interval"]
    by_patient, by_row = clustered_auc_interval(positive, score, who), delong_interval(positive, score)
    assert (auc["low"], auc["high"]) == pytest.approx((by_patient.low, by_patient.high))
    assert by_patient.high - by_patient.low > 1.2 * (by_row.high - by_row.low), (
        "ignoring patients would be narrower"
    )

    brier = results["nodes"][0]["on_true_members"]["brier"]["interval"]
    statistic = binary_statistics(positive, score)["brier"]
    drawn = bootstrap_interval(statistic, len(who), groups=who, strata=positive, draws=200)
    rows_drawn = bootstrap_interval(statistic, len(who), strata=positive, draws=200)
    assert brier["low"] == pytest.approx(drawn.low)
    assert drawn.high - drawn.low > 1.2 * (rows_drawn.high - rows_drawn.low)

    compared = next(row for row in results["comparisons"] if row["primary"])
    assert compared["p_value"] == pytest.approx(clustered_auc_test(positive, score, against, who).p_value)
    assert compared["p_value"] != pytest.approx(delong_test(positive, score, against).p_value, rel=0.02)
    right = [(values > node.nodes[0].threshold) == positive for values, node in ((score, fit), (against, other))]
    told = compared["mcnemar"]["p_value"]
    assert told == pytest.approx(mcnemar_test(*right, groups=who).p_value)
    assert told != pytest.approx(mcnemar_test(*right).p_value)

    pooled = found.main.results()["nodes"][0]["pooled"]["auc"]["interval"]
    assert (pooled["low"], pooled["high"]) == pytest.approx((by_patient.low, by_patient.high))

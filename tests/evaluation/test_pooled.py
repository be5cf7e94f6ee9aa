import dataclasses

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from radiobone.evaluation import FixedSplit, KFolds, NestedCV
from radiobone.evaluation.fold_figures import FigureOptions
from radiobone.evaluation.intervals import CONDITIONAL
from radiobone.evaluation.pooled import pooled_content
from radiobone.evaluation.statistics.decision_curve import decision_curve
from radiobone.evaluation.statistics.delong import delong_interval
from radiobone.evaluation.statistics.reliability import calibration
from radiobone.learning import HierarchicalClassifier, SelectiveClassifierCV, osteoporosis_first

BONE = ["osteoporosis", "osteopenia", "normal"]
LIGHT = FigureOptions(draws=100)


def table(n=90):
    rng = np.random.default_rng(5)
    codes = np.arange(n) % 3
    X = pd.DataFrame(rng.normal(size=(n, 3)) + 0.7 * codes[:, None], columns=list("abc"))
    return X, np.array(BONE)[codes], np.array([f"p{i:02d}" for i in range(n)])


def model(**options):
    return HierarchicalClassifier(estimator=LogisticRegression(), nodes=osteoporosis_first(), **options)


def test_out_of_fold_predictions_are_pooled_and_labelled():
    X, y, patients = table()
    found = NestedCV(model(), KFolds(3, repeats=2), options=LIGHT).run(X, y, groups=patients)
    pooled = found.results()["nodes"][1]["pooled"]
    p = found.predictions[found.predictions["true_class"] != "osteoporosis"]
    mean = p.groupby("patient_id")["p_node_osteopenia_vs_normal"].mean()
    truth = p.groupby("patient_id")["true_class"].first() == "osteopenia"
    expected = calibration(truth, mean)
    assert pooled["n_rows"] == 60
    assert pooled["conditional"] == CONDITIONAL
    assert pooled["calibration_slope"]["value"] == pytest.approx(expected.slope.estimate)
    assert pooled["calibration_slope"]["interval"]["low"] == pytest.approx(expected.slope.low)
    assert pooled["calibration_slope"]["interval"]["conditional"] == CONDITIONAL
    auc = delong_interval(truth, mean)
    assert pooled["auc"]["value"] == pytest.approx(auc.estimate)
    assert pooled["auc"]["interval"]["conditional"] == CONDITIONAL
    curve = decision_curve(truth, mean, draws=100)
    assert pooled["decision_curve"]["net_benefit"] == pytest.approx(curve.net_benefit.tolist())
    assert sum(pooled["calibration_curve"]["n"]) == 60


def test_one_model_on_a_fixed_test_set_needs_no_label():
    X, y, patients = table()
    attributes = pd.DataFrame({"split": np.repeat(["train", "test"], 45)})
    found = NestedCV(model(), FixedSplit("split"), options=LIGHT).run(X, y, groups=patients, attributes=attributes)
    node = found.results()["nodes"][0]
    assert node["pooled"]["conditional"] is None
    assert node["pooled"]["auc"]["value"] == pytest.approx(node["on_true_members"]["auc"]["mean"])
    assert node["pooled"]["auc"]["interval"] == node["on_true_members"]["auc"]["interval"]


def test_a_node_without_rows_has_no_pooled_figures():
    X, y, patients = table()
    found = NestedCV(model(), KFolds(3), options=LIGHT).run(X, y, groups=patients)
    none = tuple(
        dataclasses.replace(
            fit,
            test=fit.test[:0],
            node_proba=fit.node_proba[:0],
            class_proba=fit.class_proba[:0],
            argmax=fit.argmax[:0],
            routed=fit.routed[:0],
        )
        for fit in found.fits
    )

    assert pooled_content(dataclasses.replace(found, fits=none), 0) is None


@pytest.mark.parametrize("rows", [1, 3])
def test_events_per_variable_count_patients(rows):
    X, y, patients = table(45)
    X, y, patients = (part[np.repeat(np.arange(45), rows)] for part in (X.to_numpy(), y, patients))
    ids = pd.DataFrame({"patient_id": patients, "level": np.tile(np.arange(rows), 45)})
    node = SelectiveClassifierCV(selection=StandardScaler(), model=LogisticRegression(), cv=3, calibration=None)
    nested = NestedCV(HierarchicalClassifier(estimator=node, nodes=osteoporosis_first()), KFolds(3), options=LIGHT)
    first, second = nested.run(X, y, groups=patients, ids=ids).results()["nodes"]
    # Ten training patients of each class, whatever their rows, and three features.
    assert first["events_per_variable"] == [10 / 3] * 3
    assert second["events_per_variable"] == [10 / 3] * 3
    assert first["threshold"] == [0.5] * 3
    flat = NestedCV(model(), KFolds(3), options=LIGHT).run(X, y, groups=patients, ids=ids).results()["nodes"][0]
    assert flat["events_per_variable"] == [None] * 3

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from radiobone.evaluation import Arm, ArmsCV, FigureOptions, KFolds, NestedCV, Primary
from radiobone.evaluation.controls import (
    acquisition_control,
    clinical_baseline,
    hu_rule_baseline,
    mean_hu_baseline,
    volume_control,
)
from radiobone.evaluation.volume import volume_columns, volume_content
from radiobone.learning import HierarchicalClassifier, SelectiveClassifierCV, osteoporosis_first

BONE = ["osteoporosis", "osteopenia", "normal"]
NODES = osteoporosis_first()


def table(n=90):
    rng = np.random.default_rng(2)
    codes = np.arange(n) % 3
    volume = rng.gamma(9.0, 2.0, n)
    X = pd.DataFrame(
        {
            "trabecular__density_mean_hu": 70.0 + 40 * codes + rng.normal(scale=12, size=n),
            "trabecular__density_median_hu": 70.0 + 40 * codes + rng.normal(scale=12, size=n),
            "trabecular__density_volume_ml": volume,
            "trabecular__original_glrlm_RunLengthNonUniformity": volume**3 + rng.normal(size=n),
            "trabecular__original_glcm_Contrast": rng.normal(size=n) - codes,
        }
    )
    cohort = pd.DataFrame(
        {
            "kvp": np.where(codes == 0, "100", "120"),
            "kernel": rng.choice(["B30f", "B70f", ""], n),
            "age": [str(age) for age in 75 - 5 * codes + rng.integers(0, 8, n)],
            "bmi": [None, "", *rng.normal(25, 3, n - 2).round(1).astype(str)],
            "empty": "",
        }
    )
    return X, np.array(BONE)[codes], np.array([f"p{i:02d}" for i in range(n)]), cohort


def test_controls_and_baselines_stand_in_the_table_with_what_they_need():
    X, y, patients, cohort = table()
    node = SelectiveClassifierCV(selection=StandardScaler(), model=LogisticRegression(), cv=3, calibration=None)
    radiomics = HierarchicalClassifier(estimator=node, nodes=NODES)
    arms = [
        Arm("radiomics", X, radiomics),
        acquisition_control(cohort, ["kvp", "kernel"], NODES),
        volume_control(X, NODES),
        mean_hu_baseline(X, NODES),
        hu_rule_baseline(X, 4.0),
        clinical_baseline(cohort, ["age", "bmi"], NODES),
    ]
    found = ArmsCV(
        arms, Primary("osteoporosis_vs_rest", "auc", "radiomics"), KFolds(3), options=FigureOptions(draws=100)
    ).run(y, groups=patients)
    lines = found.table.set_index("arm")
    assert lines["kind"].tolist() == ["arm", "control", "control", "baseline", "baseline", "baseline"]
    assert lines.loc["acquisition only", "mean"] == 1.0, "the tube voltage tells the class in this table"
    assert lines.loc["mean HU alone", "mean"] > 0.9
    assert lines.loc["TotalSegmentator rule", "mean"] > 0.9
    assert 0.2 < lines.loc["VOI volume only", "mean"] < 0.75
    assert lines.loc["clinical covariates alone", "mean"] > 0.7
    rule = found.nested["TotalSegmentator rule"].predictions
    median = X["trabecular__density_median_hu"].to_numpy()
    np.testing.assert_array_equal(rule["decision_argmax"] == "osteoporosis", median < 90.25)
    flagged = found.results()["volume"]["nodes"][0]["features"]
    # The column of volume itself, and the texture that is a power of it.
    assert [line["name"].split("_")[-1] for line in flagged] == ["ml", "RunLengthNonUniformity"]
    assert [line["largest_rho"] > 0.999 for line in flagged] == [True, True]


def test_absent_columns_are_named():
    X, _, _, cohort = table()
    bare = X[["trabecular__original_glcm_Contrast"]]
    assert acquisition_control(cohort, ["kvp", "mas", "empty"], NODES).needs == ("mas", "empty")
    assert acquisition_control(cohort, [], NODES).needs == ("a column",)
    assert volume_control(bare, NODES).needs == (
        "density_volume_ml or original_shape_VoxelVolume or original_shape_MeshVolume",
    )
    assert mean_hu_baseline(bare, NODES).needs == ("density_mean_hu",)
    assert mean_hu_baseline(bare.to_numpy(), NODES).needs == ("density_mean_hu",)
    for rule in (hu_rule_baseline(bare, 4.0), hu_rule_baseline(X, 3.0)):
        assert rule.needs == ("density_median_hu of the body, eroded by 4 mm",)
    assert volume_control(X, NODES).needs == ()


def test_one_kind_of_volume_is_taken_for_every_voi():
    names = ["L1.body__original_shape_MeshVolume", "L1.body__density_volume_ml", "L2.body__density_volume_ml"]
    assert volume_columns(pd.DataFrame(columns=names)) == names[1:]
    assert volume_columns(pd.DataFrame(columns=names[:1])) == names[:1]


def test_a_category_that_training_has_not_seen_is_none_of_them():
    _, y, patients, cohort = table()
    cohort["kernel"] = [f"k{i}" if i % 30 == 0 else "B30f" for i in range(90)]
    arm = acquisition_control(cohort, ["kernel"], NODES)
    found = NestedCV(arm.estimator, KFolds(3)).run(arm.X, y, groups=patients)
    assert np.isfinite(found.predictions["p_node_osteoporosis_vs_rest"]).all()


@pytest.mark.parametrize("as_array", [False, True])
def test_selected_features_that_follow_volume_are_flagged_by_training_rows(as_array):
    X, y, patients, _ = table()
    features = X.drop(columns="trabecular__density_volume_ml")
    volume = X["trabecular__density_volume_ml"].to_numpy()
    node = SelectiveClassifierCV(selection=StandardScaler(), model=LogisticRegression(), cv=3, calibration=None)
    nested = NestedCV(HierarchicalClassifier(estimator=node, nodes=NODES), KFolds(3), classes=BONE)
    given = features.to_numpy() if as_array else features
    found = nested.run(given, y, groups=patients)
    content = volume_content(found, volume)
    name = "x2" if as_array else "trabecular__original_glrlm_RunLengthNonUniformity"
    for number, node in enumerate(content["nodes"]):
        (line,) = node["features"]
        assert (line["name"], line["folds_selected"], line["folds_flagged"]) == (name, 3, 3)
        expected = []
        for fit in found.fits:
            rows = fit.train if number == 0 else fit.train[y[fit.train] != "osteoporosis"]
            expected.append(spearmanr(features.iloc[rows, 2], volume[rows]).statistic)
        assert line["largest_rho"] == pytest.approx(max(expected))
    strict = volume_content(found, volume, threshold=1.0)
    assert [node["features"] for node in strict["nodes"]] == [[], []]
    assert volume_content(found, None) is None


def test_features_that_are_not_known_are_not_flagged():
    X, y, patients, _ = table()
    found = NestedCV(HierarchicalClassifier(estimator=LogisticRegression(max_iter=5000), nodes=NODES), KFolds(3))
    result = found.run(X - X.mean(), y, groups=patients)
    assert volume_content(result, X["trabecular__density_volume_ml"].to_numpy()) is None

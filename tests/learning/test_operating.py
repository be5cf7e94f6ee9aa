import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import roc_curve
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import StandardScaler

from radiobone.core.errors import RadioboneWarning
from radiobone.learning import DataError, HierarchicalClassifier, SelectiveClassifierCV, osteoporosis_first
from radiobone.learning.calibration import IsotonicSteps, PlattSigmoid
from radiobone.learning.operating import OperatingPoint


def noisy(n=200, seed=0):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 2, n)
    return np.clip(0.25 + 0.3 * codes + 0.2 * rng.normal(size=n), 0, 1).round(2), codes


def figures(probability, codes, threshold):
    called = probability > threshold
    return called[codes == 1].mean(), 1 - called[codes == 0].mean()


def test_worked_example():
    probability, codes = np.array([0.1, 0.2, 0.4, 0.6, 0.8]), np.array([0, 0, 1, 0, 1])
    assert OperatingPoint.of("youden").choose(probability, codes).value == pytest.approx(0.3)
    everyone = OperatingPoint.of(("sensitivity", 1.0)).choose(probability, codes)
    assert (everyone.value, everyone.sensitivity, everyone.specificity) == pytest.approx((0.3, 1, 2 / 3))
    nobody = OperatingPoint.of(("specificity", 1.0)).choose(probability, codes)
    assert (nobody.value, nobody.sensitivity, nobody.specificity) == pytest.approx((0.7, 0.5, 1))
    half = OperatingPoint.of(["sensitivity", 0.5]).choose(probability, codes)
    assert (half.sensitivity, half.specificity) == (0.5, 1.0)


@pytest.mark.parametrize("seed", range(4))
def test_points_lie_on_the_roc_curve_of_scikit_learn(seed):
    probability, codes = noisy(seed=seed)
    fpr, tpr, _ = roc_curve(codes, probability, drop_intermediate=False)
    youden = OperatingPoint.of("youden").choose(probability, codes)
    assert youden.sensitivity + youden.specificity - 1 == pytest.approx((tpr - fpr).max())
    sensitive = OperatingPoint.of(("sensitivity", 0.9)).choose(probability, codes)
    assert sensitive.sensitivity >= 0.9
    assert sensitive.specificity == pytest.approx(1 - fpr[tpr >= 0.9].min())
    specific = OperatingPoint.of(("specificity", 0.9)).choose(probability, codes)
    assert specific.specificity >= 0.9
    assert specific.sensitivity == pytest.approx(tpr[fpr <= 0.1 + 1e-12].max())
    for point in (youden, sensitive, specific):
        assert figures(probability, codes, point.value) == pytest.approx((point.sensitivity, point.specificity))


def test_every_sensitivity_can_be_reached_even_at_probabilities_of_0_and_1():
    probability, codes = np.array([0.0, 0.0, 1.0, 1.0]), np.array([0, 0, 1, 1])
    for rule in ("youden", ("sensitivity", 1.0), ("specificity", 1.0)):
        point = OperatingPoint.of(rule).choose(probability, codes)
        assert (point.sensitivity, point.specificity) == (1.0, 1.0)
        assert 0.0 <= point.value < 1.0


def test_where_no_threshold_reaches_the_least_the_nearest_counts_and_says_so():
    # Late fusion pools what its parts say of rows held out: a positive row may have a probability of 0.
    probability, codes = np.array([0.9, 0.9, 0.0, 0.7]), np.array([0, 1, 1, 1])
    rule = OperatingPoint.of(("sensitivity", 0.8))
    point = rule.choose(probability, codes)
    assert (point.sensitivity, point.specificity) == pytest.approx((2 / 3, 0.0))
    assert "sensitivity at least 0.8, which no threshold reaches: called above" in point.note(rule)
    easier = OperatingPoint.of(("sensitivity", 0.6))
    assert "which no" not in easier.choose(probability, codes).note(easier)
    specific = OperatingPoint.of(("specificity", 1.0))
    assert "which no" not in specific.choose(np.array([1.0, 0.2]), np.array([0, 1])).note(specific)


@pytest.mark.parametrize("given", ["best", ("recall", 0.9), ("sensitivity", 0), ("sensitivity", 1.1), ["youden"]])
def test_unknown_points_are_refused(given):
    with pytest.raises(DataError, match="operating_point"):
        OperatingPoint.of(given)


def table(n=120, shift=1.2, seed=0):
    rng = np.random.default_rng(seed)
    y = np.where(np.arange(n) % 4 == 0, "ill", "well")
    X = pd.DataFrame(rng.normal(size=(n, 3)), columns=list("abc"))
    X["a"] -= shift * (y == "ill")
    return X, y


def light(**settings):
    return SelectiveClassifierCV(selection=StandardScaler(), model=GaussianNB(), cv=4, **settings)


@pytest.mark.parametrize("calibration", ["sigmoid", "isotonic"])
def test_predict_follows_the_operating_point(calibration):
    X, y = table()
    plain = light(calibration=calibration).fit(X, y)
    assert plain.threshold_ == 0.5
    np.testing.assert_array_equal(plain.predict(X) == "well", plain.predict_proba(X)[:, 1] > 0.5)
    pointed = light(calibration=calibration, operating_point=("specificity", 0.8)).fit(X, y)
    np.testing.assert_array_equal(pointed.predict_proba(X), plain.predict_proba(X))
    np.testing.assert_array_equal(
        pointed.predict(X) == "well", pointed.predict_proba(X)[:, 1] > pointed.threshold_
    )
    oof = pointed.calibrator_.probability(pointed.oof_decision_)
    sensitivity, specificity = figures(oof, (y == "well").astype(int), pointed.threshold_)
    assert specificity >= 0.8
    assert f"specificity of {specificity:.3g}" in pointed.notes_[-1]
    assert f"sensitivity of {sensitivity:.3g}" in pointed.notes_[-1]
    assert (pointed.predict(X) == "well").sum() < (plain.predict(X) == "well").sum()


def test_an_operating_point_needs_calibrated_probabilities():
    X, y = table()
    with pytest.raises(DataError, match="calibrated"):
        light(calibration=None, operating_point="youden").fit(X, y)


def test_a_prior_has_no_operating_point():
    _, y = table()
    with pytest.warns(RadioboneWarning, match="prior"):
        fitted = SelectiveClassifierCV(operating_point="youden").fit(np.ones((120, 2)), y)
    assert fitted.threshold_ == 0.5
    assert set(fitted.predict(np.ones((3, 2)))) == {"well"}


def test_isotonic_steps_are_those_of_scikit_learn():
    values, codes = noisy()
    theirs = IsotonicRegression(out_of_bounds="clip").fit(values, codes)
    asked = np.linspace(-1, 2, 400)
    np.testing.assert_allclose(IsotonicSteps().fit(values, codes).probability(asked), theirs.predict(asked))
    assert (np.diff(IsotonicSteps().fit(values, codes).probability(asked)) >= 0).all()


def test_isotonic_steps_do_not_learn_from_noise_that_points_the_wrong_way():
    values, codes = np.arange(10.0), np.array([1, 1, 1, 1, 0, 1, 1, 0, 0, 1])
    assert not PlattSigmoid().fit(values, codes).ranks
    level = IsotonicSteps().fit(values, codes)
    assert not level.ranks
    np.testing.assert_allclose(level.probability(values), 0.7)


def bone(n=240, seed=1):
    rng = np.random.default_rng(seed)
    bmd = rng.normal(size=n)
    y = np.array(["osteoporosis", "osteopenia", "normal"])[np.digitize(bmd, [-0.8, 0.4])]
    return pd.DataFrame({"hu": bmd + 0.5 * rng.normal(size=n), "noise": rng.normal(size=n)}), y


def test_routed_decisions_follow_the_thresholds_of_nodes():
    X, y = bone()
    pointed = {"nodes": osteoporosis_first(), "estimator": light(operating_point=("sensitivity", 0.95))}
    model = HierarchicalClassifier(decision="routed", **pointed).fit(X, y)
    plain = HierarchicalClassifier(decision="routed", nodes=osteoporosis_first(), estimator=light()).fit(X, y)
    p = model.node_proba(X)
    np.testing.assert_array_equal(p, plain.node_proba(X))
    first, second = model.thresholds_
    assert [first, second] == [part.threshold_ for part in model.estimators_.values()]
    expected = np.where(p[:, 0] > first, "osteoporosis", np.where(p[:, 1] > second, "osteopenia", "normal"))
    np.testing.assert_array_equal(model.predict(X), expected)
    assert (model.predict(X) != plain.predict(X)).any()
    np.testing.assert_array_equal(model.decide(p, "argmax"), plain.decide(p, "argmax"))
    assert plain.thresholds_.tolist() == [0.5, 0.5]


def test_routed_training_follows_the_thresholds_of_nodes():
    X, y = bone()
    missed = []
    for least in (0.6, 0.99):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RadioboneWarning)
            model = HierarchicalClassifier(
                nodes=osteoporosis_first(),
                estimator=light(operating_point=("sensitivity", least)),
                train_on="routed",
            ).fit(X, y)
        missed.append(model.n_missed_["osteopenia_vs_normal"])
        ill = model.n_foreign_["osteopenia_vs_normal"]
        # Of those ill few are sent on where the first node is made sensitive.
        assert ill <= (1 - least + 0.12) * (y == "osteoporosis").sum()
    assert missed[0] < missed[1]

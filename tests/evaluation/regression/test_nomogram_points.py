import numpy as np
import pandas as pd
import pytest

from radiobone.evaluation.regression.logistic import logistic_regression
from radiobone.evaluation.regression.nomogram import Nomogram, NomogramAxis, ticks
from radiobone.evaluation.regression.predictors import RegressionError
from radiobone.learning.disk.formula import LinearFormula, Sigmoid, Term


def cohort(n: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    X = pd.DataFrame(
        {
            "age": np.round(rng.uniform(50.0, 90.0, n)),
            "hu": rng.normal(110.0, 35.0, n),
            "risk": rng.choice(["less", "same", "greater"], n),
            "smoker": rng.random(n) < 0.3,
        }
    )
    effect = X["risk"].map({"less": 0.0, "same": -0.7, "greater": 0.9})
    odds = 0.05 * (X["age"] - 70) - 0.03 * (X["hu"] - 110) + effect + 0.4 * X["smoker"] - 0.5
    return X.assign(fracture=np.where(rng.random(n) < 1 / (1 + np.exp(-odds)), "yes", "no"))


@pytest.fixture(scope="module")
def fitted():
    X = cohort()
    fit = logistic_regression(
        X,
        "fracture",
        ["age", "hu", "risk", "smoker"],
        positive="yes",
        references={"risk": "less"},
        units={"age": 10},
    )
    return X, fit, Nomogram.of(fit)


def test_points_give_the_probability_of_the_model(fitted):
    X, fit, nomogram = fitted
    points = nomogram.points(X)
    np.testing.assert_allclose(points["probability"], fit.probability(X), rtol=1e-10)
    np.testing.assert_allclose(points["total"], points[["age", "hu", "risk", "smoker"]].sum(axis=1))
    assert points["total"].between(0.0, nomogram.full_total).all()


def test_every_axis_begins_at_zero_and_the_longest_has_100_points(fitted):
    X, _, nomogram = fitted
    points = nomogram.points(X)[["age", "hu", "risk", "smoker"]]
    np.testing.assert_allclose(points.min(), 0.0, atol=1e-9)
    assert points.max().max() == pytest.approx(100.0)
    assert points.loc[X["hu"].idxmax(), "hu"] == pytest.approx(0.0, abs=1e-9)  # more HU, fewer fractures
    assert points.loc[X["age"].idxmin(), "age"] == pytest.approx(0.0, abs=1e-9)
    assert points.loc[X["risk"] == "same", "risk"].max() == 0.0


def test_totals_and_probabilities_go_both_ways(fitted):
    _, _, nomogram = fitted
    for probability in (0.01, 0.3, 0.5, 0.97):
        assert nomogram.probability(nomogram.total(probability)) == pytest.approx(probability)
    scales = nomogram.scales()
    assert list(dict.fromkeys(scales["axis"])) == ["age", "hu", "risk", "smoker", "probability"]
    totals = scales[scales["axis"] == "probability"]
    assert totals["points"].is_monotonic_increasing
    assert totals["points"].between(0.0, nomogram.full_total).all()
    assert scales.loc[scales["axis"] == "risk", "value"].tolist() == ["less", "greater", "same"]


def test_a_model_by_hand():
    nomogram = Nomogram(
        "yes", -4.0, (NomogramAxis("age", 0.1, 40.0, 90.0), NomogramAxis("hu", -0.02, 20.0, 220.0))
    )
    points = nomogram.points(pd.DataFrame({"age": [65.0], "hu": [120.0]}))
    assert points[["age", "hu", "total"]].iloc[0].tolist() == pytest.approx([50.0, 40.0, 90.0])
    assert points["probability"].iloc[0] == pytest.approx(1 / (1 + np.exp(4.0 - 6.5 + 2.4)))


def test_the_formula_of_a_linear_model_becomes_points():
    X = cohort()[["age", "hu"]].assign(flat=3.0, unused=1.0)
    formula = LinearFormula(
        positive="yes",
        negative="no",
        intercept=0.3,
        terms=(
            Term(feature="age", coefficient=0.02),
            Term(feature="hu", coefficient=-0.015),
            Term(feature="flat", coefficient=0.1),
        ),
        calibration=Sigmoid(slope=2.0, offset=-0.4),
    )
    nomogram = Nomogram.of_formula(formula, X)
    assert [axis.name for axis in nomogram.axes] == ["age", "hu"]
    points = nomogram.points(X)
    np.testing.assert_allclose(points["probability"], formula.probability(X), rtol=1e-10)
    assert points[["age", "hu"]].max().max() == pytest.approx(100.0)
    with pytest.raises(RegressionError, match="needs a sigmoid"):
        Nomogram.of_formula(formula.model_copy(update={"calibration": None}), X)
    with pytest.raises(RegressionError, match="no feature moves"):
        Nomogram.of_formula(formula, X.iloc[:1])


def test_what_has_no_points_is_refused(fitted):
    X, _, nomogram = fitted
    with pytest.raises(RegressionError, match=r"values without points.*where: risk"):
        nomogram.points(X.assign(risk="none"))
    with pytest.raises(RegressionError, match=r"values without points.*where: hu"):
        nomogram.points(X.assign(hu=np.nan))
    X = X.assign(tell=np.where(X["fracture"] == "yes", 1.0, 0.0))
    with pytest.raises(RegressionError, match="separation"):
        Nomogram.of(logistic_regression(X, "fracture", ["tell"], positive="yes"))
    with pytest.raises(RegressionError, match="no predictor moves"):
        Nomogram.of(logistic_regression(X, "fracture", [], positive="yes"))


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.2, 4.7), (1e8, 1.3e9), (0.00012, 0.00019)])
def test_ticks_rise_and_keep_the_ends(low, high):
    marks = ticks(low, high)
    assert (marks[0], marks[-1]) == (low, high)
    assert (np.diff(marks) > 0).all()
    assert 4 <= len(marks) <= 12

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from sklearn.linear_model import LogisticRegression

from radiobone.core.errors import UsageError
from radiobone.evaluation.regression.tables import (
    RegressionError,
    backward_elimination,
    clinical_table,
    linear_regression,
    logistic_regression,
)
from radiobone.learning import DataError

# Hosmer, Lemeshow and Sturdivant, Applied Logistic Regression, 3rd ed. (2013), chapter 2: fracture in the first
# year of follow-up in the GLOW study (n = 500), with self-reported risk against "less".
GLOW_COEFFICIENTS = {
    ("age", None): (0.050, 0.0134),
    ("weight", None): (0.004, 0.0069),
    ("priorfrac", "Yes"): (0.679, 0.2424),
    ("premeno", "Yes"): (0.187, 0.2767),
    ("raterisk", "Same"): (0.534, 0.2759),
    ("raterisk", "Greater"): (0.874, 0.2892),
}
GLOW_INTERCEPT, GLOW_LOG_LIKELIHOOD = -5.606, -259.0377
GLOW_PREDICTORS = ["age", "weight", "priorfrac", "premeno", "raterisk"]


@pytest.fixture(scope="module")
def glow(shared_data):
    return pd.read_csv(shared_data / "tables" / "clinical" / "glow500.csv")


def cohort(n: int = 240, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "age": rng.normal(65.0, 9.0, n),
            "energy": rng.normal(1e9, 1e7, n),
            "sex": rng.choice(["F", "M"], n),
            "scanner": pd.Categorical(rng.choice(["old", "new", "other"], n), categories=["old", "new", "other"]),
            "treated": rng.random(n) < 0.3,
            "noise": rng.normal(size=n),
        }
    )
    odds = 0.08 * (X["age"] - 65.0) + 1.1 * (X["sex"] == "F") - 5e-8 * (X["energy"] - 1e9) - 0.6
    X["label"] = np.where(rng.random(n) < 1.0 / (1.0 + np.exp(-odds)), "osteoporosis", "normal")
    return X


PREDICTORS = ["age", "energy", "sex", "scanner", "treated", "noise"]


@pytest.mark.shared_data
def test_glow_gives_the_published_coefficients(glow):
    fit = logistic_regression(glow, "fracture", GLOW_PREDICTORS, positive="Yes", references={"raterisk": "Less"})
    found = {(one.predictor, one.level): (one.estimate, one.se) for one in fit.coefficients}
    for key, (coefficient, se) in GLOW_COEFFICIENTS.items():
        assert found[key][0] == pytest.approx(coefficient, abs=6e-4)
        assert found[key][1] == pytest.approx(se, abs=6e-5)
    assert fit.intercept == pytest.approx(GLOW_INTERCEPT, abs=6e-4)
    assert fit.log_likelihood == pytest.approx(GLOW_LOG_LIKELIHOOD, abs=6e-5)
    assert (fit.n, fit.n_positive, fit.events_per_variable) == (500, 125, pytest.approx(125 / 6))


@pytest.mark.shared_data
def test_nhanes_agrees_with_unpenalised_logistic_regression(shared_data):
    table = pd.read_csv(shared_data / "tables" / "clinical" / "nhanes_osteoporosis.csv")
    names = [name for name in table if name != "Osteoporosis"]
    fit = logistic_regression(table, "Osteoporosis", names, positive="Yes", units={"Age": 10})
    standard = fit.design.matrix / fit.design.matrix.std(axis=0)
    check = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10).fit(
        standard, table["Osteoporosis"] == "Yes"
    )
    estimates = [one.estimate for one in fit.coefficients]
    np.testing.assert_allclose(estimates, check.coef_[0] / fit.design.matrix.std(axis=0), rtol=1e-6)
    np.testing.assert_allclose(fit.probability(table), check.predict_proba(standard)[:, 1], atol=1e-8)
    women = next(one for one in fit.coefficients if one.predictor == "Gender")
    assert (women.level, women.reference) == ("Male", "Female")
    assert women.odds_ratio[2] < 1.0


def test_agrees_with_the_summary_of_statsmodels():
    X = cohort()
    fit = logistic_regression(X, "label", PREDICTORS, positive="osteoporosis", level=0.9)
    data = X.assign(
        y=(X["label"] == "osteoporosis").astype(float), energy=X["energy"] / 1e9, treated=X["treated"] * 1.0
    )
    formula = "y ~ age + energy + C(sex) + C(scanner) + treated + noise"
    plain = smf.logit(formula, data).fit(disp=0, tol=1e-12)
    interval = plain.conf_int(alpha=0.1)
    names = {
        "age": "age",
        "energy": "energy",
        "sex=M": "C(sex)[T.M]",
        "scanner=new": "C(scanner)[T.new]",
        "scanner=other": "C(scanner)[T.other]",
        "treated=True": "treated",
        "noise": "noise",
    }
    assert len(fit.coefficients) == len(names)
    for one in fit.coefficients:
        name = names[one.predictor if one.level is None else f"{one.predictor}={one.level}"]
        scale = 1e-9 if name == "energy" else 1.0
        expected = np.array([plain.params[name], plain.bse[name], *interval.loc[name]]) * scale
        np.testing.assert_allclose([one.estimate, one.se, one.low, one.high], expected, rtol=1e-6)
        assert one.p == pytest.approx(plain.pvalues[name], rel=1e-6)
    assert fit.log_likelihood == pytest.approx(plain.llf, rel=1e-10)
    assert fit.aic == pytest.approx(plain.aic, rel=1e-10)
    references = {one.predictor: one.reference for one in fit.coefficients}
    assert references == {
        "age": None,
        "energy": None,
        "sex": "F",
        "scanner": "old",
        "treated": "False",
        "noise": None,
    }


def test_a_two_by_two_table_gives_its_cross_ratio():
    X = pd.DataFrame({"exposed": ["yes"] * 50 + ["no"] * 50, "ill": [1] * 30 + [0] * 20 + [1] * 10 + [0] * 40})
    fit = logistic_regression(X, "ill", ["exposed"], positive=1)
    (one,) = fit.coefficients
    assert one.odds_ratio[0] == pytest.approx(30 * 40 / (20 * 10))
    assert one.se == pytest.approx(np.sqrt(1 / 30 + 1 / 20 + 1 / 10 + 1 / 40))
    assert one.odds_ratio[1] == pytest.approx(6.0 * np.exp(-1.959963985 * one.se))
    assert fit.intercept == pytest.approx(np.log(10 / 40))
    assert (one.level, one.reference, fit.positive, fit.negative) == ("yes", "no", "1", "0")


def test_units_and_references_change_how_effects_are_told_and_nothing_else():
    X = cohort()
    plain = logistic_regression(X, "label", ["age", "sex"], positive="osteoporosis")
    told = logistic_regression(
        X, "label", ["age", "sex"], positive="osteoporosis", units={"age": 10}, references={"sex": "M"}
    )
    assert told.coefficients[0].estimate == pytest.approx(10.0 * plain.coefficients[0].estimate)
    assert told.coefficients[1].estimate == pytest.approx(-plain.coefficients[1].estimate)
    assert told.coefficients[0].p == pytest.approx(plain.coefficients[0].p)
    np.testing.assert_allclose(told.probability(X), plain.probability(X))
    other = logistic_regression(X, "label", ["age", "sex"], positive="normal")
    np.testing.assert_allclose(other.probability(X), 1.0 - plain.probability(X), atol=1e-12)


def test_rows_that_lack_a_value_are_left_out_and_counted():
    X = cohort()
    gaps = X.copy()
    gaps.loc[:6, "age"] = np.nan
    gaps.loc[3:9, "sex"] = None
    gaps.loc[20, "label"] = None
    fit = logistic_regression(gaps, "label", ["age", "sex"], positive="osteoporosis")
    again = logistic_regression(
        gaps.drop(index=[*range(10), 20]), "label", ["age", "sex"], positive="osteoporosis"
    )
    assert [one.estimate for one in fit.coefficients] == [one.estimate for one in again.coefficients]
    assert fit.n == len(X) - 11
    assert fit.notes[0] == "11 of 240 rows lack a value and are left out (complete cases)"


def test_rows_of_one_patient_widen_the_errors():
    X = cohort(120)
    twice = pd.concat([X, X]).assign(patient=[*range(120), *range(120)])
    alone = logistic_regression(X, "label", ["age", "sex"], positive="osteoporosis")
    naive = logistic_regression(twice, "label", ["age", "sex"], positive="osteoporosis")
    clustered = logistic_regression(twice, "label", ["age", "sex"], positive="osteoporosis", groups="patient")
    assert naive.coefficients[0].se == pytest.approx(alone.coefficients[0].se / np.sqrt(2.0))
    assert clustered.coefficients[0].se == pytest.approx(alone.coefficients[0].se, rel=0.15)
    assert clustered.notes == ("standard errors are clustered by patient (120 clusters)",)
    design = sm.add_constant(np.column_stack([twice["age"], twice["sex"] == "M"]).astype(float))
    check = sm.Logit((twice["label"] == "osteoporosis").astype(float).to_numpy(), design).fit(
        disp=0, tol=1e-12, cov_type="cluster", cov_kwds={"groups": twice["patient"].to_numpy()}
    )
    np.testing.assert_allclose([one.se for one in clustered.coefficients], check.bse[1:], rtol=1e-6)


def test_separation_is_said_and_nothing_is_estimated():
    X = cohort(60)
    X["tell"] = np.where(X["label"] == "osteoporosis", 60.0, 120.0) + np.arange(60) * 0.1
    for predictors, message in [
        (["tell"], "complete separation by tell: no maximum likelihood estimate exists"),
        (["age", "tell", "sex"], "complete separation by tell: no maximum likelihood estimate exists"),
    ]:
        fit = logistic_regression(X, "label", predictors, positive="osteoporosis")
        assert fit.problem == fit.notes[-1] == message
        assert fit.table()[["odds_ratio", "low", "high", "p"]].isna().all(axis=None)
        with pytest.raises(RegressionError, match=r"no estimates.*separation"):
            fit.probability(X)
    X["rare"] = np.where((X["label"] == "normal") & (X.index < 30), "yes", "no")
    quasi = logistic_regression(X, "label", ["rare", "noise"], positive="osteoporosis")
    assert quasi.problem == "quasi separation by rare: no maximum likelihood estimate exists"
    X["a"] = np.where(X["label"] == "osteoporosis", 1.0, 0.0) + X["noise"] * 3.0
    both = logistic_regression(X, "label", ["a", "noise"], positive="osteoporosis")
    assert both.problem.startswith("complete separation by a combination of predictors")


def test_too_few_events_are_said():
    fit = logistic_regression(cohort(80), "label", PREDICTORS, positive="osteoporosis")
    assert "events for each of 7 coefficients (fewer than 10)" in fit.notes[0]
    assert not logistic_regression(cohort(), "label", ["age"], positive="osteoporosis").notes


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({}, {"predictors": ["agee"]}, r"no such column \(did you mean 'age'\?\)"),
        ({}, {"predictors": ["age", "age"]}, "named twice"),
        ({"flat": 1.0}, {"predictors": ["flat"]}, r"one value only.*where: flat"),
        ({"flat": "x"}, {"predictors": ["flat"]}, r"one value only.*where: flat"),
        ({"huge": np.inf}, {"predictors": ["huge"]}, "infinite"),
        ({"empty": np.nan}, {"predictors": ["empty"]}, "no row has a value"),
        ({}, {"predictors": ["age"], "positive": "fracture"}, "one side only"),
        ({}, {"predictors": ["sex"], "references": {"sex": "W"}}, "no such reference level"),
        ({}, {"predictors": ["age"], "references": {"age": "60"}}, "no reference level"),
        ({}, {"predictors": ["age"], "references": {"sex": "F"}}, "what is no predictor"),
        ({}, {"predictors": ["age"], "units": {"age": 0}}, "positive number"),
        ({}, {"predictors": ["sex"], "units": {"sex": 10}}, "no unit"),
        ({}, {"predictors": ["age"], "groups": "patient"}, "no such column of groups"),
    ],
)
def test_wrong_use_is_named(changes, options, message):
    X = cohort(50).assign(**changes)
    with pytest.raises(RegressionError, match=message):
        logistic_regression(X, "label", **{"positive": "osteoporosis", **options})


def test_a_predictor_that_is_a_sum_of_others_is_named():
    X = cohort(60)
    X["months"] = X["age"] * 12.0 + 3.0
    with pytest.raises(RegressionError, match=r"does not say|do not say.*where: months"):
        logistic_regression(X, "label", ["age", "months"], positive="osteoporosis")
    X["woman"] = (X["sex"] == "F") * 1.0
    with pytest.raises(RegressionError, match="where: woman"):
        linear_regression(X, "age", ["noise", "sex", "woman"])


def test_the_clinical_table_puts_both_models_side_by_side():
    X = cohort()
    X.loc[:4, "noise"] = np.nan
    X["flat"] = "same"
    found = clinical_table(
        X, "label", [*PREDICTORS, "flat"], positive="osteoporosis", multivariable=["age", "sex"], units={"age": 10}
    )
    rows = found.rows.set_index("predictor")
    alone = logistic_regression(X, "label", ["noise"], positive="osteoporosis")
    together = logistic_regression(X, "label", ["age", "sex"], positive="osteoporosis", units={"age": 10})
    noise = rows.loc["noise"]
    assert (noise["n"], noise["n_positive"], noise["n_missing"]) == (235, alone.n_positive, 5)
    assert (noise["odds_ratio"], noise["p"]) == (alone.coefficients[0].odds_ratio[0], alone.coefficients[0].p)
    assert np.isnan(noise["adjusted_odds_ratio"])
    age = rows.loc["age"]
    assert age["unit"] == 10.0
    assert (age["adjusted_odds_ratio"], age["adjusted_p"]) == (
        together.coefficients[0].odds_ratio[0],
        together.coefficients[0].p,
    )
    assert rows.loc["flat", "note"] == "a predictor has one value only"
    assert len(rows) == 8
    assert found.notes[0] == "odds of label = osteoporosis (against normal)"
    assert "not fitted: flat (a predictor has one value only)" in found.notes
    assert set(found.univariable) == set(PREDICTORS)


def test_a_multivariable_model_that_cannot_be_is_told():
    X = cohort(80)
    X["months"] = X["age"] * 12.0
    found = clinical_table(X, "label", ["age", "months"], positive="osteoporosis")
    assert found.multivariable is None
    assert found.notes == (
        "no multivariable model: a predictor says nothing that those before it do not say (months)",
    )
    assert found.rows["odds_ratio"].notna().all()
    alone = clinical_table(X.assign(label="normal"), "label", ["age"], positive="osteoporosis")
    assert alone.rows["note"].tolist() == ["the outcome has one side only among the complete rows"]


def test_entering_by_univariable_p_is_called_exploratory():
    X = cohort()
    found = clinical_table(X, "label", PREDICTORS, positive="osteoporosis", enter_below=0.05)
    assert found.multivariable is not None
    kept = {one.predictor for one in found.multivariable.coefficients}
    expected = {name for name, fit in found.univariable.items() if min(one.p for one in fit.coefficients) < 0.05}
    assert kept == expected
    assert {"age", "sex"} <= kept < set(PREDICTORS)
    assert "exploratory" in found.notes[-1]
    none = clinical_table(X, "label", ["noise"], positive="osteoporosis", enter_below=1e-9)
    assert none.multivariable is None
    assert none.rows["adjusted_odds_ratio"].isna().all()


def test_backward_elimination_takes_the_steps_of_the_criterion():
    X = cohort()
    found = backward_elimination(X, "label", PREDICTORS, positive="osteoporosis")
    names, aic = list(PREDICTORS), []
    while True:  # by hand: the lowest criterion of all models with one predictor less
        full = logistic_regression(X, "label", names, positive="osteoporosis").aic
        aic.append(full)
        less = {
            name: logistic_regression(X, "label", [n for n in names if n != name], positive="osteoporosis").aic
            for name in names
        }
        worst = min(less, key=less.get)
        if less[worst] >= full:
            break
        names.remove(worst)
    assert [one.name for one in found.fit.design.predictors] == names
    np.testing.assert_allclose(found.steps["aic"], aic)
    assert found.steps["n_predictors"].tolist() == list(range(6, 6 - len(aic), -1))
    assert {"age", "sex"} <= set(names)
    assert "exploratory" in found.notes[-1]


def test_backward_elimination_may_leave_nothing_and_keeps_its_rows():
    X = cohort()
    rng = np.random.default_rng(7)
    X["label"] = rng.permutation(X["label"].to_numpy())
    X.loc[:20, "noise"] = np.nan
    found = backward_elimination(X, "label", ["noise"], positive="osteoporosis")
    assert found.fit.coefficients == ()
    assert found.fit.n == 219
    assert found.fit.intercept == pytest.approx(np.log(found.fit.n_positive / (219 - found.fit.n_positive)))
    assert found.notes[0] == "21 of 240 rows lack a value and are left out of all steps"


def test_linear_regression_agrees_with_least_squares():
    X = cohort()
    rng = np.random.default_rng(1)
    X["t_score"] = -0.04 * X["age"] + 0.5 * (X["sex"] == "M") + rng.normal(size=len(X))
    fit = linear_regression(X, "t_score", ["age", "sex", "energy"])
    design = np.column_stack([np.ones(len(X)), X["age"], X["sex"] == "M", X["energy"] / 1e9]).astype(float)
    beta, (rss,), *_ = np.linalg.lstsq(design, X["t_score"].to_numpy(), rcond=None)
    n, p = design.shape
    se = np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * rss / (n - p))
    scale = np.array([1.0, 1.0, 1e-9])
    np.testing.assert_allclose([one.estimate for one in fit.coefficients], beta[1:] * scale, rtol=1e-8)
    np.testing.assert_allclose([one.se for one in fit.coefficients], se[1:] * scale, rtol=1e-8)
    total = ((X["t_score"] - X["t_score"].mean()) ** 2).sum()
    assert fit.r2 == pytest.approx(1.0 - rss / total)
    assert fit.adjusted_r2 == pytest.approx(1.0 - (rss / (n - p)) / (total / (n - 1)))
    check = sm.OLS(X["t_score"].to_numpy(), design).fit()
    np.testing.assert_allclose([one.p for one in fit.coefficients], check.pvalues[1:], rtol=1e-7)
    np.testing.assert_allclose(fit.table()[["low", "high"]].iloc[0], check.conf_int()[1], rtol=1e-8)
    with pytest.raises(RegressionError, match="no number"):
        linear_regression(X, "sex", ["age"])
    with pytest.raises(RegressionError, match="too few rows"):
        linear_regression(X.iloc[:3], "t_score", ["age", "energy"])


def test_order_of_rows_plays_no_part():
    X = cohort()
    one = logistic_regression(X, "label", PREDICTORS, positive="osteoporosis").table()
    other = logistic_regression(
        X.sample(frac=1.0, random_state=1), "label", PREDICTORS, positive="osteoporosis"
    ).table()
    pd.testing.assert_frame_equal(one, other, rtol=1e-8)


@pytest.mark.parametrize(("fit", "outcome"), [(logistic_regression, "label"), (linear_regression, "age")])
def test_a_level_or_a_group_that_gives_no_interval_is_refused(fit, outcome):
    X = cohort(80).assign(centre="A")
    options = {"positive": "osteoporosis"} if fit is logistic_regression else {}
    with pytest.raises(UsageError, match="level is out of range"):
        fit(X, outcome, ["noise"], level=95, **options)
    with pytest.raises(DataError, match=r"all rows are of one group.*where: centre"):
        fit(X, outcome, ["noise"], groups="centre", **options)


@pytest.mark.parametrize("change", [{"outcome": "lable"}, {"predictors": ["agee"]}, {"groups": "patient"}])
def test_a_table_of_columns_that_are_not_there_is_refused(change):
    given = {"outcome": "label", "predictors": ["age"], "positive": "osteoporosis"} | change
    with pytest.raises(RegressionError, match="no such column"):
        clinical_table(cohort(80), **given)

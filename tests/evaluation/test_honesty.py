"""Leakage where there must be none, and leakage that must be seen.

The slow tests run 250 draws in CI, with wider bounds that can still fail; RADIOBONE_DRAWS=4 runs all 1,000 and
asserts what the package promises: a mean of 0.50 +- 0.01, and a corrected interval that holds 0.5 in 92 to 98 %.
"""

import os
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from radiobone.core.errors import RadioboneWarning
from radiobone.evaluation import FixedSplit, KFolds, LeaveOneCentreOut, NestedCV, TemporalSplit
from radiobone.evaluation.flags import FEWER
from radiobone.evaluation.statistics.resampled import corrected_interval
from radiobone.learning import CorrelationFilter, HierarchicalClassifier, LassoSelector, SelectiveClassifierCV

FULL = int(os.environ.get("RADIOBONE_DRAWS", "1")) >= 4
DRAWS, LOW, HIGH = (1000, 0.92, 0.98) if FULL else (250, 0.89, 0.99)
BONE = np.array(["normal", "osteoporosis"])
AUC = ("node", "normal_vs_osteoporosis", "true_members", "auc")


def noise(seed, n):
    return np.random.default_rng(seed).normal(size=(n, 200)), BONE[np.arange(n) % 2]


def permuted(seed, n):
    """Features that tell the classes apart, and labels that were dealt anew."""
    X = np.random.default_rng(11).normal(size=(n, 200)) + (np.arange(n) % 2)[:, None] * (np.arange(200) < 20)
    return X, np.random.default_rng(seed).permutation(BONE[np.arange(n) % 2])


def nested(draw, seeds, n, node, select=None):
    """Mean nested AUC of each draw, and whether the corrected interval holds 0.5."""
    means, covered = [], []
    for seed in range(seeds):
        X, y = draw(seed, n)
        if select is not None:
            X = select.fit_transform(X, y)
        validation = NestedCV(HierarchicalClassifier(estimator=node), KFolds(4, seed=seed))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RadioboneWarning)
            values = validation.run(X, y, groups=np.arange(n)).values[AUC]
        found = corrected_interval(values, 3 * n // 4, n // 4)
        means.append(found.estimate)
        covered.append(found.low <= 0.5 <= found.high)
    return np.array(means), float(np.mean(covered))


@pytest.mark.slow
@pytest.mark.parametrize("draw", [noise, permuted])
def test_noise_stays_noise_with_selection_inside_the_folds(draw):
    node = SelectiveClassifierCV(selection=SelectKBest(k=5), model=GaussianNB(), cv=2, calibration=None)
    means, covered = nested(draw, DRAWS, 100, node)
    error = means.std(ddof=1) / np.sqrt(DRAWS)
    # One nested AUC of 100 patients spreads by 0.08: the mean of 1,000 has an error of 0.0025, of 250 of 0.005.
    assert error < 0.1 / np.sqrt(DRAWS)
    assert abs(means.mean() - 0.5) < (0.01 if FULL else 3 * error)
    assert LOW <= covered <= HIGH


@pytest.mark.slow
def test_noise_stays_noise_for_lasso_and_calibrated_machine():
    # The default kind of node is slower, so fewer draws allow three standard errors of about 0.012.
    selection = LassoSelector(cv=3, n_alphas=20, eps=0.05)
    node = SelectiveClassifierCV(selection=selection, model=SVC(kernel="linear"), grid={"C": [1.0]}, cv=3)
    means, _ = nested(noise, 40, 40, node)
    error = means.std(ddof=1) / np.sqrt(40)
    assert error < 0.016
    assert abs(means.mean() - 0.5) < 3 * error


def test_selection_outside_the_folds_inflates_the_auc_and_is_flagged():
    """The same noise and the same steps, but the selection has seen the test rows."""
    bayes = SelectiveClassifierCV(selection=StandardScaler(), model=GaussianNB(), cv=2, calibration=None)
    inside = SelectiveClassifierCV(selection=SelectKBest(k=5), model=GaussianNB(), cv=2, calibration=None)
    honest, _ = nested(noise, 8, 60, inside)
    leaking, covered = nested(noise, 8, 60, bayes, select=SelectKBest(k=5))
    assert honest.mean() == pytest.approx(0.5, abs=0.08)
    assert leaking.min() > 0.7, "of pure noise"
    assert covered <= 0.25, "of the intervals with a nominal 0.95"
    X, y = noise(0, 60)
    names = [f"f{i}" for i in range(200)]
    kept = SelectKBest(k=5).fit(X, y).get_support(indices=True)
    table = pd.DataFrame(X, columns=names).iloc[:, kept]
    found = NestedCV(HierarchicalClassifier(estimator=bayes), KFolds(4), preset=names).run(
        table, y, groups=np.arange(60)
    )
    (flag,) = found.results()["flags"]
    assert flag["flag"] == FEWER
    assert flag["told"].startswith("195 of 200 columns")


def vertebrae(n=48):
    """Three vertebrae of each patient; centre, date and set belong to the patient."""
    rng = np.random.default_rng(0)
    of = np.repeat(np.arange(n), 3)
    X = pd.DataFrame(rng.normal(size=(3 * n, 4)) + (of % 2)[:, None], columns=list("abcd"))
    ids = pd.DataFrame({"patient_id": [f"p{i:02d}" for i in of], "level": np.tile(["L1", "L2", "L3"], n)})
    attributes = pd.DataFrame(
        {
            "centre": (of // 2 % 3).astype(str),
            "year": 2000 + of,
            "split": np.array(["train", "test", "new"])[of // 16],
        }
    )
    order = rng.permutation(3 * n)
    return X.iloc[order], BONE[of % 2][order], ids.iloc[order], attributes.iloc[order]


@pytest.mark.parametrize(
    "plan",
    [
        KFolds(4, repeats=2),
        LeaveOneCentreOut("centre"),
        TemporalSplit("year", 2030),
        FixedSplit("split", tests=["test", "new"]),
    ],
)
def test_no_patient_stands_on_both_sides_of_a_saved_fold(plan, tmp_path):
    X, y, ids, attributes = vertebrae()
    found = NestedCV(GaussianNB(), plan).run(X, y, groups=ids["patient_id"], ids=ids, attributes=attributes)
    found.folds.to_csv(tmp_path / "folds.csv", index=False)
    saved = pd.read_csv(tmp_path / "folds.csv", dtype=str)
    sides = saved.groupby(["repeat", "fold", "group"])["role"].agg(["nunique", "size"])
    assert (sides["nunique"] == 1).all()
    assert (sides["size"] == 3).all(), "all vertebrae of a patient go together"
    assert set(saved["role"]) == {"train", "test"}
    tested = saved[saved["role"] == "test"].merge(
        found.predictions.astype(str), on=["repeat", "fold", *ids.columns]
    )
    assert len(tested) == len(found.predictions) == (saved["role"] == "test").sum()


class Recording(ClassifierMixin, BaseEstimator):
    """Keep every fitted copy, and the patients that it was given."""

    fitted = []  # noqa: RUF012
    __metadata_request__fit = {"groups": True}  # noqa: RUF012

    def __init__(self, model):
        self.model = model

    def fit(self, X, y, groups=None):
        self.model.fit(X, y, groups=groups)
        Recording.fitted.append((self.model, groups))
        self.classes_ = self.model.classes_
        return self

    def predict_proba(self, X):
        return self.model.predict_proba(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def learned(value):
    """Everything that a fitted estimator has learned, as plain lists, its parts included."""
    if isinstance(value, (list, tuple)):
        return [learned(item) for item in value]
    if isinstance(value, dict):
        return {str(name): learned(item) for name, item in value.items()}
    if isinstance(value, np.ndarray):
        return [learned(item) for item in value.tolist()]
    if hasattr(value, "__dict__") and not isinstance(value, type):
        return {
            name: learned(item) for name, item in vars(value).items() if name not in ("_sklearn_output_config",)
        }
    return repr(value)


@pytest.mark.parametrize("poison", [pytest.param(np.nan, marks=pytest.mark.slow), 1e6])
def test_a_poisoned_test_fold_changes_nothing_that_is_fitted(poison):
    X, y, ids, _ = vertebrae(30)
    X, ids = X.reset_index(drop=True), ids.reset_index(drop=True)
    node = SelectiveClassifierCV(
        selection=make_pipeline(
            SimpleImputer(), StandardScaler(), CorrelationFilter(), LassoSelector(cv=3, n_alphas=10)
        ),
        grid=[{"kernel": ["linear", "rbf"], "C": [1.0]}],
        cv=3,
    )
    model = HierarchicalClassifier(estimator=node)

    def fits(X):
        Recording.fitted.clear()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RadioboneWarning)
            found = NestedCV(Recording(model), KFolds(3)).run(X, y, groups=ids["patient_id"], ids=ids)
        return found, [learned(part) for part, _ in Recording.fitted]

    clean, before = fits(X)
    tested = clean.data.ids.iloc[clean.fits[0].test]
    rows = ids.set_index(list(ids.columns)).index.isin(pd.MultiIndex.from_frame(tested))
    poisoned = X.copy()
    poisoned.loc[rows] = poisoned.loc[rows] * 0 + poison if np.isfinite(poison) else np.nan
    changed, after = fits(poisoned)
    assert changed.predictions.to_csv() != clean.predictions.to_csv()
    assert len(str(before[0])) > 10_000, "a fitted model was looked through"
    assert after[0] == before[0]
    assert after[1] != before[1], "in other folds these rows are training rows"
    assert after[2] != before[2]


def test_every_split_inside_is_given_the_patients():
    X, y, ids, _ = vertebrae(24)
    Recording.fitted.clear()
    node = SelectiveClassifierCV(selection=StandardScaler(), model=LogisticRegression(), cv=3)
    found = NestedCV(Recording(node), KFolds(3)).run(X, y, groups=ids["patient_id"], ids=ids)
    for fit, (_, groups) in zip(found.fits, Recording.fitted, strict=True):
        assert groups.tolist() == found.data.groups[fit.train].tolist()

import numpy as np
import pytest
from scipy.special import entr, expit
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from radiobone.learning import LassoSelector
from radiobone.learning.penalised.binomial_path import binomial_path
from radiobone.learning.penalised.path import penalty_grid


def table(seed, n=80, p=30, signal=1.0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6)) @ rng.normal(size=(6, p)) + rng.normal(size=(n, p))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    y = (signal * (X[:, 0] - X[:, 1]) + rng.normal(size=n) > 0.4).astype(float)
    return X, y


def path(X, y, n_alphas=12, eps=0.02, l1_ratio=1.0, tol=1e-9):
    alphas = penalty_grid(X, y - y.mean(), n_alphas, eps, l1_ratio)
    return binomial_path(X, y, alphas, l1_ratio, tol, 10_000)


def objective(X, y, coefs, intercept, alpha, l1_ratio):
    loss = np.logaddexp(0.0, (1.0 - 2.0 * y) * (X @ coefs + intercept)).mean()
    return loss + alpha * (l1_ratio * np.abs(coefs).sum() + (1.0 - l1_ratio) * coefs @ coefs / 2)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.3])
@pytest.mark.parametrize("shape", [(80, 12), (40, 60)])
def test_equals_logistic_regression_of_scikit_learn(l1_ratio, shape):
    X, y = table(0, *shape)
    ours = path(X, y, l1_ratio=l1_ratio)
    for index in (3, 7, 11):
        theirs = LogisticRegression(
            C=1.0 / (len(y) * ours.alphas[index]), l1_ratio=l1_ratio, solver="saga", tol=1e-12, max_iter=200_000
        ).fit(X, y)
        np.testing.assert_allclose(ours.coefs[:, index], theirs.coef_[0], atol=1e-6)
        assert ours.intercepts[index] == pytest.approx(theirs.intercept_[0], abs=1e-6)
        np.testing.assert_array_equal(ours.coefs[:, index] != 0, theirs.coef_[0] != 0)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_every_solution_is_certified_and_meets_the_optimality_conditions(l1_ratio):
    X, y = table(1, 50, 90)
    ours = path(X, y, n_alphas=60, eps=1e-3, l1_ratio=l1_ratio)
    assert ours.gaps.max() < 1e-9
    # Checked without the gap: the gradient is the penalty's where a coefficient stands, and no more elsewhere.
    residuals = y[:, None] - expit(X @ ours.coefs + ours.intercepts)
    pull = X.T @ residuals / len(y) - ours.alphas * (1.0 - l1_ratio) * ours.coefs
    np.testing.assert_allclose(residuals.sum(axis=0), 0.0, atol=1e-9)
    used = ours.coefs != 0
    limits = np.broadcast_to(ours.alphas * l1_ratio, pull.shape)
    np.testing.assert_allclose(pull[used], (limits * np.sign(ours.coefs))[used], atol=1e-9)
    assert (np.abs(pull) <= limits + 1e-9).all()


def test_analytic_case_of_one_binary_column():
    # One column of -1 and 1 in equal parts, with 3/4 and 1/4 of the second class: by symmetry the intercept is 0,
    # and the mean product with y - p equals the penalty, so that expit(w) = 3/4 - penalty.
    X = np.repeat([[-1.0], [1.0]], 8, axis=0)
    y = np.repeat([0.0, 1.0, 0.0, 1.0], [6, 2, 2, 6])
    alphas = np.array([0.25, 0.1, 0.05])
    ours = binomial_path(X, y, alphas, 1.0, 1e-12, 100)
    probability = 0.75 - alphas
    np.testing.assert_allclose(ours.coefs[0], np.log(probability / (1.0 - probability)), atol=1e-10)
    np.testing.assert_allclose(ours.intercepts, 0.0, atol=1e-12)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.4])
def test_gap_bounds_the_distance_to_the_optimum(l1_ratio):
    X, y = table(2)
    exact = path(X, y, l1_ratio=l1_ratio, tol=1e-12)
    loose = path(X, y, l1_ratio=l1_ratio, tol=1e-2)
    prior = y.mean()
    above = [
        objective(X, y, loose.coefs[:, k], loose.intercepts[k], exact.alphas[k], l1_ratio)
        - objective(X, y, exact.coefs[:, k], exact.intercepts[k], exact.alphas[k], l1_ratio)
        for k in range(len(exact.alphas))
    ]
    assert (loose.gaps >= np.array(above) / float(entr(prior) + entr(1 - prior)) - 1e-12).all()
    assert loose.gaps.max() > exact.gaps.max()


def test_equal_columns_and_separable_classes_are_certified():
    X, y = table(3, n=40, p=8, signal=100.0)
    ours = path(np.hstack([X, X]), y, n_alphas=100, eps=1e-3)
    assert ours.gaps.max() < 1e-9


def test_the_penalty_is_that_of_the_smallest_held_out_deviance():
    X, y = table(4)
    splits = list(StratifiedKFold(5).split(X, y))
    ours = LassoSelector(loss="binomial", cv=splits, n_alphas=10, eps=0.05).fit(X, y)
    expected = np.empty((10, 5))
    for number, (train, test) in enumerate(splits):
        for index, alpha in enumerate(ours.alphas_):
            model = LogisticRegression(
                C=1.0 / (len(train) * alpha), l1_ratio=1.0, solver="saga", tol=1e-11, max_iter=100_000
            )
            chance = model.fit(X[train], y[train]).predict_proba(X[test])[
                np.arange(len(test)), y[test].astype(int)
            ]
            expected[index, number] = -2.0 * np.log(chance).mean()
    # Where all coefficients are zero, saga stops before its intercept has converged: not compared there.
    np.testing.assert_allclose(ours.loss_path_[1:], expected[1:], atol=1e-6)
    np.testing.assert_allclose(ours.loss_mean_[1:], expected.mean(axis=1)[1:], atol=1e-6)
    np.testing.assert_allclose(ours.loss_se_[1:], expected.std(axis=1, ddof=1)[1:] / np.sqrt(5), atol=1e-6)
    assert ours.alpha_ == ours.alphas_[expected.mean(axis=1).argmin()]
    np.testing.assert_array_equal(ours.get_support(), ours.coef_ != 0)
    odds = X @ ours.coef_ + ours.intercept_
    assert expit(odds).sum() == pytest.approx(y.sum())  # a free intercept gets the number of events right


def test_nothing_survives_where_nothing_is_to_be_learned():
    rng = np.random.default_rng(5)
    y = np.arange(50) % 2
    fitted = LassoSelector(loss="binomial", rule="1se").fit(rng.normal(size=(50, 20)), y)
    assert not fitted.get_support().any()
    assert fitted.intercept_ == pytest.approx(0.0, abs=1e-12)
    assert not LassoSelector(loss="binomial").fit(np.ones((20, 3)), np.arange(20) % 2).get_support().any()

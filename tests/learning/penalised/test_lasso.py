import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNetCV, LassoCV
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

from radiobone.core.errors import RadioboneWarning
from radiobone.learning import CorrelationFilter, DataError, LassoSelector
from radiobone.learning.folds import fewer_folds, inner_folds
from radiobone.learning.penalised.active_set import minimise_quadratic
from radiobone.learning.penalised.path import duality_gaps, lasso_path, penalty_grid
from radiobone.learning.protocol.choices import StepContext
from radiobone.learning.protocol.steps import SelectionStep


def table(seed, n=60, p=40, signal=1.0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 10)) @ rng.normal(size=(10, p)) + rng.normal(size=(n, p))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    y = (signal * (X[:, 0] - X[:, 1]) + rng.normal(size=n) > 0).astype(int)
    return X, y


@pytest.mark.parametrize("seed", range(4))
def test_equals_lasso_cv_on_the_same_folds(seed):
    X, y = table(seed)
    splits = inner_folds(5, X, y, None, 0)
    ours = LassoSelector(cv=splits, eps=0.01).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs = LassoCV(cv=splits, eps=0.01, alphas=100, tol=1e-10, max_iter=200_000).fit(X, y.astype(float))
    np.testing.assert_allclose(ours.alphas_, theirs.alphas_, rtol=1e-12)
    np.testing.assert_allclose(ours.loss_path_, theirs.mse_path_, atol=1e-6)
    assert ours.alpha_ == pytest.approx(theirs.alpha_, rel=1e-12)
    np.testing.assert_array_equal(ours.get_support(), theirs.coef_ != 0)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    assert ours.intercept_ == pytest.approx(theirs.intercept_, abs=1e-6)


@pytest.mark.parametrize("seed", range(10, 16))
@pytest.mark.parametrize("shape", [(90, 25), (45, 100)])
def test_selects_what_lasso_cv_selects_once_it_has_converged(seed, shape):
    X, y = table(seed, *shape, signal=0.7)
    splits = inner_folds(5, X, y, None, seed)
    ours = LassoSelector(cv=splits, eps=0.05).fit(X, y)
    theirs = LassoCV(cv=splits, eps=0.05, alphas=100, tol=1e-9, max_iter=100_000).fit(X, y.astype(float))
    assert ours.alpha_ == pytest.approx(theirs.alpha_, rel=1e-12)
    np.testing.assert_array_equal(ours.get_support(), theirs.coef_ != 0)


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["Arita2018", "HNSCC", "LNDb", "WORC-Lipo"])
def test_selects_what_lasso_cv_selects_on_published_tables(shared_data, name):
    read = pd.read_csv(shared_data / "tables" / "radmlbench" / f"{name}.csv.gz")
    y = read["Target"].to_numpy()
    X = StandardScaler().fit_transform(read.drop(columns=["ID", "Target"]).to_numpy(dtype=float))
    X = CorrelationFilter().fit_transform(X)
    splits = list(StratifiedKFold(5, shuffle=True, random_state=0).split(X, y))
    ours = LassoSelector(cv=splits, eps=0.05).fit(X, y)
    theirs = LassoCV(cv=splits, eps=0.05, alphas=100, tol=1e-9, max_iter=1_000_000).fit(X, y.astype(float))
    assert ours.alpha_ == pytest.approx(theirs.alpha_, rel=1e-12)
    np.testing.assert_array_equal(ours.get_support(), theirs.coef_ != 0)
    assert ours.get_support().any()
    # Certified on all columns, too, of which many say the same, and down to the smallest penalty.
    whole = StandardScaler().fit_transform(read.drop(columns=["ID", "Target"]).to_numpy(dtype=float))
    assert LassoSelector(cv=splits).fit(whole, y).duality_gap_ < 1e-9


@pytest.mark.parametrize("shape", [(60, 20), (30, 90)])
def test_every_solution_on_the_path_is_certified(shape):
    X, y = table(1, *shape)
    fitted = LassoSelector().fit(X, y)
    assert fitted.duality_gap_ < 1e-9
    centred = X - X.mean(axis=0)
    # Optimality, checked without the gap: no column is correlated with the residual beyond the penalty.
    residual = (y - y.mean())[:, None] - centred @ fitted.coef_path_
    excess = np.abs(centred.T @ residual).max(axis=0) / len(y) - fitted.alphas_
    assert excess.max() < 1e-10


def test_analytic_case_of_orthogonal_columns():
    # For orthogonal columns of squared length n the solution is the soft-thresholded mean product.
    X = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    y = np.array([3.0, 1, -1, -3])
    products = X.T @ y / 4
    alphas = np.array([1.5, 0.5])
    path = lasso_path(X, y, alphas, tol=1e-12, max_iter=100)
    expected = np.sign(products)[:, None] * np.maximum(np.abs(products)[:, None] - alphas, 0)
    np.testing.assert_allclose(path.coefs, expected, atol=1e-12)


def test_gap_bounds_the_distance_to_the_optimum():
    X, y = table(2)
    X, y = X - X.mean(axis=0), y - y.mean()
    alphas = penalty_grid(X, y, 10, 0.05)
    best = lasso_path(X, y, alphas, 1e-12, 10_000).coefs

    def loss(coefs):
        return ((y[:, None] - X @ coefs) ** 2).sum(axis=0) / (2 * len(y)) + alphas * np.abs(coefs).sum(axis=0)

    worse = best * 0.9
    above = (loss(worse) - loss(best)) / (y @ y / (2 * len(y)))
    gaps = duality_gaps(X, y, worse, alphas)
    assert (above[1:] > 0).all()
    assert (gaps >= above - 1e-12).all()


def test_equal_columns_fall_back_on_coordinate_descent():
    X, y = table(3, n=40, p=10)
    twice = np.hstack([X, X])
    fitted = LassoSelector(eps=0.01).fit(twice, y)
    assert fitted.duality_gap_ < 1e-9
    np.testing.assert_allclose(fitted.loss_path_, LassoSelector(eps=0.01).fit(X, y).loss_path_, atol=1e-5)


def test_an_uncertified_path_warns_and_is_noted():
    X, y = table(3, n=40, p=10)
    with pytest.warns(ConvergenceWarning, match="duality gap") as caught:
        fitted = LassoSelector(tol=1e-300, max_iter=1).fit(np.hstack([X, X]), y)
    assert all(issubclass(warning.category, RadioboneWarning) for warning in caught)
    (note,) = fitted.notes_
    assert f"not certified: duality gap {fitted.duality_gap_:.1e}" in note
    assert LassoSelector().fit(X, y).notes_ == []


def test_fewer_folds_are_noted():
    X, y = table(3, n=40, p=10)
    rows = np.concatenate([np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:3]])
    fitted = LassoSelector(cv=5).fit(X[rows], y[rows])
    assert fitted.n_splits_ == 3
    assert fitted.notes_ == fewer_folds(5, 3)


def test_one_standard_error_rule_is_sparser():
    X, y = table(0, n=80)
    at_min, at_1se = LassoSelector().fit(X, y), LassoSelector(rule="1se").fit(X, y)
    assert at_1se.alpha_ == at_min.alpha_1se_ > at_min.alpha_ == at_min.alpha_min_
    assert 0 < at_1se.get_support().sum() < at_min.get_support().sum()
    mean, best = at_min.loss_path_.mean(axis=1), at_min.loss_path_.mean(axis=1).argmin()
    limit = mean[best] + at_min.loss_path_[best].std(ddof=1) / np.sqrt(5)
    assert mean[at_min.alphas_ == at_1se.alpha_][0] <= limit
    assert (mean[at_min.alphas_ > at_1se.alpha_] > limit).all()


def test_nothing_survives_where_nothing_is_to_be_learned():
    rng = np.random.default_rng(4)
    fitted = LassoSelector(rule="1se").fit(rng.normal(size=(50, 20)), np.arange(50) % 2)
    assert not fitted.get_support().any()
    assert fitted.intercept_ == 0.5
    assert LassoSelector().fit(np.ones((20, 3)), np.arange(20) % 2).get_support().sum() == 0


def test_coding_is_zero_and_one_in_sorted_order():
    X, y = table(0)
    names = np.array(["normal", "osteoporosis"])
    fitted = LassoSelector().fit(X, names[y])
    assert fitted.classes_.tolist() == names.tolist()
    np.testing.assert_array_equal(fitted.coef_, LassoSelector().fit(X, y).coef_)
    np.testing.assert_allclose(LassoSelector().fit(X, names[1 - y]).coef_, -fitted.coef_, atol=1e-9)


def test_three_classes_are_refused():
    with pytest.raises(DataError, match="binary"):
        LassoSelector().fit(np.eye(9), np.arange(9) % 3)


@pytest.mark.parametrize("l1_ratio", [[0.4], [0.2, 0.6, 1.0]])
def test_elastic_net_equals_elastic_net_cv_on_the_same_folds(l1_ratio):
    X, y = table(5, n=50, p=30)
    splits = inner_folds(5, X, y, None, 0)
    ours = LassoSelector(l1_ratio=l1_ratio, cv=splits, eps=0.01, n_alphas=30).fit(X, y)
    theirs = ElasticNetCV(l1_ratio=l1_ratio, cv=splits, eps=0.01, alphas=30, tol=1e-11, max_iter=200_000)
    theirs.fit(X, y.astype(float))
    chosen = l1_ratio.index(theirs.l1_ratio_)
    assert ours.l1_ratio_ == theirs.l1_ratio_
    assert ours.alpha_ == pytest.approx(theirs.alpha_, rel=1e-12)
    losses = theirs.mse_path_ if len(l1_ratio) == 1 else theirs.mse_path_[chosen]
    np.testing.assert_allclose(ours.loss_path_, losses, atol=1e-6)
    np.testing.assert_allclose(ours.l1_ratio_losses_[chosen], losses.mean(axis=1).min(), atol=1e-6)
    np.testing.assert_array_equal(ours.get_support(), theirs.coef_ != 0)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)


@pytest.mark.parametrize("l1_ratio", [0.5, 0.05])
def test_elastic_net_path_is_certified(l1_ratio):
    X, y = table(1, 40, 100)
    X, y = X - X.mean(axis=0), y - y.mean()
    alphas = penalty_grid(X, y, 100, 1e-3, l1_ratio)
    path = lasso_path(X, y, alphas, 1e-9, 10, l1_ratio)
    assert not path.coefs[:, 0].any()
    assert path.coefs[:, 1].any()
    assert path.gaps.max() < 1e-9
    gradient = X.T @ (y[:, None] - X @ path.coefs) / len(y) - alphas * (1 - l1_ratio) * path.coefs
    assert (np.abs(gradient) - alphas * l1_ratio).max() < 1e-10


@pytest.mark.parametrize("l1_ratio", [0.0, 1.5, [], [0.5, 2.0]])
def test_impossible_shares_of_the_l1_norm_are_refused(l1_ratio):
    X, y = table(0)
    with pytest.raises(ValueError, match="l1_ratio"):
        LassoSelector(l1_ratio=l1_ratio).fit(X, y)


@pytest.mark.parametrize("kind", ["lasso", "elastic_net"])
def test_recipes_name_the_selector(kind):
    options = {"loss": "binomial", "rule": "1se", "penalties": 30, "folds": 4}
    shares = {"l1_ratio": [0.5, 0.9]} if kind == "elastic_net" else {}
    step = SelectionStep.model_validate({kind: {**options, **shares}})
    built = step.chosen.build(StepContext(inner_folds=5, seed=3))
    assert isinstance(built, LassoSelector)
    assert (built.loss, built.rule, built.n_alphas, built.cv, built.random_state) == ("binomial", "1se", 30, 4, 3)
    assert built.l1_ratio == shares.get("l1_ratio", 1.0)
    plain = SelectionStep.model_validate({kind: None}).chosen.build(StepContext(inner_folds=5, seed=3))
    assert (plain.loss, plain.rule, plain.n_alphas, plain.cv) == ("squared", "min", 100, 5)
    with pytest.raises(ValueError, match="l1_ratio"):
        SelectionStep.model_validate({"elastic_net": {"l1_ratio": [0.0]}})


def test_a_quadratic_problem_is_solved_from_any_start():
    rng = np.random.default_rng(6)
    half = rng.normal(size=(9, 6))
    hessian, linear, penalty = half.T @ half, rng.normal(size=6) * 5, 4.0

    def loss(coefs):
        return coefs @ hessian @ coefs / 2 - linear @ coefs + penalty * np.abs(coefs).sum()

    best = minimise_quadratic(hessian, linear, penalty, np.zeros(6), 1000)
    gradient = linear - hessian @ best
    np.testing.assert_allclose(gradient[best != 0], penalty * np.sign(best[best != 0]), atol=1e-12)
    assert (np.abs(gradient) <= penalty + 1e-12).all()
    assert 0 < np.count_nonzero(best) < 6
    for _ in range(20):
        start = rng.normal(size=6) * 3
        np.testing.assert_allclose(minimise_quadratic(hessian, linear, penalty, start, 1000), best, atol=1e-12)
        assert loss(best) <= loss(start)

import numpy as np
import pytest

from radiobone.learning.penalised.elastic_path import elastic_net_path
from radiobone.learning.penalised.path import duality_gaps, lasso_path, penalty_grid
from radiobone.learning.penalised.tracked_path import tracked_path


def table(seed, n, p, noise=1.0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 5)) @ rng.normal(size=(5, p)) + noise * rng.normal(size=(n, p))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    y = (X[:, 0] - X[:, 1] + rng.normal(size=n) > 0).astype(float)
    return X, y - y.mean()


@pytest.mark.parametrize("shape", [(200, 20), (60, 60), (40, 300)])
@pytest.mark.parametrize("noise", [1.0, 0.05])
def test_two_ways_along_the_path_meet(shape, noise):
    X, y = table(0, *shape, noise=noise)
    alphas = penalty_grid(X, y, 100, 1e-3)
    tracked, _ = tracked_path(X, y, alphas)
    other, _ = elastic_net_path(X, y, alphas, 1.0, 10_000)
    assert duality_gaps(X, y, tracked, alphas).max() < 1e-11
    np.testing.assert_allclose(tracked, other, atol=1e-9)
    np.testing.assert_array_equal(tracked != 0, other != 0)


def test_order_of_columns_and_sign_of_the_target_do_not_matter():
    X, y = table(1, 50, 120)
    alphas = penalty_grid(X, y, 40, 0.01)
    coefs, _ = tracked_path(X, y, alphas)
    order = np.random.default_rng(2).permutation(120)
    np.testing.assert_allclose(tracked_path(X[:, order], -y, alphas)[0], -coefs[order], atol=1e-11)


def test_columns_that_come_twice_or_almost_are_certified_and_the_first_stands_for_both():
    X, y = table(3, 60, 30)
    almost = X[:, :10] + 1e-7 * np.random.default_rng(4).normal(size=(60, 10))
    doubled = np.hstack([X, -X, almost - almost.mean(axis=0)])
    alphas = penalty_grid(X, y, 100, 1e-3)
    path = lasso_path(doubled, y, alphas, 1e-9, 10_000)
    assert path.gaps.max() < 1e-9
    np.testing.assert_allclose(doubled @ path.coefs, X @ lasso_path(X, y, alphas, 1e-9, 10_000).coefs, atol=1e-4)
    exact = np.hstack([X, -X])
    path = lasso_path(exact, y, alphas, 1e-9, 10_000)
    assert path.gaps.max() < 1e-9
    np.testing.assert_array_equal(path.coefs[30:], 0.0)

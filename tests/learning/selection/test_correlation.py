import numpy as np
import pandas as pd
import pytest

from radiobone.learning import CorrelationFilter


def greedy(table: pd.DataFrame, method: str, threshold: float) -> list[str]:
    """Apply the stated rule in the plainest way, with pandas' correlations."""
    correlations = table.corr(method=method).abs()
    kept: list[str] = []
    for name in table.columns:
        if all(correlations.loc[name, other] <= threshold for other in kept):
            kept.append(name)
    return kept


@pytest.mark.parametrize("method", ["spearman", "pearson"])
@pytest.mark.parametrize("n_columns", [30, 700])
def test_keeps_what_the_stated_rule_keeps(method, n_columns):
    rng = np.random.default_rng(3)
    hidden = rng.normal(size=(40, 8))
    X = pd.DataFrame(hidden @ rng.normal(size=(8, n_columns)) + 0.4 * rng.normal(size=(40, n_columns)))
    X = X.set_axis([f"f{i}" for i in range(n_columns)], axis=1)
    fitted = CorrelationFilter(method=method, threshold=0.7).fit(X)
    kept = fitted.get_feature_names_out().tolist()
    assert kept == greedy(X, method, 0.7)
    assert 1 < len(kept) < n_columns


def test_spearman_sees_a_monotone_curve_and_pearson_does_not():
    x = np.linspace(0, 10, 50)
    X = np.column_stack([x, np.exp(x)])
    assert CorrelationFilter(method="spearman").fit(X).get_support().tolist() == [True, False]
    assert CorrelationFilter(method="pearson").fit(X).get_support().tolist() == [True, True]


def test_constant_columns_are_dropped():
    X = np.column_stack([np.full(6, 7.0), np.arange(6.0), np.zeros(6)])
    fitted = CorrelationFilter().fit(X)
    assert fitted.get_support().tolist() == [False, True, False]
    assert fitted.constant_.tolist() == [True, False, True]


def test_equal_columns_survive_a_threshold_of_one_only():
    X = np.column_stack([np.arange(9.0) ** 0.3] * 2)
    assert CorrelationFilter(threshold=1.0).fit(X).get_support().all()
    assert CorrelationFilter(threshold=0.999).fit(X).get_support().tolist() == [True, False]


def test_scale_of_columns_plays_no_part():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 3)) @ rng.normal(size=(3, 12))
    plain = CorrelationFilter(method="pearson", threshold=0.8).fit(X).get_support()
    scaled = CorrelationFilter(method="pearson", threshold=0.8).fit(X * np.logspace(-150, 150, 12)).get_support()
    assert (plain == scaled).all()


def test_the_class_plays_no_part():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 3)) @ rng.normal(size=(3, 12))
    y = rng.integers(0, 2, 30)
    with_y, reversed_y = CorrelationFilter().fit(X, y), CorrelationFilter().fit(X, 1 - y)
    assert (with_y.get_support() == reversed_y.get_support()).all()


@pytest.mark.parametrize("wrong", [{"method": "kendall"}, {"threshold": 0.0}, {"threshold": 1.1}])
def test_parameters_are_checked_at_fit(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        CorrelationFilter(**wrong).fit(np.eye(3))


def hidden_blocks(n_columns: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(11)
    y = rng.integers(0, 2, 50)
    hidden = rng.normal(size=(50, 6)) + y[:, np.newaxis]
    return np.tile(hidden, n_columns // 6) + rng.normal(size=(50, n_columns)) * 0.4, y


def by_order(X: np.ndarray, order: list[int], method: str, threshold: float) -> list[int]:
    kept = greedy(pd.DataFrame(X)[order], method, threshold)
    return sorted(int(name) for name in kept)


@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_the_column_closest_to_the_class_can_be_kept(method):
    X, y = hidden_blocks()
    table = pd.DataFrame(X)
    relation = table.corrwith(pd.Series(y.astype(float)), method=method).abs()
    order = relation.sort_values(ascending=False, kind="stable").index.tolist()
    fitted = CorrelationFilter(method=method, threshold=0.7, keep="largest_univariate").fit(X, y)
    assert fitted.get_support(indices=True).tolist() == by_order(X, order, method, 0.7)
    first = CorrelationFilter(method=method, threshold=0.7).fit(X, y)
    assert fitted.get_support().tolist() != first.get_support().tolist()
    assert relation[fitted.get_support()].mean() > relation[first.get_support()].mean()
    with pytest.raises(ValueError, match="requires y"):
        CorrelationFilter(keep="largest_univariate").fit(X)


@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_the_column_least_like_the_others_can_be_kept(method):
    X, _ = hidden_blocks(600)
    order = pd.DataFrame(X).corr(method=method).abs().mean().sort_values(kind="stable").index.tolist()
    fitted = CorrelationFilter(method=method, threshold=0.7, keep="smallest_mean_correlation").fit(X)
    assert fitted.get_support(indices=True).tolist() == by_order(X, order, method, 0.7)


@pytest.mark.parametrize("keep", ["first", "largest_univariate", "smallest_mean_correlation"])
def test_of_equal_columns_the_left_one_is_kept_and_no_kept_pair_exceeds_the_threshold(keep):
    X, y = hidden_blocks()
    X = np.column_stack([X, X])
    fitted = CorrelationFilter(threshold=0.8, keep=keep).fit(X, y)
    assert fitted.get_support(indices=True).max() < 60
    among = pd.DataFrame(fitted.transform(X)).corr(method="spearman").abs().to_numpy()
    assert (among - np.eye(len(among))).max() <= 0.8

"""Tests of single columns against scipy's for one column, and corrections against statsmodels."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from radiobone.learning import DataError, UnivariateFilter
from radiobone.learning.selection.univariate import adjust


def mixed(n_classes: int = 2, n_columns: int = 60, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Normal and skewed columns, with ties, some of which differ between the classes."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(n_classes), [25, 18, 30][:n_classes])
    X = rng.normal(size=(len(y), n_columns))
    X[:, ::3] = np.exp(1.5 * X[:, ::3])
    X[:, 1::4] = np.round(X[:, 1::4], 1)
    X[:, :15] += y[:, np.newaxis] * np.linspace(0, 1.5, 15)
    return X, y


SINGLE = {
    "t": lambda *samples: stats.ttest_ind(*samples).pvalue,
    "welch": lambda *samples: stats.ttest_ind(*samples, equal_var=False).pvalue,
    "mannwhitney": lambda *samples: stats.mannwhitneyu(*samples, method="asymptotic").pvalue,
    "anova": lambda *samples: stats.f_oneway(*samples).pvalue,
    "kruskal": lambda *samples: stats.kruskal(*samples).pvalue,
}


def by_column(X: np.ndarray, y: np.ndarray, test: str, normality: float = 0.05) -> list[tuple[str, float]]:
    """Apply the stated rule to one column at a time."""
    found = []
    for column in X.T:
        samples = [column[y == label] for label in np.unique(y)]
        name = test
        if test == "auto":
            normal = all(stats.shapiro(sample).pvalue >= normality for sample in samples)
            names = ("welch", "mannwhitney") if len(samples) == 2 else ("anova", "kruskal")
            name = names[0] if normal else names[1]
        found.append((name, float(SINGLE[name](*samples))))
    return found


@pytest.mark.parametrize("test", ["auto", "t", "welch", "mannwhitney", "anova", "kruskal"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_each_column_has_the_p_value_of_its_own_test(test, n_classes):
    X, y = mixed(n_classes)
    if n_classes == 3 and test in ("t", "welch", "mannwhitney"):
        with pytest.raises(DataError, match=r"compares two classes.*got: 3 classes"):
            UnivariateFilter(test=test).fit(X, y)
        return
    fitted = UnivariateFilter(test=test).fit(X, np.array(["x", "y", "z"])[y])
    names, expected = zip(*by_column(X, y, test), strict=True)
    assert fitted.tests_.tolist() == list(names)
    assert fitted.p_values_ == pytest.approx(np.array(expected), rel=1e-10)
    assert fitted.get_support().tolist() == [p < 0.05 for p in expected]
    assert len(set(names)) == (2 if test == "auto" else 1)


@pytest.mark.parametrize("correction", ["fdr_bh", "holm", "bonferroni"])
def test_corrections_agree_with_statsmodels(correction):
    rng = np.random.default_rng(2)
    p = np.concatenate([rng.uniform(size=200), rng.uniform(size=30) * 1e-4, [0.01] * 5, [0, 1]])
    assert adjust(p, correction) == pytest.approx(multipletests(p, method=correction)[1], rel=1e-12)
    X, y = mixed()
    fitted = UnivariateFilter(test="welch", correction=correction, alpha=0.1).fit(X, y)
    rejected, adjusted = multipletests(fitted.p_values_, alpha=0.1, method=correction)[:2]
    assert fitted.adjusted_p_values_ == pytest.approx(adjusted)
    assert fitted.get_support().tolist() == rejected.tolist()
    assert 0 < fitted.get_support().sum() < (fitted.p_values_ < 0.1).sum()


def test_constant_columns_are_dropped_and_do_not_count_in_the_correction():
    X, y = mixed()
    padded = np.column_stack([np.full((len(X), 40), 0.1), X])
    plain = UnivariateFilter(correction="bonferroni").fit(X, y)
    fitted = UnivariateFilter(correction="bonferroni").fit(padded, y)
    assert fitted.get_support()[40:].tolist() == plain.get_support().tolist()
    assert not fitted.get_support()[:40].any()
    assert np.isnan(fitted.p_values_[:40]).all()
    assert set(fitted.tests_[:40]) == {"none"}
    assert fitted.notes_ == ["40 constant columns dropped"]
    nothing = UnivariateFilter(correction="fdr_bh").fit(np.ones((6, 2)), [0, 0, 0, 1, 1, 1])
    assert not nothing.get_support().any()


@pytest.mark.parametrize("test", ["auto", "t", "welch", "mannwhitney", "anova", "kruskal"])
def test_columns_that_part_the_classes_wholly_are_kept(test):
    y = np.repeat([0, 1], 8)
    X = np.column_stack([y * 3.0, 10.0 * y + np.arange(16) % 8])
    assert UnivariateFilter(test=test).fit(X, y).get_support().all()


def test_a_class_of_one_row_shows_nothing_by_welch():
    fitted = UnivariateFilter(test="welch").fit(np.arange(10.0)[:, np.newaxis], [0] * 9 + [1])
    assert fitted.p_values_.tolist() == [1.0]
    assert not fitted.get_support().any()


def test_one_class_is_told():
    with pytest.raises(DataError, match="two classes"):
        UnivariateFilter().fit(np.eye(4), np.ones(4))


def test_under_no_difference_the_stated_shares_are_kept():
    rng = np.random.default_rng(7)
    y = np.repeat([0, 1], 40)
    X = rng.normal(size=(80, 4000))
    X[:, 2000:] = np.exp(X[:, 2000:])
    plain = UnivariateFilter().fit(X, y)
    assert plain.get_support().mean() == pytest.approx(0.05, abs=0.012)
    assert not UnivariateFilter(correction="fdr_bh").fit(X, y).get_support().any()

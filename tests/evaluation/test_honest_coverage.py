"""How often intervals hold the truth and tests find what is not there: simulations, with counts that can fail.

The numbers of draws are those that CI runs; RADIOBONE_DRAWS multiplies them (10 for the figures in the
docstrings).
"""

import os

import numpy as np
import pytest
from scipy.stats import norm

from radiobone.evaluation.statistics.bootstrap import auc_statistic, bootstrap_interval
from radiobone.evaluation.statistics.clustered import clustered_auc_interval
from radiobone.evaluation.statistics.delong import delong_interval, delong_test, placements
from radiobone.evaluation.statistics.mcnemar import mcnemar_test
from radiobone.evaluation.statistics.resampled import corrected_interval, corrected_test

pytestmark = pytest.mark.slow

TIMES = int(os.environ.get("RADIOBONE_DRAWS", "1"))


def binormal(seed, n_positive, n_negative, auc):
    """Scores of a fixed model on an independent test set, whose true AUC is known."""
    positive = np.arange(n_positive + n_negative) < n_positive
    scores = np.random.default_rng(seed).normal(size=len(positive))
    return positive, scores + np.sqrt(2) * norm.ppf(auc) * positive


def coverage(truth, intervals):
    return np.mean([found.low <= truth <= found.high for found in intervals])


@pytest.mark.parametrize(("n_positive", "n_negative", "auc"), [(20, 40, 0.7), (50, 100, 0.8), (45, 45, 0.9)])
def test_delong_covers_for_a_fixed_model_with_2000_draws(n_positive, n_negative, auc):
    found = [delong_interval(*binormal(seed, n_positive, n_negative, auc)) for seed in range(2000 * TIMES)]
    assert 0.93 <= coverage(auc, found) <= 0.97


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_the_bootstrap_covers_for_a_fixed_model_with_2000_draws(method):
    found = []
    for seed in range(2000 * TIMES):
        positive, score = binormal(seed, 30, 60, 0.8)
        statistic = auc_statistic(positive, score)
        found.append(bootstrap_interval(statistic, 90, strata=positive, draws=1000, method=method, seed=seed))
    assert 0.93 <= coverage(0.8, found) <= 0.97


def test_delongs_test_keeps_its_level_with_2000_draws():
    p_values = []
    for seed in range(2000 * TIMES):
        positive, a = binormal(seed, 40, 60, 0.75)
        noise = np.random.default_rng([seed, 1]).normal(size=(2, 100))
        p_values.append(delong_test(positive, a + noise[0], a + noise[1]).p_value)
    assert 0.035 <= np.mean(np.array(p_values) <= 0.05) <= 0.065


def test_vertebrae_of_one_patient_need_obuchowskis_interval_with_1000_draws():
    groups = np.repeat(np.arange(50), 4)
    positive = groups < 20
    clustered, plain = [], []
    for seed in range(1000 * TIMES):
        random = np.random.default_rng(seed)
        # Of the variance of a score 0.7 lies between patients.
        score = np.sqrt(0.7) * random.normal(size=50)[groups] + np.sqrt(0.3) * random.normal(size=200)
        score += np.sqrt(2) * norm.ppf(0.8) * positive
        clustered.append(clustered_auc_interval(positive, score, groups))
        plain.append(delong_interval(positive, score))
    assert 0.93 <= coverage(0.8, clustered) <= 0.97
    assert coverage(0.8, plain) < 0.80


def test_clustered_mcnemar_keeps_its_level_with_1000_draws():
    groups = np.repeat(np.arange(60), 5)
    p_values, plain = [], []
    for seed in range(1000 * TIMES):
        random = np.random.default_rng(seed)
        # Each patient favours one of the two decisions.
        favour = random.normal(size=60)[groups]
        right_a, right_b = favour + random.normal(size=300) > -1, -favour + random.normal(size=300) > -1
        p_values.append(mcnemar_test(right_a, right_b, groups=groups).p_value)
        plain.append(mcnemar_test(right_a, right_b).p_value)
    assert 0.03 <= np.mean(np.array(p_values) <= 0.05) <= 0.07
    assert np.mean(np.array(plain) <= 0.05) > 0.15


def divided(positive, folds, random):
    """Return the fold of each row, stratified."""
    fold = np.empty(len(positive), dtype=int)
    for side in (positive, ~positive):
        rows = random.permutation(np.flatnonzero(side))
        fold[rows] = np.arange(len(rows)) % folds
    return fold


def out_of_fold(X, positive, fold, folds, keep):
    """Score rows by a model of the other folds: the features with the largest t, weighed by their gap."""
    train = fold != np.arange(folds)[:, np.newaxis]
    sides = np.concatenate([train & positive, train & ~positive]).astype(float)
    n = sides.sum(axis=1, keepdims=True)
    mean = sides @ X / n
    variance = sides @ X**2 / n - mean**2
    gap, spread = mean[:folds] - mean[folds:], variance[:folds] + variance[folds:]
    strength = np.abs(gap) / np.sqrt(spread)
    least = np.sort(strength, axis=1)[:, [-keep]]
    weights = np.where(strength >= least, gap / spread, 0)
    middle = (mean[:folds] + mean[folds:]) / 2
    return np.einsum("ij,ij->i", X - middle[fold], weights[fold])


def fold_aucs(positive, score, fold, folds):
    return [
        float(placements(score[positive & (fold == number)], score[~positive & (fold == number)]).auc)
        for number in range(folds)
    ]


def noise(seed, keeps, folds=5, repeats=1):
    """Cross-validate on 100 rows of 200 features that tell nothing: AUCs of folds, scores of the last repeat."""
    random = np.random.default_rng(seed)
    positive, X = np.arange(100) < 50, random.normal(size=(100, 200))
    aucs = [[] for _ in keeps]
    for _ in range(repeats):
        fold = divided(positive, folds, random)
        scores = [out_of_fold(X, positive, fold, folds, keep) for keep in keeps]
        for of_keep, score in zip(aucs, scores, strict=True):
            of_keep += fold_aucs(positive, score, fold, folds)
    return positive, scores[0], aucs


def test_noise_with_selection_inside_the_folds_with_1000_draws():
    """The mean over folds and its interval are honest; DeLong's on pooled scores covers 0.82."""
    means, corrected, pooled = [], [], []
    for seed in range(1000 * TIMES):
        positive, score, (aucs,) = noise(seed, [10])
        means.append(np.mean(aucs))
        corrected.append(corrected_interval(aucs, 80, 20))
        pooled.append(delong_interval(positive, score))
    assert np.mean(means) == pytest.approx(0.5, abs=0.01)
    assert 0.92 <= coverage(0.5, corrected) <= 0.98
    assert 0.78 <= coverage(0.5, pooled) <= 0.85


def test_selection_outside_the_folds_inflates_the_auc():
    """The same noise, with the ten features chosen on all rows before they are divided: 0.80."""
    inflated = []
    for seed in range(50):
        random = np.random.default_rng(seed)
        positive, X = np.arange(100) < 50, random.normal(size=(100, 200))
        gap = np.abs(X[positive].mean(axis=0) - X[~positive].mean(axis=0))
        chosen = X[:, np.argsort(gap)[-10:]]
        fold = divided(positive, 5, random)
        inflated.append(np.mean(fold_aucs(positive, out_of_fold(chosen, positive, fold, 5, 10), fold, 5)))
    assert np.mean(inflated) > 0.75


def test_the_corrected_paired_test_keeps_its_level_with_1000_draws():
    """Two procedures that learn nothing are told apart in at most 0.05 of the draws; the plain t does far more."""
    p_values, plain = [], []
    for seed in range(1000 * TIMES):
        _, _, (few, many) = noise(seed, [10, 40], repeats=2)
        p_values.append(corrected_test(few, many, 80, 20).p_value)
        plain.append(corrected_test(few, many, 1e12, 20).p_value)
    assert np.mean(np.array(p_values) <= 0.05) <= 0.06
    assert np.mean(np.array(plain) <= 0.05) > 0.10

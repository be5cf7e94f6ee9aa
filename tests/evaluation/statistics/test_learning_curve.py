import itertools
import math

import numpy as np
import pytest

from radiobone.core.errors import UsageError
from radiobone.evaluation.statistics.learning_curve import learning_curve

GROUPS = np.repeat(np.arange(40), np.arange(40) % 3 + 1)
LABELS = (GROUPS >= 30).astype(int)


def test_samples_are_nested_whole_and_stratified():
    samples = []
    calls = []
    curve = learning_curve(
        lambda rows: samples.append(rows) or len(rows),
        LABELS,
        groups=GROUPS,
        repeats=2,
        progress=lambda *call: calls.append(call),
    )
    assert curve.n_patients.tolist() == [10, 20, 30, 40]
    assert calls == [(number, 7) for number in range(1, 8)]
    for repeat in (samples[:4], [*samples[4:], samples[3]]):
        for smaller, larger in itertools.pairwise(repeat):
            assert set(smaller) < set(larger)
        for rows, size in zip(repeat, curve.n_patients, strict=True):
            patients = np.unique(GROUPS[rows])
            assert len(patients) == size
            assert len(rows) == np.isin(GROUPS, patients).sum()
            assert abs((patients >= 30).sum() - size / 4) <= 1
            assert (np.diff(rows) > 0).all()
    assert (samples[0][:5] != samples[4][:5]).any()
    assert (curve.scores == curve.n_rows).all()
    assert curve.sd[-1] == 0


def test_the_mean_of_a_known_curve():
    rng = np.random.default_rng(0)
    values = rng.normal(5, 1, 40)
    curve = learning_curve(lambda rows: values[rows].mean(), np.arange(40) % 2, shares=[0.1, 1.0], repeats=200)
    assert curve.mean[1] == pytest.approx(values.mean())
    assert curve.mean[0] == pytest.approx(values.mean(), abs=0.15)
    # Four of forty without replacement, stratified by a label that tells nothing.
    assert curve.sd[0] == pytest.approx(values.std(ddof=1) / 2 * math.sqrt(0.9), rel=0.2)


def test_undefined_figures_are_counted():
    figures = iter([math.nan, 0.7, 0.6])
    curve = learning_curve(lambda rows: next(figures), [0, 1] * 10, shares=[0.5, 1.0], repeats=2)
    assert math.isnan(curve.mean[0])
    assert curve.n_undefined.tolist() == [1, 0]
    assert curve.mean[1] == 0.7


def test_seeds():
    def run(seed):
        return learning_curve(lambda rows: rows.sum(), LABELS, groups=GROUPS, seed=seed, repeats=3).scores

    assert (run(1) == run(1)).all()
    assert (run(1) != run(2)).any()


@pytest.mark.parametrize("shares", [[], [0.5, 0.5], [0.0, 1.0], [0.5, 1.2]])
def test_wrong_shares_are_refused(shares):
    with pytest.raises(UsageError, match="shares"):
        learning_curve(lambda rows: 0.0, [0, 1], shares=shares)

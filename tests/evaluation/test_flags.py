import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

from radiobone.core.errors import UsageError
from radiobone.evaluation import Arm, ArmsCV, FigureOptions, KFolds, NestedCV, Primary
from radiobone.evaluation import memory as memory_module
from radiobone.evaluation.column_summary import column_summary
from radiobone.evaluation.flags import COMPONENTS, FEWER, FITTED, FROZEN, RESCALED, STANDARDISED, UNKNOWN, flags
from radiobone.learning import HierarchicalClassifier, SelectiveClassifierCV

NAMES = [f"trabecular__original_glcm_F{i}" for i in range(6)]


def table(n=40):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.gamma(2.0, 3.0, (n, 6)), columns=NAMES)
    return X, np.arange(n) % 2


def seen(X, estimator=None, preset=NAMES):
    return [item["flag"] for item in flags(X, GaussianNB() if estimator is None else estimator, preset)]


def test_columns_of_the_preset_raise_no_flag():
    X, _ = table()
    assert seen(X) == []
    assert seen(X.assign(centre=1.0)) == [], "more columns are no sign"
    assert seen(X, FunctionTransformer()) == [], "a stateless transformer has learned nothing"


def test_columns_that_were_taken_away_are_seen():
    X, y = table()
    chosen = X.iloc[:, SelectKBest(k=2).fit(X, y).get_support(indices=True)]
    (item,) = flags(chosen, GaussianNB(), NAMES)
    assert item["flag"] == FEWER
    assert item["told"].startswith("4 of 6 columns")


def test_without_a_preset_the_provenance_is_unknown():
    X, _ = table()
    assert seen(X, preset=None) == [UNKNOWN]
    assert seen(X.to_numpy(), preset=None) == [UNKNOWN]
    assert seen([[1, 2], [3, 4]], preset=None) == [UNKNOWN]


@pytest.mark.parametrize("divisor", [0, 1])
@pytest.mark.parametrize("as_array", [False, True])
def test_a_table_that_is_already_standardised_is_seen(divisor, as_array):
    X, _ = table()
    whole = (X - X.mean()) / X.std(ddof=divisor)
    assert seen(whole.to_numpy() if as_array else whole, preset=None) == [STANDARDISED]
    assert seen(whole.assign(age=50.0 + X.iloc[:, 0])) == [STANDARDISED]
    parts = whole.copy()
    parts.iloc[:, 2:] = X.iloc[:, 2:]
    assert seen(parts) == [], "two of six columns may have been so"
    train = (X - X.iloc[:30].mean()) / X.iloc[:30].std()
    assert seen(train) == [], "learned from some of the rows only"


def test_a_table_that_is_already_rescaled_is_seen():
    X, _ = table()
    assert seen(pd.DataFrame(MinMaxScaler().fit_transform(X), columns=NAMES)) == [RESCALED]
    assert seen(pd.DataFrame((X > 5).astype(float))) == [], "columns of 0 and 1 are seen everywhere"


def test_components_are_seen_by_their_names_or_their_angles():
    X, _ = table()
    turned = PCA().fit_transform(X)
    assert seen(turned, preset=None) == [COMPONENTS]
    assert seen(X.set_axis([f"PC{i}" for i in range(6)], axis=1), preset=None) == [COMPONENTS]
    assert seen(X.set_axis([f"L1.body__pca_{i}" for i in range(6)], axis=1), preset=None) == [COMPONENTS]


def test_parts_that_have_learned_are_seen_wherever_they_stand():
    X, y = table()
    scaler = StandardScaler().fit(X)
    node = SelectiveClassifierCV(selection=scaler, model=LogisticRegression())
    (item,) = flags(X, HierarchicalClassifier(estimator=node), NAMES)
    assert (item["flag"], item["where"]) == (FITTED, "estimator, estimator, selection")
    assert "StandardScaler had learned" in item["told"]
    assert seen(X, make_pipeline(scaler, GaussianNB())) == [FITTED]
    assert seen(X, make_pipeline(StandardScaler(), GaussianNB())) == []
    assert seen(X, make_pipeline(FrozenEstimator(scaler), GaussianNB())) == [FROZEN]
    assert seen(X, GaussianNB().fit(X, y)) == [FITTED]


def test_gaps_and_text_do_not_hide_a_flag():
    X, _ = table()
    whole = (X - X.mean()) / X.std()
    whole.iloc[0, 0] = np.nan
    assert seen(whole.assign(kernel="B30f")) == [STANDARDISED]


def test_flags_and_columns_stand_in_the_results_of_every_arm():
    X, y = table()
    X["same"], X["constant"] = X.iloc[:, 0], 1.0
    arms = [Arm("whole", X, GaussianNB(), preset=NAMES), Arm("part", X.iloc[:, :2], GaussianNB(), preset=NAMES)]
    found = ArmsCV(arms, Primary("0_vs_1", "auc", "whole"), KFolds(2), options=FigureOptions(draws=100)).run(
        y, groups=np.arange(40)
    )
    results = found.results()
    assert results["flags"] == []
    assert [item["flag"] for item in results["arms"][1]["flags"]] == [FEWER]
    assert results["columns"]["duplicate"] == {"n": 1, "names": ["same"]}
    assert results["columns"]["constant"] == {"n": 1, "names": ["constant"]}
    assert NestedCV(GaussianNB(), KFolds(2), preset=NAMES).run(X, y, groups=np.arange(40)).flags == ()


def test_columns_are_counted_by_what_they_lack():
    X = pd.DataFrame(
        {
            "a": [1.0, 2.0, np.nan],
            "b": [1.0, 2.0, np.nan],
            "c": [np.nan] * 3,
            "d": [4.0, np.nan, 4.0],
            "e": [1, 2, 3],
            "kernel": ["B30f", "B70f", None],
        }
    )
    found = column_summary(X)
    assert {kind: found[kind]["names"] for kind in ("constant", "empty", "with_gaps", "duplicate", "text")} == {
        "constant": ["d"],
        "empty": ["c"],
        "with_gaps": ["a", "b", "d"],
        "duplicate": ["b"],
        "text": ["kernel"],
    }
    assert found["n_columns"] == 6
    assert column_summary(np.zeros((2, 3)))["constant"]["n"] == 3
    assert column_summary(np.zeros((2, 3, 3))) is None


def test_more_features_than_memory_are_refused_before_the_first_fit(monkeypatch):
    X, y = table()
    monkeypatch.setattr(memory_module, "free_memory", lambda: 40 * 6 * 8 * 3 * 2 - 1)
    NestedCV(GaussianNB(), KFolds(2)).run(X, y, groups=np.arange(40))
    with pytest.raises(UsageError, match=r"more features than memory.*40 rows x 6 columns in 2 jobs"):
        NestedCV(GaussianNB(), KFolds(2), jobs=2).run(X, y, groups=np.arange(40))
    with pytest.raises(UsageError, match=r"more features than memory.*where: wide"):
        ArmsCV([Arm("wide", X, GaussianNB())], Primary("0_vs_1", "auc", "wide"), KFolds(2), jobs=2).run(
            y, groups=np.arange(40)
        )
    monkeypatch.setattr(memory_module, "free_memory", lambda: None)
    NestedCV(GaussianNB(), KFolds(2)).run(X, y, groups=np.arange(40))

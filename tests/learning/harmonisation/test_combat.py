import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.base import clone

from radiobone.learning import ComBat, DataError
from radiobone.learning.disk.persistence import TRUSTED_TYPES


def table(seed: int = 0, n_columns: int = 12) -> pd.DataFrame:
    """Three centres with shifts and spreads of their own, and a feature that follows age."""
    rng = np.random.default_rng(seed)
    centre = np.repeat(["A", "B", "C"], [14, 20, 11])
    age = rng.normal(62.0, 9.0, 45)
    values = 100.0 + rng.normal(0.0, 30.0, n_columns) + rng.normal(size=(45, n_columns)) * 5.0
    values += 0.3 * age[:, None] + np.where(centre == "A", 12.0, 0.0)[:, None] * rng.normal(1.0, 0.3, n_columns)
    values *= np.where(centre == "C", 1.6, 1.0)[:, None]
    X = pd.DataFrame(values, columns=[f"f{i}" for i in range(n_columns)])
    X.insert(2, "centre", centre)
    X["age"] = age
    X["sex"] = rng.choice(["F", "M"], 45)
    return X.sample(frac=1.0, random_state=seed).reset_index(drop=True)


def derive(Y, batch, covariates, *, parametric=True, mean_only=False, reference=None):
    """ComBat by the formulas of Johnson et al. (2007), value by value; Y is rows x features without gaps."""
    names = sorted(set(batch))
    n_rows, n_features = Y.shape
    rows = {name: [i for i in range(n_rows) if batch[i] == name] for name in names}
    design = np.array(
        [[float(b == name) for name in names] + list(c) for b, c in zip(batch, covariates, strict=True)]
    )
    beta = np.linalg.solve(design.T @ design, design.T @ Y)
    Z, stand, sigma = np.empty_like(Y), np.empty_like(Y), np.empty(n_features)
    for g in range(n_features):
        if reference is None:
            alpha = sum(len(rows[name]) / n_rows * beta[k, g] for k, name in enumerate(names))
            used = range(n_rows)
        else:
            alpha, used = beta[names.index(reference), g], rows[reference]
        sigma[g] = np.sqrt(np.mean([(Y[i, g] - design[i] @ beta[:, g]) ** 2 for i in used]))
        for i in range(n_rows):
            stand[i, g] = alpha + sum(c * b for c, b in zip(covariates[i], beta[len(names) :, g], strict=True))
            Z[i, g] = (Y[i, g] - stand[i, g]) / sigma[g]
    out = Y.copy()
    for name in names:
        if name == reference:
            continue
        z = Z[rows[name]]
        n = len(z)
        gamma = [sum(z[:, g]) / n for g in range(n_features)]
        delta = [1.0 if mean_only else sum((z[:, g] - gamma[g]) ** 2) / (n - 1) for g in range(n_features)]
        gamma_bar, tau2 = np.mean(gamma), np.var(gamma, ddof=1)
        v, s2 = np.mean(delta), np.var(delta, ddof=1)
        for g in range(n_features):
            if not parametric:
                others = [j for j in range(n_features) if j != g]
                like = [
                    np.prod(
                        [
                            np.exp(-((x - gamma[j]) ** 2) / (2 * delta[j])) / np.sqrt(2 * np.pi * delta[j])
                            for x in z[:, g]
                        ]
                    )
                    for j in others
                ]
                shift = sum(w * gamma[j] for w, j in zip(like, others, strict=True)) / sum(like)
                spread = sum(w * delta[j] for w, j in zip(like, others, strict=True)) / sum(like)
            elif mean_only:
                shift, spread = (tau2 * gamma[g] + 1.0 * gamma_bar) / (tau2 + 1.0), 1.0
            else:
                lam, theta = (v**2 + 2 * s2) / s2, (v**3 + v * s2) / s2
                shift, spread = gamma[g], delta[g]
                for _ in range(500):
                    shift = (n * tau2 * gamma[g] + spread * gamma_bar) / (n * tau2 + spread)
                    spread = (theta + 0.5 * sum((x - shift) ** 2 for x in z[:, g])) / (n / 2 + lam - 1)
            for i, x in zip(rows[name], z[:, g], strict=True):
                out[i, g] = sigma[g] * (x - shift) / np.sqrt(1.0 if mean_only else spread) + stand[i, g]
    return out


@pytest.mark.parametrize("covariates", [(), ("age",), ("age", "sex")])
@pytest.mark.parametrize(
    "options",
    [{}, {"reference": "B"}, {"mean_only": True}, {"parametric": False}, {"parametric": False, "reference": "A"}],
    ids=str,
)
def test_agrees_with_the_formulas_of_the_paper(options, covariates):
    X = table(n_columns=7)
    options = dict(options)
    coded = {"age": X["age"].to_numpy(), "sex": (X["sex"] == "M").to_numpy(float)}
    design = np.column_stack([np.empty((len(X), 0)), *(coded[name] for name in covariates)])
    features = X[[f"f{i}" for i in range(7)]].to_numpy()
    expected = derive(features, X["centre"].tolist(), design.tolist(), **options)
    reference = options.pop("reference", None)
    fitted = ComBat(batch_column="centre", covariates=covariates, reference_batch=reference, **options)
    X = X.drop(columns=[name for name in ("age", "sex") if name not in covariates])
    np.testing.assert_allclose(fitted.fit_transform(X), expected, rtol=1e-10)


def test_batches_have_the_same_mean_and_variance_afterwards():
    rng = np.random.default_rng(1)
    batch = np.repeat([1, 2], 400)
    values = rng.normal(size=(800, 200)) * np.where(batch == 2, 3.0, 1.0)[:, None] + 5.0 * (batch == 2)[:, None]
    out = ComBat(batch_column=0).fit_transform(np.column_stack([batch, values]))
    first, second = out[batch == 1], out[batch == 2]
    assert abs(first.mean() - second.mean()) < 1e-2
    assert abs(first.std() / second.std() - 1.0) < 1e-2
    # Shrinkage leaves a little in each column.
    assert np.abs(first.mean(axis=0) - second.mean(axis=0)).max() < 0.5
    plain = values[batch == 2].mean(axis=0) - values[batch == 1].mean(axis=0)
    assert np.abs(plain).min() > 4.0


def test_an_effect_that_is_a_covariate_is_kept():
    rng = np.random.default_rng(2)
    batch = np.repeat(["old", "new"], 300)
    age = rng.normal(np.where(batch == "old", 50.0, 70.0), 5.0)
    X = pd.DataFrame(rng.normal(size=(600, 30)) + 0.2 * age[:, None]).rename(columns=str)
    X = X.assign(centre=batch, age=age)
    slope = {
        names: np.polyfit(age, ComBat(batch_column="centre", covariates=names).fit_transform(Y)[:, 0], 1)[0]
        for names, Y in [((), X.drop(columns="age")), (("age",), X)]
    }
    assert slope["age",] == pytest.approx(0.2, abs=0.02)
    assert slope[()] < 0.1


def test_the_class_plays_no_part():
    X, rng = table(), np.random.default_rng(0)
    y = rng.integers(0, 2, len(X))
    fitted = ComBat(batch_column="centre", covariates=["age", "sex"])
    plain = fitted.fit_transform(X)
    for labels in (y, rng.permutation(y), ["text"] * len(X), None):
        np.testing.assert_array_equal(clone(fitted).fit_transform(X, labels), plain)


def test_test_rows_change_nothing_that_was_learned():
    X = table()
    train, test = X.iloc[:35], X.iloc[35:]
    fitted = ComBat(batch_column="centre", covariates=["age", "sex"]).fit(train)
    straight = fitted.transform(test)
    one_by_one = np.vstack([fitted.transform(test.iloc[[i]]) for i in range(len(test))])
    np.testing.assert_array_equal(one_by_one, straight)
    poisoned = test.assign(f0=test["f0"] + 1e6, f1=np.nan)
    np.testing.assert_array_equal(fitted.transform(poisoned)[:, 2:], straight[:, 2:])
    np.testing.assert_array_equal(fitted.transform(train), fitted.fit_transform(train))


def test_order_of_rows_plays_no_part():
    X = table()
    shuffled = X.sample(frac=1.0, random_state=5)
    fitted = ComBat(batch_column="centre", covariates=["age"])
    X, shuffled = X.drop(columns="sex"), shuffled.drop(columns="sex")
    again = pd.DataFrame(fitted.fit_transform(shuffled), index=shuffled.index).loc[X.index]
    np.testing.assert_allclose(again, fitted.fit_transform(X), rtol=1e-12)


@pytest.mark.parametrize("kind", ["category", "object", "string", "codes", "floats"])
def test_batches_of_any_type_mean_the_same(kind):
    X = table().drop(columns=["age", "sex"])
    expected = ComBat(batch_column="centre").fit_transform(X)
    if kind in ("codes", "floats"):
        numbers = X["centre"].map({"A": 1, "B": 2, "C": 3}).astype(int if kind == "codes" else float)
        X = X.assign(centre=numbers)
    else:
        X = X.assign(centre=X["centre"].astype(kind))
    fitted = ComBat(batch_column="centre").fit(X)
    np.testing.assert_array_equal(fitted.transform(X), expected)
    np.testing.assert_array_equal(ComBat(batch_column=2).fit_transform(X), expected)
    np.testing.assert_array_equal(ComBat(batch_column=2).fit_transform(X.to_numpy(dtype=object)), expected)
    if kind == "floats":
        assert fitted.batches_.tolist() == ["1", "2", "3"]
        np.testing.assert_array_equal(ComBat(batch_column=2).fit_transform(X.to_numpy()), expected)


def test_what_comes_out():
    X = table()
    fitted = ComBat(batch_column="centre", covariates=["sex", "age"]).fit(X)
    assert fitted.get_feature_names_out().tolist() == [f"f{i}" for i in range(12)]
    framed = fitted.set_output(transform="pandas").transform(X)
    assert framed.columns.tolist() == [f"f{i}" for i in range(12)]
    kept = ComBat(batch_column="centre", covariates=["age"], keep_covariates=True)
    X = X.drop(columns="sex")[["age", *(f"f{i}" for i in range(12)), "centre"]]
    out = kept.set_output(transform="pandas").fit_transform(X)
    assert out.columns.tolist() == ["age", *(f"f{i}" for i in range(12))]
    assert out["age"].tolist() == X["age"].tolist()


def test_the_reference_passes_as_it_is_and_unseen_rows_with_it():
    X = table().drop(columns=["age", "sex"])
    fitted = ComBat(batch_column="centre", reference_batch="B").fit(X)
    out = pd.DataFrame(fitted.transform(X), columns=fitted.get_feature_names_out())
    here = X["centre"] == "B"
    pd.testing.assert_frame_equal(out[here], X[here].drop(columns="centre"))
    assert (out[~here].to_numpy() != X[~here].drop(columns="centre").to_numpy()).all()
    elsewhere = X.assign(centre="D")
    np.testing.assert_array_equal(fitted.transform(elsewhere), X.drop(columns="centre"))


def test_an_unseen_batch_is_an_error_unless_it_may_pass():
    X = table().drop(columns=["age", "sex"])
    train, test = X[X["centre"] != "C"], X[X["centre"] == "C"]
    with pytest.raises(DataError, match=r"not among the training rows.*got: C.*unseen='identity'"):
        ComBat(batch_column="centre").fit(train).transform(test)
    passing = ComBat(batch_column="centre", unseen="identity").fit(train)
    np.testing.assert_array_equal(passing.transform(test), test.drop(columns="centre"))
    both = passing.transform(X)
    np.testing.assert_array_equal(both[X["centre"] != "C"], passing.transform(train))


def test_missing_values_are_left_out_column_by_column_and_stay_missing():
    X = table().drop(columns=["age", "sex"])
    names = [name for name in X if name != "centre"]
    gaps = X.copy()
    gaps.loc[gaps.index[:9], "f3"] = np.nan
    out = pd.DataFrame(ComBat(batch_column="centre").fit_transform(gaps), columns=names)
    assert out["f3"].isna().tolist() == gaps["f3"].isna().tolist()
    assert out.drop(columns="f3").notna().all(axis=None)
    # Without shrinkage across columns, a column with gaps is that column on the rows that it has.
    alone = ComBat(batch_column="centre").fit(gaps[["f3", "centre"]])
    part = gaps[["f3", "centre"]].iloc[9:]
    np.testing.assert_allclose(
        alone.transform(part), ComBat(batch_column="centre").fit_transform(part), rtol=1e-12
    )
    assert "not shrunk" in alone.notes_[0]


def test_columns_that_cannot_be_harmonised_pass_as_they_are():
    X = table().drop(columns=["age", "sex"])
    in_c = X["centre"] == "C"
    X["constant"] = 7.0
    X["flat_in_c"] = X["f0"].where(~in_c, 3.0)
    X["absent_in_c"] = X["f1"].where(~in_c)
    X["once_in_c"] = X["f2"].where(~in_c | (X.index == X.index[in_c][0]))
    X["empty"] = np.nan
    odd = ["constant", "flat_in_c", "absent_in_c", "once_in_c", "empty"]
    fitted = ComBat(batch_column="centre").set_output(transform="pandas").fit(X)
    pd.testing.assert_frame_equal(fitted.transform(X)[odd], X[odd])
    assert fitted.notes_ == ["5 of 17 columns pass as they are: constant, or too few values, in some batch"]
    rest = ComBat(batch_column="centre").fit_transform(X.drop(columns=odd))
    np.testing.assert_array_equal(fitted.transform(X).drop(columns=odd), rest)


def test_columns_that_all_agree_have_a_point_for_a_prior():
    # Every column the same: the posterior lies where each column lies, and nothing is divided by zero.
    X = table().drop(columns=["age", "sex"])
    same = pd.DataFrame({"centre": X["centre"], "a": X["f0"], "b": X["f0"], "c": 2.0 * X["f0"] + 1.0})
    alone = ComBat(batch_column="centre").fit_transform(same[["centre", "a"]])
    for parametric in (True, False):
        out = ComBat(batch_column="centre", parametric=parametric).fit_transform(same)
        np.testing.assert_allclose(out[:, 0], alone[:, 0], rtol=1e-9)
        np.testing.assert_allclose(out[:, 2], 2.0 * out[:, 0] + 1.0, rtol=1e-9)


def test_units_of_columns_play_no_part():
    X = table().drop(columns=["age", "sex"])
    names = [name for name in X if name != "centre"]
    units = np.logspace(-8, 8, len(names))
    scaled = X.copy()
    scaled[names] = X[names] * units
    plain = ComBat(batch_column="centre").fit_transform(X)
    np.testing.assert_allclose(ComBat(batch_column="centre").fit_transform(scaled), plain * units, rtol=1e-10)


def test_large_batches_do_not_underflow_without_a_parametric_prior():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(4000, 5)) * 2.0).rename(columns=str).assign(centre=["A", "B"] * 2000)
    out = ComBat(batch_column="centre", parametric=False).fit_transform(X)
    assert np.isfinite(out).all()


def test_one_batch_or_none_changes_nothing_and_says_so():
    X = table().drop(columns=["age", "sex"])
    features = X.drop(columns="centre")
    none = ComBat().fit(features)
    np.testing.assert_array_equal(none.transform(features), features)
    assert none.notes_ == ["no batch column was named; nothing is harmonised"]
    one = ComBat(batch_column="centre").fit(X.assign(centre="A"))
    np.testing.assert_array_equal(one.transform(X.assign(centre="A")), features)
    assert one.notes_ == ["one batch (A); nothing is harmonised"]
    with pytest.raises(DataError, match="not among the training rows"):
        one.transform(X)


def test_batches_of_one_row_need_means_only_or_count_as_unseen():
    X = table().drop(columns=["age", "sex"])
    X.loc[3, "centre"] = "lonely"
    with pytest.raises(DataError, match=r"one training row.*lonely.*mean_only=True.*unseen='identity'"):
        ComBat(batch_column="centre").fit(X)
    assert np.isfinite(ComBat(batch_column="centre", mean_only=True).fit_transform(X)).all()
    passing = ComBat(batch_column="centre", unseen="identity").fit(X)
    without = ComBat(batch_column="centre", unseen="identity").fit(X.drop(index=3))
    np.testing.assert_array_equal(passing.transform(X), without.transform(X))
    np.testing.assert_array_equal(passing.transform(X)[3], X.drop(columns="centre").iloc[3])
    assert passing.notes_ == ["1 batches of one training row pass as they are: lonely"]
    scattered = X.assign(centre=[f"c{i}" for i in range(len(X))])
    none = ComBat(batch_column="centre", unseen="identity").fit(scattered)
    np.testing.assert_array_equal(none.transform(X), X.drop(columns="centre"))
    assert none.notes_[-1] == "no batch; nothing is harmonised"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_column": "center"}, r"batch column is no column of X \(did you mean 'centre'\?\)"),
        ({"batch_column": 99}, "no such batch column"),
        ({"batch_column": "centre", "covariates": ["weight"]}, "covariate is no column of X"),
        ({"batch_column": "centre", "covariates": ["centre"]}, "named twice"),
        ({"covariates": ["age"]}, "covariates without a batch column"),
        ({"batch_column": "centre", "reference_batch": "Z"}, "reference_batch is no batch"),
        ({"batch_column": "centre", "covariates": ["site"]}, "confounded"),
        ({"batch_column": "age"}, "columns of text that are neither batch nor covariate.*centre"),
        ({"batch_column": "centre", "covariates": ["sex"], "keep_covariates": True}, "must be numbers"),
    ],
)
def test_wrong_use_is_named(options, message):
    X = table()
    X["site"] = np.where(X["centre"] == "A", "town", "country")
    X = X.drop(columns=[name for name in ("sex", "site") if name not in options.get("covariates", ())])
    with pytest.raises(DataError, match=message):
        ComBat(**options).fit(X)


def test_rows_without_batch_or_covariate_are_refused():
    X = table()
    fitted = ComBat(batch_column="centre", covariates=["age", "sex"], unseen="identity").fit(X)
    for name, message in [
        ("centre", "rows without a batch"),
        ("age", "covariate 'age'"),
        ("sex", "covariate 'sex'"),
    ]:
        gap = X.copy()
        gap.loc[4, name] = None
        for call in (clone(fitted).fit, fitted.transform):
            with pytest.raises(DataError, match=message):
                call(gap)
    with pytest.raises(DataError, match="a level that the training rows had not"):
        fitted.transform(X.assign(sex="X"))
    with pytest.raises(DataError, match="was numbers, and is text now"):
        fitted.transform(X.assign(age="old"))


def test_a_constant_covariate_has_no_effect_and_is_named():
    X = table().drop(columns="sex")
    plain = ComBat(batch_column="centre").fit_transform(X.drop(columns="age"))
    fitted = ComBat(batch_column="centre", covariates=["age"]).fit(X.assign(age=60.0))
    assert fitted.notes_ == ["covariate 'age' is constant, and has no effect"]
    np.testing.assert_array_equal(fitted.transform(X), plain)


def test_a_saved_transformer_is_trusted_and_gives_the_same():
    X = table()
    fitted = ComBat(batch_column="centre", covariates=["age", "sex"], reference_batch="A").fit(X)
    dumped = skops.io.dumps(fitted)
    assert set(skops.io.get_untrusted_types(data=dumped)) <= set(TRUSTED_TYPES)
    loaded = skops.io.loads(dumped, trusted=list(TRUSTED_TYPES))
    np.testing.assert_array_equal(loaded.transform(X), fitted.transform(X))

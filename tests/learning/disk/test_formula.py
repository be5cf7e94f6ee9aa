import copy
import json

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import SVC, LinearSVC

from radiobone.core.errors import ConfigError, RadioboneWarning, TableError, UsageError
from radiobone.learning import (
    ComBat,
    CorrelationFilter,
    HierarchicalClassifier,
    LassoSelector,
    LinearFormula,
    SelectiveClassifierCV,
    linear_formula,
    node_formulas,
    osteoporosis_first,
    read_formula,
    write_formula,
)
from radiobone.learning.disk.formula import Corners, Sigmoid, Term
from radiobone.learning.disk.linear_form import FormulaError
from radiobone.learning.search import Alignment
from radiobone.learning.selection.blocks import BlockSelector
from radiobone.learning.selection.missing import MissingValues

# Coefficients of the rad-score of Xie et al., BMC Med Imaging 22:140 (2022). Its inputs were centred and scaled
# by constants that are not published: it serves as an example of form, not as a model.
XIE_2022 = {
    "wavelet-LLL_firstorder_10Percentile": -1.486,
    "wavelet-LLH_firstorder_InterquartileRange": -1.032,
    "original_firstorder_10Percentile": -0.428,
    "wavelet-LLL_firstorder_Median": -0.187,
    "wavelet-LLH_glrlm_ShortRunLowGrayLevelEmphasis": 0.123,
    "wavelet-LLH_firstorder_Skewness": 0.68,
}


def data(n: int = 90) -> tuple[pd.DataFrame, np.ndarray]:
    """Features in units from 1e-3 to 1e4, two of which follow the class."""
    rng = np.random.default_rng(4)
    y = rng.permutation(np.repeat(["normal", "osteoporosis"], [n // 2, n - n // 2]))
    values = rng.normal(size=(n, 8))
    values[y == "osteoporosis", :2] -= [1.5, 1.0]
    values = values * np.logspace(-3, 4, 8) + np.linspace(-2.0, 50.0, 8) * np.logspace(-3, 4, 8)
    return pd.DataFrame(values, columns=[f"trabecular__f{i}" for i in range(8)]), y


def fit(model=None, steps=None, **options):
    X, y = data()
    steps = [StandardScaler(), SelectKBest(k=4)] if steps is None else steps
    selection = Pipeline([(f"step{i}", step) for i, step in enumerate(steps)]) if steps else "passthrough"
    model = SVC(kernel="linear", C=0.3) if model is None else model
    return SelectiveClassifierCV(selection=selection, model=model, grid={}, cv=3, **options).fit(X, y), X, y


def check(classifier, formula, X):
    kept = X.to_numpy()
    for _, step in classifier.selection_.steps:
        kept = step.transform(pd.DataFrame(kept, columns=step.feature_names_in_))
    decision = classifier.model_.decision_function(kept)
    np.testing.assert_allclose(formula.score(X), decision, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(formula.probability(X), classifier.predict_proba(X)[:, 1], rtol=1e-10, atol=1e-12)
    called = np.where(formula.probability(X) > formula.threshold, formula.positive, formula.negative)
    assert called.tolist() == classifier.predict(X).tolist()


@pytest.mark.parametrize(
    "model",
    [
        SVC(kernel="linear", C=0.3),
        LogisticRegression(C=0.5),
        LinearDiscriminantAnalysis(),
        LinearSVC(),
        SGDClassifier(),
    ],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.parametrize("suffix", [".json", ".csv"])
def test_a_formula_that_was_read_back_gives_the_numbers_of_the_model(model, suffix, tmp_path):
    classifier, X, _ = fit(model)
    formula = linear_formula(classifier)
    write_formula(tmp_path / f"formula{suffix}", formula)
    back = read_formula(tmp_path / f"formula{suffix}")
    assert back == formula
    assert (back.positive, back.negative) == ("osteoporosis", "normal")
    check(classifier, back, X)
    check(classifier, back, X * 1.7 + 3.0)
    assert [term.feature for term in back.terms] == classifier.selected_features_.tolist()


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [StandardScaler(with_mean=False)],
        [StandardScaler(with_std=False)],
        [MinMaxScaler(feature_range=(-1, 3))],
        [RobustScaler()],
        [RobustScaler(with_centering=False)],
        [RobustScaler(with_scaling=False)],
        [MaxAbsScaler()],
        [StandardScaler(), CorrelationFilter(), LassoSelector()],
        [RobustScaler(), SelectKBest(k=4), MinMaxScaler(), StandardScaler()],
        [
            Pipeline([("one", StandardScaler()), ("two", SelectKBest(k=5))]),
            MinMaxScaler(),
        ],
    ],
    ids=str,
)
def test_every_scaler_is_folded_in(steps):
    model = LogisticRegression(solver="newton-cholesky")
    classifier, X, _ = fit(model, steps=steps)
    check(classifier, linear_formula(classifier), X)


@pytest.mark.parametrize(
    "options", [{"calibration": "isotonic"}, {"calibration": None}, {"operating_point": "youden"}]
)
def test_calibration_and_operating_point_are_those_of_the_model(options):
    model = LogisticRegression() if options.get("calibration", "") is None else None
    classifier, X, _ = fit(model, **options)
    formula = linear_formula(classifier)
    check(classifier, formula, X)
    assert formula.threshold == classifier.threshold_
    if formula.threshold_score is not None:
        above = formula.score(X) > formula.threshold_score
        assert above.tolist() == (formula.probability(X) > formula.threshold).tolist()


@pytest.mark.parametrize(
    "steps",
    [
        [MissingValues(strategy="median"), StandardScaler()],
        [StandardScaler(), MissingValues(strategy="mean"), SelectKBest(k=6)],
        [SimpleImputer(), StandardScaler()],
    ],
    ids=str,
)
def test_filled_values_are_part_of_the_formula(steps):
    X, y = data()
    rng = np.random.default_rng(0)
    gaps = X.mask(pd.DataFrame(rng.random(X.shape) < 0.1, columns=X.columns))
    selection = Pipeline([(f"step{i}", step) for i, step in enumerate(steps)])
    classifier = SelectiveClassifierCV(selection=selection, model=SVC(kernel="linear"), grid={}, cv=3).fit(gaps, y)
    formula = linear_formula(classifier)
    np.testing.assert_allclose(formula.probability(gaps), classifier.predict_proba(gaps)[:, 1], rtol=1e-10)
    assert all(term.fill is not None for term in formula.terms)
    assert "stands in" in formula.text()


def test_gaps_that_neighbours_fill_are_no_part_of_a_formula():
    X, y = data()
    selection = Pipeline([("gaps", MissingValues(strategy="knn")), ("scale", StandardScaler())])
    classifier = SelectiveClassifierCV(selection=selection, model=SVC(kernel="linear"), grid={}, cv=3).fit(X, y)
    formula = linear_formula(classifier)
    check(classifier, formula, X)
    with pytest.raises(TableError, match="missing or infinite"):
        formula.score(X.reindex([*X.index, 999]))


def test_blocks_of_columns_are_followed():
    by_block = {
        "one": ["trabecular__f0", "trabecular__f5"],
        "two": [f"trabecular__f{i}" for i in (7, 1, 2, 3, 4, 6)],
    }
    steps = {"one": StandardScaler(), "two": Pipeline([("scale", RobustScaler()), ("best", SelectKBest(k=3))])}
    classifier, X, _ = fit(steps=[MaxAbsScaler(), BlockSelector(blocks=by_block, selections=steps)])
    formula = linear_formula(classifier)
    check(classifier, formula, X)
    assert [term.feature for term in formula.terms][:2] == by_block["one"]
    assert len(formula.terms) == 5


def test_each_node_of_a_tree_has_its_formula():
    X, y = data(120)
    y = np.where((y == "normal") & (X["trabecular__f1"] < X["trabecular__f1"].median()), "osteopenia", y)
    linear = SelectiveClassifierCV(model=SVC(kernel="linear"), grid={"C": [0.1, 1.0]}, cv=3)
    model = HierarchicalClassifier(estimator=linear, nodes=osteoporosis_first(), cv=3).fit(X, y)
    formulas = node_formulas(model)
    assert list(formulas) == [node.name for node in model.tree_.nodes]
    first = formulas["osteoporosis_vs_rest"]
    assert (first.positive, first.negative) == ("osteoporosis", "osteopenia or normal")
    assert first.name == "osteoporosis_vs_rest"
    for number, formula in enumerate(formulas.values()):
        np.testing.assert_allclose(formula.probability(X), model.node_proba(X)[:, number], rtol=1e-10)


def test_a_model_that_is_not_linear_is_refused_by_name():
    for model, message in [
        (SVC(kernel="rbf"), r"not linear.*SVC\(kernel='rbf'\)"),
        (RandomForestClassifier(n_estimators=3), r"not linear.*RandomForestClassifier"),
    ]:
        with pytest.raises(FormulaError, match=message):
            linear_formula(fit(model)[0])


def test_a_node_that_is_not_linear_is_named():
    X, y = data()
    model = HierarchicalClassifier(estimator=SelectiveClassifierCV(model=SVC(), grid={}, cv=3)).fit(X, y)
    with pytest.raises(FormulaError, match=r"not linear.*where: normal_vs_rest|not linear.*where: normal"):
        node_formulas(model)
    with pytest.raises(FormulaError, match="the node has no formula"):
        node_formulas(HierarchicalClassifier(estimator=LogisticRegression()).fit(X.to_numpy() * 0.0 + 1.0, y))


@pytest.mark.parametrize("step", [PCA(3), MinMaxScaler(clip=True), ComBat()], ids=lambda step: type(step).__name__)
def test_steps_that_are_more_than_scaling_are_refused(step):
    with pytest.raises(FormulaError, match="where: step0"):
        linear_formula(fit(steps=[step, StandardScaler()])[0])


def test_a_classifier_that_predicts_the_prior_has_no_formula():
    X, _ = data()
    y = np.tile(["a", "b"], 45)
    with pytest.warns(RadioboneWarning, match="prior"):
        classifier = SelectiveClassifierCV(model=SVC(kernel="linear"), cv=3).fit(X * 0.0, y)
    with pytest.raises(FormulaError, match="training prior"):
        linear_formula(classifier)


def test_a_model_without_any_weight_has_no_formula():
    # The folds ranked the classes, and the model that was fitted on all rows took no column.
    classifier = copy.deepcopy(fit()[0])
    classifier.alignment_ = Alignment(0.5, 0.0)
    with pytest.raises(FormulaError, match="the same value"):
        linear_formula(classifier)


def test_the_rad_score_of_xie_2022_makes_the_round_trip(tmp_path):
    formula = LinearFormula(
        positive="osteoporosis",
        negative="osteopenia",
        intercept=2.755,
        terms=tuple(Term(feature=name, coefficient=value) for name, value in XIE_2022.items()),
        threshold=None,
    )
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(20, 7)), columns=["age", *XIE_2022], index=[f"p{i}" for i in range(20)])
    expected = 2.755 + sum(table[name] * value for name, value in XIE_2022.items())
    for suffix in (".json", ".csv"):
        write_formula(tmp_path / f"xie{suffix}", formula)
        back = read_formula(tmp_path / f"xie{suffix}")
        assert back == formula
        pd.testing.assert_series_equal(back.score(table), expected.rename("radscore"), rtol=1e-12)
    write_formula(tmp_path / "xie.txt", formula)
    text = (tmp_path / "xie.txt").read_text()
    assert text.splitlines()[:3] == [
        "radscore = 2.755",
        "    - 1.486 * wavelet-LLL_firstorder_10Percentile",
        "    - 1.032 * wavelet-LLH_firstorder_InterquartileRange",
    ]
    assert "    + 0.68 * wavelet-LLH_firstorder_Skewness" in text
    assert text.endswith("A higher radscore speaks for osteoporosis (against osteopenia).\n")
    with pytest.raises(UsageError, match="no calibration"):
        formula.probability(table)


def test_the_text_says_what_is_called_when():
    formula = LinearFormula(
        name="s",
        positive="fracture",
        negative="none",
        intercept=-1.0,
        terms=(Term(feature="age", coefficient=1 / 3, fill=60.5),),
        calibration=Sigmoid(slope=2.0, offset=-1.0),
        threshold=0.5,
    )
    assert formula.text().splitlines() == [
        "s = -1",
        "    + 0.333333 * age",
        "A higher s speaks for fracture (against none).",
        "P(fracture) = 1 / (1 + exp(-(2 * s - 1)))",
        "fracture is called where P > 0.5, that is s > 0.5.",
        "Where age is missing, 60.5 stands in.",
        "Rounded to 6 digits; the JSON and CSV forms hold them all.",
    ]
    steps = formula.model_copy(update={"calibration": Corners(scores=(0.0, 1.0), probabilities=(0.1, 0.8))})
    assert "P(fracture) runs straight between (s, P) = (0, 0.1), (1, 0.8)." in steps.text()
    assert "fracture is called where P > 0.5." in steps.text()


def test_tables_that_do_not_fit_are_refused_by_column():
    formula = LinearFormula(
        positive="p",
        negative="n",
        intercept=0.0,
        terms=tuple(Term(feature=name, coefficient=1.0) for name in "ab"),
    )
    table = pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, 3.0]})
    with pytest.raises(TableError, match=r"lacks 1 of 2 columns.*got: b"):
        formula.score(table[["a"]])
    with pytest.raises(TableError, match=r"missing or infinite.*where: b.*1 rows"):
        formula.score(table.assign(b=[1.0, np.nan]))
    with pytest.raises(TableError, match=r"no number.*where: a"):
        formula.score(table.assign(a=["x", "y"]))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("f.json", "{", "no formula"),
        ("f.json", "[1]", "not valid"),
        ("f.csv", "a,b\n1,2\n", "no formula"),
        ("f.csv", "part,name,value\nformat,,1\n", "no formula"),
        ("f.txt", "radscore = 1", "JSON or CSV"),
    ],
)
def test_files_that_are_no_formulas_are_refused(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=message):
        read_formula(tmp_path / name)
    with pytest.raises(ConfigError, match="file not found"):
        read_formula(tmp_path / "absent.json")
    with pytest.raises(UsageError, match="format is not known"):
        write_formula(tmp_path / "f.xlsx", None)


def test_what_is_written_by_hand_is_checked(tmp_path):
    formula = LinearFormula(positive="p", negative="n", intercept=0.0, terms=(Term(feature="a", coefficient=1.0),))
    for change, message in [
        ({"intercept": "NaN"}, "intercept"),
        ({"terms": [{"feature": "a", "coefficient": 1.0}] * 2}, "two coefficients"),
        ({"calibration": {"slope": -1.0, "offset": 0.0}}, "slope"),
        ({"calibration": {"scores": [1.0, 0.0], "probabilities": [0.1, 0.2]}}, "rise"),
        ({"intercpt": 1.0}, "did you mean 'intercept'"),
    ]:
        content = {**json.loads(formula.model_dump_json()), **change}
        (tmp_path / "f.json").write_text(json.dumps(content))
        with pytest.raises(ConfigError, match=message):
            read_formula(tmp_path / "f.json")

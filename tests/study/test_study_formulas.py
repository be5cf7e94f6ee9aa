import numpy as np
import pandas as pd
import pytest
from sklearn.svm import SVC

from radiobone.learning import HierarchicalClassifier, SelectiveClassifierCV, osteoporosis_first, read_formula
from radiobone.learning.disk.source import ColumnSource
from radiobone.study.formulas import final_formulas, nomograms, write_formulas


@pytest.fixture(scope="module")
def study():
    rng = np.random.default_rng(1)
    y = pd.Series(np.repeat(["normal", "osteopenia", "osteoporosis"], 25), index=[f"p{i:02d}" for i in range(75)])
    X = pd.DataFrame(rng.normal(size=(75, 5)), columns=[f"trabecular__f{i}" for i in range(5)], index=y.index)
    X["trabecular__f0"] += np.repeat([0.0, 2.0, 4.0], 25)
    linear, curved = (
        SelectiveClassifierCV(model=SVC(kernel=kernel), grid={}, cv=3) for kernel in ("linear", "rbf")
    )
    parts = {"osteoporosis_vs_rest": linear, "osteopenia_vs_normal": curved}
    model = HierarchicalClassifier(estimator=parts, nodes=osteoporosis_first(), cv=3).fit(X, y)
    return X, model, *final_formulas(model)


def test_linear_nodes_have_formulas_and_others_a_reason(study, tmp_path):
    X, model, formulas, reasons = study
    assert list(formulas) == ["osteoporosis_vs_rest"]
    assert reasons["osteopenia_vs_normal"].startswith("the model is not linear")
    written = write_formulas(formulas, tmp_path)
    assert [path.name for path in written] == [
        f"osteoporosis_vs_rest.{suffix}" for suffix in ("json", "csv", "txt")
    ]
    (other, *_) = write_formulas({"low / high": formulas["osteoporosis_vs_rest"]}, tmp_path)
    assert other.name == "low_high.json"
    formula = read_formula(written[0])
    assert (formula.positive, formula.negative) == ("osteoporosis", "osteopenia or normal")
    np.testing.assert_allclose(formula.probability(X), model.node_proba(X)[:, 0], rtol=1e-10)


def test_nomograms_are_drawn_of_linear_nodes(study):
    X, _, formulas, _ = study
    ((name, figure),) = nomograms(formulas, X)
    assert name == "nomogram_osteoporosis_vs_rest"
    assert figure.axes


def test_a_nomogram_names_columns_of_the_cohort_and_their_levels(study):
    X, _, formulas, _ = study
    formula = formulas["osteoporosis_vs_rest"]
    terms = [
        formula.terms[0].model_copy(update={"feature": name, "coefficient": value})
        for name, value in (("clinical__age", 0.1), ("clinical__sex=m", -1.0), ("clinical__race=b", 2.0))
    ]
    codes = [
        ColumnSource(group="clinical", column="age", kind="number"),
        ColumnSource(group="clinical", column="sex", kind="category", categories=["f", "m"]),
        ColumnSource(group="clinical", column="race", kind="category", categories=["a", "b", "c"]),
    ]
    rows = np.column_stack([np.linspace(50, 90, len(X)), np.arange(len(X)) % 2, np.arange(len(X)) % 3 == 0])
    table = pd.DataFrame(rows.astype(float), columns=[term.feature for term in terms])
    short = formula.model_copy(update={"terms": tuple(terms)})
    ((_, figure),) = nomograms({"node": short}, table, codes)
    words = [text.get_text() for text in figure.axes[0].texts]
    assert {"age", "sex", "f", "m", "race: b", "no", "yes"} <= set(words)
    assert not any("clinical" in word for word in words)
    assert words.count("0.5") <= 1, "but for the probability"

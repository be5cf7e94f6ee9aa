import numpy as np
import pandas as pd
import pytest
from sklearn.svm import SVC

from radiobone.learning import HierarchicalClassifier, SelectiveClassifierCV, osteoporosis_first, read_formula
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
    formula = read_formula(written[0])
    assert (formula.positive, formula.negative) == ("osteoporosis", "osteopenia or normal")
    np.testing.assert_allclose(formula.probability(X), model.node_proba(X)[:, 0], rtol=1e-10)


def test_nomograms_are_drawn_of_linear_nodes(study):
    X, _, formulas, _ = study
    ((name, figure),) = nomograms(formulas, X)
    assert name == "nomogram_osteoporosis_vs_rest"
    assert figure.axes

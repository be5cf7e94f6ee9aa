from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.svm import SVC

from radiobone.learning import (
    FlatClassifier,
    HierarchicalClassifier,
    SelectiveClassifierCV,
    osteoporosis_first,
    read_formula,
)
from radiobone.study.formulas import write_formulas, write_nomograms


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
    return SimpleNamespace(X=X, y=y), model


def test_linear_nodes_have_formulas_and_others_a_reason(study, tmp_path):
    dataset, model = study
    written = write_formulas(model, tmp_path)
    assert [path.name for path in written] == [
        "osteoporosis_vs_rest.json",
        "osteoporosis_vs_rest.csv",
        "osteoporosis_vs_rest.txt",
        "osteopenia_vs_normal.txt",
    ]
    formula = read_formula(tmp_path / "osteoporosis_vs_rest.csv")
    np.testing.assert_allclose(formula.probability(dataset.X), model.node_proba(dataset.X)[:, 0], rtol=1e-10)
    assert written[-1].read_text().startswith("No formula: the model is not linear")
    assert write_formulas(FlatClassifier(), tmp_path / "flat") == []


def test_nomograms_are_drawn_of_linear_nodes(study, tmp_path):
    dataset, model = study
    written = write_nomograms(model, dataset, tmp_path)
    assert [path.name for path in written] == [
        "nomogram_osteoporosis_vs_rest.png",
        "nomogram_osteoporosis_vs_rest.pdf",
    ]
    assert all(path.stat().st_size > 1000 for path in written)
    assert write_nomograms(FlatClassifier(), dataset, tmp_path) == []

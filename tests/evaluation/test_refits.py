import numpy as np
import pandas as pd
import pytest
from sklearn.naive_bayes import GaussianNB

from radiobone.core.errors import UsageError
from radiobone.evaluation import FixedSplit, KFolds, LeaveOneCentreOut, NestedCV
from radiobone.evaluation.compare import Target
from radiobone.evaluation.refits import Refits
from radiobone.learning import DataError, Node, osteoporosis_first

NODE = Node("sick_vs_well", ("sick",), ("well",))
AUC = Target(NODE.name, "auc")


def table(n=60, effect=1.5, rows=1):
    codes = np.repeat(np.arange(n) % 2, rows)
    X = np.random.default_rng(0).normal(size=(n * rows, 3)) + effect * codes[:, None]
    patients = np.repeat([f"p{i:02d}" for i in range(n)], rows)
    ids = pd.DataFrame({"patient_id": patients, "level": np.tile(np.arange(rows), n)})
    return X, np.array(["well", "sick"])[codes], patients, ids


def refits(plan=None, effect=1.5, rows=1, order=None, **options):
    X, y, patients, ids = table(effect=effect, rows=rows)
    order = np.arange(len(y)) if order is None else order
    validation = NestedCV(GaussianNB(), plan or KFolds(3), nodes=[NODE])
    return Refits(validation, AUC, X[order], y[order], patients[order], ids.iloc[order], **options)


def test_labels_that_mean_something_have_a_small_p_value():
    found = refits().permutation(19, seed=1)
    assert found.p_value == 0.05
    assert found.score > 0.9 > max(found.permuted)
    assert np.mean(found.permuted) == pytest.approx(0.5, abs=0.1)
    X, y, patients, ids = table()
    values = NestedCV(GaussianNB(), KFolds(3), nodes=[NODE]).run(X, y, groups=patients, ids=ids).values[AUC.key]
    assert found.score == pytest.approx(np.mean(values))


def test_labels_move_from_patient_to_patient_whatever_the_order_of_rows():
    whole = refits(rows=2, effect=0.5).permutation(4)
    order = np.random.default_rng(0).permutation(120)
    again = refits(rows=2, effect=0.5, order=order).permutation(4)
    assert (again.score, again.permuted.tolist()) == (whole.score, whole.permuted.tolist())


def test_more_patients_give_a_steadier_figure():
    found = refits(effect=0.7).learning_curve([0.05, 0.4, 1.0], repeats=2)
    assert found.n_patients.tolist() == [3, 24, 60]
    assert found.n_undefined.tolist() == [2, 0, 0], "three patients are too few for three folds"
    assert found.scores[0][2] == found.scores[1][2]


def test_a_sample_that_lacks_a_class_of_the_tree_is_counted():
    y = np.repeat(["osteoporosis", "osteopenia", "normal"], [12, 12, 3])
    X = np.random.default_rng(0).normal(size=(27, 2))
    validation = NestedCV(GaussianNB(), KFolds(2), nodes=osteoporosis_first())
    found = Refits(validation, Target("osteoporosis_vs_rest", "auc"), X, y, np.arange(27))
    assert found.learning_curve([0.15, 1.0], repeats=2).n_undefined.tolist() == [2, 0]


def test_labels_that_leave_training_without_a_class_count_as_a_good_figure():
    centre = pd.DataFrame({"centre": np.repeat(["A", "B"], 30)})
    X, _, patients, ids = table()
    y = np.where(np.isin(np.arange(60), [0, 40]), "sick", "well")
    validation = NestedCV(GaussianNB(), LeaveOneCentreOut("centre"), nodes=[NODE])
    found = Refits(validation, AUC, X, y, patients, ids, centre).permutation(20)
    assert np.isfinite(found.score)
    assert 0 < found.n_undefined < 20
    assert found.p_value >= (1 + found.n_undefined) / 21


def test_what_the_study_itself_cannot_give_is_refused():
    X, y, patients, ids = table()
    one = Refits(NestedCV(GaussianNB(), KFolds(40), nodes=[NODE]), AUC, X, y, patients, ids)
    with pytest.raises(DataError, match="fewer patients than there are outer folds"):
        one.permutation(2)
    other = Refits(NestedCV(GaussianNB(), KFolds(3)), AUC, X, y, patients, ids)
    with pytest.raises(UsageError, match=r"no node.*sick_vs_well"):
        other.learning_curve([1.0], repeats=1)


def test_finished_folds_are_kept(tmp_path):
    first = refits(keep=tmp_path).permutation(3)
    kept = len(list(tmp_path.rglob("*.json")))
    assert kept == 12
    assert refits(keep=tmp_path).permutation(3).permuted.tolist() == first.permuted.tolist()
    assert len(list(tmp_path.rglob("*.json"))) == kept


def test_a_fixed_test_set_is_scored_by_itself():
    attributes = pd.DataFrame({"split": np.repeat(["train", "test", "new"], 20)})
    plan = FixedSplit("split", tests=["test", "new"])
    X, y, patients, ids = table()
    validation = NestedCV(GaussianNB(), plan, nodes=[NODE])
    found = Refits(validation, AUC, X, y, patients, ids, attributes).permutation(3)
    nested = validation.run(X, y, groups=patients, ids=ids, attributes=attributes)
    assert found.score == nested.values[AUC.key][0]

"""The stability step: whose repeats it looks at, what it keeps, and that it lets go of them."""

import pickle

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from radiobone.learning import (
    DataError,
    HierarchicalClassifier,
    Node,
    Repeats,
    SelectiveClassifierCV,
    StabilityFilter,
)
from radiobone.learning.disk.persistence import load_model, save_model
from radiobone.learning.routing import fit_with_groups
from radiobone.learning.selection.icc import intraclass_correlation
from radiobone.learning.selection.stability import stability_filters, without_repeats

PATIENTS = [f"p{number:02d}" for number in range(30)]
NOISE = {"calm": 0.1, "fair": 0.5, "wild": 3.0}


def measured(n_patients: int = 12, n_repeats: int = 2, seed: int = 0) -> Repeats:
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(n_patients, 1, 3))
    values = truth + rng.normal(size=(n_patients, n_repeats, 3)) * np.array(list(NOISE.values()))
    return Repeats(
        pd.DataFrame(values.reshape(-1, 3), columns=list(NOISE)),
        np.repeat(PATIENTS[:n_patients], n_repeats),
        np.tile([f"reader {number}" for number in range(n_repeats)], n_patients),
    )


def table(n_rows: int = 30) -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(9).normal(size=(n_rows, 3)), columns=["wild", "calm", "fair"])


def test_columns_are_matched_by_name_and_judged_by_the_estimate():
    fitted = StabilityFilter(repeats=measured(), threshold=0.9).fit(table(), groups=PATIENTS)
    assert fitted.get_feature_names_out().tolist() == ["calm"]
    _, cube = measured().cube(["wild", "calm", "fair"])
    assert fitted.icc_ == pytest.approx(intraclass_correlation(cube).estimate)
    assert fitted.patients_ == 12
    assert fitted.notes_ == []


def test_the_lower_bound_is_the_stricter_judge():
    estimate = StabilityFilter(repeats=measured(), threshold=0.5).fit(table(), groups=PATIENTS)
    lower = StabilityFilter(repeats=measured(), threshold=0.5, on="lower").fit(table(), groups=PATIENTS)
    assert estimate.get_feature_names_out().tolist() == ["calm", "fair"]
    assert lower.get_feature_names_out().tolist() == ["calm"]


def test_only_training_patients_are_looked_at():
    repeats = measured(20)
    groups = np.array(PATIENTS[8:])
    fitted = StabilityFilter(repeats=repeats).fit(table(22), groups=groups)
    assert fitted.patients_ == 12
    # Whatever stands in the rows of test patients changes nothing.
    poisoned = repeats.values.copy()
    poisoned[np.isin(repeats.patients, PATIENTS[:8])] = [np.nan, 1e6, -1e6]
    other = Repeats(poisoned, repeats.patients, repeats.repeats)
    again = StabilityFilter(repeats=other).fit(table(22), groups=groups)
    assert again.icc_.tobytes() == fitted.icc_.tobytes()
    # And those of training patients do count.
    poisoned[np.isin(repeats.patients, PATIENTS[8:12])] = 5.0
    changed = StabilityFilter(repeats=Repeats(poisoned, repeats.patients, repeats.repeats))
    assert changed.fit(table(22), groups=groups).icc_.tobytes() != fitted.icc_.tobytes()


def test_a_patient_with_several_rows_counts_once():
    twice = StabilityFilter(repeats=measured()).fit(table(24), groups=np.repeat(PATIENTS[:12], 2))
    once = StabilityFilter(repeats=measured()).fit(table(12), groups=PATIENTS[:12])
    assert twice.icc_.tolist() == once.icc_.tolist()


def test_a_separate_sample_holds_no_training_patient():
    with pytest.raises(DataError, match=r"12 patients of the separate sample.*p00"):
        StabilityFilter(repeats=measured(), sample="separate").fit(table(), groups=PATIENTS)
    strangers = [f"s{number}" for number in range(30)]
    fitted = StabilityFilter(repeats=measured(), sample="separate").fit(table(), groups=strangers)
    assert fitted.patients_ == 12
    with pytest.raises(DataError, match=r"too few patients.*got: 0 of 12"):
        StabilityFilter(repeats=measured()).fit(table(), groups=strangers)


def test_groups_are_asked_for():
    with pytest.raises(DataError, match=r"needs the patient of each row.*pass groups"):
        StabilityFilter(repeats=measured()).fit(table())


def test_numbers_as_patients_are_compared_as_text():
    repeats = measured()
    numbered = Repeats(repeats.values, [int(name[1:]) for name in repeats.patients], repeats.repeats)
    assert StabilityFilter(repeats=numbered).fit(table(), groups=np.arange(30)).patients_ == 12


def numbered_in(spelling) -> Repeats:
    repeats = measured()
    return Repeats(repeats.values, [spelling(int(name[1:])) for name in repeats.patients], repeats.repeats)


@pytest.mark.parametrize("here", [int, float, str, np.float32], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("there", [int, float, str], ids=lambda kind: kind.__name__)
def test_whole_numbers_are_one_patient_however_they_are_held(here, there):
    # A column of integers becomes one of floats as soon as a cell of it was empty.
    groups = [here(number) for number in range(30)]
    assert StabilityFilter(repeats=numbered_in(there)).fit(table(), groups=groups).patients_ == 12
    with pytest.raises(DataError, match="12 patients of the separate sample"):
        StabilityFilter(repeats=numbered_in(there), sample="separate").fit(table(), groups=groups)


@pytest.mark.parametrize("sample", ["training", "separate"])
def test_patients_that_are_written_in_two_ways_are_refused(sample):
    step = StabilityFilter(repeats=numbered_in("{:02d}".format), sample=sample)
    # Ten and eleven are the same text: without an error these two would pass for all that were measured again.
    with pytest.raises(DataError, match=r"written in one way.*got: 0 and 00, 1 and 01, .* and 5 more"):
        step.fit(table(), groups=np.arange(30))
    with pytest.raises(DataError, match=r"written in one way.*got: 0\.0 and 00"):
        step.fit(table(), groups=[f"{number}.0" for number in range(30)])
    assert (
        StabilityFilter(repeats=numbered_in("{:02d}".format))
        .fit(table(), groups=[f"{number:02d}" for number in range(30)])
        .patients_
        == 12
    )
    strangers = [f"{number:02d}x" for number in range(30)]
    assert StabilityFilter(repeats=numbered_in(str), sample="separate").fit(table(), groups=strangers).patients_


def test_too_few_patients_is_an_error_and_a_column_with_too_few_is_dropped():
    with pytest.raises(DataError, match=r"too few patients.*got: 4 of 4.*at least 5"):
        StabilityFilter(repeats=measured(4)).fit(table(), groups=PATIENTS)
    repeats = measured()
    gaps = repeats.values.copy()
    gaps.loc[repeats.repeats == "reader 1", "calm"] = [*range(4), *[np.nan] * 8]
    gaps.loc[0, "fair"] = np.nan
    gaps["wild"] = 7.0
    holed = Repeats(gaps, repeats.patients, repeats.repeats)
    fitted = StabilityFilter(repeats=holed, threshold=-1).fit(table(), groups=PATIENTS)
    assert fitted.get_feature_names_out().tolist() == ["fair"]
    assert fitted.n_subjects_.tolist() == [12, 4, 11]
    assert fitted.notes_ == [
        "1 columns dropped: fewer than 5 patients have every repeat of them",
        "1 columns dropped: one value throughout the repeated measurements",
        "1 columns judged without the patients who lack a repeat of them",
    ]


def test_missing_and_ambiguous_columns_are_told():
    with pytest.raises(DataError, match=r"1 of 4 columns have no repeated.*got: age"):
        StabilityFilter(repeats=measured()).fit(table().assign(age=1.0), groups=PATIENTS)
    with pytest.raises(DataError, match="another number of columns"):
        StabilityFilter(repeats=measured()).fit(np.ones((30, 4)), groups=PATIENTS)
    doubled = table().set_axis(["calm", "calm", "wild"], axis=1)
    with pytest.raises(DataError, match=r"same name.*calm"):
        StabilityFilter(repeats=measured()).fit(doubled, groups=PATIENTS)


def test_an_array_takes_the_columns_as_they_stand():
    named = StabilityFilter(repeats=measured()).fit(table()[list(NOISE)], groups=PATIENTS)
    plain = StabilityFilter(repeats=measured()).fit(table().to_numpy(), groups=PATIENTS)
    assert plain.icc_.tolist() == named.icc_.tolist()


def test_missing_values_of_x_play_no_part():
    X = table()
    X.iloc[3, 1] = np.nan
    kept = StabilityFilter(repeats=measured()).fit(X, groups=PATIENTS).transform(X)
    assert np.isnan(kept).sum() == 1


def test_without_repeats_every_column_is_kept_and_said_so():
    fitted = StabilityFilter().fit(table(), groups=PATIENTS)
    assert fitted.get_support().all()
    assert fitted.notes_ == ["no repeated measurements were given; every column is kept"]


def test_clones_share_the_repeats_and_print_none_of_them():
    repeats = measured()
    pipeline = Pipeline([("stability", StabilityFilter(repeats=repeats)), ("scale", StandardScaler())])
    assert clone(clone(pipeline)).named_steps["stability"].repeats is repeats
    assert "<Repeats of 12 patients x 2 repeats x 3 columns>" in repr(StabilityFilter(repeats=repeats))
    assert str(repeats.values.iloc[0, 0])[:6] not in repr(repeats)
    # Workers of a parallel search get them whole.
    assert pickle.loads(pickle.dumps(repeats)).values.equals(repeats.values)


def test_a_saved_filter_holds_no_measurements_and_works():
    X = table()
    fitted = StabilityFilter(repeats=measured()).fit(X, groups=PATIENTS)
    before = fitted.transform(X)
    stored = skops.io.dumps(fitted.forget_repeats())
    assert skops.io.get_untrusted_types(data=stored) == ["radiobone.learning.selection.stability.StabilityFilter"]
    loaded = skops.io.loads(stored, trusted=["radiobone.learning.selection.stability.StabilityFilter"])
    assert loaded.transform(X).tolist() == before.tolist()
    with pytest.raises(DataError, match="comes from a saved model"):
        clone(loaded).fit(X, groups=PATIENTS)
    assert StabilityFilter().forget_repeats().repeats is None


def test_a_whole_model_forgets_what_its_parts_and_their_templates_hold(tmp_path):
    rng = np.random.default_rng(1)
    X, y = table(), rng.integers(0, 3, 30).astype(str)
    X["calm"] += y.astype(int) * 2
    selection = Pipeline([("stability", StabilityFilter(repeats=measured(30))), ("scale", StandardScaler())])
    node = SelectiveClassifierCV(selection=selection, model=LogisticRegression(), cv=2)
    model = HierarchicalClassifier(
        estimator=node, nodes=[Node("a", ("0",), ("1", "2")), Node("b", ("1",), ("2",))]
    )
    model.fit(X, y, groups=np.array(PATIENTS))
    bare = without_repeats(model)
    assert {part.repeats for part in stability_filters(bare)} == {"forgotten"}
    assert len(stability_filters(bare)) == 5  # the template; each node has its own, and a fitted one
    assert bare.predict_proba(X).tolist() == model.predict_proba(X).tolist()
    save_model(tmp_path, model, X, y, label={}, source=None)
    assert load_model(tmp_path).estimator.predict_proba(X).tolist() == model.predict_proba(X).tolist()
    held = skops.io.get_untrusted_types(data=skops.io.dumps(bare))
    assert not [name for name in held if "repeats" in name or "pandas" in name]
    # The model itself goes on learning.
    assert all(isinstance(part.repeats, Repeats) for part in stability_filters(model))
    model.fit(X, y, groups=np.array(PATIENTS))


def test_groups_reach_the_step_inside_a_pipeline():
    step = fit_with_groups(StabilityFilter(repeats=measured()), table(), None, np.array(PATIENTS))
    assert step.patients_ == 12


def test_repeats_refuse_what_cannot_be_compared():
    values = pd.DataFrame({"f": [1.0, 2.0]})
    with pytest.raises(DataError, match="different lengths"):
        Repeats(values, ["a"], ["1", "2"])
    with pytest.raises(DataError, match=r"several rows of one repeat.*a \+ 1"):
        Repeats(values, ["a", "a"], ["1", "1"])
    with pytest.raises(DataError, match=r"without a patient.*got: 1 rows"):
        Repeats(values, ["a", None], ["1", "2"])
    with pytest.raises(DataError, match=r"without a repeat.*got: 1 rows"):
        Repeats(values, ["a", "a"], [1.0, np.nan])
    with pytest.raises(DataError, match=r"two repeats.*got: 1"):
        Repeats(values, ["a", "b"], ["1", "1"])
    with pytest.raises(DataError, match=r"same name.*f"):
        Repeats(pd.DataFrame([[1.0, 2], [3, 4]], columns=["f", "f"]), ["a", "a"], ["1", "2"])
    with pytest.raises(DataError, match="patient and repeat"):
        Repeats.of(values)


def test_repeats_come_from_a_table_whose_index_says_whose_they_are():
    index = pd.MultiIndex.from_product([["b", "a"], ["2", "1"]], names=["patient_id", "repeat"])
    repeats = Repeats.of(pd.DataFrame({"f": [1.0, 2, 3, 4], "g": [5.0, 6, 7, 8]}, index=index))
    subjects, cube = repeats.cube(["g", "f"])
    assert subjects == ["a", "b"]
    assert cube.tolist() == [[[8, 4], [7, 3]], [[6, 2], [5, 1]]]

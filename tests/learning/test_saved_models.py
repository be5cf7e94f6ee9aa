"""Every kind of model and step that a study can name, on disk and back."""

import copy
import io
import json
import shutil
import zipfile

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, RadiusNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, OneClassSVM
from sklearn.tree import DecisionTreeClassifier

from radiobone.core.errors import ModelError
from radiobone.core.hashing import sha256_file
from radiobone.learning import (
    BlockSelector,
    ComBat,
    HierarchicalClassifier,
    LateFusionClassifier,
    MissingValues,
    Repeats,
    SelectiveClassifierCV,
    StabilityFilter,
    osteoporosis_first,
)
from radiobone.learning.disk.persistence import MANIFEST, MODEL, TRUSTED_TYPES, load_model, save_model
from radiobone.learning.disk.tree_audit import audit_file, audit_owners
from radiobone.learning.protocol.models import ModelChoice

SMALL = {
    "random_forest": {"trees": 4},
    "extra_trees": {"trees": 4},
    "adaboost": {"trees": [4]},
    "gradient_boosting": {"trees": [4]},
    "mlp": {"hidden": [[4]]},
    "lightgbm": {"trees": [4]},
    "stacking": {"of": [{"naive_bayes": None}, {"decision_tree": {"max_depth": [2]}}], "folds": 2},
}


def table(n=90, seed=0):
    rng = np.random.default_rng(seed)
    y = np.repeat(["osteoporosis", "osteopenia", "normal"], n // 3)
    X = pd.DataFrame(rng.normal(size=(n, 6)), columns=list("abcdef"), index=[f"p{i:02d}" for i in range(n)])
    X["a"] += np.repeat([0.0, 2.0, 4.0], n // 3)
    X["d"] -= np.repeat([0.0, 2.0, 4.0], n // 3)
    return X, y


def node(model=None, **settings):
    given = {"selection": StandardScaler(), "model": GaussianNB() if model is None else model, "cv": 3}
    return SelectiveClassifierCV(**{**given, **settings})


def round_trip(folder, estimator, X, y, **settings):
    model = HierarchicalClassifier(estimator=estimator, nodes=osteoporosis_first(), **settings).fit(X, y)
    save_model(folder, model, X, y, label={"source": "bmd"}, source=None)
    saved = load_model(folder)
    assert skops.io.get_untrusted_types(file=folder / MODEL)  # none of these files is trusted without the list
    shuffled = X[X.columns[::-1]]
    table = saved.predict(shuffled, source=None, where="t")
    np.testing.assert_array_equal(table.filter(like="p_class_"), model.predict_proba(X))
    assert table["decision"].tolist() == model.predict(X).tolist()
    return model, saved


# The quick suite tries one of each kind of file: plain numbers, boosted trees, scikit-learn's trees.
QUICK = ("svm", "lightgbm", "random_forest")


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in ModelChoice.model_fields],
)
def test_every_model_comes_back_the_same(name, tmp_path):
    X, y = table()
    chosen = ModelChoice.model_validate({name: SMALL.get(name)}).chosen
    grid = {key: values[:1] for key, values in chosen.grid()[0].items()}
    round_trip(tmp_path / "m", node(chosen.build(0), grid=grid), X, y)


def test_thresholds_come_back_and_move_routed_decisions(tmp_path):
    X, y = table()
    pointed = node(operating_point=("sensitivity", 0.95), calibration="isotonic")
    model, saved = round_trip(tmp_path / "m", pointed, X, y, decision="routed")
    assert [record.threshold for record in saved.manifest.nodes] == model.thresholds_.tolist()
    assert saved.estimator.thresholds_.tolist() == model.thresholds_.tolist()
    assert model.thresholds_[0] != 0.5
    assert any("operating point" in note for note in saved.manifest.nodes[0].notes)
    content = json.loads((tmp_path / "m" / MANIFEST).read_text())
    content["nodes"][0]["threshold"] = 0.5
    (tmp_path / "m" / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(ModelError, match="does not fit"):
        load_model(tmp_path / "m")


def test_blocks_and_late_fusion_come_back(tmp_path):
    X, y = table()
    blocks = BlockSelector(blocks={"one": ["a", "b", "c"], "two": "[def]"}, selections=StandardScaler())
    parts = {"blocks": (None, node(selection=blocks)), "rest": (["d", "e"], node(LogisticRegression()))}
    round_trip(tmp_path / "m", LateFusionClassifier(parts=parts, method="stacked", cv=2), X, y)


def test_columns_of_text_come_back_and_new_values_are_told(tmp_path):
    X, y = table()
    X.insert(3, "centre", np.where(np.arange(90) % 2, "north", "south"))
    steps = Pipeline([("combat", ComBat(batch_column="centre", unseen="identity")), ("scale", StandardScaler())])
    _, saved = round_trip(tmp_path / "m", node(selection=steps), X, y)
    assert saved.manifest.text == {"centre": ["north", "south"]}
    elsewhere = X.iloc[:2].assign(centre=["east", "north"])
    told = saved.predict(elsewhere, source=None, where="t")
    assert told["out_of_range"].tolist() == ["centre", ""]
    with pytest.raises(ModelError, match="missing"):
        saved.predict(X.iloc[:2].assign(centre=[None, "north"]), source=None, where="t")


def test_models_that_fill_gaps_take_them_after_loading(tmp_path):
    X, y = table()
    X.iloc[::7, 1] = np.nan
    steps = Pipeline([("fill", MissingValues()), ("scale", StandardScaler())])
    _, saved = round_trip(tmp_path / "m", node(selection=steps), X, y)
    assert saved.manifest.gaps
    with pytest.raises(ModelError, match="infinite"):
        saved.predict(X.assign(a=np.inf), source=None, where="t")
    parts = {"one": (["a", "b"], node(selection=steps)), "two": (["d", "b"], node(selection=steps))}
    _, fused = round_trip(tmp_path / "f", LateFusionClassifier(parts=parts), X, y)
    assert fused.manifest.gaps
    full, _ = table()
    _, strict = round_trip(tmp_path / "n", node(), full, y)
    assert not strict.manifest.gaps
    with pytest.raises(ModelError, match="missing or infinite"):
        strict.predict(X, source=None, where="t")


def test_no_saved_model_holds_repeated_measurements(tmp_path):
    X, y = table()
    again = pd.concat([X, X + 0.01]).set_axis([f"r{row}" for row in range(180)])
    secret = 123.456
    again.iloc[0, 0] = secret
    repeats = Repeats(again, np.tile(np.arange(90), 2).astype(str), np.repeat(["1", "2"], 90))
    blocks = BlockSelector(
        blocks={"one": ["a", "b", "c"], "two": "[def]"},
        selections={"one": StabilityFilter(repeats=repeats, sample="separate"), "two": "passthrough"},
    )
    fused = LateFusionClassifier(parts={"all": (None, node(selection=blocks))})
    model, _ = round_trip(tmp_path / "m", fused, X, y)
    content = zipfile.ZipFile(tmp_path / "m" / MODEL)
    assert not any(np.float64(secret).tobytes() in content.read(name) for name in content.namelist())
    assert model.estimator.parts["all"][1].selection.selections["one"].repeats is repeats


def spoil(path, change):
    """Change the nodes of the first tree in a file, and leave all else as it is."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(files["schema.json"])
    trees = []

    def look(part):
        if isinstance(part, dict):
            if part.get("__loader__") == "TreeNode":
                trees.append(part)
            for value in part.values():
                look(value)
        elif isinstance(part, list):
            for value in part:
                look(value)

    look(schema)
    name = trees[0]["content"]["content"]["nodes"]["file"]
    nodes = np.load(io.BytesIO(files[name]))
    change(nodes, trees[0])
    buffer = io.BytesIO()
    np.save(buffer, nodes)
    files[name] = buffer.getvalue()
    files["schema.json"] = json.dumps(schema).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def child_outside(nodes, tree):
    nodes["left_child"][0] = 10_000


def child_in_a_circle(nodes, tree):
    nodes["right_child"][0] = 0


def column_outside(nodes, tree):
    nodes["feature"][0] = 6


def more_nodes_than_there_are(nodes, tree):
    tree["content"]["content"]["node_count"]["content"] = "1000"


def two_things_of_one_name(nodes, tree):
    parts = tree["content"]["content"]
    parts["values"]["__id__"] = parts["nodes"]["__id__"]


def more_outputs_than_classes(nodes, tree):
    tree["__reduce__"]["args"]["content"][2] |= {"content": "100000000", "__id__": -2}


def more_columns_than_given(nodes, tree):
    tree["__reduce__"]["args"]["content"][0]["content"] = "99"
    tree["__reduce__"]["args"]["content"][0]["__id__"] = -1
    nodes["feature"][0] = 90


FORESTS = ("random_forest", "extra_trees", "gradient_boosting", "adaboost")
SPOILT = [
    child_outside,
    child_in_a_circle,
    column_outside,
    more_nodes_than_there_are,
    two_things_of_one_name,
    more_columns_than_given,
    more_outputs_than_classes,
]


@pytest.fixture(
    scope="module", params=["decision_tree", *(pytest.param(name, marks=pytest.mark.slow) for name in FORESTS)]
)
def of_trees(request, tmp_path_factory):
    X, y = table(60)
    chosen = ModelChoice.model_validate({request.param: SMALL.get(request.param)}).chosen
    grid = {key: values[-1:] for key, values in chosen.grid()[0].items()}
    part = node(chosen.build(0), grid=grid, calibration=None, cv=2)
    model = HierarchicalClassifier(estimator=part).fit(X, y)
    folder = tmp_path_factory.mktemp("trees")
    save_model(folder, model, X, y, label={}, source=None)
    load_model(folder)
    return folder


@pytest.mark.parametrize("change", SPOILT)
def test_trees_that_were_put_together_by_hand_are_refused(of_trees, change, tmp_path):
    for name in (MODEL, MANIFEST):
        shutil.copy(of_trees / name, tmp_path)
    spoil(tmp_path / MODEL, change)
    content = json.loads((tmp_path / MANIFEST).read_text())
    content["model_sha256"] = sha256_file(tmp_path / MODEL)
    (tmp_path / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(ModelError, match="damaged"):
        load_model(tmp_path)


def test_sound_trees_pass_the_audit(tmp_path):
    X, y = table(60)
    tree = DecisionTreeClassifier(max_leaf_nodes=5, random_state=0).fit(X, y)
    skops.io.dump(tree, tmp_path / "tree.skops")
    audit_file(tmp_path / "tree.skops")
    audit_owners(skops.io.load(tmp_path / "tree.skops", trusted=list(TRUSTED_TYPES)))
    tree.n_features_in_ = 3
    with pytest.raises(ValueError, match="other columns"):
        audit_owners({"model": [tree]})


def spoilt(model, **arrays):
    changed = copy.deepcopy(model)
    for name, array in arrays.items():
        setattr(changed, name, array)
    return changed


def test_a_machine_whose_arrays_reach_beyond_their_ends_is_refused():
    X, y = table(60)
    machine = SVC().fit(X, y)
    audit_owners([machine, SVC(), SVC(kernel="linear").fit(X, y), OneClassSVM().fit(X)])
    audit_owners(SVR().fit(X, np.arange(60.0)))
    vectors, n = machine.support_vectors_, len(machine.support_vectors_)
    for spoil_ in (
        {"_dual_coef_": np.zeros((1, 0))},
        {"_n_support": np.array([n + 10**7, -(10**7)], dtype=np.int32)},
        {"_n_support": np.ones(n, dtype=np.int32)},
        {"_intercept_": np.zeros(0)},
        {"_probA": np.zeros(2)},
        {"support_vectors_": vectors[:1], "_n_support": np.array([1, 0], dtype=np.int32)},
        {"support_vectors_": vectors[:, :1]},
        {"support_": machine.support_[:1]},
        {"kernel": "precomputed"},
    ):
        with pytest.raises(ValueError, match="arrays of SVC do not fit"):
            audit_owners({"model": spoilt(machine, **spoil_)})


def test_neighbours_whose_arrays_reach_beyond_their_ends_are_refused():
    X, y = table(60)
    near = KNeighborsClassifier(algorithm="brute").fit(X.to_numpy(), y)
    audit_owners([near, KNeighborsClassifier()])
    for spoil_ in (
        {"_y": near._y + 5},
        {"_y": near._y[:3]},
        {"_fit_X": near._fit_X[:, :1]},
        {"n_samples_fit_": 10**6},
        {"_fit_method": "kd_tree"},
    ):
        with pytest.raises(ValueError, match="arrays of KNeighborsClassifier do not fit"):
            audit_owners([spoilt(near, **spoil_)])
    with pytest.raises(ValueError, match="arrays of RadiusNeighborsClassifier"):
        audit_owners([RadiusNeighborsClassifier().fit(X, y)])


def test_boosted_trees_that_would_be_added_beyond_their_sums_are_refused():
    X, y = table(60)
    two = GradientBoostingClassifier(n_estimators=2).fit(X, y == "normal")
    audit_owners([two, GradientBoostingClassifier()])
    for spoil_ in (
        {"estimators_": np.hstack([two.estimators_, two.estimators_])},
        {"n_trees_per_iteration_": 0},
        {"estimators_": two.estimators_.tolist()},
    ):
        with pytest.raises(ValueError, match="arrays of GradientBoostingClassifier do not fit"):
            audit_owners([spoilt(two, **spoil_)])
    for other in (
        GradientBoostingClassifier(n_estimators=1).fit(X, y),
        GradientBoostingRegressor().fit(X, y == "normal"),
    ):
        with pytest.raises(ValueError, match="arrays of GradientBoosting"):
            audit_owners([other])


def test_what_no_loading_would_trust_is_refused_when_it_is_saved(tmp_path):
    # Skops trusts scikit-learn's estimators, but not all that some of them are made of.
    X, y = table(30)
    for name, part in {
        "_split.StratifiedGroupKFold": node(cv=StratifiedGroupKFold(3)),
        "_kd_tree.KDTree": node(KNeighborsClassifier(algorithm="kd_tree")),
        "f_classif": node(selection=SelectKBest(k=2)),
    }.items():
        model = HierarchicalClassifier(estimator=part).fit(X, y, groups=np.arange(30))
        with pytest.raises(
            ModelError, match=rf"does not load.*{name}.*models that recipes can name.*cv as a number"
        ):
            save_model(tmp_path, model, X, y, label={}, source=None)
        assert not (tmp_path / MODEL).exists()

import copy
import json
import operator
import os
import re
import sys
import zipfile
from functools import partial

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from radiobone.core.errors import ModelError, RadioboneWarning
from radiobone.core.hashing import sha256_file
from radiobone.learning import HierarchicalClassifier, osteoporosis_first
from radiobone.learning.disk.persistence import MANIFEST, MODEL, load_model, save_model
from radiobone.learning.disk.source import BlockSource, FeatureSource
from radiobone.tables.features import BlockRecord, FeatureManifest, VoiRecord

BLOCK = BlockSource(name="radiomics", engine="native", values_revision=1, parameters_sha256="ab" * 32)
SOURCE = FeatureSource(
    voi_recipe="trabecular@1",
    voi_options={"erosion_mm": 3.0},
    levels=["L1", "L2"],
    aggregation="mean",
    blocks=[BLOCK],
)


@pytest.fixture(scope="module")
def trained():
    rng = np.random.default_rng(0)
    y = np.repeat(["osteoporosis", "osteopenia", "normal"], 20)
    X = pd.DataFrame(rng.normal(size=(60, 6)), columns=list("abcdef"), index=[f"p{i:02d}" for i in range(60)])
    X["a"] += np.repeat([0.0, 2.0, 4.0], 20)
    return HierarchicalClassifier(nodes=osteoporosis_first()).fit(X, y, groups=X.index), X, y


@pytest.fixture
def folder(trained, tmp_path):
    model, X, y = trained
    save_model(tmp_path / "model", model, X, y, label={"source": "bmd", "cuts": [80, 120]}, source=SOURCE)
    return tmp_path / "model"


def change_manifest(folder, **changes):
    content = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**content, **changes}))


def test_a_loaded_model_predicts_the_same(trained, folder):
    model, X, _ = trained
    saved = load_model(folder)
    np.testing.assert_array_equal(saved.estimator.predict_proba(X), model.predict_proba(X))
    table = saved.predict(X, source=SOURCE, where="features.csv")
    assert table["decision"].tolist() == model.predict(X).tolist()
    np.testing.assert_array_equal(table["p_class_normal"], model.predict_proba(X)[:, 0])
    np.testing.assert_array_equal(table["p_node_osteoporosis_vs_rest"], model.node_proba(X)[:, 0])
    assert table.index.tolist() == X.index.tolist()
    assert saved.manifest.class_counts == {"normal": 20, "osteopenia": 20, "osteoporosis": 20}
    assert saved.manifest.label == {"source": "bmd", "cuts": [80, 120]}
    assert [node.name for node in saved.manifest.nodes] == list(model.estimators_)


def test_a_model_is_compressed(folder):
    with zipfile.ZipFile(folder / MODEL) as archive:
        assert {item.compress_type for item in archive.infolist()} == {zipfile.ZIP_DEFLATED}


def test_column_order_and_further_columns_play_no_part(trained, folder):
    _, X, _ = trained
    saved = load_model(folder)
    straight = saved.predict(X, source=SOURCE, where="t")
    shuffled = saved.predict(X[list("fedcba")].assign(further=1.0), source=SOURCE, where="t")
    pd.testing.assert_frame_equal(straight, shuffled)


def test_missing_columns_are_named(trained, folder):
    _, X, _ = trained
    with pytest.raises(ModelError, match=r"missing.*where: t.csv.*got: b, e \(2 of 6\)"):
        load_model(folder).predict(X.drop(columns=["b", "e"]), source=SOURCE, where="t.csv")


def test_missing_values_are_named(trained, folder):
    _, X, _ = trained
    X = X.copy()
    X.loc["p03", "c"] = np.nan
    with pytest.raises(ModelError, match=r"p03 \(1 rows\)"):
        load_model(folder).predict(X, source=SOURCE, where="t.csv")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            SOURCE.model_copy(update={"voi_recipe": "trabecular@2"}),
            "VOI recipe: trabecular@2 instead of",
        ),
        (SOURCE.model_copy(update={"voi_options": {"erosion_mm": 2.0}}), "VOI options"),
        (SOURCE.model_copy(update={"aggregation": "min"}), "aggregation: min instead of mean"),
        (
            SOURCE.model_copy(update={"blocks": [BLOCK.model_copy(update={"values_revision": 2})]}),
            r"values revision of radiomics \(native\): 2 instead of 1",
        ),
        (
            SOURCE.model_copy(update={"blocks": [BLOCK.model_copy(update={"parameters_sha256": "cd" * 32})]}),
            "parameters of radiomics",
        ),
        (
            SOURCE.model_copy(
                update={
                    "blocks": [BLOCK.model_copy(update={"engine": "pyradiomics", "parameters_sha256": "cd" * 32})]
                }
            ),
            "parameters of radiomics",
        ),
        (SOURCE.model_copy(update={"blocks": []}), r"parameters of radiomics \(SHA-256\): unknown instead of"),
        (None, "VOI recipe: unknown"),
    ],
)
def test_features_made_in_another_way_are_refused(trained, folder, source, message):
    _, X, _ = trained
    with pytest.raises(ModelError, match=message):
        load_model(folder).predict(X, source=source, where="t.csv")


@pytest.mark.parametrize("revision", [1, 7])
def test_another_engine_is_accepted_with_a_warning(trained, folder, revision):
    _, X, _ = trained
    other = BLOCK.model_copy(update={"engine": "pyradiomics", "values_revision": revision})
    saved = load_model(folder)
    told = (
        rf"t.csv: another engine.*radiomics: pyradiomics \(revision {revision}\) instead of native \(revision 1\)"
    )
    with pytest.warns(RadioboneWarning, match=told) as caught:
        table = saved.predict(X, source=SOURCE.model_copy(update={"blocks": [other]}), where="t.csv")
    assert caught[0].filename == __file__
    pd.testing.assert_frame_equal(table, saved.predict(X, source=SOURCE, where="t.csv"))


def test_further_blocks_of_the_table_play_no_part(trained, folder):
    _, X, _ = trained
    more = SOURCE.model_copy(update={"blocks": [BLOCK, BLOCK.model_copy(update={"name": "deep"})]})
    assert len(load_model(folder).predict(X, source=more, where="t")) == 60


def test_values_outside_the_training_range_are_flagged(trained, folder):
    _, X, _ = trained
    new = X.iloc[:3].copy()
    new.loc["p01", ["b", "d"]] = [99.0, -99.0]
    table = load_model(folder).predict(new, source=SOURCE, where="t")
    assert table["n_out_of_range"].tolist() == [0, 2, 0]
    assert table["out_of_range"].tolist() == ["", "b;d", ""]


def test_a_changed_model_file_is_refused(folder):
    content = bytearray((folder / MODEL).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / MODEL).write_bytes(bytes(content))
    with pytest.raises(ModelError, match="not the one that was saved"):
        load_model(folder)


class Intruder(BaseEstimator):
    """A type that the file asks for and that nobody vouches for."""

    built = False

    def __setstate__(self, state):
        Intruder.built = True


def test_an_untrusted_type_is_refused_before_anything_is_built(folder):
    skops.io.dump({"model": LogisticRegression(), "extra": Intruder()}, folder / MODEL)
    change_manifest(folder, model_sha256=sha256_file(folder / MODEL))
    with pytest.raises(ModelError, match=r"not trusted; nothing was built.*Intruder"):
        load_model(folder)
    assert not Intruder.built


@pytest.fixture
def built(monkeypatch):
    """The types of all objects of a model file that are built while a test runs."""
    types, construct = [], skops.io._audit.Node.construct

    def recording(node):
        types.append(f"{node.module_name}.{node.class_name}")
        return construct(node)

    monkeypatch.setattr(skops.io._audit.Node, "construct", recording)
    return types


def rewrite(folder, model):
    """Put another object into the model file, with a manifest that fits it."""
    skops.io.dump(model, folder / MODEL)
    change_manifest(folder, model_sha256=sha256_file(folder / MODEL))


def edit(folder, change):
    """Change the schema of a model file by hand, as one who means harm would, with a manifest that fits it."""
    with zipfile.ZipFile(folder / MODEL) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(parts["schema.json"])
    change(schema)
    parts["schema.json"] = json.dumps(schema).encode()
    with zipfile.ZipFile(folder / MODEL, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    change_manifest(folder, model_sha256=sha256_file(folder / MODEL))


def places(schema, wanted):
    """Find every node of a schema with a class of this name, however deep."""
    if isinstance(schema, dict):
        if schema.get("__class__") == wanted:
            yield schema
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from places(part, wanted)


def stored_array(schema):
    return next(node for node in places(schema, "ndarray") if "file" in node)


def test_what_is_built_is_recorded(folder, built):
    assert load_model(folder)
    assert "radiobone.learning.hierarchical.HierarchicalClassifier" in built
    assert "sklearn.preprocessing._data.StandardScaler" in built


@pytest.mark.parametrize(
    ("step", "named"),
    [
        (Intruder(), "Intruder"),
        (FunctionTransformer(func=os.system), "posix.system"),
        (FunctionTransformer(func=operator.methodcaller("fit")), "operator.methodcaller"),
        (FunctionTransformer(func=partial(os.system, "true")), "functools.partial"),
        (FunctionTransformer(func=StandardScaler().fit), "StandardScaler.fit"),
        (StandardScaler(with_mean=Intruder), "Intruder"),
        (make_pipeline(make_pipeline(StandardScaler(), Intruder()), StandardScaler()), "Intruder"),
    ],
    ids=["object", "function", "operator", "partial", "method", "type", "pipeline in pipeline"],
)
def test_an_untrusted_type_in_a_step_is_refused_before_anything_is_built(trained, folder, built, step, named):
    nested = copy.deepcopy(trained[0])
    nested.estimators_["osteopenia_vs_normal"].selection_.steps.append(("extra", step))
    rewrite(folder, nested)
    with pytest.raises(ModelError, match=rf"not trusted; nothing was built.*{re.escape(named)}"):
        load_model(folder)
    assert built == []
    assert not Intruder.built


@pytest.mark.parametrize(("module", "name"), [("subprocess", "Popen"), ("os", "system"), ("no_such_module", "X")])
@pytest.mark.parametrize("wanted", ["StandardScaler", "NodeTree", "PlattSigmoid", "SVC"])
def test_a_type_put_in_by_hand_is_refused_before_anything_is_built(folder, built, wanted, module, name):
    def change(schema):
        found = list(places(schema, wanted))
        assert found
        found[-1].update(__module__=module, __class__=name)

    edit(folder, change)
    with pytest.raises(ModelError, match=rf"not trusted; nothing was built.*{module}\.{name}"):
        load_model(folder)
    assert built == []
    assert "no_such_module" not in sys.modules


def test_a_list_of_trusted_types_in_the_file_counts_for_nothing(folder, built):
    def change(schema):
        next(places(schema, "StandardScaler")).update(__module__="subprocess", __class__="Popen")
        schema["trusted"] = schema["content"]["trusted"] = ["subprocess.Popen"]

    edit(folder, change)
    with pytest.raises(ModelError, match="not trusted"):
        load_model(folder)
    assert built == []


@pytest.mark.parametrize(
    "change",
    [
        lambda schema: schema.update(__loader__="NoSuchNode"),
        lambda schema: schema.pop("__class__"),
        lambda schema: schema.update(content=[1]),
        lambda schema: stored_array(schema).update(file="none.npy"),
        lambda schema: stored_array(schema).update(file="schema.json"),
        lambda schema: next(places(schema, "StandardScaler")).update(__loader__="CachedNode", __id__=1),
    ],
    ids=["loader", "class", "content", "lost array", "no array", "cached"],
)
def test_a_schema_that_makes_no_sense_is_damaged(folder, change):
    edit(folder, change)
    with pytest.raises(ModelError, match=r"the model file is damaged.*from its source again"):
        load_model(folder)


def test_an_untrusted_type_is_not_saved_either(trained, tmp_path):
    _, X, y = trained
    broken = HierarchicalClassifier(nodes=osteoporosis_first()).fit(X, y)
    broken.estimators_["osteopenia_vs_normal"] = Intruder()
    with pytest.raises(ModelError, match="Intruder"):
        save_model(tmp_path / "m", broken, X, y, label={}, source=None)
    assert not (tmp_path / "m" / MODEL).exists()


def test_trusted_but_something_else(folder):
    skops.io.dump(LogisticRegression(), folder / MODEL)
    change_manifest(folder, model_sha256=sha256_file(folder / MODEL))
    with pytest.raises(ModelError, match="something else"):
        load_model(folder)


def test_another_minor_version_of_scikit_learn_is_refused(folder, built):
    versions = json.loads((folder / MANIFEST).read_text())["versions"]
    change_manifest(folder, versions={**versions, "scikit-learn": "1.2.2"})
    with pytest.raises(ModelError, match=r"another version of scikit-learn.*expected: 1\.2\.2"):
        load_model(folder)
    major, minor, *_ = versions["scikit-learn"].split(".")
    for other in (f"{major}.{int(minor) + 1}.0", f"{major}.{int(minor) - 1}.2", f"{major}.{minor}9.1"):
        change_manifest(folder, versions={**versions, "scikit-learn": other})
        with pytest.raises(ModelError, match=rf"another version of scikit-learn.*{re.escape(other)}.*train again"):
            load_model(folder)
    change_manifest(folder, versions={name: text for name, text in versions.items() if name != "scikit-learn"})
    with pytest.raises(ModelError, match="expected: unknown"):
        load_model(folder)
    assert built == []
    change_manifest(folder, versions={**versions, "scikit-learn": f"{major}.{minor}.99"})
    assert load_model(folder)


@pytest.mark.parametrize("key", ["feature_names", "model_sha256", "classes", "source"])
def test_a_manifest_without_a_key_is_refused(folder, key):
    content = json.loads((folder / MANIFEST).read_text())
    del content[key]
    (folder / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(ModelError, match=f"{key}: required key is missing"):
        load_model(folder)


def test_a_manifest_as_it_was_saved_fits(folder, trained):
    content = json.loads((folder / MANIFEST).read_text())
    change_manifest(folder, classes=content["classes"], nodes=content["nodes"], decision=content["decision"])
    assert load_model(folder).manifest.classes == trained[0].classes_.tolist()


@pytest.mark.parametrize(
    ("key", "change", "told"),
    [
        ("classes", lambda old: old[::-1], r"classes: 'osteoporosis' instead of 'normal' \(place 1\)"),
        ("classes", lambda old: old[:2], "classes: 2 instead of 3"),
        ("nodes", lambda old: old[::-1], "nodes: .*osteopenia_vs_normal"),
        ("nodes", lambda old: [{**old[0], "name": "x"}, old[1]], "nodes: .*'x'"),
        (
            "nodes",
            lambda old: [old[0], {**old[1], "positive": old[1]["negative"], "negative": old[1]["positive"]}],
            r"nodes: .*\(place 2\)",
        ),
        ("nodes", lambda old: [{**old[0], "selected_features": ["f"]}, old[1]], "nodes: "),
        ("decision", lambda old: "routed", "decision: 'routed' instead of 'argmax'"),
        ("decision", lambda old: "xx", "decision.*'argmax' or 'routed'"),
        ("feature_names", lambda old: ["b", "a", *old[2:]], r"feature_names: 'b' instead of 'a' \(place 1\)"),
        ("feature_names", lambda old: old[:-1], "feature_names: 5 instead of 6"),
        ("feature_names", lambda old: ["z", *old[1:]], "feature_names: 'z' instead of 'a'"),
        ("ranges", lambda old: {key: old[key] for key in "abcde"}, "names in ranges: 5 instead of 6"),
        ("ranges", lambda old: {**old, "g": [0.0, 1.0]}, "names in ranges: 7 instead of 6"),
    ],
)
def test_a_manifest_that_does_not_fit_the_estimator_is_refused(folder, key, change, told):
    change_manifest(folder, **{key: change(json.loads((folder / MANIFEST).read_text())[key])})
    with pytest.raises(ModelError, match=rf"{told}.*do: ") as caught:
        load_model(folder)
    assert str(folder / MANIFEST) in caught.value.where


def test_columns_of_a_model_that_learned_from_an_array_are_counted(trained, tmp_path):
    _, X, y = trained
    model = HierarchicalClassifier(estimator=LogisticRegression(), nodes=osteoporosis_first()).fit(X.to_numpy(), y)
    save_model(tmp_path / "m", model, X, y, label={}, source=None)
    assert load_model(tmp_path / "m")
    ranges = {name: [0.0, 1.0] for name in "abc"}
    change_manifest(tmp_path / "m", feature_names=list("abc"), ranges=ranges)
    with pytest.raises(ModelError, match="number of feature_names: 3 instead of 6"):
        load_model(tmp_path / "m")


def test_a_model_is_saved_with_its_own_columns_only(trained, tmp_path):
    model, X, y = trained
    with pytest.raises(ModelError, match="feature_names: 'f' instead of 'a'"):
        save_model(tmp_path / "m", model, X[list("fedcba")], y, label={}, source=None)
    assert not (tmp_path / "m" / MANIFEST).exists()


def test_a_model_that_is_not_fitted_is_refused(folder):
    rewrite(folder, HierarchicalClassifier(nodes=osteoporosis_first()))
    with pytest.raises(ModelError, match="not fitted"):
        load_model(folder)


def test_hashes_of_the_inputs_stand_in_the_manifest(trained, folder, tmp_path):
    assert load_model(folder).manifest.inputs is None
    model, X, y = trained
    inputs = {"features_sha256": "ab" * 32, "cohort_sha256": "cd" * 32}
    save_model(tmp_path / "m", model, X, y, label={}, source=None, inputs=inputs)
    assert load_model(tmp_path / "m").manifest.inputs == inputs
    content = json.loads((folder / MANIFEST).read_text())
    del content["inputs"]  # a model of an earlier version
    (folder / MANIFEST).write_text(json.dumps(content))
    assert load_model(folder).manifest.inputs is None


def deflated_and_broken(content):
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b"{}" * 500)
    start = 30 + len("schema.json")
    data = bytearray(content.read_bytes())
    data[start : start + 4] = b"\xff" * 4
    content.write_bytes(bytes(data))


def encrypted(content):
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("schema.json", "{}")
    data = bytearray(content.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    content.write_bytes(bytes(data))


@pytest.mark.parametrize("damage", [deflated_and_broken, encrypted])
def test_a_damaged_archive_says_what_to_do(folder, damage):
    damage(folder / MODEL)
    change_manifest(folder, model_sha256=sha256_file(folder / MODEL))
    with pytest.raises(ModelError, match=r"the model file is damaged.*do: take the folder"):
        load_model(folder)


def test_every_refusal_says_what_to_do(folder):
    rewrite(folder, LogisticRegression())
    with pytest.raises(ModelError, match="do: take the folder"):
        load_model(folder)
    (folder / MANIFEST).write_text("{")
    with pytest.raises(ModelError, match=r"damaged.*do: take the folder"):
        load_model(folder)


def test_missing_and_damaged_files(folder, tmp_path):
    with pytest.raises(ModelError, match="file not found"):
        load_model(tmp_path / "nowhere")
    (folder / MODEL).write_bytes(b"not a zip file")
    change_manifest(folder, model_sha256=sha256_file(folder / MODEL))
    with pytest.raises(ModelError, match="damaged"):
        load_model(folder)
    with zipfile.ZipFile(folder / MODEL, "w") as archive:
        archive.writestr("other", "{}")
    change_manifest(folder, model_sha256=sha256_file(folder / MODEL))
    with pytest.raises(ModelError, match="damaged"):
        load_model(folder)
    (folder / MODEL).unlink()
    with pytest.raises(ModelError, match="file not found"):
        load_model(folder)
    (folder / MANIFEST).write_text("{")
    with pytest.raises(ModelError, match="damaged"):
        load_model(folder)


def test_source_is_taken_from_the_manifest_of_a_feature_table():
    record = BlockRecord(
        name="radiomics",
        engine="native",
        values_revision=1,
        parameters={},
        parameters_sha256="ab" * 32,
        columns=["x"],
    )
    manifest = FeatureManifest(
        created="2025-01-01T00:00:00+00:00",
        versions={},
        machine="Linux",
        table_sha256="ef" * 32,
        cohort=None,
        cohort_sha256=None,
        voi=VoiRecord(
            recipe="trabecular@1",
            options={"erosion_mm": 3.0},
            scheme="auto",
            levels=["L1", "L2"],
            missing_levels="skip",
        ),
        blocks=[record, record.model_copy(update={"name": "density"})],
        counts={},
        scans=[],
    )
    assert FeatureSource.of(manifest, aggregation="mean", blocks=["radiomics"]) == SOURCE
    assert len(FeatureSource.of(manifest, aggregation="mean").blocks) == 2

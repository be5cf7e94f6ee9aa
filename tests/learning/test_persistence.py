import json
import zipfile

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

from radiobone.core.errors import ModelError
from radiobone.core.hashing import sha256_file
from radiobone.learning import HierarchicalClassifier, osteoporosis_first
from radiobone.learning.manifest import BlockSource, FeatureSource
from radiobone.learning.persistence import MANIFEST, MODEL, load_model, save_model
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
            "values revision of radiomics: 2 instead of 1",
        ),
        (
            SOURCE.model_copy(update={"blocks": [BLOCK.model_copy(update={"parameters_sha256": "cd" * 32})]}),
            "parameters of radiomics",
        ),
        (SOURCE.model_copy(update={"blocks": []}), "engine of radiomics: unknown instead of native"),
        (None, "VOI recipe: unknown"),
    ],
)
def test_features_made_in_another_way_are_refused(trained, folder, source, message):
    _, X, _ = trained
    with pytest.raises(ModelError, match=message):
        load_model(folder).predict(X, source=source, where="t.csv")


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


def test_another_minor_version_of_scikit_learn_is_refused(folder):
    versions = json.loads((folder / MANIFEST).read_text())["versions"]
    change_manifest(folder, versions={**versions, "scikit-learn": "1.2.2"})
    with pytest.raises(ModelError, match=r"another version of scikit-learn.*expected: 1\.2\.2"):
        load_model(folder)
    major, minor, *_ = versions["scikit-learn"].split(".")
    change_manifest(folder, versions={**versions, "scikit-learn": f"{major}.{minor}.99"})
    assert load_model(folder)


@pytest.mark.parametrize("key", ["feature_names", "model_sha256", "classes", "source"])
def test_a_manifest_without_a_key_is_refused(folder, key):
    content = json.loads((folder / MANIFEST).read_text())
    del content[key]
    (folder / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(ModelError, match=f"{key}: required key is missing"):
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

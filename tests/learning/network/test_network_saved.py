"""Networks on disk: weights beside the model, named by their hash, and nothing that is code."""

import json
import os
import pickle
import shutil

import numpy as np
import pytest
import skops.io
from network_volumes import rods, toy

from radiobone.core.errors import ModelError
from radiobone.core.extras import require
from radiobone.core.hashing import sha256_file
from radiobone.learning import HierarchicalClassifier, NetworkClassifier, VolumeStack
from radiobone.learning.disk.persistence import MANIFEST, MODEL, load_model, save_model

pytestmark = pytest.mark.deep


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("network") / "model"
    X, y = rods(20, seed=0, edge=8)
    model = HierarchicalClassifier(estimator=toy(width=4, epochs=2)).fit(X, y)
    save_model(folder, model, X, y, label={"classes": [0, 1]}, source=None)
    return folder, model, X


@pytest.fixture
def copied(saved, tmp_path):
    return shutil.copytree(saved[0], tmp_path / "model")


def weights_of(folder):
    (found,) = folder.glob("*.pt")
    return found


def rename(folder, content):
    """Replace the weights, and let model and manifest know the new file."""
    old = weights_of(folder)
    old.write_bytes(content)
    new = old.rename(folder / f"{sha256_file(old)}.pt")
    forge(folder, weights_sha256_=new.stem)


def forge(folder, **attributes):
    """Change attributes of the networks of a model, and let its manifest know the new file."""
    bare = skops.io.load(folder / MODEL, trusted=skops.io.get_untrusted_types(file=folder / MODEL))
    for network in bare.estimators_.values():
        for name, value in attributes.items():
            setattr(network, name, value)
    skops.io.dump(bare, folder / MODEL)
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | {"model_sha256": sha256_file(folder / MODEL)}))


def test_a_loaded_network_predicts_the_same(saved, tmp_path):
    folder, model, X = saved
    loaded = load_model(folder)
    np.testing.assert_array_equal(loaded.estimator.predict_proba(X), model.predict_proba(X))
    table = loaded.predict(X, source=None, where="stack")
    np.testing.assert_array_equal(table["p_class_1"], model.predict_proba(X)[:, 1])
    assert table["decision"].tolist() == model.predict(X).tolist()
    assert table["n_out_of_range"].tolist() == [0] * len(X)
    np.save(tmp_path / "stack.npy", X)
    stack = VolumeStack.open(tmp_path / "stack.npy")
    assert loaded.predict(stack, source=None, where="stack").equals(table)
    file = weights_of(folder)
    assert file.stem == sha256_file(file)
    assert loaded.manifest.weights == [file.name]
    assert loaded.manifest.volume_shape == (8, 8, 8)
    assert loaded.manifest.feature_names == []
    (network,) = loaded.estimator.estimators_.values()
    assert isinstance(network, NetworkClassifier)
    assert not hasattr(network, "weights_sha256_")
    assert hasattr(model.estimators_[next(iter(model.estimators_))], "weights_"), "the given model stays whole"


def test_the_model_file_holds_no_weights_and_no_foreign_types(saved):
    folder, *_ = saved
    assert (folder / MODEL).stat().st_size < 60_000
    state = require("torch", "deep").load(weights_of(folder), weights_only=True)
    assert "conv1.weight" in state


def test_a_model_saved_again_has_the_same_weights(saved, tmp_path):
    folder, _, X = saved
    again = load_model(folder).estimator
    save_model(tmp_path / "again", again, X, np.arange(20) % 2, label={}, source=None)
    assert weights_of(tmp_path / "again").read_bytes() == weights_of(folder).read_bytes()


def test_other_volumes_and_tables_are_refused(saved):
    folder, _, X = saved
    loaded = load_model(folder)
    with pytest.raises(ModelError, match="differ from those"):
        loaded.predict(X[:, :7], source=None, where="stack")
    with pytest.raises(ModelError, match="wants volumes"):
        loaded.predict(X.reshape(len(X), -1), source=None, where="table")


def test_missing_weights_are_refused(copied):
    weights_of(copied).unlink()
    with pytest.raises(ModelError, match="weights not found"):
        load_model(copied)


def test_changed_weights_are_refused(copied):
    file = weights_of(copied)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(ModelError, match="not the one that was saved"):
        load_model(copied)


def test_code_in_the_place_of_weights_is_never_run(copied, tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    rename(copied, pickle.dumps(Evil()))
    with pytest.raises(ModelError, match="something else than a state dict"):
        load_model(copied)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("change", ["shape", "missing", "unknown", "kind"])
def test_weights_of_another_network_are_refused(copied, tmp_path, change):
    torch = require("torch", "deep")
    state = torch.load(weights_of(copied), weights_only=True)
    if change == "shape":
        state["fc.bias"] = torch.zeros(3)
    elif change == "missing":
        del state["fc.bias"]
    elif change == "unknown":
        state["more"] = torch.zeros(1)
    else:
        state["fc.bias"] = state["fc.bias"].double()
    torch.save(state, tmp_path / "other.pt")
    rename(copied, (tmp_path / "other.pt").read_bytes())
    with pytest.raises(ModelError, match="do not fit the network"):
        load_model(copied)


def test_a_list_of_tensors_is_no_state_dict(copied, tmp_path):
    torch = require("torch", "deep")
    torch.save([torch.zeros(2)], tmp_path / "list.pt")
    rename(copied, (tmp_path / "list.pt").read_bytes())
    with pytest.raises(ModelError, match="something else than a state dict"):
        load_model(copied)


@pytest.mark.parametrize("attributes", [{"architecture": "none"}, {"width": "wide"}, {"weights_sha256_": "../a"}])
def test_networks_that_cannot_be_built_are_refused(copied, attributes):
    forge(copied, **attributes)
    with pytest.raises(ModelError):
        load_model(copied)

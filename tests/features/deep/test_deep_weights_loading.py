"""Loading weights: exactly the network's, and nothing of a file is ever run."""

from __future__ import annotations

import importlib
import os
import pickle
from pathlib import Path

import pytest

from radiobone.core.errors import ModelError
from radiobone.features.deep.networks import build, outline
from radiobone.features.deep.weights_loading import (
    fill,
    fitting,
    load_network,
    load_state,
    read_tensors,
    tensors_of,
)
from radiobone.features.deep.weights_registry import get_weights

pytestmark = pytest.mark.deep

IMAGENET = get_weights("resnet18", "imagenet")
OWN = get_weights("resnet18", "file")


def small():
    """A few tensors with names: enough for a file, for no network."""
    import torch

    return {"conv1.weight": torch.ones(64, 3, 7, 7), "bn1.weight": torch.zeros(64)}


def resnet18(**changed):
    from deep_reference import RESNETS, resnet_state

    return {**resnet_state(RESNETS["resnet18"]), **changed}


def saved(content, path: Path, **options) -> Path:
    import torch

    torch.save(content, path, **options)
    return path


class Mischief:
    """Leaves a file behind if it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("how", ["pickle", "torch", "torch in a state dict", "old torch"])
def test_code_in_a_file_is_refused_unread(tmp_path, how):
    trace = tmp_path / "trace"
    path = tmp_path / "weights.pth"
    if how == "pickle":
        path.write_bytes(pickle.dumps(Mischief(trace)))
    elif how == "torch in a state dict":
        saved({**small(), "more": Mischief(trace)}, path)
    else:
        saved(Mischief(trace), path, _use_new_zipfile_serialization=how == "torch")
    with pytest.raises(ModelError, match=r"not safe to load.*(calls posix\.mkdir|none at all)") as raised:
        load_state(path, IMAGENET)
    assert "weights_only" not in str(raised.value)
    assert not trace.exists()
    pickle.loads(pickle.dumps(Mischief(trace)))
    assert trace.exists(), "the mischief itself works"


def test_a_whole_network_is_refused_unread(tmp_path):
    import torch

    path = saved(torch.nn.Linear(2, 2), tmp_path / "net.pth")
    with pytest.raises(ModelError, match=r"not safe to load.*torch\.nn\.modules\.linear\.Linear"):
        load_state(path, IMAGENET)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_program_is_refused_by_its_name(tmp_path):
    import torch

    path = tmp_path / "program.pt"
    torch.jit.save(torch.jit.script(torch.nn.ReLU()), path)
    with pytest.raises(ModelError, match="a TorchScript archive") as raised:
        load_state(path, OWN)
    assert "weights_only" not in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"no weights at all, just text", b"PK\x03\x04 no archive", b"\x80\x02."])
def test_what_is_no_file_of_weights_is_told(tmp_path, content):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"cannot be read|no file of weights") as raised:
        load_state(path, IMAGENET)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.99])
def test_a_truncated_file_is_told(tmp_path, new, share):
    path = saved(small(), tmp_path / "weights.pth", _use_new_zipfile_serialization=new)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(ModelError, match=r"cannot be read|no file of weights"):
        load_state(path, IMAGENET)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(ModelError, match="no such file"):
        load_state(tmp_path / "weights.pth", IMAGENET)


@pytest.mark.parametrize("content", [[1, 2], {}, {"epoch": 3}, {"state_dict": {"a": 1}}, {"state_dict": {}}, 3])
def test_what_is_no_state_dict_is_told(tmp_path, content):
    path = saved(content, tmp_path / "weights.pth")
    with pytest.raises(ModelError, match="holds no state dict"):
        load_state(path, OWN)


def test_where_a_layout_wants_its_wrapper_nothing_else_is_looked_for(tmp_path):
    info = get_weights("resnet10_3d", "medicalnet")
    path = saved({f"module.{key}": value for key, value in small().items()}, tmp_path / "bare.pth")
    with pytest.raises(ModelError, match="under the key 'state_dict'"):
        load_state(path, info)
    path = saved(
        {"epoch": 3, "state_dict": {f"module.{k}": v for k, v in small().items()}}, tmp_path / "whole.pth"
    )
    assert set(load_state(path, info)) == set(small())


@pytest.mark.parametrize("new", [True, False])
def test_old_and_new_files_give_the_same_numbers(tmp_path, new):
    import torch

    state = load_state(saved(small(), tmp_path / "a.pth", _use_new_zipfile_serialization=new), IMAGENET)
    assert all(torch.equal(state[key], value) for key, value in small().items())


def test_safetensors_are_read_too(tmp_path):
    import torch

    safetensors = importlib.import_module("safetensors.torch")
    path = tmp_path / "weights.safetensors"
    safetensors.save_file(small(), path)
    state = load_state(path, OWN)
    assert all(torch.equal(state[key], value) for key, value in small().items())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelError, match="cannot be read"):
        load_state(path, OWN)


def test_the_whole_way_from_a_file_to_a_network(tmp_path):
    import torch

    state = {key: value for key, value in resnet18().items() if not key.endswith("num_batches_tracked")}
    wrapped = {"epoch": 9, "state_dict": {f"module.{key}": value for key, value in state.items()}}
    net = load_network(saved(wrapped, tmp_path / "own.pth"), OWN)
    assert not net.training
    for key, value in net.state_dict().items():
        assert torch.equal(value, state[key]) if key in state else value == 0


def test_weights_in_half_precision_are_taken_as_they_are():
    import torch

    state = {key: value.bfloat16() if value.is_floating_point() else value for key, value in resnet18().items()}
    del state["fc.weight"], state["fc.bias"]
    net = build("resnet18")
    fill(net, state, "resnet18", "file")
    assert net.conv1.weight.dtype == torch.float32
    assert torch.equal(net.conv1.weight, state["conv1.weight"].float())


def without_head(state):
    return {key: value for key, value in state.items() if not key.startswith("fc.")}


@pytest.fixture(scope="module")
def net():
    return build("resnet18")


def test_a_missing_and_an_unexpected_key_are_named(net):
    import torch

    state = without_head(resnet18(surplus=torch.zeros(1)))
    del state["layer1.0.bn1.weight"]
    with pytest.raises(ModelError, match="not those of resnet18") as raised:
        fill(net, state, "resnet18", "w.pth")
    message = str(raised.value)
    assert "1 missing: layer1.0.bn1.weight" in message
    assert "1 not expected: surplus" in message
    assert "fit no network" in message


def test_other_shapes_and_types_are_named(net):
    import torch

    state = without_head(resnet18(**{"bn1.bias": torch.zeros(65)}))
    with pytest.raises(ModelError, match=r"1 of another shape: bn1\.bias 65 instead of 64"):
        fill(net, state, "resnet18", "w.pth")
    state = without_head(resnet18(**{"bn1.bias": torch.zeros(64, dtype=torch.int32)}))
    with pytest.raises(ModelError, match=r"bn1\.bias 64 of torch\.int32 instead of 64"):
        fill(net, state, "resnet18", "w.pth")
    state = without_head(resnet18(**{"bn1.bias": torch.zeros(64).to_sparse()}))
    with pytest.raises(ModelError, match=r"bn1\.bias 64 of torch\.sparse_coo instead of 64"):
        fill(net, state, "resnet18", "w.pth")


def test_values_that_are_not_finite_are_refused(net):
    import torch

    # The last number is finite in double precision, but not in the network.
    for number in (torch.nan, -torch.inf, 1e300):
        state = without_head(resnet18(**{"bn1.bias": torch.full((64,), number, dtype=torch.float64)}))
        with pytest.raises(ModelError, match=r"NaN or infinite.*bn1\.bias"):
            fill(net, state, "resnet18", "w.pth")


def test_weights_of_another_network_name_it(net):
    from deep_reference import RESNETS, resnet_state

    other = outline("resnet34").state_dict()
    with pytest.raises(ModelError, match="fit resnet34: set backbone to it") as raised:
        fill(net, other, "resnet18", "w.pth")
    assert "not expected" in str(raised.value)
    published = {f"module.{k}": v for k, v in resnet_state(RESNETS["resnet10_3d"], head=False).items()}
    assert fitting(published) == ["resnet10_3d"]
    assert fitting(small()) == []


@pytest.mark.slow
def test_every_published_layout_is_recognised():
    from deep_reference import RESNETS, densenet_state, radimagenet_keys, resnet_state

    dense = densenet_state()
    old = {key.replace("norm1.", "norm.1.").replace("conv2.", "conv.2."): value for key, value in dense.items()}
    for state in (dense, old, radimagenet_keys(dense)):
        assert fitting(state) == ["densenet121"]
    resnet50 = resnet_state(RESNETS["resnet50"])
    for state in (resnet50, radimagenet_keys(resnet50)):
        assert fitting(state) == ["resnet50"]
    grey = {**resnet50, "conv1.weight": resnet50["conv1.weight"][:, :1]}
    assert fitting(grey) == ["resnet50"]


@pytest.mark.slow
@pytest.mark.astra
def test_the_package_with_astra_holds_what_is_written_of_it(tmp_path, monkeypatch):
    from radiobone.features.deep.weights import find_weights

    monkeypatch.setenv("RADIOBONE_WEIGHTS", str(tmp_path))
    found = find_weights("i3resnet152_3d", "astra", download=False)
    assert found.path.stat().st_size == found.info.n_bytes
    state = tensors_of(read_tensors(found.path))
    assert len(state) == 930
    assert fitting(state) == ["i3resnet152_3d"]
    load_network(found.path, found.info)

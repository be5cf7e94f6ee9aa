"""Batches of a network: bytes that depend on the input alone, memory, devices, settings that are put back."""

from __future__ import annotations

import os
import warnings

import numpy as np
import pytest
from deep_phantoms import params

from radiobone.core.errors import EngineError, UsageError
from radiobone.features.deep import compute
from radiobone.features.deep.compute import Network, find_device, steady
from radiobone.features.deep.folding import fold
from radiobone.features.deep.networks import build, run_layer, turn_axes

pytestmark = pytest.mark.deep


def pictures(count: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(7).normal(size=(count, *shape)).astype(np.float32)


def network(**keys) -> Network:
    views = ("volume",) if keys.get("backbone", "").endswith("_3d") else ("axial",)
    return Network(params(*views, **{"micro_batch": 4, **keys}), None, "cpu", "own.yaml")


def found(net: Network, inputs: np.ndarray) -> np.ndarray:
    return np.stack([vector for _, vector in net.features(enumerate(inputs))])


def assert_close(got: np.ndarray, wanted: np.ndarray) -> None:
    """To 1e-5, where what is nearly 0 is compared with the largest feature."""
    assert np.allclose(got, wanted, rtol=1e-5, atol=1e-6 * np.abs(wanted).max())


def with_statistics(backbone: str):
    """A network whose normalisations are not the idle ones that it is drawn with."""
    import torch

    net, source = build(backbone), torch.Generator().manual_seed(5)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm3d):
            for name, low, high in (
                ("weight", 0.5, 1.5), ("bias", -0.5, 0.5), ("running_mean", -0.5, 0.5), ("running_var", 0.5, 2.0),
            ):  # fmt: skip
                getattr(module, name).uniform_(low, high, generator=source)
    return net


@pytest.mark.parametrize(
    ("backbone", "shape"),
    [
        ("resnet18", (3, 64, 48)),
        pytest.param("resnet50", (3, 64, 48), marks=pytest.mark.slow),
        pytest.param("densenet121", (3, 64, 48), marks=pytest.mark.slow),
        pytest.param("resnet18_3d", (1, 32, 40, 48), marks=pytest.mark.slow),
        pytest.param("resnet50_3d", (1, 32, 40, 48), marks=pytest.mark.slow),
    ],
)
def test_folding_changes_nothing_but_the_last_digits(backbone, shape):
    import torch

    inputs = torch.from_numpy(pictures(2, *shape))
    plain = with_statistics(backbone)
    wanted = run_layer(plain, inputs, "avgpool").numpy()
    net = fold(with_statistics(backbone))
    assert_close(run_layer(net, inputs, "avgpool").numpy(), wanted)
    left = sum(isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm3d) for module in net.modules())
    all_of_it = sum(isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm3d) for module in plain.modules())
    # A DenseNet normalises before it convolves: only those between two convolutions, and behind the stem, can go.
    assert left == (all_of_it - 59 if backbone == "densenet121" else 0)


@pytest.mark.parametrize(
    "keys",
    [
        {"size": 64},
        pytest.param({"size": 224, "micro_batch": 16, "backbone": "resnet50"}, marks=pytest.mark.slow),
        pytest.param({"size": 64, "backbone": "densenet121"}, marks=pytest.mark.slow),
        pytest.param({"size": 32, "backbone": "resnet18_3d"}, marks=pytest.mark.slow),
    ],
)
def test_an_input_has_the_same_bytes_beside_any_others_and_at_any_place(keys):
    net = network(**keys)
    inputs = pictures(net.params.micro_batch + 3, net.params.n_channels, *net.params.sizes)
    together = found(net, inputs)
    backwards = found(net, inputs[::-1])[::-1]
    assert np.array_equal(together, backwards)
    for number in (0, 2, len(inputs) - 1):
        assert np.array_equal(found(net, inputs[number : number + 1])[0], together[number])


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["resnet18", "resnet50"])
def test_other_batches_and_threads_change_the_last_digits_alone(backbone, monkeypatch):
    inputs = pictures(5, 3, 64, 64)
    wanted = found(network(backbone=backbone, size=64, micro_batch=4), inputs)
    for size in (1, 16):
        assert_close(found(network(backbone=backbone, size=64, micro_batch=size), inputs), wanted)
    monkeypatch.setattr(compute, "THREADS", 2)
    assert_close(found(network(backbone=backbone, size=64, micro_batch=4), inputs), wanted)


def test_a_gpu_changes_the_last_digits_alone():
    import torch

    if not torch.cuda.is_available():
        pytest.skip("there is no GPU that PyTorch can use")
    for keys in ({"size": 224}, {"size": 224, "backbone": "resnet50"}, {"size": 48, "backbone": "resnet18_3d"}):
        views = ("volume",) if "backbone" in keys and keys["backbone"].endswith("_3d") else ("axial",)
        settings = params(*views, **keys)
        inputs = pictures(5, settings.n_channels, *settings.sizes)
        here, there = (Network(settings, None, device, "own.yaml") for device in ("cpu", "cuda"))
        assert_close(found(there, inputs), found(here, inputs))
        assert np.array_equal(found(there, inputs), found(there, inputs[::-1])[::-1])


def test_maps_are_pooled_over_all_places():
    inputs = pictures(2, 3, 64, 64)
    vectors = found(network(size=64), inputs)
    mean, largest, both = (
        found(network(size=64, layer="layer4", pooling=pooling), inputs) for pooling in ("mean", "max", "mean_max")
    )
    assert_close(mean, vectors)
    assert both.shape == (2, 1024)
    assert np.array_equal(both[:, :512], mean)
    assert np.array_equal(both[:, 512:], largest)
    assert (both[:, 512:] >= mean).all()


@pytest.mark.slow
def test_volumes_are_turned_as_the_weights_want_them():
    import torch

    net = network(backbone="resnet10_3d", size=[32, 40, 48], micro_batch=1)
    volume = pictures(1, 1, 32, 40, 48)
    turned = turn_axes(torch.from_numpy(volume), "SRA").numpy()
    assert turned.shape == (1, 1, 32, 48, 40)
    wanted = net.run(turned)
    assert not np.array_equal(net.run(volume), wanted)
    net.axes = "SRA"
    assert np.array_equal(net.run(volume), wanted)


def test_no_more_than_one_batch_is_held():
    taken = []

    def inputs():
        for number, picture in enumerate(pictures(9, 3, 32, 32)):
            taken.append(number)
            yield number, picture

    features = network().features(inputs())
    next(features)
    assert taken == [0, 1, 2, 3]
    assert [number for number, _ in features] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_network_is_loaded_once_for_all_files_that_share_it():
    assert network().net is network(size=64, micro_batch=2, layer="layer3").net
    assert network().net is not network(seed=1).net
    held = network().net
    compute.forget_networks()
    assert network().net is not held


def state():
    import torch

    return torch.get_num_threads(), torch.is_inference_mode_enabled(), torch.is_grad_enabled()


def test_settings_are_put_back():
    before = state()
    with steady("cpu"):
        assert state() == (1, True, False)
    assert state() == before
    with pytest.raises(ValueError, match="on purpose"), steady("cpu"):
        raise ValueError("on purpose")
    assert state() == before


@pytest.mark.slow
def test_settings_of_gpus_are_put_back():
    import torch

    with compute._repeatable():
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.backends.cudnn.allow_tf32
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize("given", [None, ":16:8"])
def test_cublas_is_allowed_where_a_gpu_is_to_be_strict(monkeypatch, given):
    # Dilated convolutions come to it, and PyTorch refuses it without this variable.
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    if given is not None:
        monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", given)
    # Its own setting loads hundreds of modules.
    monkeypatch.setattr("torch.use_deterministic_algorithms", lambda *_, **__: None)
    with compute._repeatable():
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == (given or ":4096:8")
    assert os.environ.get("CUBLAS_WORKSPACE_CONFIG") == given


@pytest.mark.parametrize("kind", ["gpu", "processor", "numpy"])
def test_too_little_memory_names_the_micro_batch_and_is_not_halved(monkeypatch, kind):
    import torch

    errors = {
        "gpu": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        "processor": RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes"),
        "numpy": MemoryError("Unable to allocate 9. GiB"),
    }
    sizes = []

    def full(net, inputs, layer):
        sizes.append(len(inputs))
        raise errors[kind]

    monkeypatch.setattr(compute, "run_layer", full)
    with pytest.raises(EngineError) as told:
        network().run(pictures(2, 3, 32, 32))
    assert sizes == [4]
    assert told.value.where == "own.yaml"
    assert "4 inputs at once (micro_batch)" in str(told.value)
    assert "set micro_batch to 2 or less in a copy of this parameter file" in str(told.value)
    with pytest.raises(EngineError, match="set a smaller size"):
        network(micro_batch=1).run(pictures(1, 3, 32, 32))


def test_any_other_error_is_told_as_it_is(monkeypatch):
    def broken(net, inputs, layer):
        raise RuntimeError("expected stride to be a single integer value")

    monkeypatch.setattr(compute, "run_layer", broken)
    with pytest.raises(RuntimeError, match="stride"):
        network().run(pictures(1, 3, 32, 32))


class TestDevice:
    def test_an_unknown_one_is_refused(self):
        with pytest.raises(UsageError, match=r"no device of this name.*cuda:1.*auto, cpu, cuda"):
            find_device("cuda:1")

    def test_auto_takes_a_gpu_if_there_is_one(self, monkeypatch):
        import torch

        for there, kind in ((True, "cuda"), (False, "cpu")):
            monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
            assert find_device("auto") == kind
            assert find_device("cpu") == "cpu"

    def test_a_gpu_that_is_not_there_is_told_with_pytorchs_own_words(self, monkeypatch):
        import torch

        def old_driver():
            warnings.warn("The NVIDIA driver on your system is too old", stacklevel=1)
            return False

        monkeypatch.setattr(torch.cuda, "is_available", old_driver)
        with pytest.raises(UsageError, match=r"no GPU.*driver on your system is too old.*--device cpu"):
            find_device("cuda")
        assert find_device("auto") == "cpu"

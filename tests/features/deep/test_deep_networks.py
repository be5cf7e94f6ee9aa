"""The networks against the same networks written with plain functions, with the keys of published files."""

from __future__ import annotations

import pytest

from radiobone.features.deep.backbones import BACKBONES
from radiobone.features.deep.networks import LAST_MAP, build, outline, run_layer, turn_axes
from radiobone.features.deep.weights_keys import map_keys
from radiobone.features.deep.weights_loading import fill

pytestmark = pytest.mark.deep


def filled(backbone, state, layout):
    net = build(backbone)
    fill(net, map_keys(state, layout, "made for a test"), backbone, "made for a test")
    return net


def picture(*shape):
    import torch

    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize(
    "backbone",
    [
        "resnet18",
        pytest.param("resnet34", marks=pytest.mark.slow),
        pytest.param("resnet50", marks=pytest.mark.slow),
    ],
)
def test_2d_resnets_compute_what_torchvisions_do_to_the_bit(backbone):
    import torch
    from deep_reference import RESNETS, resnet_maps, resnet_state

    state = resnet_state(RESNETS[backbone])
    net = filled(backbone, state, "torchvision_resnet")
    inputs = picture(2, 3, 64, 48)
    with torch.no_grad():
        wanted = resnet_maps(RESNETS[backbone], state, inputs)
        for layer in BACKBONES[backbone].layers:
            assert torch.equal(run_layer(net, inputs, layer), wanted[layer]), layer
        assert torch.equal(run_layer(net, inputs, LAST_MAP), wanted["layer4"])
        assert torch.equal(net(inputs), wanted["avgpool"])
    assert 0.01 < wanted["avgpool"].mean() < 100


@pytest.mark.slow
def test_densenet_computes_what_torchvisions_does_to_the_bit():
    import torch
    from deep_reference import densenet_maps, densenet_state

    state = densenet_state()
    net = filled("densenet121", state, "torchvision_densenet")
    inputs = picture(2, 3, 64, 48)
    with torch.no_grad():
        wanted = densenet_maps(state, inputs)
        for layer in (*BACKBONES["densenet121"].layers, LAST_MAP):
            assert torch.equal(run_layer(net, inputs, layer), wanted[layer]), layer
    assert 0.01 < wanted["avgpool"].mean() < 100


@pytest.mark.parametrize(
    "backbone",
    [
        "resnet10_3d",
        pytest.param("resnet18_3d", marks=pytest.mark.slow),
        pytest.param("resnet34_3d", marks=pytest.mark.slow),
        pytest.param("resnet50_3d", marks=pytest.mark.slow),
        pytest.param("i3resnet152_3d", marks=pytest.mark.slow),
    ],
)
def test_3d_resnets_compute_what_their_publishers_do(backbone):
    import torch
    from deep_reference import RESNETS, resnet_maps, resnet_state

    state = resnet_state(RESNETS[backbone], head=False)
    published = {"state_dict": {f"module.{key}": value for key, value in state.items()}}
    layout = "astra" if backbone.startswith("i3") else "medicalnet"
    keys = state if backbone.startswith("i3") else published["state_dict"]
    net = filled(backbone, keys, layout)
    inputs = picture(1, RESNETS[backbone].channels, *((32, 40, 32) if backbone.startswith("i3") else (16, 24, 16)))
    with torch.no_grad():
        wanted = resnet_maps(RESNETS[backbone], state, inputs)
        for layer in BACKBONES[backbone].layers:
            got = run_layer(net, inputs, layer)
            assert got.shape == wanted[layer].shape
            torch.testing.assert_close(got, wanted[layer], rtol=1e-6, atol=0)
    # The published geometry: 8 times coarser for MedicalNet, 16 and 32 times for the inflated one.
    assert wanted["layer4"].shape[2:] == ((2, 2, 1) if backbone.startswith("i3") else (2, 3, 2))


@pytest.mark.slow
def test_gradients_pass_the_padded_shortcuts():
    import torch
    from deep_reference import RESNETS, resnet_maps, resnet_state

    state = resnet_state(RESNETS["resnet18_3d"], head=False)
    net = filled("resnet18_3d", {f"module.{key}": value for key, value in state.items()}, "medicalnet")
    gradients = []
    reference = RESNETS["resnet18_3d"]
    for run in (lambda x: run_layer(net, x, "avgpool"), lambda x: resnet_maps(reference, state, x)["avgpool"]):
        inputs = picture(1, 1, 16, 16, 16).requires_grad_()
        run(inputs).sum().backward()
        gradients.append(inputs.grad)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_all_layers_have_the_described_widths_and_sizes():
    import torch

    for name, backbone in BACKBONES.items():
        inputs = torch.empty(1, backbone.n_channels, *(backbone.smallest,) * backbone.spatial_dims, device="meta")
        net = outline(name)
        for layer, width in backbone.layers.items():
            shape = run_layer(net, inputs, layer).shape
            assert shape[1] == width
            assert len(shape) == (2 if layer == "avgpool" else 2 + backbone.spatial_dims)
            assert min(shape) >= 1


@pytest.mark.slow
def test_the_keys_of_each_network_are_those_of_its_published_files():
    from deep_reference import RESNETS, resnet_state

    for name in BACKBONES:
        if name == "densenet121":
            continue
        keys = {key: value.shape for key, value in outline(name).state_dict().items()}
        if name == "i3resnet152_3d":
            assert len(keys) == 930  # as the package's own description says
            continue
        wanted = {key: value.shape for key, value in resnet_state(RESNETS[name], head=False).items()}
        assert keys == wanted


def test_an_outline_takes_no_memory_and_has_the_names_and_shapes_of_the_network():
    net, whole = outline("resnet10_3d", 2), build("resnet10_3d", 2)
    assert all(value.is_meta for value in net.state_dict().values())
    shapes = [{key: value.shape for key, value in each.state_dict().items()} for each in (net, whole)]
    assert shapes[0] == shapes[1]
    assert not net.training


def test_random_weights_come_from_the_seed_alone_and_leave_the_random_state():
    import torch

    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, same, other = (build("resnet10_3d", seed=seed).conv1.weight for seed in (3, 3, 4))
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_networks_neither_train_nor_mix_the_inputs_of_a_batch():
    import torch

    net = build("resnet10_3d")
    assert not net.training
    assert not any(parameter.requires_grad for parameter in net.parameters())
    inputs = picture(3, 1, 32, 32, 32)
    inputs[1:] *= 100
    with torch.no_grad():
        alone = run_layer(net, inputs[:1], "avgpool")
        torch.testing.assert_close(run_layer(net, inputs, "avgpool")[:1], alone, rtol=1e-5, atol=1e-6)


def test_an_unknown_layer_is_refused():
    import torch

    with pytest.raises(ValueError, match="layer5"), torch.no_grad():
        run_layer(build("resnet10_3d"), picture(1, 1, 32, 32, 32), "layer5")


def test_axes_are_turned_to_where_the_weights_had_them_and_back():
    import torch

    volume = torch.arange(24).reshape(1, 1, 2, 3, 4)  # superior, posterior, left
    turned = turn_axes(volume, "SRA")
    assert turned.shape == (1, 1, 2, 4, 3)
    # The voxel of the lowest slice that lies most to the right and to the front comes last along both axes.
    assert turned[0, 0, 0, 3, 2] == volume[0, 0, 0, 0, 0]
    assert turned[0, 0, 1, 0, 0] == volume[0, 0, 1, 2, 3]
    assert torch.equal(turn_axes(turned, "SPL", given="SRA"), volume)
    assert torch.equal(turn_axes(volume, "SPL"), volume)

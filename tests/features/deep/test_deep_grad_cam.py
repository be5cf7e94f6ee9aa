"""Grad-CAM: networks made by hand, and the sum that the map of the last layer has to give."""

from __future__ import annotations

import numpy as np
import pytest
from deep_phantoms import SHAPE, box_voi, params, scan

from radiobone.features.deep.attribution import AttributionOptions, Target, attribute, share, view_columns
from radiobone.features.deep.compute import Network
from radiobone.features.deep.grad_cam import grad_cam
from radiobone.features.deep.networks import LAST_MAP
from radiobone.features.deep.patches import make_inputs

pytestmark = pytest.mark.deep

STAGES = ("conv1", "bn1", "act", "maxpool", "layer1", "layer2", "layer3", "layer4")
RNG = np.random.default_rng(0)
IMAGE = scan(RNG.integers(100, 900, SHAPE).astype(np.int16))


def network(*views: str, **keys: object) -> Network:
    return Network(params(*views, **keys), None, "cpu", "made for a test")


def handmade(net: Network, spots: list[tuple[int, ...]]) -> Network:
    """Put a network in its place whose feature k is the brightness at one spot, its other features nothing."""
    import torch

    shape = net.params.sizes if net.axes is None else tuple(sorted(net.params.sizes))
    windows = torch.zeros(1, len(spots), *shape)
    for number, spot in enumerate(spots):
        windows[(0, number, *spot)] = 1.0

    class Spots(torch.nn.Module):
        def forward(self, seen):
            return seen[:, :1] * windows

    stages = {name: torch.nn.Identity() for name in STAGES}
    net.net = torch.nn.Module()
    for name, stage in {**stages, "layer4": Spots()}.items():
        net.net.add_module(name, stage)
    return net


@pytest.mark.parametrize(("spot", "fraction"), [((16, 16), 1.0), ((1, 1), 0.0)])
@pytest.mark.parametrize("method", ["grad_cam", "occlusion"])
def test_a_network_that_looks_at_one_place_is_found_out(spot, fraction, method):
    net = handmade(network("axial", margin_mm=12, normalisation="zero_one"), [spot])
    image = scan(RNG.integers(100, 900, (60, 60, 60)).astype(np.int16))
    inputs = make_inputs(image, box_voi(image, (slice(18, 42),) * 3), net.params)
    (found,) = attribute(net, inputs, AttributionOptions(method))
    assert found.heat[spot] == found.heat.max() > 0
    assert share([found]).fraction == fraction


def test_the_sign_of_a_feature_counts():
    net = handmade(network("axial", normalisation="zero_one"), [(16, 16), (1, 1)])
    inputs = np.ones((3, 32, 32), dtype=np.float32)
    heat = grad_cam(net, inputs, np.array([1.0, -1.0]), LAST_MAP)
    assert np.argwhere(heat).tolist() == [[16, 16]]
    assert np.argwhere(grad_cam(net, inputs, np.array([-1.0, 1.0]), LAST_MAP)).tolist() == [[1, 1]]
    assert not grad_cam(net, inputs, np.array([-1.0, 0.0]), LAST_MAP).any()


def test_the_map_of_a_turned_volume_is_turned_back():
    net = network("volume", size=32)
    net.axes = "SRA"
    handmade(net, [(5, 6, 7)])
    heat = grad_cam(net, np.ones((1, 32, 32, 32), dtype=np.float32), None, LAST_MAP)
    # z grows to the head as before; the spot lies 6 from the left and 7 from the back.
    assert np.argwhere(heat).tolist() == [[5, 31 - 7, 31 - 6]]


@pytest.mark.parametrize("target", [None, "one", "several"])
def test_the_last_map_adds_up_to_the_target(target):
    net = network("axial", size=64, micro_batch=1)
    inputs = RNG.normal(size=(3, 64, 64)).astype(np.float32)
    features = net.run(inputs[None])[0].astype(np.float64)
    weights = {"one": np.eye(512)[np.argmax(features)], "several": RNG.random(512)}.get(target)
    wanted = np.linalg.norm(features) if weights is None else features @ weights
    # Features of a rectified map are 0 or more, so that nothing was left out; interpolation keeps the mean.
    assert grad_cam(net, inputs, weights, LAST_MAP).mean() * 2 * 2 == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("layer", ["layer1", "layer3"])
def test_earlier_maps_have_their_own_grid(layer):
    net = network("axial", size=64)
    heat = grad_cam(net, RNG.normal(size=(3, 64, 64)).astype(np.float32), None, layer)
    assert heat.shape == (64, 64)
    assert heat.min() >= 0 < heat.max()
    assert not net.net.layer1[0].conv1.weight.requires_grad


@pytest.mark.parametrize(
    ("backbone", "layer"),
    [
        ("resnet18_3d", "layer3"),
        pytest.param("densenet121", "denseblock3", marks=pytest.mark.slow),
        pytest.param("densenet121", None, marks=pytest.mark.slow),
        pytest.param("resnet50_3d", "layer2", marks=pytest.mark.slow),
    ],
)
def test_every_family_has_maps(backbone, layer):
    net = network("axial" if backbone == "densenet121" else "volume", backbone=backbone, size=32, margin_mm=8)
    inputs = make_inputs(IMAGE, box_voi(IMAGE), net.params)
    (found,) = attribute(net, inputs, AttributionOptions("grad_cam", layer=layer))
    assert found.heat.shape == found.inside.shape
    assert 0 < share([found]).fraction < 1


def test_the_same_bytes_come_again_and_threads_are_put_back():
    import torch

    net = network("axial")
    inputs = make_inputs(IMAGE, box_voi(IMAGE), net.params)
    threads = torch.get_num_threads()
    one, other = (next(attribute(net, inputs, AttributionOptions("grad_cam"))).heat for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert torch.get_num_threads() == threads


@pytest.mark.slow
@pytest.mark.parametrize("method", ["occlusion", "grad_cam"])
def test_a_random_network_looks_at_the_voi_by_its_area(method):
    net = network("axial", "sagittal", "coronal", size=64, margin_mm=4)
    image = scan(RNG.integers(100, 900, (40, 40, 40)).astype(np.int16))
    inputs = make_inputs(image, box_voi(image, (slice(14, 26),) * 3), net.params)
    found = share(list(attribute(net, inputs, AttributionOptions(method))))
    assert 0.7 < found.ratio < 1.4


def test_one_feature_is_one_column():
    net = network("axial", "coronal")
    inputs = make_inputs(IMAGE, box_voi(IMAGE), net.params)
    name = view_columns(net.params, "coronal")[3]
    target = Target(name, {name: 1.0})
    (found,) = attribute(net, inputs, AttributionOptions("grad_cam", target))
    assert found.place.view == "coronal"
    expected = grad_cam(net, _normalised(inputs.array[1]), np.eye(512)[3], LAST_MAP)
    np.testing.assert_array_equal(found.heat, expected)


def _normalised(array: np.ndarray) -> np.ndarray:
    from radiobone.features.deep.normalising import normalised

    return normalised(array[None], "imagenet")[0]

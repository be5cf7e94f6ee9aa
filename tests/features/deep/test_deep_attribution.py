"""Where networks look: those that look at one known place, and those that look nowhere in particular."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from deep_phantoms import SHAPE, box_voi, params, scan

from radiobone.core.errors import UsageError
from radiobone.features.deep.attribution import (
    AttributionMap,
    AttributionOptions,
    Target,
    attribute,
    bone,
    share,
    view_columns,
)
from radiobone.features.deep.grad_cam import watched_layer
from radiobone.features.deep.occlusion import Occluder, occlusion
from radiobone.features.deep.params import DeepParams
from radiobone.features.deep.patches import Place, make_inputs

RNG = np.random.default_rng(0)
BRIGHT = scan(RNG.integers(300, 900, (60, 60, 60)).astype(np.int16))
CUBE = (slice(18, 42),) * 3
"""In the middle of the scan; with a margin of 12 mm it fills half of each edge of a picture."""


def linear(weights: np.ndarray):
    """A network of one feature: the weighted sum of all it sees."""
    return lambda inputs: (inputs.astype(np.float64) * weights).reshape(len(inputs), -1).sum(axis=1, keepdims=True)


class Toy:
    """Stands for `compute.Network`: each feature is the brightness of one pixel of each channel's mean."""

    axes = None
    device = "cpu"

    def __init__(self, wanted: DeepParams, *spots: tuple[int, ...]) -> None:
        self.params = wanted
        self.spots = spots

    def run(self, inputs: np.ndarray) -> np.ndarray:
        return np.stack([inputs.mean(axis=1)[(slice(None), *spot)] for spot in self.spots], axis=1)


def shown(wanted: DeepParams):
    return make_inputs(BRIGHT, box_voi(BRIGHT, CUBE), wanted)


class TestOccluder:
    @pytest.mark.parametrize("shape", [(224, 224), (32, 45), (96, 96, 96), (32, 50, 33)])
    @pytest.mark.parametrize("parts", [2, 3, 8])
    def test_its_places_cover_the_input_alike_from_both_ends(self, shape, parts):
        count = np.zeros(shape)
        for window in Occluder(parts).windows(shape):
            assert count[window].size == math.prod(-(-size // parts) for size in shape)
            count[window] += 1
        assert count.min() >= 1
        assert count.max() <= (9 if len(shape) == 2 else 8)
        if not any(size % parts for size in shape):
            np.testing.assert_array_equal(count, np.flip(count))

    def test_it_moves_by_half_of_its_edge_in_a_picture(self):
        windows = Occluder().windows((224, 224))
        assert len(windows) == 15**2
        assert sorted({window[0].start for window in windows}) == list(range(0, 197, 14))

    def test_it_moves_by_its_edge_in_a_volume(self):
        windows = Occluder().windows((96, 96, 48))
        assert len(windows) == 6**3
        assert windows[-1] == (slice(80, 96), slice(80, 96), slice(40, 48))

    def test_what_it_cannot_be_is_refused(self):
        with pytest.raises(UsageError, match="cover the whole input"):
            Occluder(parts=1)
        with pytest.raises(UsageError, match="no such fill"):
            Occluder(fill="black")
        with pytest.raises(UsageError, match="more parts than pixels"):
            Occluder(parts=33).windows((32, 64))


class TestOcclusion:
    def test_a_sum_falls_by_what_is_covered(self):
        inputs, weights = RNG.random((2, 12, 12, 12)).astype(np.float32), RNG.normal(size=(2, 12, 12, 12))
        heat = occlusion(linear(weights), inputs, np.array([1.0]), Occluder(parts=3), lower=-1.0)
        lost = (weights * (inputs + 1.0)).sum(axis=0)
        for window in Occluder(parts=3).windows((12, 12, 12)):
            np.testing.assert_allclose(heat[(0, *window)], lost[window].sum(), rtol=1e-5)
        assert heat.min() < 0 < heat.max()

    def test_the_mean_takes_no_brightness_away(self):
        inputs = np.stack([np.full((16, 16), 0.25), np.full((16, 16), 0.75)]).astype(np.float32)
        assert not occlusion(linear(np.ones((2, 16, 16))), inputs, None, Occluder(fill="mean")).any()
        assert occlusion(linear(np.ones((2, 16, 16))), inputs, None, Occluder()).min() > 0

    def test_all_features_together_are_the_length_of_their_change(self):
        inputs = np.ones((1, 16, 16), dtype=np.float32)

        def two(seen):
            total = seen.sum(axis=(1, 2, 3), dtype=np.float64)
            return np.stack([3 * total, -4 * total], axis=1)

        heat = occlusion(two, inputs, None, Occluder(parts=4))
        np.testing.assert_allclose(heat, 5 * 16)
        np.testing.assert_allclose(occlusion(two, inputs, np.array([0.0, 0.5]), Occluder(parts=4)), -2 * 16)

    def test_each_channel_may_be_covered_apart(self):
        inputs, weights = np.ones((3, 16, 16), dtype=np.float32), np.zeros((3, 16, 16))
        weights[1, 3, 3] = 2.0
        heat = occlusion(linear(weights), inputs, None, Occluder(parts=4), apart=True)
        assert heat.shape == (3, 16, 16)
        assert not heat[[0, 2]].any()
        assert heat[1, 3, 3] > 0

    @pytest.mark.parametrize("batch", [1, 7, 1000])
    def test_the_batch_changes_nothing(self, batch):
        inputs, weights = RNG.random((1, 16, 16)).astype(np.float32), np.ones((1, 16, 16))
        found = occlusion(linear(weights), inputs, None, Occluder(), batch=batch)
        np.testing.assert_array_equal(found, occlusion(linear(weights), inputs, None, Occluder()))


class TestShare:
    def maps(self, heat: np.ndarray) -> list[AttributionMap]:
        inside = np.zeros(heat.shape, dtype=bool)
        inside[:2] = True
        return [AttributionMap(Place("axial", (3,), (0, 1, 1)), heat, heat.astype(np.float32), inside)]

    def test_what_lies_inside_is_counted_and_what_lowers_the_target_is_not(self):
        heat = np.full((8, 8), 1.0)
        heat[4:] = -5.0
        found = share(self.maps(heat))
        assert (found.fraction, found.area, found.ratio) == (0.5, 0.25, 2.0)

    def test_nothing_at_all_is_no_fraction(self):
        found = share(self.maps(np.full((8, 8), -1.0)))
        assert math.isnan(found.fraction)
        assert math.isnan(found.ratio)
        assert found.area == 0.25

    def test_several_slices_are_one_sum(self):
        one, other = self.maps(np.full((8, 8), 3.0)), self.maps(np.full((4, 4), 1.0))
        found = share([*one, *other])
        assert found.fraction == (16 * 3 + 8) / (64 * 3 + 16)
        assert found.area == 24 / 80

    def test_bone_is_told_by_hu(self):
        wanted = params("axial")
        heat = np.zeros((2, 3))
        grey = np.array([[0.0, 0.1499, 0.15], [0.151, 1.0, 0.0]], dtype=np.float32)
        found = AttributionMap(Place("axial", (3,), (0, 1, 1)), heat, grey, heat > 0)
        assert bone(found, wanted, 150).tolist() == [[False, False, True], [True, True, False]]
        for hu in (0, 1001):
            with pytest.raises(UsageError, match="does not show this HU"):
                bone(found, wanted, hu)


class TestLooksAtOnePlace:
    """The VOI fills the middle of the pictures, which an occluder of an eighth does not leave there."""

    wanted = params("axial", "coronal", size=64, margin_mm=12)

    @pytest.mark.parametrize(("spot", "fraction"), [((32, 32), 1.0), ((2, 2), 0.0)])
    def test_occlusion_finds_it(self, spot, fraction):
        for found in attribute(Toy(self.wanted, spot), shown(self.wanted), AttributionOptions()):
            assert found.inside[spot] == (fraction == 1.0)
            assert found.heat[spot] == found.heat.max() > 0
            assert np.ptp(np.argwhere(found.heat > 0), axis=0).max() < 2 * 8
            assert share([found]).fraction == fraction
            assert share([found]).area == 0.25

    def test_a_target_is_a_sum_of_features(self):
        names = view_columns(self.wanted, "axial")
        network = Toy(self.wanted, (32, 32), (2, 2))
        for weights, fraction in (((2.0, 0.0), 1.0), ((0.0, 2.0), 0.0), ((2.0, -9.0), 1.0)):
            network.run = lambda inputs, run=network.run: np.pad(run(inputs), ((0, 0), (0, 510)))[:, :512]
            target = Target("mine", dict(zip(names, weights, strict=False)))
            (found,) = attribute(network, shown(self.wanted), AttributionOptions(target=target))
            assert found.place.view == "axial"
            assert share([found]).fraction == fraction

    def test_a_volume_has_a_volume(self):
        wanted = params("volume", size=36, margin_mm=12, normalisation="zscore")
        for spot, fraction in (((18, 18, 18), 1.0), ((1, 1, 1), 0.0)):
            (found,) = attribute(Toy(wanted, spot), shown(wanted), AttributionOptions())
            assert found.heat.shape == found.grey.shape == found.inside.shape == (36, 36, 36)
            assert share([found]).fraction == fraction

    def test_covering_is_the_lower_bound_whatever_the_normalisation(self):
        heats = []
        for kind in ("zero_one", "minus1_1", "imagenet", "zscore"):
            wanted = params("axial", size=64, normalisation=kind)
            (found,) = attribute(Toy(wanted, (32, 32)), shown(wanted), AttributionOptions())
            heats.append(found.heat / found.heat.max())
        for heat in heats[1:]:
            np.testing.assert_allclose(heat, heats[0], atol=1e-6)
        wanted = params("axial", size=64, normalisation="minus1_1")
        (found,) = attribute(Toy(wanted, (32, 32)), shown(wanted), AttributionOptions())
        np.testing.assert_allclose(found.heat[32, 32], 2 * found.grey[32, 32], rtol=1e-6)

    def test_of_neighbours_the_middle_one_is_shown(self):
        wanted = params("axial", channels="adjacent", size=32)
        inputs = shown(wanted)
        (found,) = attribute(Toy(wanted, (9, 9)), inputs, AttributionOptions())
        np.testing.assert_array_equal(found.grey, inputs.array[0, 1])
        np.testing.assert_array_equal(found.inside, inputs.mask[0, 1])

    def test_the_three_planes_have_a_map_each(self):
        wanted = params("triplanar", size=32)
        network = Toy(wanted, (16, 16))
        network.run = lambda inputs: inputs[:, 2, 16, 16, None]
        inputs = shown(wanted)
        (found,) = attribute(network, inputs, AttributionOptions())
        assert found.heat.shape == (3, 32, 32)
        np.testing.assert_array_equal(found.grey, inputs.array[0])
        assert not found.heat[:2].any()
        assert found.heat[2, 16, 16] > 0


def test_a_network_that_looks_nowhere_in_particular_looks_at_the_voi_by_its_area():
    wanted = params("axial", "coronal", "sagittal", size=64, margin_mm=4)
    weights = np.random.default_rng(5).normal(size=(20, 3, 64, 64))
    network = SimpleNamespace(params=wanted, axes=None)
    network.run = lambda inputs: np.einsum("ncyx,fcyx->nf", inputs.astype(np.float64), weights)
    image = scan(np.full(SHAPE, 500, dtype=np.int16))
    for found in attribute(network, make_inputs(image, box_voi(image), wanted), AttributionOptions()):
        # The scan ends within the margin along z: nothing is seen there, and covering it changes nothing.
        where = found.grey > 0
        inside = found.inside[where].sum() / where.sum()
        assert share([found]).fraction == pytest.approx(inside, rel=0.12)


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (AttributionOptions(method="saliency"), "no such method"),
            (AttributionOptions(layer="layer2"), "a layer is looked at by grad_cam alone"),
            (AttributionOptions("grad_cam", layer="layer5"), r"Grad-CAM looks at maps.*layer4, last_map"),
            (AttributionOptions(target=Target("x", {"deep-resnet18-axial_0001": 1.0})), "gives no such column"),
            (AttributionOptions(occluder=Occluder(parts=40)), "more parts than pixels"),
        ],
    )
    def test_what_does_not_go_with_the_parameters_is_refused(self, options, message):
        with pytest.raises(UsageError, match=message):
            options.check(params("axial"))

    def test_grad_cam_tells_no_planes_apart(self):
        with pytest.raises(UsageError, match="does not tell the three planes"):
            AttributionOptions("grad_cam").check(params("axial", "triplanar"))
        AttributionOptions().check(params("axial", "triplanar"))

    def test_the_layer_is_that_of_the_features_or_an_earlier_one(self):
        assert watched_layer(params("axial"), None) == "last_map"
        assert watched_layer(params("axial", layer="layer3"), None) == "layer3"
        assert watched_layer(params("axial", layer="layer3"), "layer1") == "layer1"
        with pytest.raises(UsageError, match="one of layer1, layer2, layer3"):
            watched_layer(params("axial", layer="layer3"), "layer4")

    def test_views_without_a_part_in_the_target_are_left_out(self):
        wanted = params("axial", "coronal")
        target = Target("deep-resnet18_random-coronal_0007", {"deep-resnet18_random-coronal_0007": 1.0})
        assert AttributionOptions(target=target).views(wanted) == ("coronal",)
        assert AttributionOptions().views(wanted) == ("axial", "coronal")

"""The prediction: in every order of axes, against nnU-Net's own predictor, and within its memory."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from handmade import EDGE_LABELS, edge_weights, lopsided, random_weights, write_folder

from radiobone.imaging import Geometry, Image
from radiobone.segmentation import Segmenter, read_model

pytestmark = pytest.mark.segment


@pytest.fixture(scope="module")
def edges(tmp_path_factory):
    folder = write_folder(tmp_path_factory.mktemp("edges") / "model", [edge_weights()], EDGE_LABELS)
    return Segmenter(read_model(folder), device="cpu", threads=1)


def truth(array):
    """What the hand-made network says of an LPS image, computed without it."""
    values = array.astype(np.float32)
    low = np.float32(0.0)  # beyond the image the network's convolution sees zeros
    padded = np.pad(values, 1, constant_values=low)
    faces = [
        padded[1:-1, 1:-1, 2:] - padded[1:-1, 1:-1, :-2],
        padded[1:-1, 2:, 1:-1] - padded[1:-1, :-2, 1:-1],
        padded[2:, 1:-1, 1:-1] - padded[:-2, 1:-1, 1:-1],
    ]
    labels = np.where(values > 200, 1, 0)
    for label, face in enumerate(faces, start=2):
        labels[face > 400] = label
    return labels


ORDERS = [
    (order, flips)
    for order in itertools.permutations(range(3))
    for flips in itertools.product((False, True), repeat=3)
]


def reordered(image, order, flips):
    """The same scan in another order of axes: voxels keep their places in the world."""
    axes = [axis for axis in range(3) if flips[axis]]
    array = np.flip(image.array.transpose(order), axes)
    old = image.geometry
    first = [0, 0, 0]
    for axis in axes:
        first[order[axis]] = image.array.shape[order[axis]] - 1
    rows = old.axes[list(order)] * np.where(flips, -1.0, 1.0)[:, None]
    direction = tuple(rows[::-1].T.ravel().tolist())
    spacing = tuple(old.spacing_mm[axis] for axis in order)
    geometry = Geometry(array.shape, spacing, tuple(old.world(first).tolist()), direction)
    return Image(np.ascontiguousarray(array), geometry)


def test_the_handmade_network_answers_as_computed_by_hand(edges):
    image = lopsided()
    mask = edges.predict(image)
    np.testing.assert_array_equal(mask.array, truth(image.array))
    assert mask.geometry is image.geometry
    assert set(mask.labels()) == {1, 2, 3, 4}


@pytest.mark.parametrize(("order", "flips"), ORDERS)
def test_a_mask_is_never_mirrored_in_any_order_of_axes(edges, order, flips):
    image = lopsided()
    there = reordered(image, order, flips)
    mask = edges.predict(there)
    assert mask.geometry is there.geometry
    axes = [axis for axis in range(3) if flips[axis]]
    np.testing.assert_array_equal(mask.array, np.flip(truth(image.array).transpose(order), axes))

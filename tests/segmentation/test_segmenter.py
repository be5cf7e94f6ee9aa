"""The prediction: in every order of axes, against nnU-Net's own predictor, and within its memory."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from handmade import EDGE_LABELS, edge_weights, lopsided, random_weights, write_folder

from radiobone.core.errors import ImageError, ModelError, UsageError
from radiobone.imaging import Geometry, Image
from radiobone.segmentation import Cascade, Segmenter, read_model
from radiobone.segmentation.tiles import Sums

pytestmark = [pytest.mark.segment, pytest.mark.slow]


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


def test_an_oblique_scan_is_seen_along_its_nearest_axes(edges):
    image = lopsided()
    turn = np.array([[0.936, -0.313, 0.158], [0.289, 0.944, 0.159], [-0.199, -0.103, 0.975]])
    turn = np.linalg.qr(turn)[0] * np.sign(np.diag(np.linalg.qr(turn)[1]))
    oblique = Geometry(image.geometry.shape, (1.0, 1.0, 1.0), (3.25, -7.1, 11.3), tuple(turn.ravel().tolist()))
    for order, flips in ORDERS:
        there = reordered(Image(image.array, oblique), order, flips)
        mask = edges.predict(there)
        assert mask.geometry is there.geometry
        axes = [axis for axis in range(3) if flips[axis]]
        np.testing.assert_array_equal(mask.array, np.flip(truth(image.array).transpose(order), axes))


@pytest.mark.parametrize("orientation", ["RAS", "PIR"])
def test_a_model_is_shown_the_order_that_it_learned(tmp_path, orientation):
    image = lopsided()
    model = read_model(write_folder(tmp_path / "m", [edge_weights()], EDGE_LABELS, orientation=orientation))
    mask = Segmenter(model, device="cpu", threads=1).predict(image)
    expected = truth(image.array)
    if orientation == "RAS":
        # The network sees x and y run the other way: its faces 2 and 3 are the opposite ones.
        expected = truth(image.array[:, ::-1, ::-1])[:, ::-1, ::-1]
    else:
        seen = image.array.transpose(2, 0, 1)[::-1, ::-1]  # R, I, P: x to the right, z to the foot
        expected = truth(seen)[::-1, ::-1].transpose(1, 2, 0)
    np.testing.assert_array_equal(mask.array, expected)


def test_spacing_goes_with_its_axis(tmp_path):
    folder = write_folder(tmp_path / "m", [edge_weights()], EDGE_LABELS, spacing=(3.0, 1.0, 0.5))
    segmenter = Segmenter(read_model(folder), device="cpu", threads=1)
    image = lopsided((3.0, 1.0, 0.5))
    expected = truth(image.array)
    for order, flips in ORDERS[::5]:
        mask = segmenter.predict(reordered(image, order, flips))
        axes = [axis for axis in range(3) if flips[axis]]
        np.testing.assert_array_equal(mask.array, np.flip(expected.transpose(order), axes))


def test_masks_of_a_coarser_model_do_not_shift(tmp_path):
    folder = write_folder(tmp_path / "m", [edge_weights(350.0, 1e6)], EDGE_LABELS, spacing=(2.0, 2.0, 2.0))
    array = np.full((40, 44, 48), -100, dtype=np.int16)
    array[10:22, 8:20, 6:26] = 800
    mask = Segmenter(read_model(folder), device="cpu", threads=1).predict(
        Image(array, Geometry(array.shape, (1.0,) * 3))
    )
    found, true = np.argwhere(mask.array == 1).mean(axis=0), np.argwhere(array == 800).mean(axis=0)
    np.testing.assert_allclose(found, true, atol=0.05)
    # In this network a value below the threshold counts a hundredth: its mask is wider by a voxel all round.
    assert mask.tight().box == (slice(9, 23), slice(7, 21), slice(5, 27))


@pytest.mark.parametrize("orientation", ["LPS", "PIR", "as_is"])
def test_windows_are_never_mirrored_along_the_spine_where_levels_are_learned(tmp_path, orientation):
    image = lopsided()
    for labels, spine_too in (({"L1": 1, "L2": 2}, False), ({"vertebra": 1, "sacrum": 2}, True)):
        folder = write_folder(
            tmp_path / labels.__str__()[2:5], [random_weights(0, 3)], labels,
            norm=True, mirror=(0, 1, 2), transpose=(1, 0, 2), orientation=orientation,
        )  # fmt: skip
        segmenter = Segmenter(read_model(folder), device="cpu", threads=1, scheme="model")
        _, mirrored = segmenter._order(image.geometry)
        # Array axis of the spine: 0 in LPS files, 1 in PIR; it is the network's axis 1 or 0, as transposed.
        spine = {"LPS": 1, "PIR": 0, "as_is": 1}[orientation]
        assert set(mirrored) == ({0, 1, 2} if spine_too else {0, 1, 2} - {spine})
        assert Segmenter(segmenter.model, device="cpu", mirroring=False)._order(image.geometry)[1] == ()


def test_half_precision_is_taken_only_when_memory_is_short(tmp_path):
    import torch

    folder = write_folder(tmp_path / "m", [random_weights(0, 40)], {f"t{n}": n for n in range(1, 40)}, norm=True)
    model = read_model(folder)
    image = lopsided()
    roomy = Segmenter(model, device="cpu", threads=1, memory_limit_gb=100)
    needed = roomy.forecast(image).total
    tight = Segmenter(model, device="cpu", threads=1, memory_limit_gb=needed / 1e9 - 1e-4)
    windows = roomy_windows(roomy, image)
    assert roomy._sums(image, windows) == Sums(torch.device("cpu"), torch.float32)
    assert tight._sums(image, windows) == Sums(torch.device("cpu"), torch.float16)
    one, other = roomy.predict(image).array, tight.predict(image).array
    assert not roomy.predict(image).notes
    assert "half precision, for want of memory" in tight.predict(image).notes[0]
    assert len(np.unique(one)) > 10
    assert (one != other).mean() < 3e-2


def roomy_windows(segmenter, image):
    from radiobone.segmentation.tiles import place_windows

    return place_windows(image.array.shape, segmenter.model.patch, segmenter.step_size)


@pytest.mark.parametrize("broken", [float("nan"), 1e30])
def test_outputs_that_are_not_finite_are_no_background(tmp_path, broken):
    weights = edge_weights()
    weights["decoder.seg_layers.0.bias"] += broken
    if broken == 1e30:
        weights["decoder.seg_layers.0.weight"] *= 1e38
    model = read_model(write_folder(tmp_path / "m", [weights], EDGE_LABELS))
    with pytest.raises(ImageError, match="outputs are not finite"):
        Segmenter(model, device="cpu", threads=1).predict(lopsided())


def test_a_gpu_without_memory_is_told(edges, monkeypatch):
    import torch

    def full(*_, **__):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    for name in ("slide", "resample_image"):
        monkeypatch.setattr(f"radiobone.segmentation.segmenter.{name}", full)
        with pytest.raises(ImageError, match=r"too little memory for one window .*2\.00 GiB.*16 x 16 x 16"):
            edges.predict(lopsided())
    monkeypatch.setattr(torch.nn.Module, "to", full)
    with pytest.raises(ModelError, match="too little memory for the model's networks"):
        Segmenter(edges.model, device="cpu")


def test_where_a_gpu_is_too_small_for_sums_the_machine_holds_them(edges, monkeypatch):
    import torch

    import radiobone.segmentation.segmenter as module

    slide, asked = module.slide, []

    def small(data, windows, passes, sums, advance):
        asked.append(sums.dtype)
        yield from slide(data, windows, passes, sums, advance)
        if len(asked) == 1:
            raise torch.cuda.OutOfMemoryError("full")

    monkeypatch.setattr(module, "slide", small)
    image = lopsided()
    np.testing.assert_array_equal(edges.predict(image).array, truth(image.array))
    assert asked == [torch.float32] * 2


def test_networks_work_on_the_models_own_tensors(edges):
    held = {tensor.data_ptr() for tensor in edges.model.weights[0].values()}
    assert {part.data_ptr() for part in edges._networks[0].parameters()} <= held


def test_a_scan_beyond_the_limit_is_refused_with_the_forecast(edges):
    segmenter = Segmenter(edges.model, device="cpu", memory_limit_gb=0.5)
    with pytest.raises(ImageError, match=r"more memory than the limit .*30 x 22 x 26 .*GB \(program"):
        segmenter.predict(lopsided())


def test_regions_may_have_high_values(tmp_path):
    regions = {"whole": [1, 300], "core": [300]}
    folder = write_folder(tmp_path / "m", [random_weights(0, 2)], regions, norm=True)
    dataset = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps(dataset | {"regions_class_order": [1, 300]}))
    mask = Segmenter(read_model(folder), device="cpu", threads=1, scheme="model").predict(lopsided())
    assert 300 in mask.labels()


def test_an_empty_image_is_refused(edges):
    image = lopsided()
    with pytest.raises(ImageError, match="image is empty"):
        edges.predict(Image(np.zeros_like(image.array), image.geometry))


def test_one_slice_is_no_obstacle(edges):
    image = lopsided()
    flat = Image(image.array[6:7], Geometry((1, *image.array.shape[1:]), (1.0, 1.0, 1.0)))
    assert (edges.predict(flat).array[0, 4:8, 6:10] > 0).all()


@pytest.mark.parametrize("name", ["cuda", "cuda:7", "tpu", "cpu:1", "cuda:x"])
def test_a_device_that_is_not_there_is_refused(edges, name):
    import torch

    if name == "cuda" and torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(UsageError, match=r"absent|no device"):
        Segmenter(edges.model, device=name)


@pytest.mark.parametrize("step", [0.0, 1.1, -1.0])
def test_a_step_that_leaves_gaps_is_refused(edges, step):
    with pytest.raises(UsageError, match="no step"):
        Segmenter(edges.model, device="cpu", step_size=step)


def test_a_cascade_delineates_inside_the_box_of_the_coarse_pass(edges, tmp_path):
    array = np.full((70, 60, 64), -100, dtype=np.int16)
    array[20:42, 18:36, 30:48] = 800
    image = Image(array, Geometry(array.shape, (1.0, 1.0, 1.0), (-5.0, 3.0, 9.0)))
    coarse = Segmenter(
        read_model(write_folder(tmp_path / "coarse", [edge_weights(100.0, 1e6)], EDGE_LABELS, spacing=(3.0,) * 3)),
        device="cpu", threads=1,
    )  # fmt: skip
    cascade = Cascade(coarse, edges, margin_mm=5.0)
    mask = cascade.predict(image)
    assert mask.geometry is image.geometry
    assert all(part.stop - part.start < 40 for part in mask.box)
    np.testing.assert_array_equal(mask.full(), truth(array) * (mask.full() > 0))
    np.testing.assert_array_equal(mask.full() > 0, truth(array) > 0)


def test_a_coarse_pass_that_finds_nothing_is_told(edges):
    quiet = Image(np.full((30, 30, 30), -100, dtype=np.int16), Geometry((30, 30, 30), (1.0, 1.0, 1.0)))
    with pytest.raises(ImageError, match="found no spine"):
        Cascade(edges, edges).predict(quiet)

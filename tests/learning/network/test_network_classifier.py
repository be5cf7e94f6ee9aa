"""What the network learns, when it stops, and what it refuses."""

import pickle
import sys

import numpy as np
import pandas as pd
import pytest
from network_volumes import rods, toy
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

from radiobone.core.errors import MissingExtraError, UsageError
from radiobone.core.extras import require
from radiobone.learning import HierarchicalClassifier, NetworkClassifier, Node, VolumeStack, osteoporosis_first
from radiobone.learning.data import DataError, TooFewPatients
from radiobone.learning.network import classifier, running
from radiobone.learning.network.architectures import build, smallest_edge
from radiobone.learning.network.training import TrainingPlan, batches
from radiobone.learning.network.volumes import mean_and_spread, read_batch
from radiobone.learning.routing import fit_with_groups

pytestmark = pytest.mark.deep

FAST = {"epochs": 2, "width": 4, "max_shift": 0, "flips": ()}


@pytest.fixture(scope="module")
def learned():
    X, y = rods(60, seed=1)
    return toy().fit(X, y), X, y


def test_it_learns_a_rod_at_any_place(learned):
    model = learned[0]
    X, y = rods(80, seed=2)
    proba = model.predict_proba(X)
    assert roc_auc_score(y, proba[:, 1]) > 0.95
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    np.testing.assert_array_equal(model.predict(X), (proba[:, 1] > 0.5).astype(int))
    odds = model.decision_function(X)
    np.testing.assert_allclose(1 / (1 + np.exp(-odds)), proba[:, 1])
    assert model.losses_[-1] < model.losses_[0] / 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"loss": "focal", "class_weight": "balanced"},
        {"optimiser": "sgd", "learning_rate": 0.02, "epochs": 60, "patience": 30},
        {"architecture": "resnet18", "patience": None},
        {"batch_size": 5},
    ],
)
def test_every_way_of_training_learns(options):
    model = toy(**options).fit(*rods(60, seed=3))
    X, y = rods(60, seed=4)
    assert roc_auc_score(y, model.predict_proba(X)[:, 1]) > 0.9


@pytest.mark.slow
def test_a_dense_network_learns():
    X, y = rods(40, seed=3, edge=29)
    model = toy(architecture="densenet121", epochs=6, batch_size=8).fit(X, y)
    X, y = rods(40, seed=4, edge=29)
    assert roc_auc_score(y, model.predict_proba(X)[:, 1]) > 0.9


@pytest.mark.slow
def test_shuffled_labels_give_about_chance():
    found = []
    for seed in range(4):
        X, y = rods(60, seed=seed)
        model = toy(random_state=seed).fit(X, np.random.default_rng(seed).permutation(y))
        X, y = rods(60, seed=100 + seed)
        # Noise volumes alone: what a rod adds is no class any more, but the network may have fallen for it.
        found.append(roc_auc_score(np.random.default_rng(seed).permutation(y), model.predict_proba(X)[:, 1]))
    assert abs(np.mean(found) - 0.5) < 0.12


def test_the_same_seed_gives_the_same_weights_to_the_byte(learned):
    model, X, y = learned
    short = clone(model).set_params(epochs=3)
    one, other = short.fit(X, y).weights_, clone(short).fit(X, y).weights_
    assert list(one) == list(other)
    assert all(one[name].tobytes() == other[name].tobytes() for name in one)
    different = clone(short).set_params(random_state=1).fit(X, y).weights_
    assert any(one[name].tobytes() != different[name].tobytes() for name in one)


@pytest.mark.parametrize("depth", [5, 6, 7, 8])
def test_flat_volumes_have_sound_gradients(depth):
    """Of 5 to 7 slices oneDNN gives chance for gradients of the stem, or ends the process."""
    torch = require("torch", "deep")
    x = torch.randn((3, 1, depth, 9, 9), generator=torch.Generator().manual_seed(0))
    net = build("resnet10", 4, 2, seed=0)
    gradients = []
    for kind in (torch.float32, torch.float64):
        net = net.to(kind)
        net.zero_grad()
        with running.reproducibly((depth, 9, 9)):
            net(x.to(kind))[:, 0].sum().backward()
        gradients.append(net.conv1.weight.grad.double().clone())
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-3, atol=1e-3 * float(gradients[1].abs().max()))


def test_threads_and_random_state_of_the_caller_play_no_part_and_are_left_alone(learned):
    torch = require("torch", "deep")
    model, X, y = learned
    short = clone(model).set_params(epochs=2)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        torch.manual_seed(5)
        state = torch.random.get_rng_state()
        one = short.fit(X, y).weights_
        assert torch.get_num_threads() == 2
        assert torch.equal(torch.random.get_rng_state(), state)
        torch.manual_seed(6)
        other = clone(short).fit(X, y).weights_
    finally:
        torch.set_num_threads(before)
    assert all(one[name].tobytes() == other[name].tobytes() for name in one)


def test_a_row_is_predicted_alike_in_any_company(learned):
    model, X, _ = learned
    whole = model.decision_function(X)
    assert model.decision_function(X[7:8]).tolist() == whole[7:8].tolist()
    assert model.decision_function(X[::-1]).tolist() == whole[::-1].tolist()


def test_stacks_may_have_an_axis_of_channels_or_lie_in_a_file(learned, tmp_path):
    model, X, y = learned
    expected = model.decision_function(X[:9])
    np.testing.assert_array_equal(model.decision_function(X[:9, None]), expected)
    np.testing.assert_array_equal(model.decision_function(X[:9].tolist()), expected)
    np.save(tmp_path / "stack.npy", X[:, None])
    stack = VolumeStack.open(tmp_path / "stack.npy")
    np.testing.assert_array_equal(model.decision_function(stack[:9]), expected)
    short = clone(model).set_params(epochs=1)
    one, other = short.fit(X, y).weights_, clone(short).fit(stack, y).weights_
    assert all(one[name].tobytes() == other[name].tobytes() for name in one)
    flat = clone(short).set_params(shape=(10, 10, -1)).fit(X.reshape(len(X), -1), y)
    assert flat.shape_ == (10, 10, 10)
    assert all(one[name].tobytes() == flat.weights_[name].tobytes() for name in one)


def test_a_stack_in_a_file_is_read_when_it_is_needed_and_goes_to_workers_by_its_name(tmp_path):
    X, _ = rods(8, seed=0)
    np.save(tmp_path / "stack.npy", X.astype(np.float16))
    stack = VolumeStack.open(tmp_path / "stack.npy")
    part = stack[np.array([5, 2, 2])]
    assert (part.shape, part.ndim, len(part), part.dtype) == ((3, 10, 10, 10), 4, 3, np.float16)
    np.testing.assert_array_equal(np.asarray(part), X.astype(np.float16)[[5, 2, 2]])
    np.testing.assert_array_equal(np.asarray(part[1:2]), X.astype(np.float16)[[2]])
    sent = pickle.dumps(part)
    assert len(sent) < 2_000
    np.testing.assert_array_equal(np.asarray(pickle.loads(sent)), np.asarray(part))
    with pytest.raises(IndexError, match="several rows"):
        stack[3]
    with pytest.raises(ValueError, match="without a copy"):
        np.asarray(stack, copy=False)
    assert np.asarray(stack, dtype=np.float64).dtype == np.float64


@pytest.mark.parametrize("content", [np.zeros((3, 4)), np.zeros((2, 2, 2, 2), complex), b"no array", b""])
def test_a_file_that_is_no_stack_is_refused(tmp_path, content):
    path = tmp_path / "stack.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content)
    with pytest.raises(DataError, match="stack of volumes"):
        VolumeStack.open(path)


def test_arrays_of_objects_in_a_file_are_never_unpickled(tmp_path):
    np.save(tmp_path / "stack.npy", np.array([{}, {}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="cannot be read"):
        VolumeStack.open(tmp_path / "stack.npy")


def test_training_stops_after_its_patience_and_keeps_the_best_epoch(monkeypatch):
    """The losses are set by hand: 3, 2, 4, 4, then no more."""
    losses = iter([3.0, 2.0, 4.0, 4.0])
    seen = []

    def loss(net, volumes, codes, held_out, weights, plan):
        seen.append({name: value.clone() for name, value in net.state_dict().items()})
        return next(losses)

    monkeypatch.setattr("radiobone.learning.network.training._held_out_loss", loss)
    X, y = rods(20, seed=0)
    model = toy(**FAST | {"epochs": 9}, patience=2).fit(X, y)
    assert model.n_epochs_ == 4
    assert model.best_params_ == {"epochs": 2}
    assert model.held_out_losses_.tolist() == [3.0, 2.0, 4.0, 4.0]
    assert all((seen[1][name].numpy() == kept).all() for name, kept in model.weights_.items())
    assert any((seen[3][name].numpy() != kept).any() for name, kept in model.weights_.items())


def test_without_patience_all_patients_train_for_all_epochs():
    X, y = rods(20, seed=0)
    model = toy(**FAST | {"epochs": 3}, patience=None).fit(X, y)
    assert (model.n_epochs_, model.n_held_out_, model.best_params_) == (3, 0, {"epochs": 3})
    assert model.held_out_losses_.size == 0


def test_patients_are_held_out_whole(monkeypatch):
    splits = []

    def watched(net, volumes, codes, split, *more):
        splits.append(split)
        return train(net, volumes, codes, split, *more)

    train = classifier.train
    monkeypatch.setattr(classifier, "train", watched)
    X, y = rods(40, seed=0)
    y = np.sort(y)
    groups = np.array([f"p{row // 4}" for row in range(40)])
    model = toy(**FAST)
    # Asked for by scikit-learn's routing, as nodes do.
    fit_with_groups(model, X, y, groups)
    (learned, held_out) = splits[0]
    assert not set(groups[learned]) & set(groups[held_out])
    assert len(learned) + len(held_out) == 40
    assert set(y[held_out]) == {0, 1}
    assert model.n_held_out_ == len(held_out)
    fit_with_groups(HierarchicalClassifier(estimator=toy(**FAST)), X, y, groups)
    assert not set(groups[splits[1][0]]) & set(groups[splits[1][1]])


def test_it_stands_at_the_nodes_of_a_tree():
    rng = np.random.default_rng(0)
    y = np.repeat(["normal", "osteopenia", "osteoporosis"], 16)
    X = rng.normal(size=(48, 8, 8, 8)).astype(np.float32)
    X[y == "osteoporosis", :, 2:5] += 3.0
    X[y == "osteopenia", 2:5] += 3.0
    model = HierarchicalClassifier(estimator=toy(width=4, epochs=10), nodes=osteoporosis_first()).fit(X, y)
    assert (model.predict(X) == y).mean() > 0.9
    assert isinstance(model.estimators_["osteoporosis_vs_rest"], NetworkClassifier)


def test_a_node_with_too_few_patients_predicts_the_prior():
    X, _ = rods(9, seed=0)
    y = ["a"] * 8 + ["b"]
    with pytest.raises(TooFewPatients, match="at least two patients"):
        toy(**FAST).fit(X, y)
    with pytest.warns(UserWarning, match="predicts the training prior"):
        HierarchicalClassifier(estimator=toy(**FAST), nodes=[Node("n", ("b",), ("a",))]).fit(X, y)


def test_a_class_with_few_patients_has_more_of_them_held_out_and_that_is_noted():
    X, _ = rods(20, seed=0)
    y = np.repeat([0, 1], [18, 2])
    model = toy(**FAST).fit(X, y)
    assert model.n_held_out_ == 10
    assert model.notes_ == ["2 inner folds instead of 5: the smallest class has no more training patients"]
    assert toy(**FAST).fit(X, np.arange(20) % 2).notes_ == []


def test_three_classes_at_once():
    rng = np.random.default_rng(0)
    y = np.repeat(["a", "b", "c"], 14)
    X = rng.normal(size=(42, 6, 6, 6)).astype(np.float32) + np.repeat([0.0, 2.0, 4.0], 14)[:, None, None, None]
    model = toy(width=4, epochs=15, intensity=0.0).fit(X, y)
    assert (model.predict(X) == y).mean() > 0.9
    assert model.predict_proba(X).shape == model.decision_function(X).shape == (42, 3)


def test_class_weights_move_the_probabilities():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 4, 4, 4)), np.repeat([0, 1], [45, 15])
    options = {**FAST, "epochs": 6, "patience": None, "learning_rate": 1e-2}
    plain = toy(**options).fit(X, y).predict_proba(X)[:, 1].mean()
    heavy = toy(**options, class_weight={0: 1.0, 1: 20.0}).fit(X, y).predict_proba(X)[:, 1].mean()
    assert heavy > plain + 0.1


def test_losses_are_those_of_their_papers():
    torch = require("torch", "deep")
    from torch.nn.functional import cross_entropy

    from radiobone.learning.network.training import _loss

    plan = {"optimiser": "adamw", "learning_rate": 1e-3, "weight_decay": 0.0, "epochs": 1, "batch_size": 2}
    plan |= {"patience": None, "augmentation": lambda batch, rng: batch}
    logits = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.3, -0.2], [1.0, 1.0, 3.0]])
    codes, weights = torch.tensor([0, 2, 1]), torch.tensor([1.0, 2.0, 4.0])
    total, weight = _loss(logits, codes, weights, TrainingPlan(loss="cross_entropy", gamma=2.0, **plan))
    torch.testing.assert_close(total / weight, cross_entropy(logits, codes, weight=weights))
    total, _ = _loss(logits, codes, weights, TrainingPlan(loss="focal", gamma=2.0, **plan))
    p = torch.softmax(logits, dim=1)[[0, 1, 2], codes].numpy()
    np.testing.assert_allclose(total, (-np.array([1, 4, 2]) * (1 - p) ** 2 * np.log(p)).sum(), rtol=1e-6)
    total, weight = _loss(logits, codes, weights, TrainingPlan(loss="focal", gamma=0.0, **plan))
    torch.testing.assert_close(total / weight, cross_entropy(logits, codes, weight=weights))
    certain = torch.tensor([[30.0, -30.0, 0.0]], requires_grad=True)
    _loss(certain, codes[:1], weights, TrainingPlan(loss="focal", gamma=0.5, **plan))[0].backward()
    assert torch.isfinite(certain.grad).all()


def test_volumes_are_standardised_by_training_voxels():
    X, y = rods(20, seed=0)
    plain = toy(**FAST).fit(X, y)
    assert plain.mean_ == pytest.approx(X.astype(float).mean(), abs=1e-6)
    assert plain.spread_ == pytest.approx(X.astype(float).std(), rel=1e-6)
    hu = toy(**FAST).fit(X * 256.0 + 128.0, y)
    np.testing.assert_allclose(hu.decision_function(X * 256.0 + 128.0), plain.decision_function(X), atol=1e-3)
    assert mean_and_spread(np.full((3, 2, 2, 2), 7.3), (2, 2, 2), 2) == (pytest.approx(7.3), 1.0)


def test_batches_hold_every_row_once_and_none_of_one_row():
    for n in range(2, 20):
        for size in range(2, 8):
            parts = batches(np.arange(n), size)
            assert np.concatenate(parts).tolist() == list(range(n))
            assert min(map(len, parts)) >= 2
            assert max(map(len, parts)) <= size + 1


def test_memory_is_bound_by_the_batch(monkeypatch):
    sizes = []

    def watched(X, rows, shape):
        sizes.append(len(rows))
        return read_batch(X, rows, shape)

    for module in ("training", "volumes"):
        monkeypatch.setattr(f"radiobone.learning.network.{module}.read_batch", watched)
    X, y = rods(33, seed=0)
    toy(**FAST, batch_size=4).fit(X, y).predict(X)
    assert max(sizes) <= 5


def test_labels_of_any_kind_and_a_table_with_names():
    X, y = rods(20, seed=0, edge=5)
    table = pd.DataFrame(X.reshape(20, -1)).rename(columns=lambda number: f"v{number}")
    model = toy(**FAST, shape=(5, 5, 5)).fit(table, np.array(["no", "yes"])[y])
    assert model.feature_names_in_[0] == "v0"
    assert set(model.predict(table)) <= {"no", "yes"}
    with pytest.raises(ValueError, match="feature names"):
        model.predict(table[table.columns[::-1]])


class TestRefusals:
    X, y = rods(12, seed=0, edge=6)

    def test_one_class(self):
        with pytest.raises(DataError, match="got one class"):
            toy().fit(self.X, np.zeros(12))

    def test_no_classes(self):
        with pytest.raises(ValueError, match="requires y"):
            toy().fit(self.X, None)

    @pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
    def test_voxels_that_are_no_finite_numbers(self, value):
        X = self.X.astype(np.float64)
        X[7, 1, 2, 3] = value
        with pytest.raises(DataError, match="NaN or infinite") as caught:
            toy(**FAST, batch_size=5).fit(X, self.y)
        assert caught.value.where == "row 7"
        model = toy(**FAST, batch_size=5).fit(self.X, self.y)
        with pytest.raises(DataError, match="row 7"):
            model.predict(X)

    def test_another_shape_than_in_training(self):
        model = toy(**FAST).fit(self.X, self.y)
        with pytest.raises(DataError, match="differ from those"):
            model.predict(self.X[:, :, :5])
        with pytest.raises(DataError, match="X must hold"):
            model.predict(self.X[:, 0])

    @pytest.mark.parametrize("shape", [(12, 2, 6, 6, 6), (12, 6, 6), (12, 6, 6, 6, 6, 6)])
    def test_shapes_that_are_no_volumes(self, shape):
        with pytest.raises(DataError, match="X must hold"):
            toy(**FAST).fit(np.ones(shape, np.float32), self.y)

    def test_rows_that_do_not_make_volumes_of_the_shape(self):
        with pytest.raises(DataError, match="no volumes of the shape"):
            toy(**FAST, shape=(3, 3, -1)).fit(np.ones((12, 10)), self.y)

    def test_a_volume_too_small_for_the_network(self):
        edge = smallest_edge("densenet121")
        with pytest.raises(DataError, match="too small for the network") as caught:
            toy(**FAST | {"architecture": "densenet121"}).fit(np.ones((12, edge, edge, edge - 1)), self.y)
        assert caught.value.expected == f"{edge} voxels or more along each edge"

    @pytest.mark.slow
    def test_the_smallest_edge_is_the_smallest_that_works(self):
        torch = require("torch", "deep")
        net, edge = build("densenet121", 4, 2, seed=0), smallest_edge("densenet121")
        assert net(torch.zeros((1, 1, edge, edge, edge))).shape == (1, 2)
        with pytest.raises(RuntimeError):
            net(torch.zeros((1, 1, edge, edge, edge - 1)))
        assert build("resnet18", 4, 2, seed=0)(torch.zeros((1, 1, 1, 1, 1))).shape == (1, 2)

    def test_a_loss_that_runs_away(self):
        with pytest.raises(DataError, match="ran away") as caught:
            toy(**FAST | {"epochs": 30}, optimiser="sgd", learning_rate=1e12).fit(self.X, self.y)
        assert caught.value.do == "lower learning_rate (now 1e+12)"

    def test_no_gpu(self, monkeypatch):
        monkeypatch.setattr(require("torch", "deep").cuda, "is_available", lambda: False)
        with pytest.raises(UsageError, match="no GPU"):
            toy(**FAST, device="cuda").fit(self.X, self.y)
        assert running.find_device("auto") == "cpu"

    def test_no_memory_left_on_the_gpu(self):
        torch = require("torch", "deep")
        with pytest.raises(UsageError, match="more memory") as caught, running.reproducibly((8, 8, 8)):
            raise torch.OutOfMemoryError("CUDA out of memory")
        assert "batch_size" in caught.value.do

    def test_an_axis_that_there_is_not(self):
        with pytest.raises(DataError, match="mirror along"):
            toy(flips=("w",)).fit(self.X, self.y)

    def test_no_pytorch(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "torch", None)
        with pytest.raises(MissingExtraError, match=r"radiobone\[deep\]"):
            toy().fit(self.X, self.y)

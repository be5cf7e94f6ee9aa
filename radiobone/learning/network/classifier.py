"""A 3D network as a classifier of scikit-learn: trained from volumes, stopped in time, deterministic."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import check_is_fitted, validate_data

from radiobone.core.batch import progress_bar
from radiobone.learning.data import DataError, check_groups, check_rows, rows_and_labels
from radiobone.learning.folds import Split, fewer_folds, inner_folds
from radiobone.learning.network.architectures import ARCHITECTURES, build, check_size
from radiobone.learning.network.augmentation import AXES, Augmentation
from radiobone.learning.network.running import DEVICES, fill, find_device, reproducibly, run
from radiobone.learning.network.training import Standardised, Trained, TrainingPlan, Weights, train
from radiobone.learning.network.volumes import mean_and_spread, volume_shape

_SEEDS = np.iinfo(np.int32).max


class NetworkClassifier(ClassifierMixin, BaseEstimator):
    """Train a 3D network from the volumes themselves.

    Part of the training patients is held out, stratified by class, to tell when to stop; the weights of the best
    epoch are kept. Volumes are standardised by mean and spread of all training voxels.

    Parameters
    ----------
    architecture : {"resnet10", "resnet18", "densenet121"}, default="resnet18"
        The network, of MONAI.
    width : int, default=64
        Channels behind the stem, 64 as published; all later ones follow. Small numbers make toy networks.
    loss : {"cross_entropy", "focal"}, default="cross_entropy"
        What is minimised.
    gamma : float, default=2.0
        Of the focal loss: how little volumes count that are told well already.
    class_weight : {"balanced"}, dict of class to float, or None, default=None
        Weights of the classes in the loss; balanced ones give all classes the same weight.
    optimiser : {"adamw", "sgd"}, default="adamw"
        AdamW, or stochastic gradient descent with a momentum of 0.9.
    learning_rate : float, default=0.001
        Length of a step.
    weight_decay : float, default=0.01
        How strongly weights are drawn to zero.
    epochs : int, default=100
        How often the training volumes are gone through, at most.
    batch_size : int, default=16
        Volumes for one step; memory grows with it, not with the number of volumes in a `VolumeStack`.
    patience : int or None, default=15
        Epochs without a lower loss of the held-out patients after which training stops. None trains on all
        patients for all epochs.
    stop_folds : int, default=5
        One part in so many of the training patients is held out; fewer where a class has fewer patients.
    flips : tuple of {"z", "y", "x"}, default=("x",)
        Axes along which training volumes are mirrored by chance.
    max_shift : int, default=2
        By how many voxels they are shifted at most.
    intensity : float, default=0.1
        By what share of their spread values are changed at most.
    shape : tuple of 3 ints or None, default=None
        Where rows of a table hold volumes flattened: their edges along (z, y, x), one of which may be -1. Without
        it, a table is refused.
    device : {"cpu", "cuda", "auto"}, default="cpu"
        Where it is trained and run.
    progress : bool, default=False
        Show a bar of epochs, if standard error is a terminal.
    random_state : int, RandomState or None, default=0
        Of the first weights, the held-out patients, the order of volumes and their changes.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted.
    weights_ : dict of str to ndarray
        Of the network.
    shape_ : tuple of int
        Voxels along (z, y, x) of the training volumes.
    mean_, spread_ : float
        Of the training voxels.
    best_params_ : dict
        ``epochs``: after how many the weights were kept.
    n_epochs_ : int
        How many were gone through.
    losses_, held_out_losses_ : ndarray
        Of each epoch; the second is empty without ``patience``.
    n_held_out_ : int
        Rows that were held out to stop by.
    notes_ : list of str
        What a reader of the result should know: fewer folds than asked for.

    Notes
    -----
    On one machine, one version of PyTorch and the processor, the same seed gives the same weights to the byte: one
    thread, and nothing is drawn but from ``random_state``. On a GPU, and between machines, they differ by what
    rounding makes of it in training.

    Few patients are few patients: a network that learns from scratch seldom does better than radiomics on some
    hundred of them. It stands here as an arm to compare with.

    Examples
    --------
    >>> model = NetworkClassifier(architecture="resnet10", width=8, patience=5, device="auto")
    >>> model.get_params()["width"]
    8
    """

    __metadata_request__fit: ClassVar[dict[str, bool]] = {"groups": True}

    predicts_prior_ = False

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "architecture": [StrOptions(set(ARCHITECTURES))],
        "width": [Interval(Integral, 4, None, closed="left")],
        "loss": [StrOptions({"cross_entropy", "focal"})],
        "gamma": [Interval(Real, 0, None, closed="left")],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "optimiser": [StrOptions({"adamw", "sgd"})],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left"), None],
        "stop_folds": [Interval(Integral, 2, None, closed="left")],
        "flips": [tuple, list],
        "max_shift": [Interval(Integral, 0, None, closed="left")],
        "intensity": [Interval(Real, 0, 1, closed="left")],
        "shape": [tuple, list, None],
        "device": [StrOptions(set(DEVICES))],
        "progress": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        architecture: str = "resnet18",
        width: int = 64,
        loss: str = "cross_entropy",
        gamma: float = 2.0,
        class_weight: Any = None,
        optimiser: str = "adamw",
        learning_rate: float = 1e-3,
        weight_decay: float = 0.01,
        epochs: int = 100,
        batch_size: int = 16,
        patience: int | None = 15,
        stop_folds: int = 5,
        flips: tuple[str, ...] = ("x",),
        max_shift: int = 2,
        intensity: float = 0.1,
        shape: tuple[int, int, int] | None = None,
        device: str = "cpu",
        progress: bool = False,
        random_state: Any = 0,
    ) -> None:
        self.architecture = architecture
        self.width = width
        self.loss = loss
        self.gamma = gamma
        self.class_weight = class_weight
        self.optimiser = optimiser
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.epochs = epochs
        self.batch_size = batch_size
        self.patience = patience
        self.stop_folds = stop_folds
        self.flips = flips
        self.max_shift = max_shift
        self.intensity = intensity
        self.shape = shape
        self.device = device
        self.progress = progress
        self.random_state = random_state

    def fit(self, X: Any, y: ArrayLike, groups: ArrayLike | None = None) -> NetworkClassifier:
        """Train the network.

        Parameters
        ----------
        X : ndarray or VolumeStack of shape (n, z, y, x) or (n, 1, z, y, x)
            Training volumes; or, with ``shape``, a table of shape (n, n_voxels).
        y : array-like of shape (n,)
            Classes; at least two.
        groups : array-like of shape (n,), optional
            Patient of each row, who is held out whole or not at all.

        Returns
        -------
        NetworkClassifier
            The fitted classifier.

        Raises
        ------
        MissingExtraError
            If PyTorch or MONAI is not installed.
        DataError
            If volumes are too small for the network or hold NaN, there is one class only, or the loss runs away.
        TooFewPatients
            If a class has fewer than two patients, so that none can be held out.
        UsageError
            If a GPU is asked for and there is none, or its memory does not suffice.
        """
        self._validate_params()
        if unknown := sorted(set(map(str, self.flips)) - set(AXES)):
            raise DataError("no such axis to mirror along", got=", ".join(unknown), expected=", ".join(AXES))
        X, labels = self._rows(X, y)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        patients = check_groups(groups, labels)
        self.shape_ = self._volume_shape(X)
        check_size(self.architecture, self.shape_)
        device = find_device(self.device)
        self.mean_, self.spread_ = mean_and_spread(X, self.shape_, self.batch_size)
        random = check_random_state(self.random_state)
        first, order = (int(seed) for seed in random.randint(_SEEDS, size=2))
        split = self._split(X, codes, patients, random)
        self.n_held_out_ = len(split[1])
        with reproducibly(self.shape_), progress_bar("epochs", self.epochs, self.progress) as advance:
            net = build(self.architecture, self.width, len(self.classes_), seed=first).to(device)
            weights = compute_class_weight(self.class_weight, classes=self.classes_, y=labels[split[0]])
            volumes = Standardised(X, self.shape_, self.mean_, self.spread_)
            rng = np.random.default_rng(order)
            self._hold(train(net, volumes, codes, split, weights, self._plan(), rng, advance))
        return self

    def _rows(self, X: Any, y: Any) -> tuple[Any, NDArray[Any]]:
        """Check training rows and classes: a table as scikit-learn does, volumes batch by batch later on."""
        X, labels = rows_and_labels(self, _with_shape(X), y)
        if X.ndim == 2:
            return validate_data(self, X, dtype=np.float64, reset=False), labels
        # Voxels are the features, whether or not they stand in one row.
        self.n_features_in_ = math.prod(volume_shape(X))
        return X, labels

    def _volume_shape(self, X: Any) -> tuple[int, int, int]:
        """Return the edges of the volumes: of a stack, or of a table with rows of them."""
        if X.ndim != 2:
            return volume_shape(X)
        if self.shape is None:
            raise DataError(
                "X is a table, and the network wants volumes",
                got=f"shape {X.shape}",
                expected="(n, z, y, x), or the parameter shape, if rows are flattened volumes",
            )
        try:
            z, y, x = np.broadcast_to(0, X.shape[1]).reshape(self.shape).shape
        except (TypeError, ValueError):
            raise DataError(
                "the rows of X are no volumes of the shape given", got=f"{X.shape[1]} columns", expected=self.shape
            ) from None
        return z, y, x

    def _split(self, X: Any, codes: NDArray[np.intp], patients: NDArray[Any] | None, random: Any) -> Split:
        """Return the rows that train, and those that are held out to stop by."""
        self.notes_: list[str] = []
        if self.patience is None:
            return np.arange(len(codes)), np.arange(0)
        splits = inner_folds(self.stop_folds, X, codes, patients, random)
        self.notes_ += fewer_folds(self.stop_folds, len(splits))
        return splits[0]

    def _plan(self) -> TrainingPlan:
        return TrainingPlan(
            loss=self.loss,
            gamma=self.gamma,
            optimiser=self.optimiser,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            epochs=self.epochs,
            batch_size=self.batch_size,
            patience=self.patience,
            augmentation=Augmentation(tuple(self.flips), self.max_shift, self.intensity),
        )

    def _hold(self, trained: Trained) -> None:
        self.weights_: Weights = trained.weights
        self.best_params_ = {"epochs": trained.best_epoch}
        self.n_epochs_ = len(trained.losses)
        self.losses_ = np.array(trained.losses)
        self.held_out_losses_ = np.array(trained.held_out_losses)

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return the outputs of the network before the softmax.

        Parameters
        ----------
        X : ndarray or VolumeStack
            Volumes of the shape of the training volumes.

        Returns
        -------
        ndarray of shape (n, n_classes), or (n,) for two classes
            Of two classes, the log odds of the second.
        """
        outputs = self._outputs(X)
        return outputs[:, 1] - outputs[:, 0] if len(self.classes_) == 2 else outputs

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of every class.

        Parameters
        ----------
        X : ndarray or VolumeStack
            Volumes of the shape of the training volumes.

        Returns
        -------
        ndarray of shape (n, n_classes)
            Probabilities, in the order of ``classes_``.
        """
        proba: NDArray[np.float64] = softmax(self._outputs(X), axis=1)
        return proba

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class of each volume.

        Parameters
        ----------
        X : ndarray or VolumeStack
            Volumes of the shape of the training volumes.

        Returns
        -------
        ndarray of shape (n,)
            Classes.
        """
        codes = np.argmax(self._outputs(X), axis=1)
        labels: NDArray[Any] = self.classes_[codes]
        return labels

    def _outputs(self, X: Any) -> NDArray[np.float64]:
        check_is_fitted(self)
        check_rows(X)
        X = _with_shape(X)
        X = validate_data(self, X, dtype=np.float64, reset=False) if X.ndim == 2 else X
        shape = self._volume_shape(X)
        if shape != tuple(self.shape_):
            raise DataError(
                "the volumes differ from those that the network was trained on",
                got=f"{shape} voxels (z, y, x)",
                expected=self.shape_,
            )
        device = find_device(self.device)
        with reproducibly(self.shape_):
            net = fill(build(self.architecture, self.width, len(self.classes_), seed=0), self.weights_).to(device)
            volumes = Standardised(X, self.shape_, self.mean_, self.spread_)
            return run(net, volumes, len(X), self.batch_size)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        # Without a shape for its rows, a table is refused.
        tags.input_tags.two_d_array = self.shape is not None
        tags.input_tags.three_d_array = True
        return tags


def _with_shape(X: Any) -> Any:
    """Return what has a shape as it is (a table keeps the names of its columns), anything else as an array."""
    return X if hasattr(X, "shape") else np.asarray(X)

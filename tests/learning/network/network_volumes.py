"""Volumes whose class is a bright rod at a random place, and a network that is small enough for tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from radiobone.learning import NetworkClassifier

TOY = {"architecture": "resnet10", "width": 8, "epochs": 25, "patience": 8, "learning_rate": 3e-3}


def rods(n: int, seed: int, edge: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Noise, in every second volume with a rod along z."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % 2)
    X = rng.normal(size=(n, edge, edge, edge)).astype(np.float32)
    for row in np.flatnonzero(y):
        a, b = rng.integers(1, edge - 3, 2)
        X[row, :, a : a + 3, b : b + 3] += 1.5
    return X, y


def toy(**options: Any) -> NetworkClassifier:
    return NetworkClassifier(**{**TOY, **options})

"""What an input goes through between its window and the network: the normalisation of the weights' training."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiobone.core.errors import EngineError
from radiobone.features.deep.weights_registry import IMAGENET_MEAN, IMAGENET_STD, Normalisation


def normalised(inputs: NDArray[np.float32], kind: Normalisation) -> NDArray[np.float32]:
    """Normalise inputs, each for itself.

    Parameters
    ----------
    inputs : ndarray of shape (n, channels, ...), float32
        From 0 to 1, as `make_inputs` gives them.
    kind : {"imagenet", "minus1_1", "zero_one", "zscore"}
        See `weights_registry.Normalisation`.

    Returns
    -------
    ndarray of the same shape, float32
        What the network is shown.

    Raises
    ------
    EngineError
        If an input has no contrast to be scaled by (``zscore`` alone).
    """
    if kind == "zero_one":
        return inputs
    if kind == "minus1_1":
        return inputs * np.float32(2) - np.float32(1)
    if kind == "imagenet":
        mean, std = (
            np.array(values, dtype=np.float32).reshape(-1, *(1,) * (inputs.ndim - 2))
            for values in (IMAGENET_MEAN, IMAGENET_STD)
        )
        return (inputs - mean) / std
    return np.stack([_zscored(one) for one in inputs])


def _zscored(one: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale by mean and standard deviation of what lies above 0, as MedicalNet does.

    Its own reading of data (``datasets/brains18.py``) then fills all places of exactly 0 with random numbers; here
    they keep what the scaling gives them, so that a VOI always has the same features.
    """
    above = one[one > 0].astype(np.float64)
    spread = above.std() if above.size else 0.0
    # Rounding alone gives a constant picture a spread of some 1e-9.
    if spread < 1e-6:
        raise EngineError(
            "the input has no contrast, so that it cannot be scaled by its standard deviation",
            got="no value above the window's lower bound"
            if not above.size
            else "one value wherever the window's lower bound is passed",
            expected="tissue of several densities within window_hu",
            do="check the VOI and window_hu, or set another normalisation",
        )
    scaled: NDArray[np.float32] = ((one - above.mean()) / spread).astype(np.float32)
    return scaled

"""From decision values to probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from radiobone.learning.selection.columns import ROUNDING


class PlattSigmoid(BaseEstimator):
    """A sigmoid from decision values to the probability of the second class.

    Attributes
    ----------
    slope_, offset_ : float
        ``P = 1 / (1 + exp(-(slope_ * value + offset_)))``. A slope of zero says that the values did not rank the
        classes better than chance; the probability is then the training prior.

    Notes
    -----
    Platt's method: logistic regression on softened targets, ``(N₁ + 1) / (N₁ + 2)`` for the N₁ rows of the second
    class and ``1 / (N₀ + 2)`` for the others, which keeps it finite for separable values (Platt, Advances in Large
    Margin Classifiers, 1999). A soft target is a row that stands in both classes with matching weights. The slope
    is never negative: turning a model round on the word of a few held-out rows would learn from noise.
    """

    def fit(self, values: NDArray[np.float64], codes: NDArray[np.intp]) -> PlattSigmoid:
        """Fit the sigmoid.

        Parameters
        ----------
        values : ndarray of shape (n_samples,)
            Decision values of rows that the model was not trained on.
        codes : ndarray of shape (n_samples,)
            Their classes, 0 and 1, both present.

        Returns
        -------
        PlattSigmoid
            The fitted sigmoid.
        """
        n_samples, n_second = len(codes), int(codes.sum())
        prior = n_second / n_samples
        self.slope_, self.offset_ = 0.0, float(np.log(prior / (1.0 - prior)))
        centre, scale = float(values.mean()), float(values.std())
        if scale <= ROUNDING * abs(centre):
            return self
        second, first = (n_second + 1.0) / (n_second + 2.0), 1.0 / (n_samples - n_second + 2.0)
        targets = np.where(codes == 1, second, first)
        standard = ((values - centre) / scale)[:, None]
        logistic = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10).fit(
            np.vstack([standard, standard]),
            np.repeat([1, 0], n_samples),
            sample_weight=np.concatenate([targets, 1.0 - targets]),
        )
        slope = float(logistic.coef_[0, 0]) / scale
        if slope > 0.0:
            self.slope_, self.offset_ = slope, float(logistic.intercept_[0]) - slope * centre
        return self

    def probability(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability of the second class for each decision value.

        Parameters
        ----------
        values : ndarray of shape (n_samples,)
            Decision values.

        Returns
        -------
        ndarray of shape (n_samples,)
            Probabilities.
        """
        # tanh keeps large values from overflowing.
        probability: NDArray[np.float64] = 0.5 * (1.0 + np.tanh(0.5 * (self.slope_ * values + self.offset_)))
        return probability

    @property
    def ranks(self) -> bool:
        """Whether a larger value means a larger probability; else every probability is the training prior."""
        return self.slope_ > 0.0


class IsotonicSteps(BaseEstimator):
    """A rising curve of steps from decision values to the probability of the second class.

    Attributes
    ----------
    values_, probabilities_ : ndarray of shape (n_corners,)
        Corners of the curve, which runs straight between them and level outside.

    Notes
    -----
    Isotonic regression of the classes on the values. The curve takes any rising form, and pays for it with
    variance: below some hundreds of rows the sigmoid is the safer choice. Probabilities of exactly 0 and 1 occur,
    for values beyond those of the last row of the other class; and rows of different values may share a
    probability, so that a few ranks are lost.
    """

    def fit(self, values: NDArray[np.float64], codes: NDArray[np.intp]) -> IsotonicSteps:
        """Fit the curve.

        Parameters
        ----------
        values : ndarray of shape (n_samples,)
            Decision values of rows that the model was not trained on.
        codes : ndarray of shape (n_samples,)
            Their classes, 0 and 1, both present.

        Returns
        -------
        IsotonicSteps
            The fitted curve.
        """
        if PlattSigmoid().fit(values, codes).ranks:
            curve = IsotonicRegression(y_min=0.0, y_max=1.0, increasing=True).fit(values, codes)
            corners, heights = curve.X_thresholds_, curve.y_thresholds_
        else:
            # Some step upwards is found in any noise: whether the values rank at all is asked of the sigmoid.
            corners, heights = [values.mean()], [codes.mean()]
        self.values_: NDArray[np.float64] = np.asarray(corners, dtype=np.float64)
        self.probabilities_: NDArray[np.float64] = np.asarray(heights, dtype=np.float64)
        return self

    def probability(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability of the second class for each decision value.

        Parameters
        ----------
        values : ndarray of shape (n_samples,)
            Decision values.

        Returns
        -------
        ndarray of shape (n_samples,)
            Probabilities.
        """
        probability: NDArray[np.float64] = np.interp(values, self.values_, self.probabilities_)
        return probability

    @property
    def ranks(self) -> bool:
        """Whether some larger value means a larger probability; else every probability is the training prior."""
        return bool(self.probabilities_[-1] > self.probabilities_[0])

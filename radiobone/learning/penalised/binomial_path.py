"""The path of penalised logistic regression, certified by its duality gap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr, expit

from radiobone.learning.penalised.active_set import minimise_quadratic
from radiobone.learning.penalised.path import NO_SIGNAL

Array = NDArray[np.float64]

# Newton steps for one penalty; a start at the neighbouring solution needs three to six.
_NEWTON_STEPS = 100

# Share of its mean that is added to the diagonal of the Hessian: keeps steps finite for dependent columns.
_DAMPING = 1e-10

# A gradient exceeds the penalty only if it does so by more than rounding.
_ROUNDING = 1e-11


@dataclass(frozen=True)
class BinomialPath:
    """Coefficients of penalised logistic regression along a grid of penalties.

    Parameters
    ----------
    alphas : ndarray of shape (n_alphas,)
        Penalties, descending.
    coefs : ndarray of shape (n_features, n_alphas)
        Coefficients.
    intercepts : ndarray of shape (n_alphas,)
        Intercepts, which are not penalised.
    gaps : ndarray of shape (n_alphas,)
        Duality gap of each solution, as a share of the loss of the empty model.
    n_steps : int
        Newton steps, all penalties together.
    """

    alphas: Array
    coefs: Array
    intercepts: Array
    gaps: Array
    n_steps: int


def binomial_path(X: Array, y: Array, alphas: Array, l1_ratio: float, tol: float, max_iter: int) -> BinomialPath:
    """Minimise the mean of ``log(1 + exp(η)) - yη``, plus the elastic-net penalty, along descending penalties.

    Here ``η = b + Xw``, and the penalty is ``alpha (l1_ratio |w|₁ + (1 - l1_ratio) |w|² / 2)``.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Centred columns.
    y : ndarray of shape (n_samples,)
        0 and 1, both present.
    alphas : ndarray of shape (n_alphas,)
        Penalties, descending.
    l1_ratio : float
        Share of the L1 norm, in (0, 1].
    tol : float
        Largest gap (see `BinomialPath`) at which a solution counts as found.
    max_iter : int
        Limit of the steps inside each Newton step.

    Returns
    -------
    BinomialPath
        Solutions and their duality gaps. What could not be brought below ``tol`` keeps its gap, for the caller to
        report.

    Notes
    -----
    The objective is half of glmnet's mean binomial deviance with its penalty at ``lambda = alpha`` (Friedman et
    al., J Stat Softw 2010;33(1)). It is solved by proximal Newton steps: the loss is replaced by its quadratic
    expansion, whose penalised minimum over the nonzero coefficients and those that violate the optimality
    conditions is found exactly (`radiobone.learning.penalised.active_set`). The intercept is always at its best.
    """
    problem = _Problem(X, y, l1_ratio)
    point = problem.at(np.zeros(X.shape[1]), problem.empty_intercept)
    coefs, intercepts, gaps = np.zeros((X.shape[1], len(alphas))), np.empty(len(alphas)), np.empty(len(alphas))
    n_steps = 1
    if alphas[0] <= NO_SIGNAL:
        return BinomialPath(alphas, coefs, np.full(len(alphas), point.intercept), np.zeros(len(alphas)), n_steps)
    for index, alpha in enumerate(alphas):
        point, gap, steps = _descend(problem, float(alpha), point, tol, max_iter)
        coefs[:, index], intercepts[index], gaps[index] = point.coefs, point.intercept, gap
        n_steps += steps
    return BinomialPath(alphas, coefs, intercepts, gaps, n_steps)


@dataclass(frozen=True, eq=False)
class _Point:
    """Coefficients, and what follows from them for every row."""

    coefs: Array
    intercept: float
    linear: Array  # b + Xw
    wrong: Array  # probability of the class that a row does not have
    loss: float


class _Problem:
    def __init__(self, X: Array, y: Array, l1_ratio: float) -> None:
        self.X, self.y, self.l1_ratio = X, y, l1_ratio
        self.side = 2.0 * y - 1.0
        prior = float(y.mean())
        self.empty_intercept = float(np.log(prior / (1.0 - prior)))
        self.empty_loss = float(entr(prior) + entr(1.0 - prior))

    def at(self, coefs: Array, intercept: float) -> _Point:
        """Return the point of these coefficients with the intercept that suits them best."""
        used = np.flatnonzero(coefs)
        scores = self.X[:, used] @ coefs[used]
        for _ in range(_NEWTON_STEPS):
            wrong = expit(-self.side * (scores + intercept))
            slope, curvature = self.side @ wrong, (wrong * (1.0 - wrong)).sum()
            # Far from the solution a full step may overshoot: no step beyond 2 in units of the logit.
            step = float(np.clip(slope / max(curvature, np.finfo(float).tiny), -2.0, 2.0))
            if abs(step) <= 1e-15 * max(1.0, abs(intercept)):
                break
            intercept += step
        linear = scores + intercept
        wrong = expit(-self.side * linear)
        return _Point(coefs, intercept, linear, wrong, float(np.logaddexp(0.0, -self.side * linear).mean()))

    def objective(self, point: _Point, alpha: float) -> float:
        coefs = point.coefs[point.coefs != 0]
        ridge = 0.5 * (1.0 - self.l1_ratio) * float(coefs @ coefs)
        return point.loss + alpha * (self.l1_ratio * float(np.abs(coefs).sum()) + ridge)

    def pull(self, point: _Point) -> Array:
        """Return minus the gradient of the mean loss."""
        pull: Array = self.X.T @ (self.side * point.wrong) / len(self.y)
        return pull

    def gap(self, point: _Point, alpha: float, pull: Array) -> float:
        """Return the duality gap as a share of the loss of the empty model.

        The dual variables of the rows are ``side * wrong``, shrunk until they are feasible; they sum to zero, as
        the free intercept demands, since it is at its best. The ridge part counts as further rows of X.
        """
        ridge = alpha * (1.0 - self.l1_ratio)
        steepest = float(np.abs(pull - ridge * point.coefs).max(initial=np.finfo(float).tiny))
        shrink = min(1.0, alpha * self.l1_ratio / steepest)
        wrong = shrink * point.wrong
        dual = float((entr(wrong) + entr(1.0 - wrong)).mean())
        dual -= 0.5 * ridge * shrink**2 * float(point.coefs @ point.coefs)
        return max(self.objective(point, alpha) - dual, 0.0) / self.empty_loss


def _descend(
    problem: _Problem, alpha: float, point: _Point, tol: float, max_iter: int
) -> tuple[_Point, float, int]:
    """Return the solution for one penalty, its gap, and the number of Newton steps."""
    pull = problem.pull(point)
    gap = problem.gap(point, alpha, pull)
    settled, steps = False, 0
    while steps < _NEWTON_STEPS:
        steps += 1
        moved = _newton_step(problem, alpha, point, pull, max_iter)
        if moved is None:
            break
        point = moved
        pull = problem.pull(point)
        gap = problem.gap(point, alpha, pull)
        if settled:
            break
        # Newton steps square the distance: one more than the gap asks for settles which coefficients are zero.
        settled = gap <= tol
    return point, gap, steps


def _newton_step(problem: _Problem, alpha: float, point: _Point, pull: Array, max_iter: int) -> _Point | None:
    """Return a better point; None if there is none, or rounding hides it."""
    ridge, penalty = alpha * (1.0 - problem.l1_ratio), alpha * problem.l1_ratio
    use = np.flatnonzero((point.coefs != 0) | (np.abs(pull) > penalty * (1.0 + _ROUNDING)))
    if not use.size:
        return None
    here = point.coefs[use]
    weights = point.wrong * (1.0 - point.wrong)
    columns = problem.X[:, use]
    # The best intercept of the expansion is eliminated by centring with the weights of the rows.
    centre = weights @ columns / max(weights.sum(), np.finfo(float).tiny)
    scaled = np.sqrt(weights / len(weights))[:, None] * (columns - centre)
    hessian = scaled.T @ scaled
    diagonal = np.einsum("ii->i", hessian)
    diagonal += _DAMPING * diagonal.mean() + np.finfo(float).tiny
    linear = pull[use] + hessian @ here
    diagonal += ridge
    direction = minimise_quadratic(hessian, linear, penalty, here, max_iter) - here
    before = problem.objective(point, alpha) * (1.0 + 1e-14)
    share = 1.0
    while share > 1e-8:
        coefs = point.coefs.copy()
        coefs[use] = here + share * direction
        moved = problem.at(coefs, point.intercept)
        if problem.objective(moved, alpha) <= before:
            return moved
        share /= 2
    return None

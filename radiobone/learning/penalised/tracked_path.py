"""The LASSO path, with an inverse that follows the active set from penalty to penalty."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas

Array = NDArray[np.float64]

# A gradient exceeds the penalty only if it does so by more than rounding.
_ROUNDING = 1e-11

# Columns whose gradient comes this near to the penalty are looked at, before all columns are.
_NEAR = 0.85

# Share of a column that the active ones must leave unexplained, for it to join them.
_INDEPENDENT = 1e-10

# Steps for one penalty, for each row: a few in all are usual, and so many mean that rounding leads in a circle.
_STEPS = 4

_SLOTS = 64


def tracked_path(X: Array, y: Array, alphas: Array) -> tuple[Array, int]:
    """Minimise ``|y - Xw|² / (2 n) + alpha |w|₁`` for each penalty of a descending grid.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Centred columns.
    y : ndarray of shape (n_samples,)
        Centred target.
    alphas : ndarray of shape (n_alphas,)
        Penalties, descending.

    Returns
    -------
    coefs : ndarray of shape (n_features, n_alphas)
        Coefficients. Where columns are so nearly dependent that rounding spoils them they are not the solution, or
        are zero for all further penalties: check them by their duality gap.
    n_steps : int
        Number of steps.

    Notes
    -----
    The steps are those of `radiobone.learning.penalised.active_set`: to the best point for the present signs, or
    to the first zero on the way, whose column leaves; then columns whose gradient exceeds the penalty enter.
    They begin at the solution of the penalty before. One column more or less changes the inverse of the products
    of the active columns by a matrix of rank one, so that no system is solved from the start; what rounding does
    to it is mended in every step. Of the gradient, the columns are looked at that have come near the penalty,
    and before a solution is accepted, all. A column that the active ones explain wholly, as any does when there
    are as many as rows, takes the place of one of them.
    """
    rows = np.ascontiguousarray(X.T)
    products = rows @ y
    active = _ActiveSet(rows, products)
    near = _NearColumns(rows)
    near.take(np.abs(products), float(alphas[0]) * len(y))
    coefs, n_steps = np.zeros((len(rows), len(alphas))), 0
    for index, alpha in enumerate(alphas):
        penalty = float(alpha) * len(y)
        active.refused[:] = False
        last = n_steps + _STEPS * len(y) + 100
        while True:
            if n_steps == last:
                return coefs, n_steps
            n_steps += 1
            if active.advance(penalty):
                continue
            residual = active.residual(y)
            if active.enter(near.columns, near.rows @ residual, penalty):
                continue
            pull = rows @ residual
            if not (near.take(np.abs(pull), penalty) and active.enter(near.columns, pull[near.columns], penalty)):
                break
        coefs[active.columns[active.used], index] = active.values[active.used]
    return coefs, n_steps


class _NearColumns:
    """The columns that have come near the penalty."""

    def __init__(self, rows: Array) -> None:
        self._all = rows
        self._taken = np.zeros(len(rows), dtype=bool)
        self.columns = np.zeros(0, dtype=np.intp)
        self.rows = rows[:0]

    def take(self, steep: Array, penalty: float) -> bool:
        """Take in the columns near the penalty if one that is not yet here exceeds it; say whether one did."""
        outside = np.where(self._taken, 0.0, steep)
        if outside.max(initial=0.0) <= penalty * (1.0 + _ROUNDING):
            return False
        new = np.flatnonzero(outside > _NEAR * penalty)
        self._taken[new] = True
        self.columns = np.concatenate([self.columns, new])
        self.rows = np.concatenate([self.rows, self._all[new]])
        return True


class _ActiveSet:
    """Columns with a coefficient, each in a slot, and the inverse of their products; unused slots hold zeros."""

    def __init__(self, rows: Array, products: Array) -> None:
        self._all, self._products = rows, products
        self._slot_of = np.full(len(rows), -1)
        self._free: list[int] = []
        self.refused = np.zeros(len(rows), dtype=bool)
        self.columns = np.zeros(0, dtype=np.intp)
        self.signs, self.values, self._targets = np.zeros(0), np.zeros(0), np.zeros(0)
        self._rows = np.zeros((0, rows.shape[1]))
        self._inverse = np.zeros((0, 0), order="F")

    @property
    def used(self) -> NDArray[np.bool_]:
        used: NDArray[np.bool_] = self.signs != 0
        return used

    def residual(self, y: Array) -> Array:
        """Return what the present coefficients leave of y."""
        residual: Array = y - self.values @ self._rows
        return residual

    def advance(self, penalty: float) -> bool:
        """Go to the best point for the present signs, or to the first zero; say whether one was met."""
        target = self._solve(penalty)
        wrong = np.flatnonzero(target * self.signs < 0.0)
        if not wrong.size:
            self.values = target
            return False
        here = self.values[wrong]
        shares = here / (here - target[wrong])
        share = shares.min()
        self.values += share * (target - self.values)
        for slot in wrong[shares <= share].tolist():
            self._leave(slot)
        return True

    def enter(self, columns: NDArray[np.intp], pull: Array, penalty: float) -> bool:
        """Take in columns whose gradient exceeds the penalty most; say whether there was one."""
        steep = np.abs(pull)
        steep[self._slot_of[columns] >= 0] = 0.0
        entered = False
        while not entered:
            steep[self.refused[columns]] = 0.0
            most = float(steep.max(initial=0.0))
            if most <= penalty * (1.0 + _ROUNDING):
                return False
            for place in np.flatnonzero(steep > penalty + 0.5 * (most - penalty)):
                column, sign = int(columns[place]), float(np.sign(pull[place]))
                if self._enter(column, sign) or (not entered and self._exchange(column, sign)):
                    entered = True
        return True

    def _solve(self, penalty: float) -> Array:
        wanted = self._targets - penalty * self.signs
        target: Array = self._inverse @ wanted
        # Rounding in the inverse is mended by what the products of the columns say themselves.
        target += self._inverse @ (wanted - self._rows @ (target @ self._rows))
        return target

    def _leave(self, slot: int) -> None:
        column = self._inverse[:, slot].copy()
        blas.dger(-1.0 / column[slot], column, column, a=self._inverse, overwrite_a=1)
        self._inverse[:, slot] = self._inverse[slot] = 0.0
        self._rows[slot] = self._targets[slot] = self.signs[slot] = self.values[slot] = 0.0
        self._slot_of[self.columns[slot]] = -1
        self._free.append(slot)

    def _enter(self, column: int, sign: float) -> bool:
        """Take in a column with a coefficient of zero, unless the active ones explain it."""
        if not self._free:
            self._grow()
        row = self._all[column]
        shared = self._rows @ row
        step = self._inverse @ shared
        square = float(row @ row)
        rest = square - float(shared @ step)
        if rest <= _INDEPENDENT * square:
            return False
        slot = self._free.pop()
        step[slot] = -1.0
        blas.dger(1.0 / rest, step, step, a=self._inverse, overwrite_a=1)
        self._rows[slot], self._targets[slot], self.signs[slot] = row, self._products[column], sign
        self.columns[slot], self._slot_of[column] = column, slot
        return True

    def _exchange(self, column: int, sign: float) -> bool:
        """Give a column that the active ones explain the place of the one that first meets zero for it."""
        step = sign * (self._inverse @ (self._rows @ self._all[column]))
        against = np.flatnonzero(step * self.signs > 0.0)
        self.refused[column] = True
        if not against.size:
            return False
        shares = self.values[against] / step[against]
        slot = int(against[np.argmin(shares)])
        value = float(shares.min())
        self.values -= value * step
        self.refused[self.columns[slot]] = True  # lest the two take turns
        self._leave(slot)
        if not self._enter(column, sign):
            return False
        self.values[self._slot_of[column]] = sign * value
        return True

    def _grow(self) -> None:
        old = len(self.signs)
        more = old + _SLOTS
        self._free = list(range(more - 1, old - 1, -1))
        inverse = np.zeros((more, more), order="F")
        inverse[:old, :old] = self._inverse
        self._inverse = inverse
        self._rows = np.concatenate([self._rows, np.zeros((_SLOTS, self._rows.shape[1]))])
        self.columns = np.concatenate([self.columns, np.zeros(_SLOTS, dtype=np.intp)])
        self.signs = np.concatenate([self.signs, np.zeros(_SLOTS)])
        self.values = np.concatenate([self.values, np.zeros(_SLOTS)])
        self._targets = np.concatenate([self._targets, np.zeros(_SLOTS)])

"""McNemar's test: which of two decisions on the same rows is right more often."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from radiobone.evaluation.statistics.estimates import NAN, check_choice, patient_codes, two_sides
from radiobone.learning.data import DataError

METHODS = ("mid-p", "exact", "chi2", "chi2 corrected")
CLUSTERED = "Durkalski, clustered by patient"


@dataclass(frozen=True)
class McNemar:
    """Who was right, and the test of no difference.

    Parameters
    ----------
    n_both, n_only_a, n_only_b, n_neither : int
        Rows on which both decisions, only the one, only the other, or none of them was right.
    difference : float
        Share of rows on which the first was right, less that of the second; NaN without rows.
    statistic : float
        Chi-square with one degree of freedom; NaN for the exact methods.
    p_value : float
        Two-sided; 1 where the two never differ in being right.
    method : str
        Which test.
    """

    n_both: int
    n_only_a: int
    n_only_b: int
    n_neither: int
    difference: float
    statistic: float
    p_value: float
    method: str


def mcnemar_test(
    right_a: ArrayLike, right_b: ArrayLike, *, method: str = "mid-p", groups: ArrayLike | None = None
) -> McNemar:
    """Compare how often two fixed decisions on the same rows are right.

    Parameters
    ----------
    right_a, right_b : array-like of shape (n_samples,), bool
        Whether each decision was right. To compare sensitivities give the positive rows only, for specificities
        the others.
    method : {"mid-p", "exact", "chi2", "chi2 corrected"}, default "mid-p"
        The exact binomial test keeps its level and is cautious; the mid-p one is nearly exact without that
        caution; chi-square is for many discordant rows, with or without a continuity correction.
    groups : array-like of shape (n_samples,), optional
        Patient of each row, where patients give several: the test is then Durkalski's chi-square, whatever the
        method.

    Returns
    -------
    McNemar
        Counts and test.

    Raises
    ------
    UsageError
        If the method is not known.
    DataError
        If lengths differ, or something else than True and False is given.

    Notes
    -----
    With b and c the discordant counts, chi-square is ``(b - c)² / (b + c)``, corrected
    ``(|b - c| - 1)² / (b + c)`` (McNemar, Psychometrika 1947;12:153). Exact is the two-sided binomial test of b in
    b + c; mid-p takes the probability of the observed b half (Fagerland and others, BMC Med Res Methodol
    2013;13:91). Equal counts have a p value of 1 (for mid-p its authors take half that probability off it, which
    would leave 0.5 where nothing is discordant). With b_k, c_k and n_k rows in patient k, the clustered statistic
    is ``(sum d_k)² / sum d_k²`` with ``d_k = (b_k - c_k) / n_k`` (Durkalski and others, Stat Med 2003;22:2417):
    each patient counts alike, and with one row for each it is chi-square without a correction. It needs some 25
    discordant patients or more.

    Examples
    --------
    >>> import numpy as np
    >>> right_a, right_b = np.repeat([1, 1, 0, 0], [1, 1, 7, 12]), np.repeat([1, 0, 1, 0], [1, 1, 7, 12])
    >>> found = mcnemar_test(right_a, right_b)
    >>> (found.n_only_a, found.n_only_b), round(found.p_value, 4)
    ((1, 7), 0.0391)
    """
    check_choice("method", method, METHODS)
    a, b = two_sides(right_a), two_sides(right_b)
    if a.shape != b.shape:
        raise DataError("the two decisions have different rows", got=f"{len(a)} and {len(b)}")
    only_a, only_b = int((a & ~b).sum()), int((~a & b).sum())
    if groups is not None:
        statistic = _clustered(a.astype(float) - b, patient_codes(groups, len(a)))
        p_value, method = _tail(statistic), CLUSTERED
    elif method in ("chi2", "chi2 corrected"):
        gap = abs(only_a - only_b) - (method == "chi2 corrected")
        # Without a difference there is nothing that a correction could take away.
        statistic = max(gap, 0) ** 2 / (only_a + only_b) if only_a + only_b else 0.0
        p_value = _tail(statistic)
    else:
        statistic, p_value = NAN, _exact(only_a, only_b, mid=method == "mid-p")
    return McNemar(
        n_both=int((a & b).sum()),
        n_only_a=only_a,
        n_only_b=only_b,
        n_neither=int((~a & ~b).sum()),
        difference=(only_a - only_b) / len(a) if len(a) else NAN,
        statistic=statistic,
        p_value=p_value,
        method=method,
    )


def _exact(b: int, c: int, *, mid: bool) -> float:
    from scipy.stats import binom

    n, smaller = b + c, min(b, c)
    p_value = 2 * float(binom.cdf(smaller, n, 0.5))
    if mid:
        p_value -= float(binom.pmf(smaller, n, 0.5))
    # Equal counts are the middle, which both tails would count.
    return min(p_value, 1.0) if b != c else 1.0


def _clustered(gained: NDArray[np.float64], of: NDArray[np.intp]) -> float:
    share = np.bincount(of, gained) / np.bincount(of)
    spread = float(np.sum(share**2))
    return float(np.sum(share)) ** 2 / spread if spread else 0.0


def _tail(statistic: float) -> float:
    from scipy.stats import chi2

    return float(chi2.sf(statistic, 1))

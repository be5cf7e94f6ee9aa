"""How two engines' values of the same features are compared: what every parity test shares."""

from __future__ import annotations

import math
from collections.abc import Mapping

RELATIVE = 1e-6
"""Largest difference, as a share of PyRadiomics' value, or of the sum of absolute terms where terms cancel."""

ROUNDING = 1e-14
"""Differences below this are the rounding of a zero: of a variance of equal values, say."""

CANCELLING = {
    "firstorder_Skewness": "third powers of distances above and below the mean cancel",
    "glcm_ClusterShade": "third powers of distances above and below the mean cancel",
    "glcm_Correlation": "products of distances from the mean, of either sign, cancel",
    "glcm_Imc1": "two joint entropies, each as large as the marginal ones, are subtracted",
    "glcm_Imc2": "two joint entropies are subtracted, and a root is taken of what may be rounding",
    "glcm_MCC": "a root of an eigenvalue, with the error of a matrix whose largest eigenvalue is 1",
}
"""Features in which terms cancel, and why: they are held against the sum of absolute terms."""


def scales(features: Mapping[str, float]) -> dict[str, float]:
    """Return what stands for the sum of absolute terms, for each feature in which terms cancel.

    Third powers are bounded by Cauchy and Schwarz, E|x|³ ≤ √(E x² E x⁴), from features of the same column
    family; for the others the sum is 1, or from 2 to 4 (Imc1).

    Parameters
    ----------
    features : mapping of str to float
        Names end with family and feature, such as ``original_glcm_MCC``.
    """
    found = {}
    for name in features:
        kind = "_".join(name.split("_")[-2:])
        stem = name.removesuffix(kind)
        if kind == "firstorder_Skewness":
            found[name] = math.sqrt(features.get(f"{stem}firstorder_Kurtosis", 1.0))
        elif kind == "glcm_ClusterShade":
            second, fourth = (features.get(f"{stem}glcm_Cluster{n}", 0.0) for n in ("Tendency", "Prominence"))
            found[name] = math.sqrt(second * fourth)
        elif kind in CANCELLING:
            found[name] = 2.0 if kind == "glcm_Imc1" else 1.0
    return found


def assert_parity(
    ours: Mapping[str, float], theirs: Mapping[str, float], scales: Mapping[str, float], relative: float = RELATIVE
) -> None:
    """Assert that two mappings hold the same names, NaN at the same places, and the same values.

    Parameters
    ----------
    ours, theirs : mapping of str to float
        Values by name; `theirs` are right.
    scales : mapping of str to float
        Sums of absolute terms, for features in which terms cancel.
    relative : float, default=1e-6
        Largest difference, relative to the value of `theirs` or to the scale, whichever is larger.
    """
    assert ours.keys() == theirs.keys()
    wrong = []
    for name, right in theirs.items():
        got = ours[name]
        if math.isnan(right) and math.isnan(got):
            continue
        allowed = max(relative * max(abs(right), scales.get(name, 0.0)), ROUNDING)
        if got != right and not abs(got - right) <= allowed:
            wrong.append(f"{name}: {got!r} instead of {right!r}")
    assert not wrong, "\n".join(wrong)

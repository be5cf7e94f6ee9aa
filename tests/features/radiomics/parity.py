"""How tests compare the values of two engines: by the product's own scales (`agreement`)."""

from __future__ import annotations

from collections.abc import Mapping

from radiobone.features.radiomics.agreement import TOLERANCE, differences


def assert_parity(ours: Mapping[str, float], theirs: Mapping[str, float], relative: float = TOLERANCE) -> None:
    """Assert that two mappings hold the same names in the same order, NaN at the same places, the same values.

    Parameters
    ----------
    ours, theirs : mapping of str to float
        Values by name; `theirs` are right. Names end with family and feature.
    relative : float, default=1e-6
        Largest difference, as a share of PyRadiomics' value, or of the sum of absolute terms where terms cancel.
    """
    assert list(ours) == list(theirs)
    wrong = [
        f"{item.column}: {item.ours!r} instead of {item.reference!r} ({item.share:.1e})"
        for item in differences("", theirs, ours, theirs)
        if item.share > relative
    ]
    assert not wrong, f"{len(wrong)} of {len(theirs)}:\n" + "\n".join(wrong[:10])

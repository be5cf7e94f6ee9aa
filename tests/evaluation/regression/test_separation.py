import numpy as np
import pytest

from radiobone.evaluation.regression.separation import separation


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ([[1, 2, 3, 4, 5, 6]], "complete"),
        ([[1, 2, 3, 3, 5, 6]], "quasi"),
        ([[1, 2, 4, 3, 5, 6]], "none"),
        ([[0, 0, 0, 0, 0, 1]], "quasi"),
        ([[0, 1, 0, 1, 0, 1]], "none"),
        ([[1, 5, 2, 3, 9, 6], [0, 5, 1, 1, 9, 4]], "complete"),  # only their difference tells
    ],
)
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e9])
def test_known_cases(columns, expected, scale):
    design = np.array(columns, dtype=float).T * scale
    positive = np.array([False, False, False, True, True, True])
    if len(columns) == 2:
        design[:, 1] = design[:, 0] - scale * np.array([1.0, 1.2, 0.9, -1.0, -1.1, -0.7])
    assert separation(design, positive) == expected
    assert separation(-design, positive) == expected
    assert separation(design, ~positive) == expected


def test_a_column_of_noise_beside_it_does_not_hide_a_rare_level():
    rng = np.random.default_rng(0)
    positive = rng.random(200) < 0.4
    rare = positive & (rng.random(200) < 0.1)
    assert separation(np.column_stack([rng.normal(size=200), rare]).astype(float), positive) == "quasi"
    rare[np.flatnonzero(~positive)[0]] = True
    assert separation(np.column_stack([rng.normal(size=200), rare]).astype(float), positive) == "none"

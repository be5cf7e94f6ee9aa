"""Values that are rounding errors in PyRadiomics, and are so here, to the bit that decides."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from radiobone.features.radiomics.border import radiomics_messages
from radiobone.features.radiomics.native.levels import discretise
from radiobone.features.radiomics.native.matrices import texture_matrices
from radiobone.features.radiomics.native.texture import glcm_features, glcm_weights

pytest.importorskip("radiomics")

ROUNDED = ("Correlation", "Imc1", "Imc2", "MCC")


def pyradiomics_glcm(image: np.ndarray, mask: np.ndarray, norm: str | None) -> dict[str, float]:
    import SimpleITK as sitk
    from radiomics.glcm import RadiomicsGLCM

    with radiomics_messages(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = RadiomicsGLCM(
            sitk.GetImageFromArray(image.astype(float)),
            sitk.GetImageFromArray(mask.astype(np.uint8)),
            binWidth=1,
            symmetricalGLCM=False,
            weightingNorm=norm,
            distances=[1, 3],
        )
        found.enableAllFeatures()
        return {name: float(np.real(value)) for name, value in found.execute().items()}


@pytest.mark.parametrize("norm", [None, "manhattan"])
def test_pairs_that_end_at_one_level(norm: str | None) -> None:
    rng = np.random.default_rng(5)
    n_constant = 0
    for _ in range(60):
        mask = rng.random((3, 4, 4)) < 0.4
        mask[0, 0, 0] = mask[-1, -1, -1] = True
        image = rng.integers(1, 9, mask.shape)
        levels = discretise(image, mask, bin_width=1, pad=3)
        matrices = texture_matrices(levels, ["glcm"], distances=(1, 3))
        assert matrices.glcm is not None
        assert matrices.angles is not None
        n_constant += int(((matrices.glcm != 0).any(axis=1).sum(axis=1) == 1).any())
        weights = None if norm is None else glcm_weights(matrices.angles, (1, 1, 1), norm)
        ours = glcm_features(matrices.glcm, levels.values, symmetrical=False, weights=weights)
        theirs = pyradiomics_glcm(image, mask, norm)
        for name in ROUNDED:
            assert ours[name] == pytest.approx(theirs[name], rel=1e-9, abs=1e-9, nan_ok=True)
    assert n_constant > 20


def test_one_level_has_no_spread_at_any_weight() -> None:
    rng = np.random.default_rng(1)
    for weights in rng.random((100, 3)):
        features = glcm_features([[[28]], [[33]], [[45]]], [6], weights=weights)
        assert features["Correlation"] == 1.0
        assert features["SumSquares"] == 0.0


class OneMatrix:
    """Stands for PyRadiomics' C library, and counts what it is told to."""

    def __init__(self, table: np.ndarray) -> None:
        self.table = table

    def calculate_glcm(self, *_: object) -> tuple[np.ndarray, np.ndarray]:
        return np.ascontiguousarray(self.table[None, :, :, None].astype(float)), np.array([[0, 0, 1]])


@pytest.mark.parametrize("rows", [[1, 1], [1, 3], [5, 11], [3, 13, 16]])
@pytest.mark.parametrize("columns", [[1, 1], [1, 7], [3, 5], [1, 2, 5, 8]])
def test_independent_levels(rows: list[int], columns: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    # Shares are binary fractions, so that the entropies' terms are equal to the last bit; their sums need not be.
    from radiomics import glcm

    n = max(len(rows), len(columns))
    table = np.zeros((n, n), int)
    table[: len(rows), : len(columns)] = np.outer(rows, columns)
    monkeypatch.setattr(glcm, "cMatrices", OneMatrix(table))
    theirs = pyradiomics_glcm(np.broadcast_to(np.arange(1, n + 1), (2, 2, n)), np.ones((2, 2, n)), None)
    ours = glcm_features(table[None], range(1, n + 1), symmetrical=False)
    for name in ("Correlation", "Imc2", "MCC"):
        assert ours[name] == theirs[name] or np.isnan([ours[name], theirs[name]]).all()
    assert ours["Imc1"] == pytest.approx(theirs["Imc1"], abs=1e-14)


@pytest.mark.parametrize(
    "table", [[[2_000_000_000, 1], [0, 0]], [[2_000_000_000, 0], [0, 1]], [[7, 3], [4, 10**9]]]
)
def test_pairs_of_nearly_one_level(table: list[list[int]], monkeypatch: pytest.MonkeyPatch) -> None:
    from radiomics import glcm

    monkeypatch.setattr(glcm, "cMatrices", OneMatrix(np.array(table)))
    theirs = pyradiomics_glcm(np.broadcast_to(np.arange(1, 3), (2, 2, 2)), np.ones((2, 2, 2)), None)
    ours = glcm_features([table], [1, 2], symmetrical=False)
    assert theirs["JointEntropy"] < 1e-6
    assert ours["Imc1"] == pytest.approx(theirs["Imc1"], rel=1e-9, abs=1e-12)

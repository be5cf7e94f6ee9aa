"""Texture formulas: by hand, and against PyRadiomics' classes on its own matrices."""

from __future__ import annotations

import itertools
import math
import warnings
from typing import Any

import numpy as np
import pytest
from parity import assert_parity

from radiobone.core.errors import UsageError
from radiobone.features.radiomics.catalogue import FEATURES, WITHOUT_VALUE
from radiobone.features.radiomics.kernels import correlation
from radiobone.features.radiomics.kernels.level_pairs import classify
from radiobone.features.radiomics.native import texture

FAMILIES = ("glcm", "glrlm", "glszm", "gldm", "ngtdm")


def matrices_of(levels: np.ndarray, mask: np.ndarray, settings: dict[str, Any]) -> dict[str, Any]:
    """Return PyRadiomics' own matrices, of the levels that occur."""
    from radiomics import cMatrices

    image = np.where(mask, levels, 0).astype(np.int32)
    values = np.unique(image[mask]).astype(np.int64)
    rows, ng = values - 1, int(values[-1])
    distances = np.array(settings.get("distances", [1]))
    plane = (settings.get("force2D", False), settings.get("force2Ddimension", 0))
    glcm, angles = cMatrices.calculate_glcm(image, mask, distances, ng, *plane)
    glrlm, run_angles = cMatrices.calculate_glrlm(image, mask, ng, max(image.shape), *plane)
    glszm = cMatrices.calculate_glszm(image, mask, ng, int(mask.sum()), *plane)[0][rows]
    gldm = cMatrices.calculate_gldm(image, mask, distances, ng, settings.get("gldm_a", 0), *plane)[0][rows]
    ngtdm = cMatrices.calculate_ngtdm(image, mask, distances, ng, *plane)[0][rows]
    sizes = np.flatnonzero(glszm.sum(axis=0)) + 1
    return {
        "values": values,
        "glcm": np.moveaxis(glcm[0][np.ix_(rows, rows)], 2, 0).astype(np.int32),
        "glrlm": np.moveaxis(glrlm[0][rows], 2, 0).astype(np.int32),
        "glszm": glszm[:, sizes - 1].astype(np.int32),
        "sizes": sizes,
        "gldm": gldm.astype(np.int32),
        "ngtdm": (ngtdm[:, 0].astype(np.int64), ngtdm[:, 1].copy()),
        "angles": angles,
        "run_angles": run_angles,
    }


def ours(found: dict[str, Any], spacing: tuple[float, ...], settings: dict[str, Any]) -> dict[str, float]:
    """Return the features of all families from `matrices_of`."""
    norm, values = settings.get("weightingNorm"), found["values"]
    weights = None if norm is None else texture.glcm_weights(found["angles"], spacing, norm)
    run_weights = None if norm is None else texture.glrlm_weights(found["run_angles"], spacing, norm)
    symmetrical = settings.get("symmetricalGLCM", True)
    features = {
        "glcm": texture.glcm_features(found["glcm"], values, symmetrical=symmetrical, weights=weights),
        "glrlm": texture.glrlm_features(found["glrlm"], values, weights=run_weights),
        "glszm": texture.glszm_features(found["glszm"], values, found["sizes"]),
        "gldm": texture.gldm_features(found["gldm"], values),
        "ngtdm": texture.ngtdm_features(*found["ngtdm"], values),
    }
    return {f"{family}_{name}": value for family, held in features.items() for name, value in held.items()}


def theirs(
    levels: np.ndarray, mask: np.ndarray, spacing: tuple[float, ...], settings: dict[str, Any]
) -> dict[str, float]:
    """Return the features of PyRadiomics' classes on levels that a bin width of 1 keeps as they are."""
    import SimpleITK as sitk
    from radiomics import glcm, gldm, glrlm, glszm, ngtdm

    classes = (glcm.RadiomicsGLCM, glrlm.RadiomicsGLRLM, glszm.RadiomicsGLSZM, gldm.RadiomicsGLDM)
    image, roi = sitk.GetImageFromArray(levels.astype(float)), sitk.GetImageFromArray(mask.astype(np.uint8))
    for held in (image, roi):
        held.SetSpacing([float(size) for size in spacing[::-1]])
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for family, kind in zip(FAMILIES, (*classes, ngtdm.RadiomicsNGTDM), strict=True):
            features = kind(image, roi, binWidth=1, **settings)
            features.enableAllFeatures()
            for name, value in features.execute().items():
                found[f"{family}_{name}"] = float(np.real(value))
    return found


def check(levels: np.ndarray, mask: np.ndarray, spacing: tuple[float, ...] = (1, 1, 1), **settings: Any) -> None:
    """Compare all families, hundred times closer than engines are compared."""
    levels = levels - levels[mask].min() + 1
    right = theirs(levels, mask, spacing, settings)
    got = ours(matrices_of(levels, mask, settings), spacing, settings)
    without = {f"{family}_{name}" for family, names in WITHOUT_VALUE.items() for name in names}
    assert got.keys() >= right.keys() >= got.keys() - without
    assert_parity({name: got[name] for name in right}, right, relative=2e-8)


# By hand


def test_glcm_of_three_voxels_in_a_row() -> None:
    # Levels 1, 1, 2: pairs (1, 1) and (1, 2); in both orders the probabilities are 1/2, 1/4, 1/4, 0.
    features = texture.glcm_features([[[1, 1], [0, 0]]], [1, 2])
    expected = {
        "Autocorrelation": 1.5,
        "ClusterProminence": 0.0625,
        "ClusterShade": 0.0,
        "ClusterTendency": 0.25,
        "Contrast": 0.5,
        "Correlation": -1 / 3,
        "DifferenceAverage": 0.5,
        "DifferenceEntropy": 1.0,
        "DifferenceVariance": 0.25,
        "Id": 0.75,
        "Idm": 0.75,
        "Idmn": 0.5 + 0.5 / 1.25,
        "Idn": 0.5 + 0.5 / 1.5,
        "InverseVariance": 0.5,
        "JointAverage": 1.25,
        "JointEnergy": 0.375,
        "JointEntropy": 1.5,
        "MCC": 1 / 3,  # of two levels: the size of their correlation
        "MaximumProbability": 0.5,
        "SumAverage": 2.5,
        "SumEntropy": 1.0,
        "SumSquares": 0.1875,
    }
    h = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25))
    expected["Imc1"] = (1.5 - 2 * h) / h
    expected["Imc2"] = math.sqrt(1 - math.exp(-2 * (2 * h - 1.5)))
    assert features == pytest.approx(expected, rel=1e-12, abs=1e-15)
    assert list(features) == list(FEATURES["glcm"])


def test_glcm_in_one_order_only() -> None:
    features = texture.glcm_features([[[1, 1], [0, 2]]], [1, 4], symmetrical=False)
    assert features["JointAverage"] == pytest.approx((1 + 1 + 4 + 4) / 4)
    assert features["SumAverage"] == pytest.approx((2 + 5 + 8 + 8) / 4)
    assert features["Contrast"] == pytest.approx(9 / 4)
    assert features["Idn"] == pytest.approx(0.75 + 0.25 / (1 + 3 / 4)), "Ng is the largest level, not their number"


def test_angles_are_averaged_and_empty_ones_dropped() -> None:
    one, other, none = [[1, 1], [0, 0]], [[0, 2], [1, 1]], [[0, 0], [0, 0]]
    parts = [texture.glcm_vector([matrix], [1, 2]) for matrix in (one, other)]
    together = texture.glcm_vector([one, none, other], [1, 2])
    np.testing.assert_allclose(together, np.mean(parts, axis=0), rtol=1e-12)


def test_glrlm_by_hand() -> None:
    # Two runs of level 1 (lengths 1 and 2) and one of level 3 (length 2).
    features = texture.glrlm_features([[[1, 1], [0, 1]]], [1, 3])
    assert features["GrayLevelNonUniformity"] == pytest.approx((4 + 1) / 3)
    assert features["RunLengthNonUniformityNormalized"] == pytest.approx((1 + 4) / 9)
    assert features["LongRunHighGrayLevelEmphasis"] == pytest.approx((1 + 4 + 4 * 9) / 3)
    assert features["LongRunLowGrayLevelEmphasis"] == pytest.approx((1 + 4 + 4 / 9) / 3)
    assert features["ShortRunHighGrayLevelEmphasis"] == pytest.approx((1 + 1 / 4 + 9 / 4) / 3)
    assert features["ShortRunLowGrayLevelEmphasis"] == pytest.approx((1 + 1 / 4 + 1 / 36) / 3)
    assert features["RunEntropy"] == pytest.approx(math.log2(3))
    assert features["RunPercentage"] == pytest.approx(3 / 5)
    assert features["RunVariance"] == pytest.approx(2 / 9)
    assert features["GrayLevelVariance"] == pytest.approx(8 / 9)


def test_zones_and_dependences_are_the_same_formulas_in_other_orders() -> None:
    counts, values = [[1, 1], [0, 1]], [1, 3]
    runs = texture.glrlm_features([counts], values)
    zones = texture.glszm_features(counts, values, [1, 2])
    dependences = texture.gldm_features(counts, values)
    for name, value in runs.items():
        zone = (
            name.replace("RunLength", "SizeZone").replace("ShortRun", "SmallArea").replace("LongRun", "LargeArea")
        )
        assert zones[zone.replace("Run", "Zone")] == value
        dependence = name.replace("RunLength", "Dependence").replace("ShortRun", "SmallDependence")
        dependence = dependence.replace("LongRun", "LargeDependence").replace("LevelRun", "Level")
        dependence = dependence.replace("RunVariance", "DependenceVariance").replace(
            "RunEntropy", "DependenceEntropy"
        )
        if name not in ("GrayLevelNonUniformityNormalized", "RunPercentage"):
            assert dependences[dependence] == value
    assert (len(runs), len(zones), len(dependences)) == (16, 16, 14)


def test_ngtdm_of_alternating_voxels() -> None:
    # 1 2 1 2 1: each voxel differs from its neighbourhood by 1; p = 0.6 and 0.4.
    features = texture.ngtdm_features([3, 2], [3.0, 2.0], [1, 2])
    assert features == pytest.approx(
        {
            "Busyness": (0.6 * 3 + 0.4 * 2) / (2 * abs(0.6 - 0.8)),
            "Coarseness": 1 / 2.6,
            "Complexity": 2 * 2.6 / 5,
            "Contrast": (2 * 0.24 * 5 / 5) / 2,
            "Strength": 2 / 5,
        }
    )


def test_ngtdm_passes_over_levels_without_voxels() -> None:
    sparse = texture.ngtdm_vector([3, 0, 2], [3.0, 0.0, 2.0], [1, 5, 7])
    np.testing.assert_array_equal(sparse, texture.ngtdm_vector([3, 2], [3.0, 2.0], [1, 7]))


@pytest.mark.parametrize(
    ("norm", "glcm", "glrlm"),
    [
        ("euclidean", math.exp(-(4 + 2.25)), math.sqrt(4 + 2.25)),
        ("infinity", math.exp(-4), 2.0),
        ("manhattan", math.exp(-(3.5**2)), 3.5),
        ("no_weighting", 1.0, 1.0),
    ],
)
def test_weights_of_an_angle(norm: str, glcm: float, glrlm: float) -> None:
    assert texture.glcm_weights([[-1, 2, 0]], [2.0, 0.75, 3.0], norm) == pytest.approx([glcm])
    assert texture.glrlm_weights([[-1, 2, 0]], [2.0, 0.75, 3.0], norm) == pytest.approx([glrlm])


# Against PyRadiomics


def volume(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a small volume: noise, smooth, sparse levels or mostly flat; solid, holed or scattered."""
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(2, 9, 3))
    levels = rng.integers(1, rng.choice([1, 2, 3, 6, 20, 60]) + 1, shape)
    if seed % 4 == 1:
        levels = np.cumsum(rng.integers(0, 2, shape), axis=seed % 3) + 1
    elif seed % 4 == 2:
        levels = levels**2
    elif seed % 4 == 3:
        levels = np.where(rng.random(shape) < 0.9, 1, levels)
    mask = rng.random(shape) < rng.choice([0.15, 0.5, 0.9, 1.0])
    mask[0, 0, 0] = mask[-1, -1, -1] = True
    return levels, mask


@pytest.mark.parametrize("seed", range(24))
def test_random_volumes(seed: int) -> None:
    check(*volume(seed))


SETTINGS = [
    {"symmetricalGLCM": False},
    {"distances": [1, 2], "gldm_a": 1},
    {"force2D": True, "force2Ddimension": 1},
    {"symmetricalGLCM": False, "weightingNorm": "infinity"},
    *({"weightingNorm": norm} for norm in texture.NORMS),
]


@pytest.mark.parametrize(("settings", "seed"), list(itertools.product(SETTINGS, range(100, 104))))
def test_random_volumes_with_settings(settings: dict[str, Any], seed: int) -> None:
    check(*volume(seed), (2.5, 0.7, 0.9), **settings)


def test_a_larger_volume_of_forty_levels() -> None:
    rng = np.random.default_rng(7)
    noise = rng.normal(size=(18, 20, 22))
    smooth = sum(np.roll(noise, step, axis) for axis in range(3) for step in (-1, 0, 1))
    check(np.clip(np.round(20 + 5 * smooth), 1, 40).astype(int), np.ones(noise.shape, bool))


ROW = np.ones((1, 1, 3), bool)
ENDS = np.array([[[True, False, True]]])
CORNERS = np.zeros((3, 3, 3), bool)
CORNERS[0, 0, 0] = CORNERS[2, 2, 2] = True
KNIGHT = np.zeros((2, 3, 1), bool)
KNIGHT[0, 0] = KNIGHT[1, 2] = True
RISING = np.arange(1, 28).reshape(3, 3, 3)
FLAT = np.ones((3, 3, 3), int)


@pytest.mark.parametrize(
    ("levels", "mask", "settings"),
    [
        pytest.param(FLAT[:1, :1], ROW, {}, id="one level, one angle"),
        pytest.param(FLAT[:1, :1], ENDS, {}, id="one level, no pair at the only angle"),
        pytest.param(RISING[:1, :1], ENDS, {}, id="no pair at the only angle"),
        pytest.param(FLAT, CORNERS, {}, id="one level, no pair at any angle"),
        pytest.param(RISING, CORNERS, {}, id="no pair at any angle"),
        pytest.param(RISING, CORNERS, {"weightingNorm": "euclidean"}, id="no pair, weighted"),
        pytest.param(RISING[:2, :, :1], KNIGHT, {}, id="no run at any angle"),
        pytest.param(RISING[:2, :, :1], KNIGHT, {"weightingNorm": "manhattan"}, id="no run, weighted"),
        pytest.param(FLAT, FLAT > 0, {}, id="flat"),
        pytest.param(FLAT, FLAT > 0, {"weightingNorm": "euclidean"}, id="flat, weighted"),
        pytest.param(FLAT, FLAT > 0, {"symmetricalGLCM": False}, id="flat, in one order"),
        pytest.param(RISING, FLAT > 0, {}, id="no two voxels alike"),
        pytest.param(RISING, FLAT > 0, {"symmetricalGLCM": False}, id="no two voxels alike, in one order"),
        pytest.param(np.indices((4, 4, 4)).sum(0) % 2, np.ones((4, 4, 4), bool), {}, id="chequered"),
        pytest.param(np.indices((4, 4, 4))[2] // 2, np.ones((4, 4, 4), bool), {}, id="two halves"),
        pytest.param(np.array([[[1, 1, 2, 2, 1]]]), np.ones((1, 1, 5), bool), {}, id="independent levels"),
        pytest.param(FLAT + (RISING == 27), FLAT > 0, {"symmetricalGLCM": False}, id="one voxel apart"),
        pytest.param(1 + 300 * (RISING % 3) + RISING % 2, FLAT > 0, {}, id="levels far apart"),
    ],
)
def test_special_volumes(levels: np.ndarray, mask: np.ndarray, settings: dict[str, Any]) -> None:
    check(levels, mask, **settings)


def test_weights_that_underflow_leave_nothing() -> None:
    check(RISING, FLAT > 0, (50.0, 50.0, 50.0), weightingNorm="euclidean")


def test_a_single_level_without_any_angle() -> None:
    features = texture.glcm_features(np.zeros((0, 1, 1), int), [1])
    assert features.pop("MCC") == 1.0
    assert np.isnan(list(features.values())).all()


# Maximal correlation


def second_by_numpy(table: np.ndarray) -> float:
    """Return the root of the second eigenvalue of PyRadiomics' Q, rounding included."""
    share = table / table.sum()
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    weights = 1.0 / (np.outer(rows, columns) + np.spacing(1.0))
    return float(np.sqrt(np.abs(np.sort(np.linalg.eigvals((share * weights) @ share.T).real)[-2])))


def second(table: np.ndarray) -> float:
    """Return what the kernel says."""
    rows, columns, scaled = table.sum(axis=1), table.sum(axis=0), np.empty(table.shape)
    correlation.deviation_matrix(table, rows, columns, table.sum(), scaled)
    return correlation.maximal_correlation(scaled, rows, columns, table.sum(), bool((table == table.T).all()))


def symmetric(table: np.ndarray) -> np.ndarray:
    return np.asarray(table + table.T, float)


def test_correlation_of_scattered_pairs() -> None:
    # Few pairs fall apart into blocks: then the largest eigenvalue, 1, comes more than once.
    rng = np.random.default_rng(3)
    for _ in range(300):
        n = int(rng.integers(2, 45))
        pairs = rng.integers(0, n, (2, int(rng.integers(1, 3 * n))))
        table = np.zeros((n, n))
        np.add.at(table, tuple(pairs), 1.0)
        assert second(symmetric(table)) == pytest.approx(second_by_numpy(symmetric(table)), abs=3e-7)
        assert second(table) == pytest.approx(second_by_numpy(table), abs=3e-7)


def blocks(*sizes: int) -> np.ndarray:
    table = np.zeros((sum(sizes), sum(sizes)))
    start = 0
    for size in sizes:
        table[start : start + size, start : start + size] = 1.0 + np.eye(size)
        start += size
    return table


@pytest.mark.parametrize(
    "table",
    [
        pytest.param(np.array([[3.0, 1.0], [1.0, 5.0]]), id="two levels"),
        pytest.param(symmetric(np.array([[1, 2, 0], [0, 1, 3], [0, 0, 1]])), id="three levels"),
        pytest.param(np.array([[2.0, 0.0], [0.0, 0.0]]), id="one level of two"),
        pytest.param(np.array([[0.0, 1.0], [1.0, 0.0]]), id="eigenvalue -1"),
        pytest.param(blocks(20, 20), id="two blocks"),
        pytest.param(blocks(3, 4, 5, 1, 1), id="five blocks"),
        pytest.param(blocks(30) + 1e6 * np.pad(np.ones((2, 2)), (28, 0)), id="block in a block"),
        pytest.param(np.eye(40), id="all blocks"),
        pytest.param(np.eye(40) + 1e-6, id="clustered near 1"),
        pytest.param(np.eye(40) + 1e3, id="clustered near 0"),
        pytest.param(np.eye(40, k=1) + np.eye(40, k=-1) + 1e-4, id="near -1 and 1"),
        pytest.param(np.eye(60) * np.linspace(1, 1.001, 60) + 0.1, id="sixty almost alike"),
        pytest.param(np.pad(1e9 * np.ones((3, 3)), (0, 2)) + np.pad(np.eye(2), (3, 0)), id="rare levels apart"),
    ],
)
def test_correlation_of_hard_matrices(table: np.ndarray) -> None:
    assert second(table) == pytest.approx(second_by_numpy(table), abs=3e-7)


def test_rare_levels_feel_the_eps_of_pyradiomics() -> None:
    # A level that occurs once among millions: eps makes its eigenvalue visibly smaller than 1.
    table = np.array([[4e7, 0.0], [0.0, 1.0]])
    assert second_by_numpy(table) < 1 - 1e-3
    assert second(table) == pytest.approx(second_by_numpy(table), abs=1e-8)


# Levels far apart, and errors


@pytest.mark.parametrize("values", [[1, 2, 5], [3, 10, 999_999, 1_000_000], [4], [1, 500, 999, 1_000_000]])
def test_sums_and_differences_are_numbered(values: list[int]) -> None:
    for sign in (1, -1):
        numbers, keys = classify(np.array(values), sign * np.array(values))
        assert keys.size < 4 * len(values) ** 2 + 2
        for (i, low), (j, high) in itertools.combinations_with_replacement(enumerate(values), 2):
            assert keys[numbers[i, j]] == high + sign * low


def test_levels_up_to_a_million_by_hand() -> None:
    features = texture.glcm_features([[[1, 0, 1], [0, 0, 2], [0, 0, 0]]], [1, 500_000, 1_000_000])
    # pairs 1-1, 1-1000000, 500000-1000000 (twice): differences 0, 999999, 500000
    shares = {0: 0.25, 999_999: 0.25, 500_000: 0.5}
    assert features["DifferenceEntropy"] == pytest.approx(1.5)
    assert features["SumEntropy"] == pytest.approx(1.5)
    assert features["Contrast"] == pytest.approx(sum(share * apart**2 for apart, share in shares.items()))
    assert features["Autocorrelation"] == pytest.approx(0.25 + 0.25e6 + 0.5 * 5e11)


@pytest.mark.parametrize(
    "call",
    [
        lambda: texture.glcm_vector(np.zeros((13, 2, 3), int), [1, 2]),
        lambda: texture.glcm_vector(np.zeros((13, 2, 2), int), [1, 2, 3]),
        lambda: texture.glcm_vector(np.zeros((13, 2, 2), int), [1, 2], weights=[1.0]),
        lambda: texture.glcm_vector(np.zeros((13, 0, 0), int), []),
        lambda: texture.glrlm_vector(np.zeros((2, 2), int), [1, 2]),
        lambda: texture.glszm_vector(np.zeros((2, 2), int), [1, 2], [1]),
        lambda: texture.gldm_vector(np.zeros((2, 2), int), [1]),
        lambda: texture.ngtdm_vector([1, 2], [0.5], [1, 2]),
        lambda: texture.glcm_weights([[0, 0, 1]], [1, 1, 1], "chebyshev"),
    ],
)
def test_what_does_not_fit_is_refused(call: Any) -> None:
    with pytest.raises(UsageError):
        call()

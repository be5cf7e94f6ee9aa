"""Small inputs of every figure, and what all figures must obey."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from radiobone.evaluation.regression.nomogram import Nomogram, NomogramAxis
from radiobone.reporting.figures import (
    Calibration,
    Confusion,
    DecisionCurve,
    Estimate,
    ForestRow,
    LassoCurves,
    LearningCurve,
    NodeScores,
    Permutations,
    Selected,
    calibration_figure,
    confusion_figure,
    decision_curve_figure,
    flow_figure,
    forest_figure,
    lasso_figure,
    learning_curve_figure,
    nomogram_figure,
    permutation_figure,
    precision_recall_figure,
    roc_figure,
    selection_figure,
)

LONG_NAMES = (
    "L1.trabecular__log-sigma-3-0-mm-3D_glszm_SmallAreaHighGrayLevelEmphasis",
    "L1.trabecular__wavelet-LLH_firstorder_InterquartileRange",
    "density_mean_hu",
    "original_shape_MeshVolume",
    "L2.trabecular__wavelet-HHL_glcm_InverseDifferenceMomentNormalized",
    "L1.trabecular__original_glrlm_LongRunLowGrayLevelEmphasis",
    "deep-resnet50-axial_0017",
    "L3.trabecular__log-sigma-5-0-mm-3D_gldm_LargeDependenceLowGrayLevelEmphasis",
    "original_firstorder_10Percentile",
    "wavelet-LLL_firstorder_Median",
    "wavelet-LLH_glrlm_ShortRunLowGrayLevelEmphasis",
    "original_ngtdm_Busyness",
)


def scores(name="osteoporosis_vs_rest", positive="osteoporosis", n=60, seed=0, **more):
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % 3 == 0
    score = 1 / (1 + np.exp(-(rng.normal(size=n) + 1.5 * truth)))
    return NodeScores(name, positive, truth, score, np.arange(n) // (n // 5), **more)


def calibration(n=120):
    rng = np.random.default_rng(0)
    probability = rng.uniform(0.05, 0.95, n)
    truth = rng.uniform(size=n) < probability
    x = np.linspace(0.1, 0.9, 6)
    return Calibration(
        "osteoporosis_vs_rest",
        "osteoporosis",
        truth,
        probability,
        x,
        x**1.2,
        x**1.2 - 0.08,
        np.minimum(x**1.2 + 0.1, 1.0),
        x,
        x**1.2,
        Estimate(0.93, 0.61, 1.25),
        Estimate(0.02, -0.30, 0.31),
        "judged on its true members",
        "Wilson",
    )


def decision(names=("radiomics", "mean HU alone")):
    threshold = np.linspace(0.01, 0.9, 60)
    return DecisionCurve(
        "osteoporosis_vs_rest",
        "osteoporosis",
        threshold,
        {name: 0.3 - (0.3 + 0.02 * number) * threshold for number, name in enumerate(names)},
        0.3 - 0.7 * threshold / (1 - threshold),
        200,
        60,
        judged_on="judged on its true members",
    )


def lasso(n_features=12, n_penalties=30):
    rng = np.random.default_rng(0)
    penalties = np.geomspace(0.3, 0.0003, n_penalties)
    size = rng.normal(size=(n_features, 1))
    coefs = size * np.maximum(0.0, 1 - np.arange(n_features)[:, None] / n_features - penalties / penalties[0])
    errors = 0.2 + 0.02 * (np.log(penalties)[:, None] + 4) ** 2 + rng.normal(0, 0.01, (n_penalties, 5))
    names = [*LONG_NAMES, *(f"more_{number}" for number in range(n_features))][:n_features]
    return LassoCurves(
        "osteoporosis vs rest, all 210 patients",
        "osteoporosis",
        names,
        penalties,
        coefs,
        errors,
        float(penalties[18]),
        float(penalties[10]),
        float(penalties[18]),
    )


def forest_rows():
    return [
        ForestRow("radiomics", Estimate(0.91, 0.86, 0.95), "1130", "arms", reference=True),
        ForestRow(
            "radiomics and deep, fused", Estimate(0.92, 0.87, 0.96), "3178", "arms", Estimate(0.01, -0.02, 0.04)
        ),
        ForestRow(
            "TotalSegmentator's published rule", Estimate(0.80), "1", "baselines", Estimate(-0.11, -0.18, -0.04)
        ),
        ForestRow("clinical covariates", group="baselines", needs="needs column age"),
        ForestRow("rule", group="baselines", needs="needs density_median_hu of the body, eroded by 4 mm"),
    ]


def selected():
    return [Selected(name, max(1, 10 - number), number == 3) for number, name in enumerate(LONG_NAMES)]


def learning():
    n_patients = np.array([30, 60, 90])
    mean = np.array([0.70, 0.76, 0.80])
    values = mean[:, None] + np.array([-0.02, 0.0, 0.02])
    return LearningCurve(
        "osteoporosis vs rest", "AUC", n_patients, mean, mean - 0.05, mean + 0.05, values, "t", 0.5
    )


def permutations(p=1 / 101):
    null = np.random.default_rng(0).normal(0.5, 0.05, 100)
    return Permutations("osteoporosis vs rest", "Mean AUC", null, 0.9, p)


NOMOGRAM = Nomogram(
    "osteoporosis",
    -1.5,
    (
        NomogramAxis("Age (years)", 0.06, 40, 92),
        NomogramAxis("Sex", 1.0, 0.0, 0.7, (("male", 0.0), ("female", 0.7))),
        NomogramAxis("Mean HU", -0.035, 20, 240),
        NomogramAxis("Fracture in the past", 1.0, 0.0, 0.15, (("no", 0.0), ("yes", 0.15))),
        NomogramAxis("Centre", 1.0, -0.2, 0.3, (("A", 0.0), ("B", 0.3), ("C", -0.2))),
        NomogramAxis("Nothing", 0.0, 0.0, 1.0),
    ),
)

CONFUSION = Confusion(
    "three classes",
    ("normal", "osteopenia", "osteoporosis"),
    np.array([[14, 6, 0], [4, 11, 5], [0, 0, 0]]),
    40,
)


def flow():
    classes = ("normal", "osteopenia", "osteoporosis")
    lines = [
        ("cohort", "", (80, 70, 64), (240, 210, 190)),
        ("excluded: label", "no label", (0, 0, 0), (0, 0, 0)),
        ("excluded: needs_review", "flagged by the quality check, not yet looked at", (3, 2, 6), (9, 6, 18)),
        ("rows without features", "VOI smaller than 1 ml", (0, 0, 0), (4, 2, 9)),
        ("analysed", "", (77, 68, 58), (227, 202, 163)),
    ]
    return pd.DataFrame(
        [
            (step, reason, name, n_patients, n_rows)
            for step, reason, patients, rows in lines
            for name, n_patients, n_rows in zip(classes, patients, rows, strict=True)
        ],
        columns=["step", "reason", "class", "patients", "rows"],
    )


FIGURES = {
    "roc": lambda: roc_figure([scores(judged_on="judged on its true members"), scores("second_node", seed=1)]),
    "roc_arms": lambda: roc_figure(
        [
            scores(arm=arm, seed=seed, test_share=0.25)
            for seed, arm in enumerate(("radiomics", "mean HU alone", "deep"))
        ]
    ),
    "precision_recall": lambda: precision_recall_figure([scores(test_share=0.25)]),
    "calibration": lambda: calibration_figure([calibration(), calibration(40)]),
    "decision": lambda: decision_curve_figure([decision()]),
    "lasso": lambda: lasso_figure(lasso()),
    "confusion": lambda: confusion_figure([CONFUSION, CONFUSION, CONFUSION]),
    "selection": lambda: selection_figure(selected(), 10, "osteoporosis vs rest, radiomics"),
    "forest": lambda: forest_figure(
        forest_rows(),
        metric="AUC",
        title="osteoporosis vs rest",
        counts="features",
        chance=0.5,
        told="Exploratory, " * 20,
    ),
    "learning": lambda: learning_curve_figure([learning()]),
    "permutation": lambda: permutation_figure([permutations()]),
    "nomogram": lambda: nomogram_figure(NOMOGRAM, title="Logistic model"),
    "flow": lambda: flow_figure(flow()),
}


def texts(figure):
    """Return every text that is seen, of panels, legends, axes and the figure itself, with its box in pixels."""
    from matplotlib.axis import Axis
    from matplotlib.text import Text

    figure.draw_without_rendering()
    unseen = set()
    for axis in figure.findobj(Axis):
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not axis.axes.axison or not low - 1e-9 <= tick.get_loc() <= high + 1e-9:
                unseen |= {tick.label1, tick.label2}
    return [
        (text.get_text(), text.get_window_extent())
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and text not in unseen
    ]


def overlaps(found, hair=1.0):
    """Return the pairs of texts whose boxes overlap by more than a hair."""
    return [
        (first, second)
        for (first, one), (second, other) in itertools.combinations(found, 2)
        if min(one.x1, other.x1) - max(one.x0, other.x0) > hair
        and min(one.y1, other.y1) - max(one.y0, other.y0) > hair
    ]

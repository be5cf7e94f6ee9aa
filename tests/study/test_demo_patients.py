from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from radiobone.core.errors import UsageError
from radiobone.study.demo import simulate_patients
from radiobone.study.demo.patients import CLASSES, SCANNERS

MEAN_HU = [0]
ALL_FEATURES = [0, 1, 2, 3]


def _features(patients):
    """What an image shows of a patient; age, sex and scanner are left out."""
    return np.array(
        [
            [
                one.trabecular_hu,
                np.log(one.texture_sd_hu),
                np.log(one.texture_length_mm),
                np.log(one.texture_anisotropy),
            ]
            for one in patients
        ]
    )


def _auc(features, positive):
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    model = make_pipeline(StandardScaler(), LogisticRegression())
    score = cross_val_predict(model, features, positive, cv=folds, method="decision_function")
    return roc_auc_score(positive, score)


@pytest.mark.parametrize("seed", range(5))
def test_texture_tells_more_than_mean_hu_with_realistic_overlap(seed):
    patients = simulate_patients(2000, seed)
    features = _features(patients)
    classes = np.array([one.demo_class for one in patients])
    later = classes != "osteoporosis"
    for chosen, positive in (
        (np.full(len(classes), True), "osteoporosis"),
        (later, "osteopenia"),
    ):
        best = _auc(features[chosen][:, ALL_FEATURES], classes[chosen] == positive)
        mean_hu = _auc(features[chosen][:, MEAN_HU], classes[chosen] == positive)
        assert 0.80 <= best <= 0.95
        assert mean_hu <= best - 0.03


def test_classes_are_balanced_in_every_block_of_three():
    patients = simulate_patients(60)
    assert Counter(one.demo_class for one in patients) == dict.fromkeys(CLASSES, 20)
    for start in range(0, 60, 3):
        assert {one.demo_class for one in patients[start : start + 3]} == set(CLASSES)


def test_order_within_blocks_gives_no_class_away():
    first = Counter(one.demo_class for one in simulate_patients(900)[::3])
    assert min(first.values()) > 70


def test_a_patient_depends_on_seed_and_index_only():
    assert simulate_patients(60, 3)[:10] == simulate_patients(10, 3)
    assert simulate_patients(10, 3) != simulate_patients(10, 4)
    assert simulate_patients(2, 0)[0] != simulate_patients(2, 1)[1]


def test_population_is_plausible():
    patients = simulate_patients(2000)
    bmd = np.array([one.bmd_mg_cm3 for one in patients])
    age = np.array([one.age_years for one in patients])
    female = np.array([one.sex == "F" for one in patients])
    assert 45 <= age.min() <= age.max() <= 88
    assert -0.6 < np.corrcoef(age, bmd)[0, 1] < -0.3
    assert 0.5 < female.mean() < 0.7
    assert 20 <= bmd.min() <= bmd.max() <= 220
    hu = np.array([one.trabecular_hu for one in patients])
    assert 0.5 < np.corrcoef(hu, bmd)[0, 1] ** 2 < 0.75


def test_scanner_is_no_confounder():
    patients = simulate_patients(2000)
    bmd = np.array([one.bmd_mg_cm3 for one in patients])
    for scanner in SCANNERS:
        of_scanner = bmd[[one.scanner == scanner for one in patients]]
        assert abs(of_scanner.mean() - bmd.mean()) < 5
        assert len(of_scanner) > 300


def test_class_borders_belong_to_osteopenia():
    (one,) = simulate_patients(1)
    assert [replace(one, bmd_mg_cm3=bmd).demo_class for bmd in (79.9, 80.0, 120.0, 120.1)] == [
        "osteoporosis",
        "osteopenia",
        "osteopenia",
        "normal",
    ]


@pytest.mark.parametrize(("n", "seed"), [(0, 0), (3, -1)])
def test_impossible_cohorts_are_refused(n, seed):
    with pytest.raises(UsageError, match="at least 1 patient"):
        simulate_patients(n, seed)

"""From a scan to the published HU rule, by the command that the classifier's documentation names."""

import numpy as np
import pytest

from radiobone.cli.app import run
from radiobone.learning import HuThresholdClassifier
from radiobone.learning.hu_rule import EROSION_MM, MEDIAN_HU
from radiobone.tables.features import read_features
from radiobone.tables.wide import wide


@pytest.mark.slow
@pytest.mark.shared_data
def test_a_spine_in_the_osteoporotic_range_lies_below_the_threshold(shared_data, tmp_path):
    folder = shared_data / "spine" / "tptbox_l3"
    scan, mask = folder / "sub-ct_label-22_ct.nii.gz", folder / "sub-ct_seg-vert_label-22_msk.nii.gz"
    table = tmp_path / "features.csv"
    options = ["--voi", "trabecular", "--erosion-mm", f"{EROSION_MM:g}", "--levels", "L2-L4", "--out", str(table)]
    assert run(["extract", str(scan), str(mask), *options]) == 0
    lowest, each = (wide(read_features(table), levels) for levels in ("min", "concat"))
    medians = each[[name for name in each if name.endswith(MEDIAN_HU)]]
    assert medians.shape == (1, 3)
    assert (medians < 90.25).all(axis=None)
    for X in (lowest, each):
        fitted = HuThresholdClassifier().fit(X.loc[X.index.repeat(2)], ["normal", "osteoporosis"])
        assert fitted.predict(X).tolist() == ["osteoporosis"]
        np.testing.assert_array_equal(
            fitted.predict_proba(X),
            HuThresholdClassifier()
            .fit(medians.loc[X.index.repeat(2)], ["normal", "osteoporosis"])
            .predict_proba(medians),
        )

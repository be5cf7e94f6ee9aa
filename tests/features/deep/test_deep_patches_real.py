"""Pictures of real vertebrae; how they look was judged by eye on montages of them all."""

from __future__ import annotations

import numpy as np
import pytest
from deep_phantoms import params, stored

from radiobone.features.deep.patches import make_inputs
from radiobone.imaging.reading import read_image, read_mask

pytestmark = [pytest.mark.shared_data, pytest.mark.slow]

CASES = {
    "totalseg": ("totalseg_example/ct.nii.gz", "totalseg_example/vertebrae_ts_labels.nii.gz", 29),
    "verse": ("verse012/sub-verse012_ct.nii.gz", "verse012/sub-verse012_seg-vert_msk.nii.gz", 21),
    "tptbox": (
        "tptbox_l3/sub-ct_label-22_ct.nii.gz",
        "tptbox_l3/sub-ct_seg-vert_label-22_msk.nii.gz",
        22,
    ),
}
VIEWS = ("axial", "sagittal", "coronal")


@pytest.fixture(scope="module", params=sorted(CASES))
def case(request, shared_data):
    image, mask, label = CASES[request.param]
    scan = read_image(shared_data / "spine" / image)
    return scan, read_mask(shared_data / "spine" / mask, scan).select(label)


def test_the_order_of_storage_changes_no_bit(case):
    wanted = params(*VIEWS, "triplanar", channels="adjacent", window_hu=(-200, 800), size=224)
    expected = make_inputs(*case, wanted)
    for code in ("LPS", "RAS", "PIR", "SAR"):
        found = make_inputs(*stored(*case, code), wanted)
        np.testing.assert_array_equal(found.array, expected.array)
        np.testing.assert_array_equal(found.mask, expected.mask)


def test_the_voi_keeps_its_volume_and_its_mean(case):
    image, voi = case
    found = make_inputs(image, voi, params("volume", window_hu=(-200, 800), size=128))
    hu = image.array[voi.box][voi.array != 0].astype(np.float64)
    np.testing.assert_allclose(
        found.mask.sum() * np.prod(found.places[0].pixel_mm) / 1000, voi.volume_ml, rtol=0.03
    )
    expected = (hu.clip(-200, 800).mean() + 200) / 1000
    # Interpolation mixes cortex with what lies outside, so that the mean of a whole vertebra falls a little.
    np.testing.assert_allclose(found.array[found.mask].mean(), expected, rtol=0.06)


def test_the_body_is_in_front_of_the_arch(case):
    """The body, the larger part of an axial slice, lies above the arch."""
    inside = make_inputs(*case, params("axial", slices="middle", size=224)).mask[0, 0]
    rows = np.flatnonzero(inside.any(axis=1))
    upper, lower = np.array_split(inside[rows[0] : rows[-1] + 1].sum(axis=1), 2)
    assert upper.sum() > lower.sum()

"""Quality of the shared spines: heights in mm and what is flagged, after a look at mid-sagittal pictures."""

from __future__ import annotations

import pytest

from radiobone.imaging import Mask
from radiobone.imaging.reading import read_image, read_mask
from radiobone.voi import VoiRequest, find_recipe, find_scheme, make_vois

pytestmark = [pytest.mark.shared_data, pytest.mark.slow]

SCANS = {
    "totalseg": ("totalseg_example/ct", "totalseg_example/vertebrae_ts_labels", "totalsegmentator"),
    "verse012": ("verse012/sub-verse012_ct", "verse012/sub-verse012_seg-vert_msk", "verse"),
    "tptbox": ("tptbox_l3/sub-ct_label-22_ct", "tptbox_l3/sub-ct_seg-vert_label-22_msk", "verse"),
    "masks": (None, "masks_only/sub-verse004_seg-vert_msk", "verse"),
}

HEIGHTS = {  # anterior, middle, posterior in mm; None where the body is cut
    "totalseg": {
        "T12": None, "L1": (25.9, 24.8, 31.5), "L2": (28.5, 28.0, 29.5), "L3": (28.8, 27.0, 28.2),
        "L4": (30.2, 24.3, 26.3), "L5": (32.0, 26.9, 25.8),
    },
    "verse012": {
        "T10": (25.2, 21.3, 23.4), "T11": (24.6, 23.2, 26.7), "T12": (27.8, 25.5, 28.9), "L1": (14.4, 15.5, 25.4),
        "L2": (29.1, 27.3, 30.3), "L3": (30.4, 27.1, 29.9),
    },
    "tptbox": {"L2": None, "L3": (30.1, 24.1, 26.9), "L4": None},
    "masks": {
        "T9": (16.7, 15.5, 20.8), "T10": (17.9, 16.5, 21.9), "T11": (22.8, 22.2, 24.8), "T12": (23.8, 23.4, 25.6),
        "L1": (14.2, 8.9, 15.3), "L2": (29.4, 25.9, 27.3), "L3": (29.3, 25.5, 26.7), "L4": (28.2, 25.7, 25.7),
        "L5": (26.8, 26.0, 23.8),
    },
}  # fmt: skip

FLAGGED = {
    # T12 is cut by the upper edge; the upper end plate of L1 has a dent with dense bone below it.
    "totalseg": {"T12": "body reaches the image border", "L1": "grade 1: middle height 21% below the posterior"},
    # Wedge with a gas-filled cleft.
    "verse012": {"L1": "grade 3: anterior height 49% below the neighbours'"},
    # A crop round L3.
    "tptbox": {"L2": "body reaches the image border", "L4": "body reaches the image border"},
    # A collapsed L1, and two mild wedges above.
    "masks": {
        "T9": "grade 2: middle height 25% below the posterior",
        "T10": "grade 1: middle height 24% below the posterior",
        "L1": "grade 3: middle height 64% below the neighbours'",
    },
}


@pytest.fixture(scope="module", params=list(SCANS))
def spine(request, shared_data):
    image, mask, scheme = SCANS[request.param]
    folder = shared_data / "spine"
    voi = VoiRequest(find_scheme(scheme), find_recipe("trabecular"))
    ct = None if image is None else read_image(folder / f"{image}.nii.gz")
    outcomes = make_vois(ct, read_mask(folder / f"{mask}.nii.gz"), voi)
    found = {level: outcome.result.quality for level, outcome in outcomes.items() if outcome.result is not None}
    return request.param, found


def test_heights(spine):
    name, found = spine
    for level, expected in HEIGHTS[name].items():
        quality = found[level]
        heights = (quality.qc_height_anterior_mm, quality.qc_height_middle_mm, quality.qc_height_posterior_mm)
        assert heights == ((None,) * 3 if expected is None else pytest.approx(expected, abs=0.3)), level


def test_what_is_flagged(spine):
    name, found = spine
    flagged = {level: quality.qc_review_reason for level, quality in found.items() if quality.qc_needs_review}
    assert list(flagged) == list(FLAGGED[name])
    for level, reason in FLAGGED[name].items():
        assert reason in flagged[level]


def test_sizes_and_distances_follow_the_neighbours(spine):
    name, found = spine
    whole = [quality for quality in found.values() if quality.qc_volume_ratio is not None]
    assert len(whole) == {"totalseg": 5, "verse012": 4, "tptbox": 0, "masks": 9}[name]
    for quality in whole:
        assert 0.85 < quality.qc_volume_ratio < 1.1
        assert 0.85 < quality.qc_centroid_step_ratio < 1.15
        assert 22 < quality.qc_centroid_step_mm < 37


def test_no_metal_and_the_ends_of_the_image(spine):
    name, found = spine
    short = {level for level, quality in found.items() if quality.qc_short_field_of_view}
    assert short == {
        "totalseg": {"T12", "L1"}, "verse012": {"T10"}, "tptbox": {"L2", "L3", "L4"}, "masks": set()
    }[name]  # fmt: skip
    for quality in found.values():
        assert quality.qc_metal_near_ml in (0.0, None)
        assert quality.qc_dark_share is None or quality.qc_dark_share < 0.015


@pytest.mark.parametrize(("level", "what"), [("L3", "no arch"), ("T11", "fused")])
def test_a_spoilt_label_is_flagged_and_its_neighbours_are_not(shared_data, level, what):
    mask = read_mask(shared_data / "spine" / f"{SCANS['masks'][1]}.nii.gz")
    scheme = find_scheme("verse")
    array = mask.full().copy()
    value = scheme.value(level)
    if what == "no arch":
        body = make_vois(None, mask, VoiRequest(scheme, find_recipe("body"), (level,)))[level].result.mask
        array[(array == value) & ~body.full()] = 0
    else:
        array[array == value + 1] = value
    outcomes = make_vois(None, Mask(array, mask.geometry), VoiRequest(scheme, find_recipe("label")))
    jumps = {
        name for name, made in outcomes.items() if "volume of the label" in made.result.quality.qc_review_reason
    }
    assert jumps == {level}

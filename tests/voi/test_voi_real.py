"""VOIs of the shared spines, whose cuts and contours were looked at on sagittal, axial and coronal pictures."""

from __future__ import annotations

import numpy as np
import pytest

from radiobone.imaging import Mask
from radiobone.imaging.reading import read_image, read_mask
from radiobone.voi import VoiRequest, detect_scheme, find_recipe, find_scheme, make_vois
from radiobone.voi.erosion import erode, largest_component

pytestmark = pytest.mark.shared_data

VERSE012 = {  # body ml, trabecular ml, trabecular HU
    "T10": (26.5, 10.3, 148), "T11": (29.4, 12.3, 144), "T12": (33.8, 15.5, 120),
    "L1": (30.0, 11.5, 160), "L2": (41.7, 21.0, 108), "L3": (46.7, 24.1, 107),
}  # fmt: skip
TOTALSEG_HU = {"T12": 109, "L1": 119, "L2": 124, "L3": 122, "L4": 127, "L5": 140, "S1": 144}
MASKS_ONLY_ML = {
    "T9": 15.2, "T10": 18.4, "T11": 22.9, "T12": 25.4,
    "L1": 19.1, "L2": 32.2, "L3": 34.3, "L4": 36.6, "L5": 37.1,
}  # fmt: skip


def make(image, mask, recipe, scheme, bodies=None, levels=None):
    return make_vois(image, mask, VoiRequest(find_scheme(scheme), find_recipe(recipe), levels), bodies)


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


@pytest.fixture(scope="module")
def tptbox_l3(shared_data):
    folder = shared_data / "spine" / "tptbox_l3"
    return (
        read_image(folder / "sub-ct_label-22_ct.nii.gz"),
        read_mask(folder / "sub-ct_seg-vert_label-22_msk.nii.gz"),
        read_mask(folder / "sub-ct_seg-subreg_label-22_msk.nii.gz"),
    )


@pytest.fixture(scope="module")
def verse012(shared_data):
    folder = shared_data / "spine" / "verse012"
    return (
        read_image(folder / "sub-verse012_ct.nii.gz"),
        read_mask(folder / "sub-verse012_seg-vert_msk.nii.gz"),
    )


@pytest.fixture(scope="module")
def totalseg(shared_data):
    folder = shared_data / "spine" / "totalseg_example"
    return (
        read_image(folder / "ct.nii.gz"),
        read_mask(folder / "vertebrae_ts_labels.nii.gz"),
        read_mask(folder / "vertebrae_body_disc.nii.gz"),
    )


class TestTptboxL3:
    """Osteoporotic L3, axes permuted, with subregions 49 and 50 as the true body; L2 and L4 are cut off."""

    def true_body(self, tptbox_l3, label):
        _, mask, subregions = tptbox_l3
        return Mask((mask.array == label) & np.isin(subregions.array, (49, 50)), mask.geometry).tight()

    def test_scheme_is_detected(self, tptbox_l3):
        assert detect_scheme(tptbox_l3[1])[0].name == "verse"

    @pytest.mark.parametrize(("level", "label"), [("L2", 21), ("L3", 22), ("L4", 23)])
    def test_trabecular_voi_without_the_body_mask(self, tptbox_l3, level, label):
        image, mask, _ = tptbox_l3
        voi = make(image, mask, "trabecular", "verse", levels=(level,))[level].result
        body = self.true_body(tptbox_l3, label)
        outside = np.count_nonzero(voi.mask.full() & ~body.full()) / voi.mask.n_voxels
        assert outside <= 0.02
        eroded = largest_component(erode(body, 3.0))
        assert voi.quality.qc_mean_hu == pytest.approx(float(image.array[eroded.full()].mean()), abs=5)
        assert voi.quality.qc_touches_border is (level != "L3")

    @pytest.mark.parametrize(("level", "label"), [("L2", 21), ("L3", 22), ("L4", 23)])
    def test_cut_body_is_the_true_body(self, tptbox_l3, level, label):
        body = make(*tptbox_l3[:2], "body", "verse", levels=(level,))[level].result.mask
        assert dice(body.full(), self.true_body(tptbox_l3, label).full()) > 0.98

    def test_numbers_of_l3(self, tptbox_l3):
        image, mask, subregions = tptbox_l3
        voi = make(image, mask, "trabecular", "verse")["L3"].result
        assert voi.quality.qc_volume_label_ml == pytest.approx(59.73, abs=0.01)
        assert voi.quality.qc_volume_voi_ml == pytest.approx(19.2, rel=0.02)
        assert voi.quality.qc_mean_hu == pytest.approx(52.5, abs=1)
        masked = make(image, mask, "trabecular", "verse", subregions)["L3"].result
        assert masked.quality.qc_body_source == "tptbox_subregions"
        assert masked.quality.qc_volume_voi_ml == pytest.approx(19.55, rel=0.02)
        assert masked.quality.qc_mean_hu == pytest.approx(53.2, abs=0.5)

    def test_eroding_the_whole_label_instead_would_mislead(self, tptbox_l3):
        image, mask, _ = tptbox_l3
        body, whole = self.true_body(tptbox_l3, 22), mask.select(22)
        wrong = erode(whole, 2.0)
        assert np.count_nonzero(wrong.full() & ~body.full()) / wrong.n_voxels > 0.2
        assert image.array[wrong.full()].mean() > 1.5 * image.array[erode(body, 2.0).full()].mean()


class TestVerse012:
    """T10 to L3 at 3 x 1 x 1 mm, with a collapsed L1."""

    def test_every_vertebra_has_a_body_and_its_inside(self, verse012):
        image, mask = verse012
        assert detect_scheme(mask)[0].name == "verse"
        bodies = make(image, mask, "body", "verse")
        inside = make(image, mask, "trabecular", "verse")
        assert list(inside) == list(VERSE012)
        for level, (body_ml, inside_ml, mean_hu) in VERSE012.items():
            quality = inside[level].result.quality
            assert bodies[level].result.mask.volume_ml == pytest.approx(body_ml, rel=0.02), level
            assert quality.qc_volume_voi_ml == pytest.approx(inside_ml, rel=0.03), level
            assert quality.qc_mean_hu == pytest.approx(mean_hu, abs=3), level
            assert quality.qc_level_order_ok is True
            assert quality.qc_components == 1

    def test_arch_is_denser_than_what_was_kept(self, verse012):
        image, mask = verse012
        for level, outcome in make(image, mask, "body", "verse").items():
            whole = mask.array == find_scheme("verse").value(level)
            arch = image.array[whole & ~outcome.result.mask.full()].mean()
            assert arch > outcome.result.quality.qc_mean_hu, level


class TestTotalsegExample:
    """Lumbar spine at 3 mm stored as RAS, with TotalSegmentator's own body mask; T11 is a sliver at the edge."""

    def test_scheme_is_detected(self, totalseg):
        scheme, how = detect_scheme(totalseg[1])
        assert scheme.name == "totalsegmentator"
        assert "31 (L1)" in how

    @pytest.mark.parametrize(
        ("level", "agreement"),
        [("T12", 0.97), ("L1", 0.97), ("L2", 0.97), ("L3", 0.97), ("L4", 0.97), ("L5", 0.93), ("S1", 0.96)],
    )
    def test_cut_agrees_with_the_body_mask(self, totalseg, level, agreement):
        image, mask, bodies = totalseg
        cut = make(image, mask, "body", "totalsegmentator", levels=(level,))[level].result.mask
        given = make(image, mask, "body", "totalsegmentator", bodies, (level,))[level].result
        assert given.quality.qc_body_source == "totalsegmentator_body"
        assert dice(cut.full(), given.mask.full()) > agreement

    def test_trabecular_hu_with_and_without_the_body_mask(self, totalseg):
        image, mask, bodies = totalseg
        cut = make(image, mask, "trabecular", "totalsegmentator")
        given = make(image, mask, "trabecular", "totalsegmentator", bodies)
        for level, mean_hu in TOTALSEG_HU.items():
            assert cut[level].result.quality.qc_mean_hu == pytest.approx(mean_hu, abs=2), level
            assert given[level].result.quality.qc_mean_hu == pytest.approx(mean_hu, abs=7), level

    def test_sliver_at_the_edge_fails_with_its_reason(self, totalseg):
        outcome = make(*totalseg[:2], "trabecular", "totalsegmentator", levels=("T11",))["T11"]
        assert outcome.status == "failed"
        assert "no spinal canal found" in outcome.reason
        assert "level T11 (label 33)" in outcome.reason
        assert make(*totalseg[:2], "label", "totalsegmentator")["T11"].result.quality.qc_touches_border is True

    def test_vertebra_at_the_edge_works_with_its_flag(self, totalseg):
        quality = make(*totalseg[:2], "trabecular", "totalsegmentator", levels=("T12",))["T12"].result.quality
        assert quality.qc_touches_border is True
        assert quality.qc_voi_touches_border is False
        assert "image border" in quality.qc_warnings


class TestMasksOnly:
    """T9 to L5, oblique axes, no CT, with a wedged L1."""

    def test_bodies(self, shared_data):
        mask = read_mask(shared_data / "spine" / "masks_only" / "sub-verse004_seg-vert_msk.nii.gz")
        assert detect_scheme(mask)[0].name == "verse"
        outcomes = make(None, mask, "body", "verse")
        assert list(outcomes) == list(MASKS_ONLY_ML)
        for level, volume_ml in MASKS_ONLY_ML.items():
            assert outcomes[level].result.mask.volume_ml == pytest.approx(volume_ml, rel=0.03), level
            assert outcomes[level].result.quality.qc_level_order_ok is True
        inside = make(None, mask, "trabecular", "verse")
        assert inside["L1"].result.mask.volume_ml == pytest.approx(4.68, rel=0.05)
        assert inside["L2"].result.quality.qc_warnings == "label has 2 parts"

"""Attribution of a cohort: table, maps, pictures, what goes wrong, and what is kept."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from radiobone.core.errors import UsageError
from radiobone.features.deep.attribution import AttributionMap, AttributionOptions, Share
from radiobone.features.deep.block import DeepBlock
from radiobone.features.deep.occlusion import Occluder
from radiobone.features.deep.params import DeepParams
from radiobone.features.deep.patches import Place
from radiobone.features.request import make_request
from radiobone.imaging import Geometry, Image, Mask
from radiobone.imaging.writing import write_image, write_mask
from radiobone.learning.disk.formula import LinearFormula, Term
from radiobone.learning.disk.formula_files import write_formula
from radiobone.study.attribution import AttributionRequest, attribute_cohort
from radiobone.study.attribution_pictures import heat_pictures, share_text
from radiobone.study.attribution_target import read_target
from radiobone.tables.cohort import Scan

GRID = Geometry((30, 24, 24), (2.0, 1.5, 1.5))
FLAT = DeepParams(backbone="resnet18", weights="random", views=("axial", "coronal"), size=32)
SOLID = DeepParams(backbone="resnet10_3d", weights="random", views=("volume",), size=32)
COLUMN = "deep-resnet18_random-coronal_0007"


@pytest.fixture(scope="module")
def scans(tmp_path_factory) -> list[Scan]:
    """Two patients with L1 and L2; L2 of the first is a speck. A third file is no image."""
    folder = tmp_path_factory.mktemp("scans")
    found = []
    for number, name in enumerate(("b", "a")):
        hu = np.random.default_rng(number).integers(-200, 400, GRID.shape).astype(np.int16)
        labels = np.zeros(GRID.shape, np.uint8)
        labels[18:26, 6:18, 5:17] = 20
        labels[4:12, 6:18, 5:17] = 21
        if name == "a":
            labels[labels == 21] = 0
            labels[4:6, 6:9, 5:9] = 21
        image, mask = folder / f"{name}.nii.gz", folder / f"{name}_mask.nii.gz"
        write_image(Image(hu, GRID), image)
        write_mask(Mask(labels, GRID), mask)
        found.append(Scan(name, "1", image, mask))
    (folder / "c.nii.gz").write_bytes(b"no image")
    return [*found, Scan("c", "1", folder / "c.nii.gz", found[0].mask)]


def request(
    params: DeepParams = FLAT, method: str = "grad_cam", target: str = "all", **keys
) -> AttributionRequest:
    options = AttributionOptions(method, occluder=Occluder(parts=2))
    block = DeepBlock(params, "made for a test", device="cpu")
    extraction = make_request(params=None, voi="label", levels="L1,L2", scheme="verse")
    return AttributionRequest(extraction, block, options, read_target(target, params, "label"), **keys)


def read(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "attribution.csv", dtype={"scan_id": str}, keep_default_na=True)


@pytest.fixture(scope="module")
def done(scans, tmp_path_factory):
    out = tmp_path_factory.mktemp("attribution")
    return attribute_cohort(scans, request(bone_hu=200.0), out, progress=False), out


@pytest.mark.deep
@pytest.mark.slow
class TestCohort:
    def test_each_voi_and_view_has_a_row_and_what_fails_stops_no_other(self, done):
        summary, out = done
        table = read(out)
        keys = list(zip(table.patient_id, table.level, table.view, table.status, strict=True))
        speck = ("a", "L2", "axial", "failed"), ("a", "L2", "coronal", "failed")
        assert keys == [
            *(("a", "L1", view, "ok") for view in FLAT.views),
            *speck,
            *(("b", level, view, "ok") for level in ("L1", "L2") for view in FLAT.views),
            *(("c", level, view, "failed") for level in ("L1", "L2") for view in FLAT.views),
        ]
        assert summary.counts == {"failed": 6, "ok": 6}
        assert "the VOI is too small" in table.reason[2]
        assert table.reason[8:].notna().all()
        assert len(summary.failures) == 3
        assert "repeat" not in table

    def test_numbers_go_together(self, done):
        table = read(done[1])
        good = table[table.status == "ok"]
        np.testing.assert_allclose(good.ratio, good.fraction / good.area)
        assert good.fraction.between(0, 1).all()
        assert (good.bone_area < 1).all()
        assert table[table.status == "failed"][["fraction", "area", "map"]].isna().all(axis=None)
        assert set(done[0].means) == set(FLAT.views)
        assert done[0].means["axial"][0] == pytest.approx(good[good["view"] == "axial"].fraction.mean())

    def test_maps_and_pictures_are_where_the_table_says(self, done):
        _, out = done
        row = read(out).iloc[5]
        assert (row["map"], row.picture) == ("b_1/L1.npz", "b_1/L1_coronal.png")
        with np.load(out / row["map"]) as arrays:
            heat, inside = arrays["coronal_heat"].astype(float), arrays["coronal_voi"]
            assert heat.shape == inside.shape == arrays["coronal_grey"].shape == (1, 32, 32)
            assert arrays["axial_slices"].shape == (1, 1)
        assert row.fraction == pytest.approx(heat[inside].sum() / heat.sum(), rel=1e-5)
        assert row.area == inside.mean()
        assert (out / row.picture).read_bytes().startswith(b"\x89PNG")

    def test_the_manifest_says_what_was_done(self, done):
        found = json.loads((done[1] / "attribution.manifest.json").read_text())
        assert found["deep"]["parameters"]["backbone"] == "resnet18"
        assert found["method"] == "grad_cam"
        assert found["target"] == {"name": "all", "terms": None}
        assert "not pretrained" in found["weights"]["source"]
        assert found["counts"] == {"failed": 6, "ok": 6}

    def test_what_is_done_is_kept_and_the_order_of_rows_plays_no_part(self, done, scans, monkeypatch):
        _, out = done
        before = (out / "attribution.csv").read_bytes()
        made = []
        monkeypatch.setattr("radiobone.study.attribution.attribute", lambda *_: made.append(1) or iter(()))
        attribute_cohort(scans[::-1], request(bone_hu=200.0), out, progress=False)
        assert not made
        assert (out / "attribution.csv").read_bytes() == before

    def test_workers_make_the_same_bytes(self, done, scans, tmp_path):
        _, out = done
        attribute_cohort(scans, request(bone_hu=200.0), tmp_path, jobs=2, resume=False, progress=False)
        for name in ("attribution.csv", "b_1/L2_axial.png", "a_1/L1_coronal.png"):
            assert (tmp_path / name).read_bytes() == (out / name).read_bytes()

    def test_a_picture_that_was_removed_is_made_anew(self, done, scans):
        _, out = done
        before = (out / "attribution.csv").read_bytes()
        picture = out / "b_1" / "L2_axial.png"
        was = picture.read_bytes()
        picture.unlink()
        attribute_cohort(scans, request(bone_hu=200.0), out, progress=False)
        assert picture.read_bytes() == was
        assert (out / "attribution.csv").read_bytes() == before


@pytest.mark.deep
def test_one_column_has_one_view(scans, tmp_path):
    summary = attribute_cohort(scans[:1], request(target=COLUMN), tmp_path, resume=False, progress=False)
    assert [(row["view"], row["target"]) for row in summary.rows] == [("coronal", COLUMN)] * 2
    assert not (tmp_path / "attribution.resume").exists()


@pytest.mark.deep
@pytest.mark.slow
def test_files_that_were_made_in_another_way_since_are_made_anew(scans, tmp_path):
    names = ("attribution.csv", "b_1/L1.npz", "b_1/L1_coronal.png")
    made = []
    for method in ("grad_cam", "occlusion", "grad_cam"):
        attribute_cohort(scans[:1], request(method=method, target=COLUMN), tmp_path, progress=False)
        made.append([(tmp_path / name).read_bytes() for name in names])
    assert made[0] == made[2]
    assert all(first != second for first, second in zip(made[0], made[1], strict=True))


@pytest.mark.deep
@pytest.mark.slow
def test_a_volume_is_covered_and_drawn_in_three_planes(scans, tmp_path):
    summary = attribute_cohort(scans[:1], request(SOLID, "occlusion"), tmp_path, progress=False)
    assert [(row["view"], row["status"]) for row in summary.rows] == [("volume", "ok")] * 2
    with np.load(tmp_path / "b_1" / "L1.npz") as arrays:
        assert arrays["volume_heat"].shape == (1, 32, 32, 32)
        assert len(np.unique(arrays["volume_heat"])) == 2**3


@pytest.mark.deep
@pytest.mark.slow
def test_scans_whose_names_look_alike_have_folders_of_their_own(scans, tmp_path):
    first, second = (Scan(name, "1", scans[0].image, scans[0].mask) for name in ("p/1", "p 1"))
    wanted = request(target=COLUMN)
    summary = attribute_cohort([first, second], wanted, tmp_path, progress=False)
    folders = {row["picture"].split("/")[0] for row in summary.rows}
    assert len(folders) == 2
    assert all(name.startswith("p-1_1_") for name in folders)


class TestTarget:
    def formula(self, path: Path, **terms: float) -> Path:
        listed = [Term(feature=name, coefficient=value) for name, value in terms.items()]
        content = {"name": "node", "positive": "low", "negative": "normal", "intercept": 0.5, "terms": listed}
        write_formula(path, LinearFormula(**content))
        return path

    def test_terms_of_a_model_belong_to_levels(self, tmp_path):
        first, second = "deep-resnet18_random-axial_0001", COLUMN
        terms = {
            f"L1.label__{first}": 2.0,
            f"L2.label__{first}": -1.0,
            f"label__{second}": 3.0,
            "label__original_firstorder_Mean": 9.0,
        }
        target = read_target(str(self.formula(tmp_path / "node.json", **terms)), FLAT, "label")
        assert target.name == "node.json"
        assert target.at("L1").weights == {first: 2.0, second: 3.0}
        assert target.at("L2").weights == {first: -1.0, second: 3.0}
        assert target.at("L3").weights == {second: 3.0}

    def test_a_level_without_a_term_is_skipped(self, tmp_path):
        path = self.formula(tmp_path / "node.csv", **{f"L1.label__{COLUMN}": 2.0})
        assert read_target(str(path), FLAT, "label").at("L2") is None

    def test_terms_of_other_vois_are_left_out(self, tmp_path):
        terms = {f"trabecular__{COLUMN}": 2.0, f"L1.body__{COLUMN}": 5.0}
        path = str(self.formula(tmp_path / "node.json", **terms))
        assert read_target(path, FLAT, "trabecular").at("L1").weights == {COLUMN: 2.0}
        assert read_target(path, FLAT, "body").at("L1").weights == {COLUMN: 5.0}
        with pytest.raises(UsageError, match="are those of another VOI") as caught:
            read_target(path, FLAT, "label")
        assert caught.value.expected == "body or trabecular"
        # A study may have given the VOI a name of its own, which tells nothing of its recipe.
        own = self.formula(tmp_path / "own.json", **{f"inner__{COLUMN}": 3.0})
        assert read_target(str(own), FLAT, "trabecular").at("L1").weights == {COLUMN: 3.0}

    def test_what_is_no_target_is_refused(self, tmp_path):
        with pytest.raises(UsageError, match=r"no such target.*did you mean 'deep-resnet18_random-coronal_0007'"):
            read_target(COLUMN.replace("coronal", "corona"), FLAT, "label")
        other = self.formula(tmp_path / "other.json", label__original_firstorder_Mean=1.0)
        with pytest.raises(UsageError, match="the formula has no term of this parameter file"):
            read_target(str(other), FLAT, "label")


class TestPictures:
    def test_a_volume_shows_the_planes_through_the_middle_of_the_voi(self):
        heat = np.arange(4.0 * 6 * 8).reshape(4, 6, 8)
        inside = np.zeros(heat.shape, dtype=bool)
        inside[1, 2, 3] = True
        item = AttributionMap(Place("volume", (), (3.0, 1.5, 0.5)), heat, heat.astype(np.float32), inside)
        axial, coronal, sagittal = heat_pictures(item)
        np.testing.assert_array_equal(axial.heat, heat[1])
        np.testing.assert_array_equal(coronal.heat, heat[::-1, 2])
        np.testing.assert_array_equal(sagittal.heat, heat[::-1, :, 3])
        assert [picture.aspect for picture in (axial, coronal, sagittal)] == [3.0, 6.0, 2.0]
        assert all(picture.inside.sum() == 1 for picture in (axial, coronal, sagittal))

    def test_slices_are_counted_from_one(self):
        heat = np.zeros((4, 4))
        item = AttributionMap(Place("sagittal", (4, 5, 6), (0.5, 0.5, 0.0)), heat, heat, heat > 0)
        assert [picture.title for picture in heat_pictures(item)] == ["sagittal, slice 6"]
        three = np.zeros((3, 4, 4))
        item = AttributionMap(Place("triplanar", (4, 5, 6), (0.5, 0.5, 0.5)), three, three, three > 0)
        assert [picture.title for picture in heat_pictures(item)] == [
            "axial, slice 5",
            "coronal, slice 6",
            "sagittal, slice 7",
        ]

    def test_words(self):
        assert share_text(Share(0.3, 0.2), "area") == (
            "30 % of the attribution lies in the VOI, which takes 20 % of the area: 1.50 times as much"
        )
        assert share_text(Share(math.nan, 0.2), "room").startswith("nothing raises the target")


def test_hu_that_the_window_does_not_show_are_refused_before_any_scan():
    with pytest.raises(UsageError, match="does not show this HU"):
        request(bone_hu=900.0)

"""The key ``segment`` of recipes, and what needs no network: which masks are made, kept, refused and counted."""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from pathlib import Path

import pandas as pd
import pytest
import yaml

import radiobone.study.segmenting
from radiobone.core.errors import ConfigError, MissingExtraError, UsageError
from radiobone.core.hashing import sha256_file
from radiobone.reporting.flow import flow_figure
from radiobone.segmentation.options import SegmentOptions
from radiobone.study.journal import files_of, state_of
from radiobone.study.recipe import Recipe, read_recipe
from radiobone.study.recipe.segment import SegmentChoice
from radiobone.study.running import read_study_cohort
from radiobone.study.segmenting import segment_missing
from radiobone.tables.cohort import read_cohort
from radiobone.tables.flow import MASKS, count_flow, mask_sources

CONTENT = {
    "name": "small",
    "title": "A class from one block",
    "source": "a test",
    "label": {"source": "class", "column": "outcome", "classes": ["no", "yes"]},
    "segment": {"model": "net"},
    "voi": {"recipe": "label", "levels": "L1-L2"},
    "extraction": {"params": "original"},
    "nodes": [{"name": "event", "positive": "yes", "negative": "no"}],
    "primary": {"node": "event"},
}


def recipe(folder: Path, **segment: object) -> Recipe:
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(CONTENT | {"segment": {"model": "net"} | segment}))
    return read_recipe(path)


def test_names_and_defaults_are_those_of_the_options():
    declared = SegmentChoice.model_fields
    assert set(declared) == {item.name for item in fields(SegmentOptions)} | {"anchor"}
    assert SegmentChoice(model="net").options == SegmentOptions(model=Path("net"))


def test_paths_are_relative_to_the_recipe_and_no_part_of_the_study(tmp_path):
    found = recipe(tmp_path, coarse="models/low", margin_mm=10, folds=[0, 1])
    assert found.segment is not None
    options = found.segment.options
    assert (options.model, options.coarse) == (tmp_path / "net", tmp_path / "models/low")
    assert options.folds == ("0", "1")
    (tmp_path / "elsewhere").mkdir()
    assert recipe(tmp_path / "elsewhere", coarse="low", margin_mm=10, folds="0, 1").sha256 == found.sha256
    assert recipe(tmp_path, coarse="low", margin_mm=11, folds="0,1").sha256 != found.sha256


@pytest.mark.parametrize(
    ("segment", "told"),
    [
        ({"modell": "net"}, "segment.modell: unknown key (did you mean 'model'?)"),
        ({"margin": 3}, "segment.margin: unknown key (did you mean 'margin_mm'?)"),
        ({"model": None}, "segment.model"),
        ({"anchor": "L5"}, "segment.anchor: no anchor"),
        ({"scheme": "vers"}, "segment.scheme: no label scheme of this name (did you mean 'verse'?)"),
        ({"scheme": "own.yaml"}, "segment.scheme: file not found"),
        ({"orientation": "RAX"}, "segment.orientation: no order of axes"),
        ({"device": "gpu"}, "segment.device: no device of this name"),
        ({"step_size": 1.5}, "segment.step_size"),
        ({"memory_limit_gb": 0}, "segment.memory_limit_gb"),
        ({"margin_mm": 5.0}, "segment: margin_mm: needs coarse"),
        ({"folds": []}, "segment.folds"),
    ],
)
def test_what_is_wrong_is_told_with_its_path(tmp_path, segment, told):
    with pytest.raises(ConfigError) as caught:
        recipe(tmp_path, **segment)
    assert told in str(caught.value)


def test_masks_are_of_no_use_without_vois(tmp_path):
    content = {key: value for key, value in CONTENT.items() if key not in ("voi", "extraction")}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(content | {"clinical": ["age"]}))
    with pytest.raises(ConfigError, match="segment: needs voi and extraction"):
        read_recipe(tmp_path / "recipe.yaml")


def net(folder: Path) -> None:
    """Write the files of a model folder, without a network in them."""
    (folder / "net/fold_0").mkdir(parents=True)
    for name in ("dataset.json", "plans.json"):
        (folder / "net" / name).write_text("{}")
    (folder / "net/fold_0/checkpoint_final.pth").write_bytes(b"weights")


def cohort(folder: Path, *rows: str) -> Path:
    path = folder / "cohort.csv"
    path.write_text("\n".join(["patient_id,image,mask,outcome", *rows]) + "\n")
    return path


def test_a_cohort_in_which_all_masks_are_given_needs_no_model(tmp_path):
    study = recipe(tmp_path)
    table = read_study_cohort(study, cohort(tmp_path, "p1,a.nii.gz,m.nii.gz,yes"), images=True)
    lines: list[str] = []
    made = segment_missing(study, table, tmp_path / "out", say=lines.append)
    assert lines == ["segment: every scan has a mask"]
    assert made.record == {"counts": {"given": 1}}
    (scan,) = made.cohort.scans()
    assert (scan.mask, scan.scheme, scan.unsegmented) == (tmp_path / "m.nii.gz", "", "")
    assert not (tmp_path / "out").exists()


def test_a_missing_extra_or_model_is_told_before_any_work(tmp_path, monkeypatch):
    study = recipe(tmp_path)
    table = read_study_cohort(study, cohort(tmp_path, "p1,a.nii.gz,,yes"), images=True)
    with pytest.raises(UsageError, match="no model folder"):
        segment_missing(study, table, tmp_path / "out")
    net(tmp_path)
    (tmp_path / "net/fold_0/checkpoint_final.pth").unlink()
    with pytest.raises(UsageError, match="holds no trained fold"):
        segment_missing(study, table, tmp_path / "out")
    (tmp_path / "net/fold_0/checkpoint_final.pth").write_bytes(b"weights")

    for package in ("torch", "nnunetv2"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"radiobone\[segment\]"):
        segment_missing(study, table, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_masks_depend_on_the_scheme_in_a_file(tmp_path):
    net(tmp_path)
    (tmp_path / "own.yaml").write_text("labels: {1: L1}\n")
    choice = recipe(tmp_path, scheme="own.yaml").segment
    table = read_cohort(cohort(tmp_path, "p1,a.nii.gz,,yes"), masks=False)
    assert choice is not None
    before = radiobone.study.segmenting._inputs(choice, table)
    (tmp_path / "own.yaml").write_text("labels: {2: L1}\n")
    after = radiobone.study.segmenting._inputs(choice, table)
    assert {name for name in before if before[name] != after[name]} == {"scheme own.yaml"}


def manifest(folder: Path, sha256: str) -> None:
    """Write what an earlier run of the study left."""
    content = {
        "created": "2026-01-01T00:00:00+00:00",
        "versions": {},
        "machine": "test",
        "models": [],
        "settings": {},
        "scheme": "verse",
        "counts": {"ok": 1},
        "scans": [
            {
                "patient_id": "p1",
                "scan_id": "1",
                "status": "ok",
                "mask": "masks/p1_1.nii.gz",
                "mask_sha256": sha256,
            }
        ],
    }
    (folder / "segmentation.manifest.json").write_text(json.dumps(content))


def test_masks_of_others_and_corrected_ones_are_never_replaced(tmp_path):
    net(tmp_path)
    study = recipe(tmp_path)
    path = cohort(tmp_path, "p1,a.nii.gz,,yes")
    table = read_study_cohort(study, path, images=True)
    mask = tmp_path / "out/masks/p1_1.nii.gz"
    mask.parent.mkdir(parents=True)
    mask.write_bytes(b"drawn by hand")
    told = r"1 mask changed after being made, or not made here .*masks/p1_1\.nii\.gz .*column mask"
    with pytest.raises(UsageError, match=told):
        segment_missing(study, table, tmp_path / "out")
    manifest(tmp_path / "out", "0" * 64)
    with pytest.raises(UsageError, match=told):
        segment_missing(study, table, tmp_path / "out")
    assert mask.read_bytes() == b"drawn by hand"
    given = read_study_cohort(study, cohort(tmp_path, "p1,a.nii.gz,out/masks/p1_1.nii.gz,yes"), images=True)
    assert segment_missing(study, given, tmp_path / "out").record == {"counts": {"given": 1}}


def test_a_scan_that_failed_has_its_reason_and_each_mask_its_scheme(tmp_path):
    rows = [
        "patient_id,image,mask,mask_scheme,segmentation_status,segmentation_reason,body_mask",
        "p1,a.nii.gz,m/a.nii.gz,verse,ok,,b/a.nii.gz",
        "p2,b.nii.gz,m/b.nii.gz,m/own.yaml,failed,the model found nothing | got: x,",
        "p3,c.nii.gz,m/c.nii.gz,,given,,",
    ]
    path = tmp_path / "cohort.csv"
    path.write_text("\n".join(rows) + "\n")
    table = read_cohort(path)
    first, second, third = table.scans()
    assert (first.scheme, first.unsegmented) == ("verse", "")
    assert (second.scheme, second.unsegmented) == (
        str(tmp_path / "m/own.yaml"),
        "the model found nothing | got: x",
    )
    assert (third.scheme, third.unsegmented) == ("", "")
    moved = table.moved(tmp_path / "study")
    assert list(moved["mask"]) == ["../m/a.nii.gz", "../m/b.nii.gz", "../m/c.nii.gz"]
    assert list(moved["body_mask"]) == ["../b/a.nii.gz", "", ""]
    assert list(moved["mask_scheme"]) == ["verse", "../m/own.yaml", ""]
    assert mask_sources(table.table) == {
        "given": {"p3"}, "segmentation failed": {"p2"}, "segmented": {"p1"},
    }  # fmt: skip


def test_the_flow_tells_where_masks_come_from():
    labels = pd.Series({"p1": "yes", "p2": "no", "p3": "no", "p4": ""})
    masks = {"given": {"p1", "p4"}, "segmented": {"p2", "p3"}}
    table = count_flow(labels, [], ["no", "yes"], masks=masks).table
    first = table[table["step"] == MASKS].set_index(["reason", "class"])["patients"].to_dict()
    assert first == {
        ("given", "no"): 0, ("given", "yes"): 1, ("given", "unknown"): 1,
        ("segmented", "no"): 2, ("segmented", "yes"): 0, ("segmented", "unknown"): 0,
    }  # fmt: skip
    plain = count_flow(labels, [], ["no", "yes"]).table
    pd.testing.assert_frame_equal(table[table["step"] != MASKS].reset_index(drop=True), plain)


def test_the_figure_of_the_flow_tells_it_too():
    labels = pd.Series({"p1": "yes", "p2": "no"})
    table = count_flow(labels, [], ["no", "yes"], masks={"given": {"p1"}, "segmented": {"p2"}}).table
    for unit in ("patients", "vertebrae"):
        texts = " ".join(text.get_text() for text in flow_figure(table, unit=unit).axes[0].texts)
        assert "Masks given: 1 patients\nMasks segmented: 1 patients" in texts
        assert "Excluded" not in texts


def test_slices_that_a_list_names_are_inputs_of_the_journal(tmp_path):
    (tmp_path / "slices").mkdir()
    for number in (1, 2):
        (tmp_path / f"slices/{number}.dcm").write_bytes(b"x")
    source = tmp_path / "scan.txt"
    source.write_text("slices/1.dcm\nslices/2.dcm\n")
    assert files_of(source) == [source, tmp_path / "slices/1.dcm", tmp_path / "slices/2.dcm"]
    before = state_of(files_of(source), tmp_path)
    assert state_of(files_of(source), tmp_path) == before
    (tmp_path / "slices/2.dcm").write_bytes(b"another")
    assert state_of(files_of(source), tmp_path) != before
    assert files_of(tmp_path / "slices") == [tmp_path / "slices"]
    assert files_of(tmp_path / "none.nii.gz") == [tmp_path / "none.nii.gz"]


def test_every_file_of_a_model_is_an_input(tmp_path):
    net(tmp_path)
    choice = SegmentChoice(model=str(tmp_path / "net"))
    table = read_cohort(cohort(tmp_path, "p1,a.nii.gz,,yes"), masks=False)
    inputs = radiobone.study.segmenting._inputs(choice, table)
    weights = "model fold_0/checkpoint_final.pth"
    assert inputs[weights] == sha256_file(tmp_path / "net/fold_0/checkpoint_final.pth")
    assert set(inputs) == {"recipe", "scans", "images", weights, "model dataset.json", "model plans.json"}

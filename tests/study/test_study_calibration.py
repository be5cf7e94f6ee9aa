"""A calibration file in a study recipe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from study_tables import tables, write_tables

from radiobone.core.errors import ConfigError, TableError
from radiobone.core.resources import find
from radiobone.features.blocks import CalibratedDensityBlock, DensityBlock
from radiobone.study.dataset import assemble
from radiobone.study.recipe import read_recipe
from radiobone.study.running import make_study_request

EQUATION = {"slope_mg_cm3_per_hu": 0.8, "intercept_mg_cm3": -3.0, "match": {"kvp": 120}}
CALIBRATION = {"kind": "asynchronous", "standard": "HA", "key_columns": ["kvp"], "equations": [EQUATION]}


def write(folder: Path, calibration: str | None, **changes) -> Path:
    content = yaml.safe_load(find("pipelines", "demo").read_text(encoding="utf-8"))
    for key in ("clinical", "acquisition", "arms", "evaluation"):
        del content[key]
    extraction = {} if calibration is None else {"calibration": calibration}
    content |= {"primary": {"node": "osteoporosis_vs_rest"}, "extraction": extraction, **changes}
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def write_calibration(folder: Path, **changes) -> Path:
    path = folder / "vbmd.yaml"
    path.write_text(yaml.safe_dump(CALIBRATION | changes), encoding="utf-8")
    return path


def test_every_voi_of_a_study_is_calibrated(tmp_path, monkeypatch):
    write_calibration(tmp_path)
    monkeypatch.chdir("/")
    recipe = read_recipe(
        write(tmp_path, "vbmd.yaml", more_vois={"body": {"recipe": "body", "features": "density"}})
    )
    for name, n_blocks in (("", 2), ("body", 1)):
        request = make_study_request(recipe, name)
        assert len(request.blocks) == n_blocks
        assert isinstance(request.blocks[-1], CalibratedDensityBlock)
        assert request.cohort_columns == ("kvp",)


def test_a_study_depends_on_what_its_calibration_says_and_not_on_where_it_lies(tmp_path):
    (tmp_path / "other").mkdir()
    for folder in (tmp_path, tmp_path / "other"):
        write_calibration(folder)
    first, second = (read_recipe(write(folder, "vbmd.yaml")) for folder in (tmp_path, tmp_path / "other"))
    assert first.sha256 == second.sha256
    write_calibration(tmp_path, standard="K2HPO4")
    assert first.sha256 != second.sha256


def test_a_study_without_a_calibration_says_nothing_of_one(tmp_path):
    recipe = read_recipe(write(tmp_path, None))
    assert "calibration" not in recipe.content()["extraction"]
    assert "calibration" not in recipe.model_dump(mode="json")["extraction"]
    assert make_study_request(recipe).blocks[-1] == DensityBlock()


def test_a_calibration_that_is_not_there_or_not_valid_is_refused_with_the_recipe(tmp_path):
    with pytest.raises(ConfigError, match=r"extraction\.calibration: file not found"):
        read_recipe(write(tmp_path, "vbmd.yaml"))
    write_calibration(tmp_path, standard="lead")
    with pytest.raises(ConfigError, match="standard"):
        read_recipe(write(tmp_path, "vbmd.yaml"))


def test_a_table_of_another_calibration_is_refused(tmp_path):
    write_tables(tmp_path)
    write_calibration(tmp_path)
    recipe = read_recipe(write(tmp_path, "vbmd.yaml", table={"blocks": ["density"]}))
    with pytest.raises(TableError, match="another calibration"):
        assemble(recipe, *tables(tmp_path))
    features, cohort = tables(tmp_path)
    radiomics, density = features.manifest.blocks
    density = density.model_copy(update={"parameters": {"calibration": "asynchronous", "standard": "HA"}})
    manifest = features.manifest.model_copy(update={"blocks": [radiomics, density]})
    calibrated = replace(features, manifest=manifest)
    assert len(assemble(recipe, calibrated, cohort).X)
    with pytest.raises(TableError, match="another calibration"):
        assemble(read_recipe(write(tmp_path, None, table={"blocks": ["density"]})), calibrated, cohort)

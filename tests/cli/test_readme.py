"""Every command in the README, run where its file names exist."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from radiobone.cli.app import run
from radiobone.core.extras import require
from radiobone.core.hashing import sha256_file
from radiobone.imaging import Image
from radiobone.imaging.calibration.settings import read_calibration
from radiobone.imaging.writing import write_image, write_mask
from radiobone.study.demo import make_demo_cohort
from radiobone.study.recipe.design import ArmChoice
from radiobone.study.recipe.segment import SegmentChoice

README = Path(__file__).parents[2] / "README.md"


def blocks() -> list[str]:
    return re.findall(r"```bash\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)


def commands() -> list[list[str]]:
    lines = [line for block in blocks() for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("radiobone ")]


def test_the_readme_holds_the_two_commands():
    marked = re.findall(
        r"<!-- (demo|test) command -->\n```bash\n(.*?)```\n<!-- end -->", README.read_text(), re.DOTALL
    )
    assert [name for name, _ in marked] == ["demo", "test"]
    demo, test = (command for _, command in marked)
    assert demo.rstrip().endswith("radiobone demo")
    assert "pytest" in test
    for command in (demo, test):
        assert command.startswith("python3 -m venv --clear ../"), "the machine's own Python, outside the checkout"
        installs = [part for part in command.split("&&") if "pip install" in part]
        assert installs
        assert all("-c constraints.txt" in part for part in installs)


def test_the_demo_is_installed_without_pyradiomics_and_without_a_compiler():
    (command,) = re.findall(r"<!-- demo command -->\n```bash\n(.*?)```", README.read_text(), re.DOTALL)
    assert not re.search(r"pyradiomics|--no-build-isolation|cmake|setuptools", command)
    dependencies = tomllib.loads((README.parent / "pyproject.toml").read_text())["project"]["dependencies"]
    assert not [name for name in dependencies if "radiomics" in name]


@pytest.fixture
def scans_without_masks(tmp_path, monkeypatch):
    """Make what the section on masks speaks of: an archive, a model, a cohort of two readers, scans to learn."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "segmentation")
    from handmade import write_folder
    from synthetic_spines import TINY, synthetic_scan, write_cohort
    from test_segment_cohort import one_class
    from test_segment_study import write_dicom

    _, mask = synthetic_scan(1, 4, "L4", 2.0)
    bones = Image(np.where(mask.array > 0, 300, -100).astype(np.int16), mask.geometry)
    write_dicom(bones, tmp_path / "archive", 1)
    write_image(bones, tmp_path / "bones.nii.gz")
    write_mask(mask, tmp_path / "drawn.nii.gz")
    readers = "patient_id,image,mask,mask_b\np1,bones.nii.gz,drawn.nii.gz,drawn.nii.gz\n"
    (tmp_path / "readers.csv").write_text(readers)
    if find_spec("nnunetv2") is not None:
        # As radiobone itself loads it: torch's filters of warnings would take torch into every worker.
        require("torch", "segment")
        write_folder(tmp_path / "models/spine", [one_class()], {"vertebra": 1})
    (tmp_path / "few").mkdir()
    write_cohort(tmp_path / "few", 2)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump({name: _plain(value) for name, value in TINY.items()}))


def _plain(value):
    return list(value) if isinstance(value, tuple) else value


NEED_NNUNET = ("segment", "segment-train", "qc")
"""Verbs of the README that use a model, or masks that one made."""

SMALL = ["--cohort", "few/cohort.csv", "--changes", "tiny.yaml", "--epochs", "1", "--iterations", "1"]
"""After the README's own options: a training that a processor can do while a test runs."""


@pytest.mark.slow
def test_every_radiobone_command_of_the_readme_runs(tmp_path, monkeypatch, scans_without_masks):
    made = make_demo_cohort(tmp_path / "made", patients=30, jobs=2, progress=False).parent
    for item in made.iterdir():
        shutil.move(item, tmp_path / item.name)
    shutil.copy(tmp_path / "images/demo_001.nii.gz", tmp_path / "ct.nii.gz")
    shutil.copy(tmp_path / "masks/demo_001.nii.gz", tmp_path / "mask.nii.gz")
    monkeypatch.chdir(tmp_path)
    Path("two.csv").write_text("".join(Path("cohort.csv").read_text().splitlines(keepends=True)[:3]))
    ran = set()
    for arguments in commands():
        if arguments[0] == "verify" and find_spec("radiomics") is None:
            continue
        if arguments[0] in NEED_NNUNET and find_spec("nnunetv2") is None:
            continue
        if "--deep" in arguments and find_spec("monai") is None:
            continue
        small = [*SMALL, "--validation-iterations", "1"] if arguments[0] == "segment-train" else []
        small += ["--cohort", "two.csv"] if "--deep" in arguments else []
        small += ["--levels", "L1", "--parts", "2"] if arguments[0] == "attribute" else []
        assert run([*arguments, *small]) == 0, arguments
        ran.add(arguments[0])
        if arguments[:2] == ["extract", "--cohort"]:
            for name in ("features.csv", "features.csv.manifest.json"):
                shutil.copy(name, f"cohort_{name}")
        elif arguments[0] == "extract":
            for name in ("features.csv", "features.csv.manifest.json"):
                shutil.copy(f"cohort_{name}", name)
    wanted = {"import", "inspect", "agree", "extract", "run", "train", "predict"}
    assert wanted == ran - {"verify", "attribute", *NEED_NNUNET}
    if find_spec("nnunetv2") is not None:
        assert ran >= set(NEED_NNUNET)
        assert Path("segmented/masks/P0001_S01.nii.gz").is_file()
    manifest = json.loads(Path("predictions.csv.manifest.json").read_text())
    assert manifest["features_sha256"] == sha256_file(Path("study/features.csv"))
    assert manifest["model_sha256"] == sha256_file(Path("study/model/model.skops"))
    assert manifest["counts"] == {"ok": 30}
    results = json.loads(Path("trained/results.json").read_text())
    assert results["inputs"]["cohort_sha256"] == sha256_file(Path("cohort.csv"))
    assert results["inputs"]["features_sha256"] == sha256_file(Path("cohort_features.csv"))
    assert results["recipe"]["content"]["name"] == "two_level_osteoporosis_first"


def test_the_key_segment_of_the_readme_is_one_of_recipes():
    (text,) = re.findall(r"```yaml\n(segment:.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert SegmentChoice(**yaml.safe_load(text)["segment"]).known is not None


def test_the_calibration_files_of_the_readme_can_be_read(tmp_path):
    texts = re.findall(r"```yaml\n(kind:.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    found = []
    for text in texts:
        (tmp_path / "calibration.yaml").write_text(text)
        found.append(read_calibration(tmp_path / "calibration.yaml").kind)
    assert found == ["phantom", "asynchronous"]


def test_the_arm_of_volumes_of_the_readme_is_one_of_recipes():
    (text,) = re.findall(r"```yaml\n(- name:.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    (arm,) = yaml.safe_load(text)
    assert ArmChoice(**arm).network_options.architecture == "resnet10"


def python(name: str) -> str:
    """Return the example of the README that imports this name."""
    examples = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(examples) == 3
    (code,) = (text for text in examples if name in text)
    return code


def run_example(code: str, names: dict[str, object]) -> Any:
    """Run an example, and return the value of its last line."""
    lines, last = code.strip().rsplit("\n", 1)
    exec(lines, names)
    return eval(last, names)


def test_the_readme_computes_features_of_arrays():
    contrast, mean, volume = run_example(python("import native"), {})
    # Independent noise: twice its variance in bins of 25, and the bins' own 1/6. 4000 voxels of 0.6125 mm3.
    assert contrast == pytest.approx(2 * (40 / 25) ** 2 + 1 / 6, rel=0.05)
    assert mean == pytest.approx(150, abs=3)
    assert volume == pytest.approx(4000 * 0.6125, rel=0.05)


@pytest.mark.slow
@pytest.mark.segment
def test_the_readme_segments_an_array(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "segmentation")
    from handmade import write_folder
    from test_segment_cohort import one_class

    write_folder(tmp_path / "models/spine", [one_class()], {"vertebra": 1})
    monkeypatch.chdir(tmp_path)
    hu = np.full((20, 30, 24), -100, dtype=np.int16)
    hu[6:14, 8:20, 6:18] = 700
    labels = run_example(python("Segmenter"), {"hu": hu})
    assert labels.shape == hu.shape
    assert (labels[hu > 0] == 1).all()
    assert (labels[hu < 0] > 0).mean() < 0.1


@pytest.mark.slow
def test_the_readme_validates_a_classifier():
    rng = np.random.default_rng(0)
    bone = np.repeat(["osteoporosis", "osteopenia", "normal"], 20)
    features = rng.normal(size=(60, 4)) + np.repeat([0.0, 3.0, 6.0], 20)[:, None]
    names: dict[str, object] = {"X": features, "y": bone, "patients": np.arange(60)}
    assert run_example(python("NestedCV"), names)["mean"] > 0.9

"""The house rules that a machine can check: who imports whom, and what is loaded when."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

import radiobone

PACKAGE = Path(radiobone.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

GROUND = ("core", "tables")
IMAGE_WING = ("imaging", "voi", "segmentation", "features")
LEARNING_WING = ("learning", "evaluation", "reporting")

MAY_IMPORT = {
    "core": set(),
    "tables": {"core"},
    "imaging": {*GROUND},
    "voi": {*GROUND, "imaging"},
    "segmentation": {*GROUND, "imaging", "voi"},
    "features": {*GROUND, "imaging", "voi"},
    "learning": {*GROUND},
    "evaluation": {*GROUND, "learning"},
    "reporting": {*GROUND, "learning", "evaluation"},
    "study": {*GROUND, *IMAGE_WING, *LEARNING_WING},
    "cli": {*GROUND, *IMAGE_WING, *LEARNING_WING, "study"},
}

HEAVY = {"torch", "monai", "nnunetv2", "radiomics", "dask", "pydicom", "highdicom"}
HEAVY_IMPORTED_IN = {
    "features/deep/block.py": {"torch", "monai"},
    "features/deep/compute.py": {"torch"},
    "features/deep/folding.py": {"torch"},
    "features/deep/grad_cam.py": {"torch"},
    "features/deep/networks.py": {"torch", "monai"},
    "features/deep/weights_loading.py": {"torch"},
    "features/radiomics/pyradiomics.py": {"radiomics"},
    "learning/disk/network_files.py": {"torch"},
    "learning/network/architectures.py": {"torch", "monai"},
    "learning/network/running.py": {"torch"},
    "learning/network/training.py": {"torch"},
    "segmentation/decoding.py": {"torch"},
    "segmentation/loading.py": {"torch"},
    "segmentation/model.py": {"torch", "nnunetv2"},
    "segmentation/network.py": {"torch", "nnunetv2"},
    "segmentation/nnunet.py": {"nnunetv2"},
    "segmentation/normalising.py": {"nnunetv2"},
    "segmentation/planning.py": {"nnunetv2"},
    "segmentation/resampling.py": {"torch", "nnunetv2"},
    "segmentation/segmenter.py": {"torch", "nnunetv2"},
    "segmentation/tiles.py": {"torch", "nnunetv2"},
    "segmentation/trainer.py": {"torch", "nnunetv2"},
    "study/volumes.py": {"torch", "monai"},
    "imaging/dicom/elements.py": {"pydicom"},
    "imaging/dicom/headers.py": {"pydicom"},
    "imaging/dicom/frames.py": {"pydicom"},
    "imaging/dicom/pixels.py": {"pydicom"},
    "imaging/dicom/truncation.py": {"pydicom"},
    "imaging/masks/dicom_seg.py": {"pydicom"},
    "imaging/masks/references.py": {"pydicom"},
    "imaging/masks/rtstruct.py": {"pydicom"},
}

LATE = {"sklearn", "pandas", "numba", "SimpleITK", "scipy", "matplotlib", "lightgbm", "statsmodels"}
"""Loaded only when a verb runs."""


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield each imported module's full name, and whether it is imported when the module is loaded."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = {
        id(node)
        for scope in ast.walk(tree)
        if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        or (isinstance(scope, ast.If) and ast.unparse(scope.test) == "TYPE_CHECKING")
        for node in ast.walk(scope)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) not in inner) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield str(node.module), id(node) not in inner
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "require":
            yield ast.literal_eval(node.args[0]), id(node) not in inner


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_from_rooms_above_it(path):
    if path.parent == PACKAGE:
        assert not [name for name, _ in imports(path)]
        return
    own = room(path)
    for name, _ in imports(path):
        parts = name.split(".")
        if parts[0] == "radiobone" and len(parts) > 1:
            assert parts[1] == own or parts[1] in MAY_IMPORT[own], f"{own} must not import {name}"


def test_modules_make_no_circle():
    graph: dict[str, set[str]] = {}
    for path in MODULES:
        name = "radiobone." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        graph[name.removesuffix(".__init__")] = {
            target for target, at_load in imports(path) if at_load and target.startswith("radiobone.")
        }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name in done:
            return
        for target in graph.get(name, ()):
            # A module that loads its own package's front is no circle: Python resolves it.
            if not name.startswith(f"{target}."):
                visit(target, (*trail, name))
        done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_heavy_packages_are_imported_inside_functions_of_listed_modules(path):
    listed = HEAVY_IMPORTED_IN.get(path.relative_to(PACKAGE).as_posix(), set())
    for name, at_load in imports(path):
        top = name.split(".")[0]
        if top in HEAVY:
            assert not at_load, f"{path} loads {name} when it is imported"
            assert top in listed, f"{path} imports {name} and is not listed"


@pytest.mark.parametrize("arguments", [["--help"], ["extract", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments):
    code = (
        "import json, sys\n"
        "from radiobone.cli.app import run\n"
        f"assert run({arguments!r}) == 0\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert not loaded & (HEAVY | LATE)


def test_modules_stay_short():
    long = {str(path): count for path in MODULES if (count := len(path.read_text().splitlines())) > 400}
    assert not long


def test_the_core_needs_neither_torch_nor_anything_that_is_compiled_at_installation():
    needed = [line for line in metadata.requires("radiobone") or [] if "extra ==" not in line]
    names = {re.split(r"[^A-Za-z0-9_-]", line)[0].casefold() for line in needed}
    assert not names & {"torch", "monai", "nnunetv2", "pyradiomics", "pyradiomics-cuda"}
    assert {"numpy", "simpleitk", "scikit-learn"} <= names

"""Compiled kernels: kept under a hash of all sources, and honest where nothing can be kept."""

from __future__ import annotations

import ast
import logging
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import radiobone
from radiobone.features.radiomics.kernels import jit, kept

FOLDER = Path(jit.__file__).parent

HELPER = """
from radiobone.features.radiomics.kernels.jit import jit

@jit
def factor(x):
    return {factor} * x
"""
KERNEL = """
from radiobone.features.radiomics.kernels.helper import factor
from radiobone.features.radiomics.kernels.jit import jit

@jit
def scaled(x):
    return factor(x) + 1.0
"""
CALL = """
import logging, sys
logging.basicConfig(level="INFO", stream=sys.stdout, format="%(message)s")
from radiobone.features.radiomics.kernels.kernel import scaled
print(scaled(3.0), sum(scaled.stats.cache_hits.values()))
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package of that name with a kernel whose helper stands in another file."""
    folder = tmp_path / "radiobone/features/radiomics/kernels"
    folder.mkdir(parents=True)
    for parent in [folder, *list(folder.parents)[:3]]:
        (parent / "__init__.py").write_text("")
    for name in ("jit.py", "kept.py"):
        shutil.copy(FOLDER / name, folder)
    (folder / "helper.py").write_text(HELPER.format(factor="2.0"))
    (folder / "kernel.py").write_text(KERNEL)
    return folder


def call(package: Path) -> list[str]:
    """Call the kernel in a new process; return what it logged and printed, by lines.

    Without byte code: Python itself would take a file that changed within a second for the same.
    """
    root = package.parents[3]
    command = [sys.executable, "-B", "-c", CALL]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_a_later_process_finds_the_kernel_compiled(package: Path) -> None:
    assert call(package) == [jit.NOTICE, "7.0 0"]
    assert call(package) == ["7.0 1"]


@pytest.mark.slow
def test_a_changed_helper_is_never_stale(package: Path) -> None:
    # Numba alone looks at kernel.py, which does not change, and would give 7 again.
    call(package)
    (package / "helper.py").write_text(HELPER.format(factor="5.0"))
    assert call(package) == [jit.NOTICE, "16.0 0"]


def test_importing_a_kernel_touches_no_file(package: Path) -> None:
    code = "import radiobone.features.radiomics.kernels.kernel"
    subprocess.run([sys.executable, "-B", "-c", code], cwd=package.parents[3], check=True)
    assert not list(package.rglob("kernels-*"))


@pytest.mark.slow
@pytest.mark.parametrize("damage", [b"", b"garbage", None])
def test_a_damaged_file_counts_as_missing_and_is_mended(package: Path, damage: bytes | None) -> None:
    call(package)
    files = list(package.glob("__pycache__/kernels-*/*.bin"))
    assert files
    for file in files:
        content = file.read_bytes()
        file.write_bytes(content[:-1] + b"?" if damage is None else damage)
    assert call(package) == [jit.NOTICE, "7.0 0"]
    assert call(package) == ["7.0 1"]


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file size are POSIX")
@pytest.mark.slow
def test_a_full_disk_is_said_once_and_kernels_still_run(package: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
    more = "from radiobone.features.radiomics.kernels.helper import factor\nfactor(2)\n"
    done = subprocess.run(
        [sys.executable, "-B", "-c", limit + CALL + more],
        cwd=package.parents[3],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert lines[-1] == "7.0 0"
    assert sum("cannot be kept" in line for line in lines) == 1
    assert not list(package.rglob("*.part"))


@pytest.mark.slow
def test_processes_that_compile_at_once_leave_whole_files(package: Path) -> None:
    running = [
        subprocess.Popen([sys.executable, "-c", CALL], cwd=package.parents[3], stdout=subprocess.PIPE)
        for _ in "ab"
    ]
    assert [process.wait() for process in running] == [0, 0]
    for process in running:
        assert process.stdout is not None
        process.stdout.close()
    assert call(package) == ["7.0 1"]


@pytest.mark.slow
def test_a_new_version_takes_the_place_of_the_old_one(package: Path) -> None:
    call(package)
    (package / "helper.py").write_text(HELPER.format(factor="5.0"))
    call(package)
    assert len(list(package.glob("__pycache__/kernels-*"))) == 1


def test_in_the_users_cache_only_what_nobody_uses_is_removed(read_only: Path) -> None:
    place = read_only / "cache" / "radiobone"
    for name, age_s in (("kernels-used", 10.0), ("kernels-unused", 2 * kept.UNUSED_S)):
        (place / name).mkdir(parents=True)
        os.utime(place / name, (time.time() - age_s,) * 2)
    folder = kept.cache_folder.__wrapped__()
    assert folder is not None
    assert sorted(path.name for path in place.iterdir()) == sorted([folder.name, "kernels-used"])


@pytest.fixture
def read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package folder that cannot be written beside a user's cache that can."""
    source = tmp_path / "package" / "kept.py"
    source.parent.mkdir()
    source.write_text("")
    (source.parent / "__pycache__").write_text("a file, so that no folder can be made here")
    monkeypatch.setattr(kept, "__file__", str(source))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "platform", "linux")
    return tmp_path


def test_a_read_only_package_leaves_kernels_in_the_users_cache(read_only: Path) -> None:
    folder = kept.cache_folder.__wrapped__()
    assert folder is not None
    assert folder.parent == read_only / "cache" / "radiobone"
    assert folder.is_dir()


@pytest.mark.skipif(os.name == "nt", reason="owners and modes are POSIX")
@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_a_folder_that_others_can_write_is_not_trusted(read_only: Path, mode: int) -> None:
    # What lies in it is run: whoever can write it could run anything as this user.
    folder = kept.cache_folder.__wrapped__()
    assert folder is not None
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(mode)
    assert kept.cache_folder.__wrapped__() is None


@pytest.mark.skipif(os.name == "nt", reason="owners and modes are POSIX")
def test_a_folder_of_somebody_else_is_not_trusted(read_only: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept.cache_folder.__wrapped__() is not None
    somebody = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: somebody)
    assert kept.cache_folder.__wrapped__() is None


def test_where_nothing_can_be_written_it_is_said_once_and_kernels_still_run(package: Path) -> None:
    (package / "__pycache__").write_text("a file")
    (package / "cache").write_text("a file")
    done = subprocess.run(
        [sys.executable, "-B", "-c", CALL],
        cwd=package.parents[3],
        env={**os.environ, "XDG_CACHE_HOME": str(package / "cache"), "LOCALAPPDATA": str(package / "cache")},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert lines[-1] == "7.0 0"
    assert sum("cannot be kept" in line for line in lines) == 1


def test_kernels_import_nothing_that_the_hash_does_not_cover() -> None:
    # The standard library and numba come with a version that the key of each kernel holds, or do not count.
    allowed = {*sys.stdlib_module_names, "numpy", "numba"}
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [str(node.module)]
            else:
                continue
            for name in names:
                covered = name.startswith("radiobone.features.radiomics.kernels")
                assert covered or name.split(".")[0] in allowed, f"{path.name}: {name}"


def test_no_kernel_is_compiled_when_the_engine_is_loaded() -> None:
    code = (
        "import logging, sys\n"
        "logging.basicConfig(level='INFO', stream=sys.stdout)\n"
        "import radiobone.features.radiomics.native.engine\n"
        "from numba.core.dispatcher import Dispatcher\n"
        "kernels = [value for name, module in list(sys.modules.items()) if '.kernels.' in name\n"
        "           for value in vars(module).values() if isinstance(value, Dispatcher)]\n"
        "assert kernels and not any(kernel.signatures for kernel in kernels)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""


def test_kernels_are_neither_fast_and_loose_nor_parallel() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in Path(radiobone.__file__).parent.rglob("*.py"))
    assert "fastmath=" not in sources
    assert "parallel=True" not in sources
    assert sources.count("numba.njit(") == 1


def test_a_division_by_zero_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    @jit.jit
    def inverse(x: float) -> float:
        return 1.0 / x

    with caplog.at_level(logging.INFO):
        assert inverse(0.0) == np.inf

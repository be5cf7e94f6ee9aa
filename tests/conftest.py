"""Fixtures for the whole suite."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

SHARED_DATA = Path(os.environ.get("RADIOBONE_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the shared real data; its absence fails in CI and skips elsewhere."""
    if not SHARED_DATA.is_dir():
        message = f"shared real data not found at {SHARED_DATA}; set RADIOBONE_SHARED_DATA to its folder"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return SHARED_DATA


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests of nnU-Net where the extra `segment` is not installed, but never where CI is to run them."""
    if item.get_closest_marker("segment") and importlib.util.find_spec("nnunetv2") is None:
        message = "nnU-Net is not installed: pip install radiobone[segment]"
        if os.environ.get("CI") and sys.version_info < (3, 12):
            pytest.fail(message)
        pytest.skip(message)

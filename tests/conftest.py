"""Fixtures for the whole suite."""

from __future__ import annotations

import os
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

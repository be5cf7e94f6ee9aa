"""A tiny network, trained once for the whole suite on synthetic spines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from synthetic_spines import TINY, write_cohort


@dataclass(frozen=True)
class Trained:
    """The folder of a trained model, and the scans it learned from."""

    folder: Path
    cohort: Path


@pytest.fixture(scope="session")
def spines(tmp_path_factory):
    """Six synthetic scans with masks: the cohort table."""
    return write_cohort(tmp_path_factory.mktemp("spines"), 6)


@pytest.fixture(scope="session")
def trained(spines, tmp_path_factory):
    """A model of one class, trained for 160 steps on six scans by the command line; about 20 s of one core."""
    import torch
    import yaml

    from radiobone.cli.app import run

    folder = tmp_path_factory.mktemp("trained")
    changes = {key: value if isinstance(value, int) else list(value) for key, value in TINY.items()}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(changes))
    options = ["--epochs", "8", "--iterations", "20", "--validation-iterations", "1", "--device", "cpu"]
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        code = run(
            [
                "segment-train", "--cohort", str(spines), "-o", str(folder / "model"),
                "--changes", str(folder / "tiny.yaml"), *options,
            ]
        )  # fmt: skip
    finally:
        torch.set_num_threads(before)
    assert code == 0
    return Trained(folder / "model", spines)

"""The native engine against PyRadiomics on whole, uncropped real scans."""

from __future__ import annotations

from pathlib import Path

import pytest
from parity import assert_parity
from radiomics_real_cases import CASES, RealCase
from radiomics_scans import whole_volume

from radiobone.core.config import read_yaml
from radiobone.core.resources import find
from radiobone.features.radiomics.engine import VoiValues
from radiobone.features.radiomics.params import read_params
from radiobone.features.radiomics.registry import find_engine

pytest.importorskip("radiomics")
pytestmark = pytest.mark.shared_data

FILTERED = {
    "ibsi ct_phantom",
    "sts 003",
    "totalseg 28",
    "totalseg 33",
    "tptbox 22",
    "verse012 20",
    "pyradiomics lung1",
}
"""Cases on which the presets with many filters are compared; the benchmark of parity takes all."""

FAST = {("original", "tptbox 22"), ("wavelet", "tptbox 22"), ("original", "ibsi digital_phantom")}


def pairs() -> list[object]:
    chosen = [
        (preset, case)
        for preset in ("original", "wavelet", "ct_trabecular", "full")
        for case in CASES
        if preset in ("original", "wavelet") or case.name in FILTERED
    ]
    return [
        pytest.param(
            preset,
            case,
            id=f"{preset}, {case.name}",
            marks=[pytest.mark.slow] * ((preset, case.name) not in FAST),
        )
        for preset, case in chosen
    ]


@pytest.mark.parametrize(("preset", "case"), pairs())
def test_values_are_those_of_the_whole_files(shared_data: Path, preset: str, case: RealCase) -> None:
    image, mask = case.load(shared_data)
    values = find_engine("native").extract(image, {"voi": mask}, read_params(preset))["voi"]
    assert isinstance(values, VoiValues), values
    assert_parity(values.features, whole_volume(image, mask, read_yaml(find("params", preset))))

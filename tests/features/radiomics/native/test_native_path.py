"""Texture matrices of unfiltered images are PyRadiomics' own to the bit, from the whole scan on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from radiomics_real_cases import CASES
from radiomics_scans import make_scan, oblique

from radiobone.core.config import validate
from radiobone.features.radiomics.border import radiomics_messages
from radiobone.features.radiomics.native.levels import VoiGrid
from radiobone.features.radiomics.native.matrices import TextureMatrices, texture_matrices
from radiobone.features.radiomics.params import RadiomicsParams
from radiobone.features.radiomics.roi import region_of_interest
from radiobone.features.radiomics.whole import WholeScan
from radiobone.imaging import Image, Mask

pytest.importorskip("radiomics")

SETTINGS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "resampled": {"resampledPixelSpacing": [1, 1, 1]},
    "resampled and cut": {"resampledPixelSpacing": [0.8, 0.8, 2], "resegmentRange": [0, 300], "padDistance": 3},
    "normalised": {"normalize": True, "normalizeScale": 100, "binWidth": 4.0},
    "two distances": {"distances": [1, 2], "gldm_a": 1, "binWidth": 3.0},
    "in slices": {"force2D": True, "binCount": 40, "preCrop": True},
}


def ours(image: Image, mask: Mask, content: dict[str, Any]) -> tuple[TextureMatrices, np.ndarray]:
    """Return the matrices, and the grey levels that occur, as the engine makes them from a scan."""
    params = validate(RadiomicsParams, content, "test")
    settings = params.setting
    subject = region_of_interest(WholeScan(image), mask, params)
    grid = VoiGrid.of(subject.region.mask, max(settings.distances))
    voxels = subject.region.read(subject.region.box)
    levels = grid.discretise(
        grid.gather(voxels), bin_width=settings.binWidth, bin_count=settings.binCount, dtype=voxels.dtype
    )
    plane = settings.force2Ddimension if settings.force2D else None
    matrices = texture_matrices(
        levels, distances=settings.distances, force_2d_dimension=plane, gldm_a=settings.gldm_a
    )
    return matrices, levels.values


def theirs(image: Image, mask: Mask, setting: dict[str, Any]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return PyRadiomics' matrices from the whole scan, rows and columns of the levels that occur."""
    from radiomics import cMatrices, imageoperations
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    settings = {"interpolator": "sitkBSpline", "padDistance": 5, "binWidth": 25.0, **setting, "label": 1}
    whole = Mask((mask.full() != 0).astype(np.uint8), mask.geometry)
    with radiomics_messages():
        loaded, label = RadiomicsFeatureExtractor.loadImage(image.to_sitk(), whole.to_sitk(), **settings)
        box, _ = imageoperations.checkMask(loaded, label, **settings)
        if "resegmentRange" in settings:
            label = imageoperations.resegmentMask(loaded, label, **settings)
            box, _ = imageoperations.checkMask(loaded, label, **settings)
        loaded, label = imageoperations.cropToTumorMask(loaded, label, box)
    import SimpleITK as sitk

    inside = sitk.GetArrayFromImage(label) == 1
    levels, _ = imageoperations.binImage(sitk.GetArrayFromImage(loaded), inside, **settings)
    levels = np.where(inside, levels, 0).astype(np.int32)
    values = np.unique(levels[inside]).astype(np.int64)
    rows, ng = values - 1, int(values[-1])
    plane = (settings.get("force2D", False), settings.get("force2Ddimension", 0))
    distances, alpha = np.array(settings.get("distances", [1])), settings.get("gldm_a", 0)
    glcm, _ = cMatrices.calculate_glcm(levels, inside, distances, ng, *plane)
    glrlm, _ = cMatrices.calculate_glrlm(levels, inside, ng, max(levels.shape), *plane)
    glszm = cMatrices.calculate_glszm(levels, inside, ng, int(inside.sum()), *plane)[0][rows]
    ngtdm = cMatrices.calculate_ngtdm(levels, inside, distances, ng, *plane)[0][rows]
    return {
        "glcm": np.moveaxis(glcm[0][np.ix_(rows, rows)], 2, 0),
        "glrlm": np.moveaxis(glrlm[0][rows], 2, 0),
        "glszm": glszm[:, glszm.any(axis=0)],
        "zone_sizes": np.flatnonzero(glszm.any(axis=0)) + 1,
        "gldm": cMatrices.calculate_gldm(levels, inside, distances, ng, alpha, *plane)[0][rows],
        "ngtdm_counts": ngtdm[:, 0],
        "ngtdm_differences": ngtdm[:, 1],
    }, values


def check(image: Image, mask: Mask, setting: dict[str, Any]) -> None:
    matrices, levels = ours(image, mask, {"featureClass": {"glcm": []}, "setting": setting})
    assert matrices.angles is not None
    expected, values = theirs(image, mask, setting)
    np.testing.assert_array_equal(levels, values)
    columns = 2 * len(matrices.angles) + 1
    assert not expected["gldm"][:, columns:].any(), "PyRadiomics allots more columns than there are neighbours"
    expected["gldm"] = expected["gldm"][:, :columns]
    for name, right in expected.items():
        np.testing.assert_array_equal(getattr(matrices, name), right, err_msg=name)


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
@pytest.mark.parametrize("direction", ["straight", "oblique"])
def test_matrices_of_synthetic_scans(setting: str, dtype: type, direction: str) -> None:
    turned = {"direction": oblique()} if direction == "oblique" else {}
    image, mask = make_scan((40, 50, 60), dtype=dtype, **turned)
    check(image, mask, SETTINGS[setting])


@pytest.mark.shared_data
@pytest.mark.parametrize("setting", ["as it is", "resampled", "in slices"])
@pytest.mark.parametrize("name", ["tptbox 22", "verse012 20", "totalseg 29", "pyradiomics breast1", "sts 002"])
def test_matrices_of_real_scans(shared_data: Path, name: str, setting: str) -> None:
    image, mask = next(case for case in CASES if case.name == name).load(shared_data)
    check(image, mask, SETTINGS[setting])

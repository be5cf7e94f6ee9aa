"""The cost follows the VOI: what PyRadiomics and ITK are given to filter is never the whole scan."""

from __future__ import annotations

import numpy as np
import pytest

from radiobone.features.radiomics.engine import VoiValues
from radiobone.features.radiomics.params import RadiomicsParams
from radiobone.features.radiomics.registry import find_engine
from radiobone.imaging import Geometry, Image, Mask

SHAPE = (120, 200, 200)
SIDE = 8


@pytest.fixture
def filtered(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The largest number of voxels that each filter was given."""
    from radiomics import imageoperations

    largest: dict[str, int] = {}
    for name in ("getWaveletImage", "getLoGImage", "getGradientImage"):
        original = getattr(imageoperations, name)

        def spy(image, mask, *, _original=original, _name=name, **settings):  # type: ignore[no-untyped-def]
            largest[_name] = max(largest.get(_name, 0), int(np.prod(image.GetSize())))
            return _original(image, mask, **settings)

        monkeypatch.setattr(imageoperations, name, spy)
    return largest


@pytest.mark.parametrize("resampled", [None, [1, 1, 1]])
def test_filters_see_the_surroundings_of_the_voi_alone(filtered: dict[str, int], resampled: object) -> None:
    hu = np.random.default_rng(0).integers(-200, 400, SHAPE).astype(np.int16)
    grid = Geometry(SHAPE, (1.0, 1.0, 1.0))
    voi = Mask(np.ones((SIDE, SIDE, SIDE), bool), grid, (50, 90, 90))
    params = RadiomicsParams.model_validate(
        {
            "imageType": {"Wavelet": {}, "LoG": {"sigma": [1.0]}, "Gradient": {}},
            "featureClass": {"firstorder": ["Mean"]},
            "setting": {"resampledPixelSpacing": resampled, "padDistance": 8},
        }
    )
    values = find_engine("pyradiomics").extract(Image(hu, grid), {"voi": voi}, params)["voi"]
    assert isinstance(values, VoiValues)
    # Margins: the wavelet's four voxels, LoG's 20 sigma, the gradient's two; padDistance where PyRadiomics crops.
    margins = {"getWaveletImage": 4, "getLoGImage": 20, "getGradientImage": 2}
    assert set(filtered) == set(margins)
    for name, margin in margins.items():
        widest = SIDE + 2 * (8 if resampled else margin) + 2
        assert filtered[name] <= widest**3, name
        assert filtered[name] < np.prod(SHAPE) / 20, name

import numpy as np
import pytest

from radiobone.core.errors import EngineError
from radiobone.features.density import COLUMNS, density
from radiobone.imaging import Geometry, Image, Mask


def test_density_of_known_voxels():
    grid = Geometry((4, 5, 6), (2.0, 0.5, 1.0))
    hu = np.full(grid.shape, 3000, np.int16)
    hu[1, 1, :5] = [10, 20, 30, 40, 100]
    voi = Mask(np.ones((1, 1, 5), bool), grid, (1, 1, 0))
    values = density(Image(hu, grid), voi)
    assert list(values) == [column.name for column in COLUMNS]
    assert values["density_mean_hu"] == 40.0
    assert values["density_median_hu"] == 30.0
    assert values["density_sd_hu"] == pytest.approx(np.sqrt((900 + 400 + 100 + 0 + 3600) / 5))
    assert values["density_p25_hu"] == 20.0
    assert values["density_p90_hu"] == pytest.approx(76.0)
    assert values["density_volume_ml"] == pytest.approx(5 * 1.0 / 1000)


def test_signed_values_do_not_overflow():
    grid = Geometry((10, 100, 100), (1.0, 1.0, 1.0))
    hu = np.full(grid.shape, -30000, np.int16)
    values = density(Image(hu, grid), Mask(np.ones(grid.shape, bool), grid))
    assert values["density_mean_hu"] == -30000.0
    assert values["density_sd_hu"] == 0.0


def test_an_empty_voi_has_no_density():
    grid = Geometry((4, 5, 6), (1.0, 1.0, 1.0))
    with pytest.raises(EngineError, match="empty"):
        density(Image(np.zeros(grid.shape, np.int16), grid), Mask(np.zeros((0, 0, 0), bool), grid))

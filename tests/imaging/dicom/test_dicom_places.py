"""Positions of slices as archives write them: rounded ones make a stack, wrong ones are refused."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from radiobone.core.errors import ImageError
from radiobone.imaging.dicom import ImportOptions, import_archive
from radiobone.imaging.dicom.frames import Plane
from radiobone.imaging.dicom.stack import Slice, make_stack
from radiobone.imaging.reading import read_image


@dataclass(frozen=True)
class Header:
    """What a stack asks a file for."""

    planes: tuple
    name: str
    size: tuple = (4, 5)
    instance: str = ""
    frames: int = 1


def stack(positions):
    planes = [Plane(tuple(map(float, one)), (1, 0, 0, 0, 1, 0), (0.7, 0.7)) for one in positions]
    return make_stack([Slice(Header((plane,), str(z))) for z, plane in enumerate(planes)], "scan")


def upright(heights):
    return [(-10.0, -20.0, z) for z in heights]


@pytest.mark.parametrize("first", [0.0, -123.4375, 57.3])
@pytest.mark.parametrize("gap", [0.45, 0.625, 0.75, 1.25, 3.27])
@pytest.mark.parametrize("count", [3, 60, 900])
def test_positions_rounded_to_a_tenth_of_a_mm_are_an_even_stack(gap, first, count):
    true = first + gap * np.arange(count)
    found = stack(upright(np.round(true, 1)))
    places = found.slices[0].position[2] + found.gap_mm * np.arange(count)
    assert np.abs(places - true).max() <= 0.1
    assert found.gap_mm == pytest.approx(gap, abs=0.1 / (count - 1) + 1e-9)


@pytest.mark.parametrize("gap", [0.1, 0.25, 0.5, 0.625, 1.0, 5.0])
@pytest.mark.parametrize("count", [4, 5, 6, 60])
def test_one_missing_slice_is_found_wherever_and_at_any_distance(gap, count):
    for missing in range(1, count - 1):
        heights = np.delete(gap * np.arange(count), missing)
        with pytest.raises(ImageError, match=rf"{2 * gap:g} mm between slices {missing} and {missing + 1} of"):
            stack(upright(heights))


def test_a_distance_that_changes_little_but_for_long_is_refused():
    with pytest.raises(ImageError, match=r"unevenly spaced .*expected: 3\.02 mm, each slice within 0\.1 mm of"):
        stack(upright(np.cumsum([3.0] * 30 + [3.02] * 30)))


def test_slices_that_are_shifted_sideways_are_refused(tmp_path, write_slice):
    for z in range(6):
        write_slice(tmp_path / f"{z}.dcm", z, position=(30.0 if z == 3 else -10.0, -20.0, z))
    with pytest.raises(ImageError, match=r"do not lie on one line .*sideways by up to 40 mm"):
        read_image(tmp_path)
    write_slice(tmp_path / "3.dcm", 3, position=(-10.04, -20.0, 3))
    assert read_image(tmp_path).array.shape == (6, 4, 5)


def test_an_import_tells_of_positions_that_were_rounded(tmp_path, write_series):
    write_series(tmp_path / "archive/a", np.round(0.625 * np.arange(9), 1), uid=1, PatientID="1")
    write_series(tmp_path / "archive/b", np.round(0.625 * np.arange(9), 3), uid=2, PatientID="2")
    import_archive(tmp_path / "archive", tmp_path / "out", ImportOptions(), progress=False)
    report = pd.read_csv(tmp_path / "out/import_report.csv", dtype=str, keep_default_na=False)
    assert list(report["status"]) == ["ok", "ok"]
    assert ["slices lie up to 0.05 mm from even places" in note for note in report["notes"]] == [True, False]

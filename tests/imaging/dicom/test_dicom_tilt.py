"""Tilted gantries: refused, or resampled so that every HU stays at its place in the patient."""

import numpy as np
import pydicom
import pytest

from radiobone.core.errors import ImageError
from radiobone.imaging.dicom import find_series, read_series
from radiobone.imaging.dicom.tilt import OUTSIDE_HU
from radiobone.imaging.dicom.volume import read_stack

ROWS, COLUMNS, SLICES = 12, 10, 6
SPACING = (2.0, 1.5)


def tilted_orientation(degrees, axis):
    angle = np.radians(degrees)
    if axis == "row":
        return (1, 0, 0, 0, np.cos(angle), np.sin(angle))
    return (np.cos(angle), 0, np.sin(angle), 0, 1, 0)


def ramp(world):
    """HU that are linear in the world, so that linear interpolation is exact."""
    return 10 * world[..., 0] - 20 * world[..., 1] + 30 * world[..., 2]


@pytest.fixture
def tilted(tmp_path, write_slice):
    """Return a function that writes a series of the ramp whose table moved along z under a tilted gantry."""

    def write(degrees, axis="row"):
        orientation = np.array(tilted_orientation(degrees, axis))
        files = []
        for number in range(SLICES):
            position = np.array([-5.0, 7.0, 4.0 * number])
            row, column = np.mgrid[:ROWS, :COLUMNS]
            world = (
                position
                + column[..., None] * SPACING[1] * orientation[:3]
                + row[..., None] * SPACING[0] * orientation[3:]
            )
            pixels = np.rint(ramp(world) * 8).astype(np.int16)
            files.append(
                write_slice(
                    tmp_path / f"{number}.dcm",
                    0,
                    pixels,
                    orientation=orientation,
                    position=position,
                    spacing=SPACING,
                    RescaleSlope=1,
                    RescaleIntercept=0,
                )
            )
        return tmp_path, files

    return write


@pytest.mark.parametrize("axis", ["row", "column"])
@pytest.mark.parametrize("degrees", [-20.0, -0.5, 8.0, 30.0])
def test_every_value_stays_at_its_place_in_the_patient(tilted, degrees, axis):
    folder, _ = tilted(degrees, axis)
    (series,) = find_series(folder)
    stack = series.stack("x")
    assert stack.tilt_degrees == pytest.approx(abs(degrees), abs=1e-4)
    image, (note,) = read_stack(stack, "x")
    assert f"gantry tilt of {abs(degrees):.2f}°" in note
    geometry = image.geometry
    np.testing.assert_allclose(geometry.axes @ geometry.axes.T, np.eye(3), atol=1e-7)
    assert geometry.spacing_mm[0] == pytest.approx(4.0 * np.cos(np.radians(degrees)), rel=1e-6)
    world = geometry.world(np.moveaxis(np.indices(image.array.shape), 0, -1))
    row, column = in_pixels(world, stack)
    row, column = np.round(row, 4), np.round(column, 4)
    inside = (row >= 0) & (row <= ROWS - 1) & (column >= 0) & (column <= COLUMNS - 1)
    # Stored values are rounded to whole numbers once, and once more when they are interpolated.
    np.testing.assert_allclose(image.array[inside], (ramp(world) * 8)[inside], atol=1.1)
    assert inside.sum() >= SLICES * (ROWS - 1) * (COLUMNS - 1)
    # A pixel reaches half its width beyond its centre; what lies further out is air.
    beyond = (row < -0.51) | (row > ROWS - 0.49) | (column < -0.51) | (column > COLUMNS - 0.49)
    assert (image.array[beyond] == OUTSIDE_HU).all()
    assert beyond.any() or abs(degrees) < 1
    first = pydicom.dcmread(stack.slices[0].header.path).pixel_array
    np.testing.assert_array_equal(image.array[0][inside[0]], first.ravel())


def in_pixels(world, stack):
    """Return where voxels lie in the pixels of their own slice, as rows and columns."""
    along = np.array(stack.slices[0].plane.orientation)
    offset = world - np.array([item.position for item in stack.slices])[:, None, None, :]
    (dy, dx) = stack.slices[0].plane.spacing_mm
    return offset @ along[3:] / dy, offset @ along[:3] / dx


def test_a_tilt_is_refused_unless_it_is_to_be_fixed(tilted):
    _, files = tilted(10.0)
    with pytest.raises(ImageError, match=r"the gantry was tilted .*10\.00° .*import --fix-tilt"):
        read_series(files)


@pytest.mark.shared_data
def test_the_shared_tilted_series_is_straightened(shared_data):
    folder = shared_data / "dicom/bad_geometry/gantrytilting_001"
    (series,) = find_series(folder)
    stack = series.stack("x")
    assert stack.tilt_degrees == pytest.approx(14.0, abs=1e-3)
    assert stack.gap_mm == pytest.approx(5 * np.cos(np.radians(14)), abs=1e-5)
    image, _ = read_stack(stack, "x")
    assert image.array.shape == (4, 521, 512)
    assert image.array.dtype == np.int16
    world = image.geometry.world(np.moveaxis(np.indices(image.array.shape), 0, -1))
    row, column = in_pixels(world, stack)
    np.testing.assert_allclose(column, np.broadcast_to(np.arange(512), column.shape), atol=1e-4)
    steps = np.diff(row[:, 0, 0])
    np.testing.assert_allclose(np.abs(steps), 5 * np.sin(np.radians(14)) / 0.41796875, rtol=1e-5)
    for number, item in enumerate(stack.slices):
        original = pydicom.dcmread(item.header.path).pixel_array.astype(float) - 1024
        place = row[number, :, 0]
        good = (place >= 0) & (place < 511)
        assert good.sum() >= 510
        low = np.floor(place[good]).astype(int)
        part = (place[good] - low)[:, None]
        expected = original[low] * (1 - part) + original[low + 1] * part
        np.testing.assert_allclose(image.array[number][good], expected, atol=0.51)

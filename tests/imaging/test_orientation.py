"""Orders of axes: as ITK names them, and there and back without a change."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from radiobone.core.errors import UsageError
from radiobone.imaging import Geometry, Image
from radiobone.imaging.orientation import check_orientation, head_axis, orientation_of, turn_to

CODES = [
    "".join(letters) for axes in itertools.permutations(["LR", "PA", "SI"]) for letters in itertools.product(*axes)
]


def test_there_are_48_orders():
    assert len(set(CODES)) == 48


@pytest.mark.parametrize("oblique", [False, True])
@pytest.mark.parametrize("code", CODES)
def test_turning_is_that_of_itk(code, oblique):
    import SimpleITK as sitk

    rng = np.random.default_rng(1)
    image = sitk.GetImageFromArray(rng.integers(0, 100, (3, 4, 5)).astype(np.int16))
    image.SetSpacing((0.5, 0.7, 2.0))
    if oblique:
        turned = sitk.Euler3DTransform((0, 0, 0), 0.3, -0.4, 0.2)
        image.SetDirection(turned.GetMatrix())
    there = sitk.DICOMOrient(image, code)
    ours = Image.from_sitk(image)
    turn = turn_to(ours.geometry, code)
    np.testing.assert_array_equal(turn.there(ours.array), sitk.GetArrayFromImage(there))
    assert turn.values(ours.geometry.spacing_mm) == there.GetSpacing()[::-1]
    assert orientation_of(Image.from_sitk(there).geometry) == code
    back = np.zeros_like(ours.array)
    turn.there(back)[...] = turn.there(ours.array)
    np.testing.assert_array_equal(back, ours.array)


def test_as_is_turns_nothing():
    turn = turn_to(Geometry((2, 3, 4), (1.0, 1.0, 1.0), direction=(-1.0, 0, 0, 0, 0, 1.0, 0, 1.0, 0)), "as_is")
    assert (turn.order, turn.flipped) == ((0, 1, 2), ())


@pytest.mark.parametrize(("code", "axis"), [("RAS", 0), ("LPI", 0), ("SLP", 2), ("ASR", 1)])
def test_the_axis_along_the_body_is_found(code, axis):
    assert head_axis(code) == axis


@pytest.mark.parametrize("text", ["RA", "RRS", "RASX", "north", ""])
def test_what_is_no_order_is_refused(text):
    with pytest.raises(UsageError, match="no order of axes"):
        check_orientation(text)


def test_orders_are_read_in_any_case():
    assert check_orientation("lps") == "LPS"
    assert check_orientation("As_Is") == "as_is"

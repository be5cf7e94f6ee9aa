"""Label maps whose axes are not those of their image: no label changes its place in the patient."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from radiobone.imaging import Geometry, Image, Mask
from radiobone.imaging.geometry import differences
from radiobone.imaging.reading import read_mask
from radiobone.imaging.writing import write_mask

COS, SIN = np.cos(0.3), np.sin(0.3)
OBLIQUE = Geometry((3, 4, 5), (2.5, 0.8, 0.7), (-8.0, 5.0, 100.0), (COS, -SIN, 0, SIN, COS, 0, 0, 0, 1))


def stored(order, flip):
    """Return a map of single labels, and the same with its axes in another order and direction."""
    array = np.arange(1, 61, dtype=np.uint8).reshape(OBLIQUE.shape)
    start = [size - 1 if axis in flip else 0 for axis, size in enumerate(OBLIQUE.shape)]
    axes = np.array([-row if axis in flip else row for axis, row in enumerate(OBLIQUE.axes)])[list(order)]
    grid = Geometry(
        tuple(OBLIQUE.shape[axis] for axis in order),
        tuple(OBLIQUE.spacing_mm[axis] for axis in order),
        tuple(OBLIQUE.world(start).tolist()),
        tuple(axes[::-1].T.ravel().tolist()),
    )
    return array, Mask(np.flip(array, flip).transpose(order), grid)


@pytest.fixture
def scan():
    return Image(np.zeros(OBLIQUE.shape, np.int16), OBLIQUE)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_labels_keep_their_places_in_every_order_and_direction_of_axes(tmp_path, scan, order):
    for flip in [(), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]:
        array, mask = stored(order, flip)
        write_mask(mask, tmp_path / "mask.nii.gz")
        found = read_mask(tmp_path / "mask.nii.gz", scan)
        np.testing.assert_array_equal(found.full(), array)
        assert not differences(found.geometry, OBLIQUE)
        assert bool(found.notes) == (order != (0, 1, 2) or bool(flip))
        # By the world, without any of this.
        places = mask.geometry.world(np.argwhere(mask.array == 7))
        np.testing.assert_allclose(OBLIQUE.world(np.argwhere(found.full() == 7)), places, atol=1e-9)


def test_the_note_names_the_axes(tmp_path, scan):
    write_mask(stored((1, 0, 2), (0,))[1], tmp_path / "mask.mha")
    told = "mask stored with other axes than the image: its x, y, z are the image's x, -z, y"
    assert read_mask(tmp_path / "mask.mha", scan).notes == (told,)


@pytest.mark.parametrize("kind", ["a slice less", "between", "a folder of a slice less"])
def test_other_voxels_than_those_of_the_image_stay_as_they_are(tmp_path, scan, kind):
    _, mask = stored((0, 1, 2), (1,))
    if kind == "between":
        moved = replace(mask.geometry, origin_mm=tuple(np.add(mask.geometry.origin_mm, (0, 0, 0.1))))
        mask = Mask(mask.array, moved)
    else:
        mask = Mask(mask.array[:-1], replace(mask.geometry, shape=(2, 4, 5)))
    path = tmp_path / "vertebrae_L1.nii.gz"
    if "folder" in kind:
        mask = Mask(mask.array == 7, mask.geometry)
    write_mask(mask, path)
    found = read_mask(tmp_path if "folder" in kind else path, scan)
    assert not differences(found.geometry, mask.geometry)
    np.testing.assert_array_equal(found.full() != 0, mask.array != 0)
    assert found.notes == ()

"""Mirrors, shifts and intensities of training volumes; no PyTorch is needed."""

import numpy as np

from radiobone.learning.network.augmentation import Augmentation

VOLUMES = np.random.default_rng(0).normal(size=(40, 4, 5, 6)).astype(np.float32)


def drawn(augmentation: Augmentation, seed: int = 0) -> np.ndarray:
    return augmentation(VOLUMES, np.random.default_rng(seed))


def test_nothing_asked_for_changes_nothing():
    np.testing.assert_array_equal(drawn(Augmentation()), VOLUMES)


def test_a_mirror_turns_about_every_second_volume_along_its_axis_alone():
    changed = drawn(Augmentation(flips=("x",)))
    turned = [np.array_equal(one, other[:, :, ::-1]) for one, other in zip(changed, VOLUMES, strict=True)]
    same = [np.array_equal(one, other) for one, other in zip(changed, VOLUMES, strict=True)]
    assert all(one != other for one, other in zip(turned, same, strict=True))
    assert 8 < sum(turned) < 32


def test_a_shift_moves_voxels_and_repeats_the_border():
    changed = drawn(Augmentation(max_shift=1))
    seen = set()
    for volume, moved in zip(VOLUMES, changed, strict=True):
        padded = np.pad(volume, 1, mode="edge")
        places = [
            (z, y, x)
            for z in range(3)
            for y in range(3)
            for x in range(3)
            if np.array_equal(padded[z : z + 4, y : y + 5, x : x + 6], moved)
        ]
        assert len(places) == 1
        seen.add(places[0])
    assert len(seen) > 10


def test_intensities_are_changed_by_no_more_than_asked_for_and_differ_by_volume():
    changed = drawn(Augmentation(intensity=0.1))
    fits = [np.polyfit(one.ravel(), other.ravel(), 1) for one, other in zip(VOLUMES, changed, strict=True)]
    factors, added = np.transpose(fits)
    assert (np.abs(factors - 1) <= 0.1 + 1e-6).all()
    assert (np.abs(added) <= 0.1 + 1e-6).all()
    assert np.ptp(factors) > 0.1
    assert np.ptp(added) > 0.1
    assert changed.dtype == np.float32


def test_a_seed_draws_the_same_changes_and_the_given_volumes_stay():
    before = VOLUMES.copy()
    both = Augmentation(("z", "y", "x"), 2, 0.2)
    np.testing.assert_array_equal(drawn(both, 3), drawn(both, 3))
    assert not np.array_equal(drawn(both, 3), drawn(both, 4))
    np.testing.assert_array_equal(VOLUMES, before)

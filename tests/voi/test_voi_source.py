"""What is found in a level is sought once, and nothing of it outlives the level."""

from __future__ import annotations

import contextlib
import gc
import weakref

import numpy as np
import pytest
from voi_phantoms import grid

from radiobone.core.errors import VoiError
from radiobone.imaging import Mask
from radiobone.voi.source import Source
from radiobone.voi.spine import HEAD


def cube() -> Source:
    array = np.zeros((20, 20, 20), dtype=bool)
    array[5:15, 5:15, 5:15] = True
    return Source("L1", 1, Mask(array, grid(size_mm=20)), None, None, HEAD)


def test_a_value_is_sought_once():
    asked = []

    def find(source: Source) -> int:
        asked.append(source.level)
        return 7

    source = cube()
    assert [source.once(find), source.once(find)] == [7, 7]
    assert cube().once(find) == 7
    assert asked == ["L1", "L1"]


def test_an_error_is_kept_and_told_in_full_each_time():
    source = cube()
    for _ in range(2):
        with pytest.raises(VoiError, match="no spinal canal found") as caught:
            source.axes()
        assert caught.value.got == "a passage of 0 mm²"
        assert "give a body mask" in caught.value.do


def test_an_error_holds_no_image_in_memory():
    source = cube()
    for _ in range(2):
        with contextlib.suppress(VoiError):
            source.axes()
    held = weakref.ref(source)
    gc.disable()
    try:
        del source
        assert held() is None
    finally:
        gc.enable()

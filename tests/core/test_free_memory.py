"""What the system tells of its memory."""

from __future__ import annotations

from radiobone.core.memory import free_memory


def test_free_memory_is_told_by_the_system():
    free = free_memory()
    assert free is None or 2**20 < free < 2**50

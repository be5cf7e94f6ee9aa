"""How much memory this machine has to spare."""

from __future__ import annotations

from pathlib import Path


def free_memory() -> int | None:
    """Return how many bytes of memory can be had without swapping.

    Returns
    -------
    int or None
        None where the system does not tell.
    """
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = {name: rest for name, _, rest in (line.partition(":") for line in lines)}
    return int(found["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in found else None

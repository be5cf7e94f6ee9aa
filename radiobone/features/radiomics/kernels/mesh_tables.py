"""The triangles of marching cubes, as data.

A cube has its eight corners on voxels; which of them lie inside the VOI says which triangles pass through it.
The cases are those of Lorensen and Cline (Marching cubes, Computer Graphics 21(4), 1987, p. 163) in the public
triangulation that Bourke spread (Polygonising a scalar field, 1994) and that PyRadiomics 3.0.1 uses for the
half of the cases without their last corner; the other half are the same triangles turned inside out. A mesh
from another triangulation of these cases has another area, so the table is written down and not derived.

Corners: bit ``4 dz + 2 dy + (1 - dx)`` of a case is set if corner (dz, dy, dx) is inside.
Edges: 0-3 lie along x from (dz, dy), as ``2 dz + dy``; 4-7 along y from (dz, dx), as ``4 + 2 dz + dx``; 8-b
along z from (dy, dx), as ``8 + 2 dy + dx``. A triangle has its corners in the middle of three edges.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_TRIANGLES = 5
"""No case has more triangles."""

_CASES = """
    - 059 084 458598 1b5 0191b9 0841b5 1841b88b9 14a 05914a 08a0a1 15a59a8a9 4ab4b5 0494a99ab 08b0b58ab
    8ab8b9 297 057072 084297 287457478 1b5297 0121721b7 0841b5297 1741b7247284 14a297 05707214a 08a0a1297
    15717818a287 2974ab4b5 04a0720a77ab 08b0b52978ab 28778b8ab 268 059268 024264 259265456 1b5268 0191b9268
    0241b5264 1641961b9269 14a268 05914a268 02112a26a 15919a26a2a9 2684ab4b5 0492684a99ab 02526a2a55ab
    26a2a99ab 689697 056068576 094476497 456576 1b5689697 0181781b7687 0941b5476497 1741b7476 14a689697
    05814a568576 09116a196697 15a56a576 4ab4b5689697 04a0680760ab0b7 06a0760970ab0b5 6a77ab 37b 05937b
    08437b 37b458598 135375 013039379 084135375 137178184798 14a37b 05914a37b 08a0a137b 15a37b59a8a9
    34a374475 03704307934a 07508a0a737a 37939a8a9 29b2b3 03205b0b3 08429b2b3 28335b385458 125132295 012132
    084125132295 128132184 14a29b2b3 03205b0b314a 08a0a129b2b3 15a25328535b58a 29334a394495 03204334a
    08525329535a58a 28338a 26837b 05926837b 02426437b 25926537b456 135268375 013039268379 024135264375
    139194269379496 14a26837b 05914a26837b 02112a26a37b 15919a26a2a937b 26834a374475 03704307926834a
    02a0a526a37a5a7 26937939a6a9 36b68b89b 05836b5685b6 06409b0b636b 36b4565b6 135368385589 013036068
    094139195369496 136164 14a36b68b89b 05814a36b5685b6 06109616a36b69b 15a35b36556a 34a354368389395
    03604a0680a3 09536a 36a
"""


def edge_middles() -> NDArray[np.int64]:
    """Return the middle of each edge in half voxels from the cube's first corner, of shape (12, 3)."""
    along_x = [(2 * dz, 2 * dy, 1) for dz in (0, 1) for dy in (0, 1)]
    along_y = [(2 * dz, 1, 2 * dx) for dz in (0, 1) for dx in (0, 1)]
    along_z = [(1, 2 * dy, 2 * dx) for dy in (0, 1) for dx in (0, 1)]
    return np.array(along_x + along_y + along_z)


def triangles() -> NDArray[np.int64]:
    """Return the edges on which the triangles of each case stand.

    Returns
    -------
    ndarray of int64, shape (128, 5, 3)
        Missing triangles have the same edge three times, and so neither area nor volume.
    """
    table = np.zeros((128, MOST_TRIANGLES, 3), dtype=np.int64)
    for case, word in enumerate(_CASES.split()):
        edges = [int(digit, 12) for digit in word.strip("-")]
        table[case].reshape(-1)[: len(edges)] = edges
    return table

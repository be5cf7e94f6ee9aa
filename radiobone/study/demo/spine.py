"""The pose of a synthetic spine: five vertebrae from T12 to L4 on a lordotic curve.

World axes are the patient's L, P and S (ITK's), in mm, with the origin in the middle of L2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiobone.study.demo.anatomy import Points, VertebraShape
from radiobone.study.demo.patients import Patient

# Rounded from Panjabi et al., Spine 1992;17:299 (endplates, canal, processes) and
# Frobin et al., Clin Biomech 1997;12:S1 (heights of bodies and discs). T12 and L4 only fill the picture's ends.
SHAPES: dict[str, VertebraShape] = {
    "T12": VertebraShape(39.0, 30.0, 24.0, 22.0, 17.0, 50.0, 27.0),
    "L1": VertebraShape(41.0, 31.0, 25.0, 22.5, 16.5, 70.0, 30.0),
    "L2": VertebraShape(43.0, 32.0, 26.0, 22.5, 16.0, 75.0, 32.0),
    "L3": VertebraShape(44.0, 33.0, 26.5, 23.0, 16.0, 82.0, 33.0),
    "L4": VertebraShape(46.0, 34.0, 26.5, 23.5, 16.5, 78.0, 31.0),
}
DISC_BELOW_MM = {"T12": 7.0, "L1": 8.0, "L2": 9.5, "L3": 10.5}
SIZE_BY_SEX = {"F": 0.95, "M": 1.05}
SIZE_SD = 0.035

# Assumption, after common segmental angles: how far each vertebra leans back, with the apex at L3.
LEAN_DEGREES = {"T12": 13.0, "L1": 11.0, "L2": 7.0, "L3": 0.0, "L4": -10.0}
LORDOSIS_SD = 0.2
LEAN_SD_DEGREES = 2.5
TILT_SD_DEGREES = 2.0
TURN_SD_DEGREES = 2.0
WOBBLE_SD_DEGREES = 0.8


@dataclass(frozen=True, eq=False)
class Vertebra:
    """A vertebra at its place.

    Parameters
    ----------
    level : str
        Name, such as L1.
    shape : VertebraShape
        Its measures.
    centre : ndarray of shape (3,)
        Middle of the body, world, in mm.
    axes : ndarray of shape (3, 3)
        Rows are the world directions of u, v and w.
    """

    level: str
    shape: VertebraShape
    centre: NDArray[np.float64]
    axes: NDArray[np.float64]

    def local(self, x: NDArray[np.float32], y: NDArray[np.float32], z: NDArray[np.float32]) -> Points:
        """Return the coordinates u, v and w of world points.

        Parameters
        ----------
        x, y, z : ndarray of float32
            World coordinates (to L, P and S) in mm, of shapes that broadcast together.

        Returns
        -------
        Points
            In mm, relative to the middle of the body, of the broadcast shape.
        """
        dx, dy, dz = (
            np.asarray(axis - centre, dtype=np.float32)
            for axis, centre in zip((x, y, z), self.centre, strict=True)
        )
        u, v, w = (
            dx * np.float32(row[0]) + dy * np.float32(row[1]) + dz * np.float32(row[2]) for row in self.axes
        )
        return u, v, w


def pose_spine(patient: Patient, rng: np.random.Generator) -> tuple[Vertebra, ...]:
    """Place the vertebrae from T12 to L4, from head to foot.

    Parameters
    ----------
    patient : Patient
        Only the sex plays a role: for the size.
    rng : numpy.random.Generator
        Draws size, lordosis and the pose of the spine and of each vertebra.

    Returns
    -------
    tuple of Vertebra
        T12, L1, L2, L3, L4, with the origin of the world in the middle of L2.
    """
    size = SIZE_BY_SEX[patient.sex] * (1.0 + rng.normal(0.0, SIZE_SD))
    lordosis = 1.0 + rng.normal(0.0, LORDOSIS_SD)
    lean, tilt, turn = rng.normal(0.0, (LEAN_SD_DEGREES, TILT_SD_DEGREES, TURN_SD_DEGREES))
    found: list[Vertebra] = []
    for level, shape in SHAPES.items():
        wobble = rng.normal(0.0, WOBBLE_SD_DEGREES, 3)
        axes = _axes(lordosis * LEAN_DEGREES[level] + lean + wobble[0], tilt + wobble[1], turn + wobble[2])
        scaled = shape.scaled(size)
        centre = np.zeros(3)
        if found:
            above = found[-1]
            disc = size * DISC_BELOW_MM[above.level]
            centre = above.centre - 0.5 * (above.shape.height + disc) * above.axes[2]
            centre = centre - 0.5 * (scaled.height + disc) * axes[2]
        found.append(Vertebra(level, scaled, centre, axes))
    middle = found[2].centre
    return tuple(Vertebra(one.level, one.shape, one.centre - middle, one.axes) for one in found)


def _axes(lean: float, tilt: float, turn: float) -> NDArray[np.float64]:
    """Return the axes after a turn about S, a tilt about P, and a lean to the back about L, in degrees."""
    (cl, ct, cu), (sl, st, su) = np.cos(np.radians([lean, tilt, turn])), np.sin(np.radians([lean, tilt, turn]))
    about_l = np.array([[1.0, 0.0, 0.0], [0.0, cl, sl], [0.0, -sl, cl]])
    about_p = np.array([[ct, 0.0, -st], [0.0, 1.0, 0.0], [st, 0.0, ct]])
    about_s = np.array([[cu, -su, 0.0], [su, cu, 0.0], [0.0, 0.0, 1.0]])
    rotation: NDArray[np.float64] = about_l @ about_p @ about_s
    return rotation.T

"""The calibration file: which of the three ways, and what is known of phantom, scanner or tissues.

No densities are shipped: those of rods stand in a phantom's certificate and differ between copies of one model,
and those of fat and muscle depend on the tube voltage and on the standard.
"""

from __future__ import annotations

import datetime
from itertools import pairwise
from pathlib import Path
from typing import Literal, Self

from pydantic import ConfigDict, Field, PositiveFloat, PositiveInt, field_validator, model_validator

from radiobone.core.config import FileModel, read_yaml, validate
from radiobone.core.errors import CalibrationError
from radiobone.imaging.calibration.fitting import Point, Standard, fit_line

MAX_RESIDUAL_MG_CM3 = 5.0
"""A rod further from the line gives a warning: radiobone's own choice."""


class _Settings(FileModel):
    # A density that is no number would give values that are none, without a word.
    model_config = ConfigDict(allow_inf_nan=False)


class Rod(_Settings):
    """One rod of a phantom.

    Parameters
    ----------
    density_mg_cm3 : float
        Its density in the standard, by the phantom's certificate.
    diameter_mm : float, optional
        Needed unless the rod is given by a label.
    x_mm, y_mm : float, optional
        Place of its centre in the phantom's cross-section (along the table's width and height); needed to find
        rods that do not stand in one even row.
    water_mg_cm3 : float, optional
        Water equivalent density, where the certificate gives one (Mindways); then for every rod.
    label : int, optional
        Its value in a label map.
    """

    density_mg_cm3: float
    diameter_mm: PositiveFloat | None = None
    x_mm: float | None = None
    y_mm: float = 0.0
    water_mg_cm3: float | None = None
    label: PositiveInt | None = None


class PhantomSettings(_Settings):
    """Rods in the scan itself.

    Parameters
    ----------
    kind : {"phantom"}
        This way.
    standard : {"HA", "K2HPO4"}
        Material of the densities.
    rods : tuple of Rod
        In the order in which they stand; the phantom may lie either way round.
    spacing_mm : float, optional
        Distance of the centres of neighbours in one even row.
    rods_from : {"find", "labels", "positions"}
        Search the rods below the patient; or take them from the cohort's column ``calibration_mask`` (values 1,
        2, ... in the order of rods, unless ``label`` says otherwise; without that column, from labels of the
        scan's own mask that are named by ``label``); or measure round given points.
    positions_mm : tuple of (float, float, float), optional
        World (x, y, z; LPS) of a point on the axis of each rod, in mm.
    length_mm : float
        How far along the rods they are measured round a given point.
    max_residual_mg_cm3 : float
        A larger residual gives a warning.
    """

    kind: Literal["phantom"]
    standard: Standard
    rods: tuple[Rod, ...]
    spacing_mm: PositiveFloat | None = None
    rods_from: Literal["find", "labels", "positions"] = "find"
    positions_mm: tuple[tuple[float, float, float], ...] | None = None
    length_mm: PositiveFloat = 20.0
    max_residual_mg_cm3: PositiveFloat = MAX_RESIDUAL_MG_CM3

    @model_validator(mode="after")
    def _rods_are_known_well_enough(self) -> Self:
        if len({rod.density_mg_cm3 for rod in self.rods}) < 2:
            raise ValueError("rods: a line needs two different densities")
        if len({rod.water_mg_cm3 is None for rod in self.rods}) > 1:
            raise ValueError("rods: water_mg_cm3 is given for some rods, expected for all or none")
        if self.rods_from != "labels" and any(rod.diameter_mm is None for rod in self.rods):
            raise ValueError("rods: diameter_mm is needed, unless rods_from is labels")
        if self.rods_from == "labels" and len({self.label(number) for number in range(len(self.rods))}) < len(
            self.rods
        ):
            raise ValueError("rods: two rods have one label")
        if (self.rods_from == "positions") != (self.positions_mm is not None):
            raise ValueError("positions_mm: goes with rods_from: positions, and only with it")
        if self.positions_mm is not None and len(self.positions_mm) != len(self.rods):
            raise ValueError(f"positions_mm: {len(self.positions_mm)} points for {len(self.rods)} rods")
        if self.rods_from == "find":
            self._check_layout()
        return self

    def _check_layout(self) -> None:
        if len({rod.density_mg_cm3 for rod in self.rods}) < 3:
            raise ValueError("rods: to be found they must be three of different density; any two make a line")
        placed = sum(rod.x_mm is not None for rod in self.rods)
        if placed not in (0, len(self.rods)) or (placed == 0) == (self.spacing_mm is None):
            raise ValueError("rods: to be found they need either spacing_mm, or x_mm for every rod")

    def label(self, number: int) -> int:
        """Return the label of a rod.

        Parameters
        ----------
        number : int
            Which rod, from 0.
        """
        return self.rods[number].label or number + 1

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the cohort table that are read: none."""
        return ()


class KnownPoint(_Settings):
    """One rod of an asynchronous scan.

    Parameters
    ----------
    density_mg_cm3, hu : float
        What is known, and what was measured.
    water_mg_cm3 : float, optional
        As for `Rod`.
    """

    density_mg_cm3: float
    hu: float
    water_mg_cm3: float | None = None


class Equation(_Settings):
    """The equation of one scanner, tube voltage or period.

    Parameters
    ----------
    match : mapping of str to text or number
        Value of each of the file's ``key_columns``.
    slope_mg_cm3_per_hu, intercept_mg_cm3 : float, optional
        density = slope * HU + intercept.
    points : tuple of KnownPoint, optional
        Instead of slope and intercept: what was measured in the phantom.
    valid_from, valid_to : date, optional
        First and last day.
    """

    match: dict[str, str | int | float] = Field(default_factory=dict)
    slope_mg_cm3_per_hu: PositiveFloat | None = None
    intercept_mg_cm3: float | None = None
    points: tuple[KnownPoint, ...] | None = None
    valid_from: datetime.date | None = None
    valid_to: datetime.date | None = None

    @field_validator("match", mode="before")
    @classmethod
    def _no_truth_values(cls, value: object) -> object:
        told = [name for name, item in value.items() if isinstance(item, bool)] if isinstance(value, dict) else []
        if told:
            raise ValueError(f"{', '.join(told)}: YAML reads yes and no as true and false; put quotes round them")
        return value

    @model_validator(mode="after")
    def _either_line_or_points(self) -> Self:
        line = [self.slope_mg_cm3_per_hu, self.intercept_mg_cm3]
        if (self.points is None) != all(value is not None for value in line) or (
            self.points is not None and any(value is not None for value in line)
        ):
            raise ValueError("give slope_mg_cm3_per_hu and intercept_mg_cm3, or points instead")
        if len({point.water_mg_cm3 is None for point in self.points or ()}) > 1:
            raise ValueError("points: water_mg_cm3 is given for some points, expected for all or none")
        if self.points is not None:
            try:
                fit_line(self.rods)
            except CalibrationError as error:
                raise ValueError(f"points: {error.what}: {error.got}") from None
        if self.valid_from and self.valid_to and self.valid_from > self.valid_to:
            raise ValueError("valid_from: lies after valid_to")
        return self

    @property
    def rods(self) -> tuple[Point, ...]:
        """The points by name; none where slope and intercept are given."""
        return tuple(
            Point(f"rod {number}", item.density_mg_cm3, item.hu, None, item.water_mg_cm3)
            for number, item in enumerate(self.points or (), start=1)
        )


class AsynchronousSettings(_Settings):
    """Equations that were measured apart from the scans.

    Parameters
    ----------
    kind : {"asynchronous"}
        This way.
    standard : {"HA", "K2HPO4"}
        Material of the densities.
    key_columns : tuple of str
        Columns of the cohort table that choose the equation, such as ``scanner`` and ``kvp``.
    date_column : str, optional
        Column with the day of the scan (YYYY-MM-DD or YYYYMMDD), where equations are valid for a time.
    equations : tuple of Equation
        For no scan may two of them hold.
    max_residual_mg_cm3 : float
        A larger residual gives a warning.
    """

    kind: Literal["asynchronous"]
    standard: Standard
    key_columns: tuple[str, ...] = ()
    date_column: str | None = None
    equations: tuple[Equation, ...]
    max_residual_mg_cm3: PositiveFloat = MAX_RESIDUAL_MG_CM3

    @model_validator(mode="after")
    def _one_equation_for_each_scan(self) -> Self:
        if not self.equations:
            raise ValueError("equations: there is none")
        for number, equation in enumerate(self.equations, start=1):
            if set(equation.match) != set(self.key_columns):
                raise ValueError(
                    f"equations: number {number} matches {', '.join(equation.match) or 'nothing'}, "
                    f"expected key_columns: {', '.join(self.key_columns) or 'none'}"
                )
            if self.date_column is None and (equation.valid_from or equation.valid_to):
                raise ValueError(f"equations: number {number} is valid for a time, and date_column is not given")
            for other, earlier in enumerate(self.equations[: number - 1], start=1):
                if _overlap(earlier, equation):
                    raise ValueError(f"equations: numbers {other} and {number} hold for the same scans")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the cohort table that are read."""
        return (*self.key_columns, *([self.date_column] if self.date_column else []))


class Tissue(_Settings):
    """A tissue of known density.

    Parameters
    ----------
    density_mg_cm3 : float
        In the standard, as phantom-calibrated scans of the same tube voltage show it; below 0 for fat and air.
    label : int, optional
        Value in the cohort's ``calibration_mask``, to measure it there rather than where radiobone finds it;
        needed for blood.
    """

    density_mg_cm3: float
    label: PositiveInt | None = None


class InternalSettings(_Settings):
    """Fat and muscle of the patient, and air or blood where wanted.

    Parameters
    ----------
    kind : {"internal"}
        This way.
    standard : {"HA", "K2HPO4"}
        Material of the densities.
    fat, muscle : Tissue
        Subcutaneous fat and the muscles beside and behind the spine.
    air : Tissue, optional
        Air outside the patient.
    blood : Tissue, optional
        Blood in the aorta; its label is needed.
    max_residual_mg_cm3 : float
        A larger residual gives a warning; with fat and muscle alone there is none.
    """

    kind: Literal["internal"]
    standard: Standard
    fat: Tissue
    muscle: Tissue
    air: Tissue | None = None
    blood: Tissue | None = None
    max_residual_mg_cm3: PositiveFloat = MAX_RESIDUAL_MG_CM3

    @field_validator("blood")
    @classmethod
    def _blood_has_a_label(cls, value: Tissue | None) -> Tissue | None:
        if value is not None and value.label is None:
            raise ValueError("needs the label of the aorta: blood is not searched")
        return value

    @model_validator(mode="after")
    def _tissues_differ(self) -> Self:
        order = [tissue.density_mg_cm3 for tissue in (self.air, self.fat, self.muscle) if tissue is not None]
        if any(low >= high for low, high in pairwise(order)):
            raise ValueError("densities must rise from air to fat to muscle")
        labels = [tissue.label for tissue in self.tissues.values() if tissue.label is not None]
        if len(set(labels)) < len(labels):
            raise ValueError("two tissues have one label")
        return self

    @property
    def tissues(self) -> dict[str, Tissue]:
        """The tissues that are measured, by name."""
        named = {"air": self.air, "fat": self.fat, "blood": self.blood, "muscle": self.muscle}
        return {name: tissue for name, tissue in named.items() if tissue is not None}

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the cohort table that are read: none."""
        return ()


CalibrationSettings = PhantomSettings | AsynchronousSettings | InternalSettings

_KINDS: dict[str, type[PhantomSettings] | type[AsynchronousSettings] | type[InternalSettings]] = {
    "phantom": PhantomSettings,
    "asynchronous": AsynchronousSettings,
    "internal": InternalSettings,
}


class _AnyKind(FileModel):
    kind: Literal["phantom", "asynchronous", "internal"]


def read_calibration(path: str | Path) -> CalibrationSettings:
    """Read a calibration file.

    Parameters
    ----------
    path : str or Path
        YAML; its key ``kind`` says which it is: `PhantomSettings`, `AsynchronousSettings` or `InternalSettings`.

    Raises
    ------
    ConfigError
        If it is not valid.
    """
    content = read_yaml(Path(path))
    validate(_AnyKind, {key: value for key, value in content.items() if key == "kind"}, str(path))
    return validate(_KINDS[content["kind"]], content, str(path))


def same_value(one: str | int | float, other: str | int | float) -> bool:
    """Say whether two values of a column are one, such as 120 and "120.0", or "Scanner A" and "scanner a ".

    Parameters
    ----------
    one, other : str, int or float
        From a calibration file or a table.
    """
    texts = [str(value).strip().casefold() for value in (one, other)]
    try:
        return float(texts[0]) == float(texts[1])
    except ValueError:
        return texts[0] == texts[1]


def _overlap(one: Equation, other: Equation) -> bool:
    if not all(same_value(value, other.match[name]) for name, value in one.match.items()):
        return False
    starts = max(item.valid_from or datetime.date.min for item in (one, other))
    ends = min(item.valid_to or datetime.date.max for item in (one, other))
    return starts <= ends

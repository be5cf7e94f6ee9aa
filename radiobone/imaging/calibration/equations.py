"""Asynchronous calibration: the equation that holds for a scan, by what the cohort table says of it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

from radiobone.core.errors import CalibrationError
from radiobone.imaging.calibration.fitting import Calibration, fit, unit_of, unusual_slope
from radiobone.imaging.calibration.settings import AsynchronousSettings, Equation, same_value


def equation_of(settings: AsynchronousSettings, columns: Mapping[str, str]) -> Calibration:
    """Return the calibration of a scan.

    Parameters
    ----------
    settings : AsynchronousSettings
        The equations.
    columns : mapping of str to str
        What the cohort table says in the columns that ``settings`` names.

    Raises
    ------
    CalibrationError
        If no equation holds for the scan, or its row says too little.
    """
    empty = [name for name in settings.columns if not columns.get(name, "").strip()]
    if empty:
        raise CalibrationError(
            "the cohort table does not say which equation holds",
            got=f"nothing in {', '.join(empty)}",
            do="fill it in, or leave the scan out",
        )
    day = _day(columns[settings.date_column], settings.date_column) if settings.date_column else None
    told = ", ".join(f"{name} {columns[name]}" for name in settings.columns) or "any scan"
    for number, equation in enumerate(settings.equations, start=1):
        matches = all(same_value(value, columns[name]) for name, value in equation.match.items())
        if matches and _holds(equation, day):
            return _calibration(settings, equation, f"equation {number} of the calibration file, for {told}")
    raise CalibrationError(
        "no equation of the calibration file holds for this scan",
        got=told,
        expected="; ".join(map(_text, settings.equations)),
        do="add an equation, or leave the scan out",
    )


def _calibration(settings: AsynchronousSettings, equation: Equation, note: str) -> Calibration:
    if equation.points is not None:
        limit = settings.max_residual_mg_cm3
        return fit("asynchronous", equation.rods, settings.standard, max_residual_mg_cm3=limit, notes=[note])
    slope, intercept = equation.slope_mg_cm3_per_hu, equation.intercept_mg_cm3
    assert slope is not None
    assert intercept is not None
    unit, warnings = unit_of(settings.standard), tuple(unusual_slope(slope))
    return Calibration("asynchronous", slope, intercept, (), (), unit, (note,), warnings)


def _day(text: str, column: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text.strip())
    except ValueError:
        raise CalibrationError(
            "the day of the scan cannot be read",
            where=f"column {column}",
            got=text,
            expected="YYYY-MM-DD or YYYYMMDD",
            do="fill in the whole day; radiobone import writes it only with --keep-identifiers",
        ) from None


def _holds(equation: Equation, day: datetime.date | None) -> bool:
    if day is None:
        return True
    return (equation.valid_from or day) <= day <= (equation.valid_to or day)


def _text(equation: Equation) -> str:
    match = ", ".join(f"{name} {value}" for name, value in equation.match.items())
    days = f" from {equation.valid_from}" if equation.valid_from else ""
    return (match or "any scan") + days + (f" to {equation.valid_to}" if equation.valid_to else "")

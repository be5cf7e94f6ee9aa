"""Formulas on disk: JSON and CSV that are read back to the last bit, and text for readers."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from radiobone.core.config import validate
from radiobone.core.errors import ConfigError, UsageError
from radiobone.core.files import atomic_path
from radiobone.learning.disk.formula import Corners, LinearFormula, Sigmoid

FORMATS = (".json", ".csv", ".txt")
"""Suffixes that `write_formula` knows; the first two are read back."""

_HEADER = ("part", "name", "value")


def write_formula(path: Path, formula: LinearFormula) -> None:
    """Write a formula as JSON, CSV or text.

    Parameters
    ----------
    path : Path
        Its suffix, ``.json``, ``.csv`` or ``.txt``, says which.
    formula : LinearFormula
        The formula.

    Raises
    ------
    UsageError
        For another suffix.
    """
    if path.suffix not in FORMATS:
        raise UsageError("the format is not known", got=path.name, expected=" or ".join(FORMATS))
    if path.suffix == ".json":
        content = json.dumps(formula.model_dump(mode="json"), indent=2) + "\n"
    else:
        content = _to_csv(formula) if path.suffix == ".csv" else formula.text() + "\n"
    with atomic_path(path) as part:
        part.write_text(content, encoding="utf-8", newline="\n")


def read_formula(path: Path) -> LinearFormula:
    """Read a formula from its JSON or CSV form.

    Parameters
    ----------
    path : Path
        As `write_formula` wrote it.

    Returns
    -------
    LinearFormula
        The same numbers, to the last bit.

    Raises
    ------
    UsageError
        If the file cannot be read, or is no formula.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError("file not found", where=str(path), do="check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("file cannot be read as text", where=str(path), got=error) from None
    if path.suffix not in FORMATS[:2]:
        raise UsageError("a formula is read from JSON or CSV", got=path.name, expected=" or ".join(FORMATS[:2]))
    try:
        content = json.loads(text) if path.suffix == ".json" else _from_csv(text)
    except (json.JSONDecodeError, KeyError, ValueError) as error:
        raise ConfigError("the file is no formula", where=str(path), got=repr(error)) from None
    return validate(LinearFormula, content, str(path))


def _to_csv(formula: LinearFormula) -> str:
    """One number or name in a row: a table that is read without knowing the form."""
    rows: list[tuple[str, str, object]] = [
        ("format", "", formula.format),
        ("name", "", formula.name),
        ("class", "positive", formula.positive),
        ("class", "negative", formula.negative),
        ("intercept", "", repr(formula.intercept)),
    ]
    rows += [("coefficient", term.feature, repr(term.coefficient)) for term in formula.terms]
    rows += [("fill", term.feature, repr(term.fill)) for term in formula.terms if term.fill is not None]
    if isinstance(formula.calibration, Sigmoid):
        rows += [("sigmoid", key, repr(value)) for key, value in formula.calibration.model_dump().items()]
    elif isinstance(formula.calibration, Corners):
        corners = zip(formula.calibration.scores, formula.calibration.probabilities, strict=True)
        rows += [("corner", repr(score), repr(probability)) for score, probability in corners]
    if formula.threshold is not None:
        rows.append(("threshold", "probability", repr(formula.threshold)))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([_HEADER, *rows])
    return text.getvalue()


def _from_csv(text: str) -> dict[str, Any]:
    rows = list(csv.reader(io.StringIO(text)))
    if not rows or tuple(rows[0]) != _HEADER:
        raise ValueError(f"expected the columns {', '.join(_HEADER)}")
    parts: dict[str, list[tuple[str, str]]] = {}
    for part, name, value in rows[1:]:
        parts.setdefault(part, []).append((name, value))
    fills = {name: float(value) for name, value in parts.pop("fill", [])}
    content: dict[str, Any] = {
        "format": int(parts.pop("format")[0][1]),
        "name": parts.pop("name")[0][1],
        **dict(parts.pop("class")),
        "intercept": float(parts.pop("intercept")[0][1]),
        "terms": [
            {"feature": name, "coefficient": float(value), "fill": fills.pop(name, None)}
            for name, value in parts.pop("coefficient", [])
        ],
        "threshold": float(parts.pop("threshold")[0][1]) if "threshold" in parts else None,
    }
    if "sigmoid" in parts:
        content["calibration"] = {name: float(value) for name, value in parts.pop("sigmoid")}
    elif "corner" in parts:
        corners = [(float(score), float(value)) for score, value in parts.pop("corner")]
        content["calibration"] = {"scores": [c[0] for c in corners], "probabilities": [c[1] for c in corners]}
    unknown = [*parts, *(f"fill of {name}" for name in fills)]
    if unknown:
        raise ValueError(f"unknown parts: {', '.join(unknown)}")
    return content

"""What attribution is asked of: all deep features, one column, or the deep part of a linear model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from radiobone.core.config import nearest
from radiobone.core.errors import UsageError
from radiobone.features.deep.attribution import ALL, Target
from radiobone.features.deep.columns import columns
from radiobone.features.deep.params import DeepParams
from radiobone.voi.recipes import RECIPES


@dataclass(frozen=True)
class TargetChoice:
    """A target that may differ from level to level.

    Parameters
    ----------
    name : str
        As the user gave it.
    terms : mapping of str to float, optional
        Coefficients by column, as a feature table or a model's table of patients names them; None for all
        features.
    """

    name: str = ALL
    terms: Mapping[str, float] | None = None

    def at(self, level: str) -> Target | None:
        """Return the target of the VOI of one level; None if it has no part in the model.

        Parameters
        ----------
        level : str
            The level.
        """
        if self.terms is None:
            return Target(self.name)
        weights: dict[str, float] = {}
        for term, coefficient in self.terms.items():
            place, _, column = term.rpartition("__")
            of_level, _, _ = place.rpartition(".")
            # `L1.trabecular__deep-...` is a column of one level, `trabecular__deep-...` one of all of them.
            if of_level in ("", level):
                weights[column] = weights.get(column, 0.0) + coefficient
        return Target(self.name, weights) if any(weights.values()) else None


def read_target(text: str, params: DeepParams, voi: str) -> TargetChoice:
    """Read what the user asks for.

    Parameters
    ----------
    text : str
        ``all``; a column of the parameter file; or a formula of a linear model, as studies write them (JSON or
        CSV), of which the terms of the parameter file's columns are taken.
    params : DeepParams
        The parameter file.
    voi : str
        The VOI recipe of what is looked at, such as ``trabecular``: terms of other VOIs are left out.

    Raises
    ------
    UsageError
        If it is none of these, or a formula without such terms.
    """
    if text == ALL:
        return TargetChoice()
    known = [column.name for column in columns(params)]
    if text in known:
        return TargetChoice(text, {text: 1.0})
    path = Path(text)
    if path.suffix not in (".json", ".csv"):
        raise UsageError(
            f"no such target{nearest(text, known)}",
            got=text,
            expected=f"{ALL}, a column ({known[0]} to {known[-1]}), or a linear model's formula (.json, .csv)",
        )
    from radiobone.learning.disk.formula_files import read_formula

    terms = {term.feature: term.coefficient for term in read_formula(path).terms}
    deep = {name: value for name, value in terms.items() if name.rpartition("__")[2] in set(known) and value != 0}
    if not deep:
        raise UsageError(
            "the formula has no term of this parameter file",
            where=text,
            got=", ".join(list(terms)[:3]),
            expected=f"columns such as {known[0]}",
        )
    return TargetChoice(path.name, _of_voi(deep, voi, text))


def _of_voi(terms: Mapping[str, float], voi: str, where: str) -> dict[str, float]:
    """Return the terms of one VOI; those of a single one that has a name of the study's own pass, too."""
    whose = {name: name.rpartition("__")[0].rpartition(".")[2] for name in terms}
    others = set(whose.values()) - {voi, ""}
    of_recipes = others & {recipe.name for recipe in RECIPES}
    if voi not in whose.values() and len(others) == 1 and not of_recipes:
        return dict(terms)
    found = {name: value for name, value in terms.items() if whose[name] in (voi, "")}
    if not found:
        raise UsageError(
            "the formula's deep features are those of another VOI",
            where=where,
            got=voi,
            expected=" or ".join(sorted(others)),
            do="give the VOI with which the model was made (--voi)",
        )
    return found

"""What a validation found: predictions, figures of each fold, and the content of ``results.json``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from radiobone.evaluation.content import content
from radiobone.evaluation.fold_figures import FoldFigures, FoldMetric


@dataclass(frozen=True, eq=False)
class NestedResult(FoldFigures):
    """Everything that a nested cross-validation found.

    Parameters
    ----------
    columns : dict or None
        What was seen of the columns of X; see `radiobone.evaluation.column_summary`.
    flags : tuple of dict
        What was seen of leakage before the validation; see `radiobone.evaluation.flags`.

    Notes
    -----
    The other fields are those of `FoldFigures`.
    """

    columns: dict[str, Any] | None = None
    flags: tuple[dict[str, str], ...] = ()

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """One line for each row and repeat, by a model that has not seen its patient.

        Columns ``repeat``, ``fold``, the identifiers, ``true_class``, ``p_node_<name>`` (probability of the node's
        positive side, also for rows that would not come to it), ``p_class_<class>``, ``decision_argmax`` and
        ``decision_routed``.
        """
        names = np.array([str(name) for name in self.classes], dtype=object)
        parts = []
        for fit in self.fits:
            part = self.data.ids.iloc[fit.test].copy()
            part.insert(0, "repeat", fit.repeat)
            part.insert(1, "fold", fit.fold)
            part["true_class"] = names[self.data.codes[fit.test]]
            for number, node in enumerate(fit.nodes):
                part[f"p_node_{node.name}"] = fit.node_proba[:, number]
            for code, name in enumerate(names):
                part[f"p_class_{name}"] = fit.class_proba[:, code]
            part["decision_argmax"] = names[fit.argmax]
            if fit.routed is not None:
                part["decision_routed"] = names[fit.routed]
            parts.append(part)
        # Parts keep the number of each row as their index, which is the order of the identifiers.
        table = pd.concat(parts)
        return table.iloc[np.lexsort((table.index, table["repeat"]))].reset_index(drop=True)

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """Figures of each fold, one in a line; columns as in `FoldMetric`."""
        return pd.DataFrame(list(self.lines), columns=FoldMetric._fields)

    def results(self) -> dict[str, Any]:
        """Return the content of ``results.json``.

        Returns
        -------
        dict
            Plain values only, with None for what is not defined; see `radiobone.evaluation.content`.
        """
        return {**content(self), "columns": self.columns, "flags": [dict(flag) for flag in self.flags]}

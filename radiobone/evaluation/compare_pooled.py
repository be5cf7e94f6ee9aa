"""Two arms on pooled out-of-fold predictions: what many papers print, labelled for what it is.

The tests take the fitted models as given and the rows as independent of them. Over outer folds neither is so, and
their p values are too small: the comparison that counts is that over folds.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from radiobone.evaluation.fold_figures import FoldFigures
from radiobone.evaluation.intervals import CONDITIONAL, auc_comparison, several_rows
from radiobone.evaluation.pooled import pooled_scores
from radiobone.evaluation.statistics.mcnemar import mcnemar_test


def pooled_comparison(a: FoldFigures, b: FoldFigures, node: str) -> dict[str, Any] | None:
    """Compare two arms at a node on the mean over repeats of each row's probability.

    Parameters
    ----------
    a, b : FoldFigures
        Fitted on the same folds.
    node : str
        Name of the node.

    Returns
    -------
    dict or None
        ``conditional``; ``delong``: ``a``, ``b``, ``difference``, ``low``, ``high``, ``level``, ``p_value``,
        ``method``; ``mcnemar``: which arm decides rightly more often, at the median of the folds' operating
        points. None without rows.
    """
    one, other = ([found.name for found in result.fits[0].nodes].index(node) for result in (a, b))
    positive, score_a, rows = pooled_scores(a, one)
    _, score_b, _ = pooled_scores(b, other)
    if not rows.size:
        return None
    patients = a.data.groups[rows]
    delong = asdict(auc_comparison(positive, score_a, score_b, patients, a.options.level))
    right = [
        (score > np.median([fit.nodes[number].threshold for fit in result.fits])) == positive
        for result, number, score in ((a, one, score_a), (b, other, score_b))
    ]
    mcnemar = mcnemar_test(right[0], right[1], groups=patients if several_rows(patients) else None)
    kept = ("a", "b", "difference", "low", "high", "level", "p_value", "method")
    return {
        "conditional": CONDITIONAL,
        "delong": {name: delong[name] for name in kept},
        "mcnemar": asdict(mcnemar),
    }

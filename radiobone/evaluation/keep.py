"""Finished fits on disk, as JSON, so that a validation that was stopped goes on from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from radiobone.core.errors import UsageError
from radiobone.core.store import ResumeStore
from radiobone.evaluation.fits import FoldFit, NodeFit
from radiobone.evaluation.splits import OuterFold
from radiobone.learning.nodes import Node, NodeError, NodeTree


@dataclass(frozen=True)
class KeptFits:
    """Finished fits in a folder, each under the hash of all that it depends on.

    Parameters
    ----------
    folder : Path
        Where they lie; made when the first one is put.
    """

    folder: Path

    def get(self, key: str, folds: Sequence[OuterFold]) -> list[FoldFit] | None:
        """Return the fits kept under a key, or None; a damaged file counts as none.

        Parameters
        ----------
        key : str
            As `radiobone.evaluation.fingerprint.fit_sha256` gives it.
        folds : sequence of OuterFold
            The folds that it was made of.
        """
        found = ResumeStore(self.folder).get(key)
        if not isinstance(found, list) or len(found) != len(folds):
            return None
        try:
            return [_from_plain(content, fold) for content, fold in zip(found, folds, strict=True)]
        except (KeyError, TypeError, ValueError, AttributeError, NodeError):
            return None  # JSON that is no fit, as a hand or a failing disk may leave it, is a damaged file

    def put(self, key: str, fits: Sequence[FoldFit]) -> None:
        """Keep the fits of one model.

        Parameters
        ----------
        key : str
            As for `get`.
        fits : sequence of FoldFit
            One for each of its folds.
        """
        ResumeStore(self.folder).put(key, [_to_plain(fit) for fit in fits])


def _to_plain(fit: FoldFit) -> dict[str, Any]:
    return {
        "node_proba": fit.node_proba.tolist(),
        "class_proba": fit.class_proba.tolist(),
        "argmax": fit.argmax.tolist(),
        "routed": None if fit.routed is None else fit.routed.tolist(),
        "nodes": [asdict(node) for node in fit.nodes],
        "tree": None if fit.tree is None else _plain_tree(fit.tree),
    }


def _plain_tree(tree: NodeTree) -> dict[str, Any]:
    strange = [label for label in tree.classes if not isinstance(label, (str, int, float, bool))]
    if strange:
        raise UsageError(
            "finished folds can be kept for classes that are text or numbers only",
            got=repr(strange[0]),
            do="name the classes, or leave keep out",
        )
    nodes = [[node.name, list(node.positive), list(node.negative)] for node in tree.nodes]
    return {"nodes": nodes, "classes": list(tree.classes)}


def _from_plain(content: dict[str, Any], fold: OuterFold) -> FoldFit:
    tree = content["tree"]
    n_test = len(fold.test)
    return FoldFit(
        repeat=fold.repeat,
        fold=fold.fold,
        train=fold.train,
        test=fold.test,
        node_proba=np.array(content["node_proba"], dtype=np.float64).reshape(n_test, len(content["nodes"])),
        class_proba=np.array(content["class_proba"], dtype=np.float64).reshape(n_test, -1),
        argmax=np.array(content["argmax"], dtype=np.intp).reshape(n_test),
        routed=None if content["routed"] is None else np.array(content["routed"], dtype=np.intp).reshape(n_test),
        tree=None
        if tree is None
        else NodeTree.build([Node(name, yes, no) for name, yes, no in tree["nodes"]], tree["classes"]),
        nodes=tuple(_node_from_plain(node) for node in content["nodes"]),
        name=fold.name,
    )


def _node_from_plain(content: dict[str, Any]) -> NodeFit:
    selected = content["selected"]
    return NodeFit(
        **content | {"selected": None if selected is None else tuple(selected), "notes": tuple(content["notes"])}
    )

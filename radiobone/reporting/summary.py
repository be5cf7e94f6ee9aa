"""The content of ``results.json`` as tables for the terminal, within 80 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

NOT_DEFINED = "n/a"
NODE_METRICS = {
    "auc": "AUC",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "balanced_accuracy": "balanced\naccuracy",
}
CLASS_METRICS = {"auc_macro": "AUC (macro)", "balanced_accuracy": "balanced\naccuracy", "accuracy": "accuracy"}
PATIENTS = {"on_true_members": "true members", "on_routed": "routed"}


def either(labels: Sequence[Any]) -> str:
    """Name one side of a node, such as ``normal or osteopenia``."""
    return " or ".join(str(label) for label in labels)


def summary(results: Mapping[str, Any]) -> Group:
    """Lay out the results of a nested cross-validation.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.

    Returns
    -------
    rich.console.Group
        A table for each node (on its true members, and on the patients routed there), one over all classes, the
        confusion matrix, and a line that says what the figures are. To be printed by a rich console.
    """
    from rich.console import Group

    nodes = [_node_table(node) for node in results["nodes"]]
    classes = results["three_class"]
    folds = classes["accuracy"]["n_folds"]
    note = f"mean ± SD over {folds} outer folds"
    figures = [node[rows][metric] for node in results["nodes"] for rows in PATIENTS for metric in NODE_METRICS]
    figures += [classes[metric] for metric in CLASS_METRICS] + list(classes["auc_by_class"].values())
    if any(figure["mean"] is None for figure in figures):
        note += f"; {NOT_DEFINED} where a fold lacks one of the classes"
    return Group(*nodes, _class_table(classes), _confusion_table(classes["confusion"]), note)


def spread(figure: Mapping[str, Any]) -> str:
    """Write one figure as mean ± SD.

    Examples
    --------
    >>> spread({"mean": 0.9125, "sd": 0.0449})
    '0.91 ± 0.04'
    >>> spread({"mean": None, "sd": None})
    'n/a'
    """
    if figure["mean"] is None:
        return NOT_DEFINED
    return f"{figure['mean']:.2f}" + ("" if figure["sd"] is None else f" ± {figure['sd']:.2f}")


def _node_table(node: Mapping[str, Any]) -> Table:
    table = _table(
        f"{node['name'].replace('_', ' ')} (positive: {either(node['positive'])})",
        ("patients",),
        ("n", *NODE_METRICS.values()),
    )
    for rows, text in PATIENTS.items():
        part = node[rows]
        table.add_row(text, str(part["n"]), *(spread(part[metric]) for metric in NODE_METRICS))
    return table


def _class_table(classes: Mapping[str, Any]) -> Table:
    table = _table(
        "all classes",
        ("patients",),
        ("n", *CLASS_METRICS.values()),
    )
    table.add_row("all", str(classes["n"]), *(spread(classes[metric]) for metric in CLASS_METRICS))
    for name, figure in classes["auc_by_class"].items():
        table.add_row(f"{name} against the rest", "", spread(figure), "", "")
    return table


def _confusion_table(confusion: Mapping[str, Any]) -> Table:
    labels = [str(label) for label in confusion["labels"]]
    table = _table(f"true class by {confusion['columns']}", ("true class",), labels)
    for label, counts in zip(labels, confusion["matrix"], strict=True):
        table.add_row(label, *(str(count) for count in counts))
    return table


def _table(title: str, texts: Sequence[str], numbers: Sequence[str]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in texts:
        table.add_column(heading)
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    return table

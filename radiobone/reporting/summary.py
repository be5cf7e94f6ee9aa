"""The content of ``results.json`` as tables for the terminal, within 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from radiobone.reporting.words import counted, either

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
CLASS_METRICS = {"auc": "AUC", "sensitivity": "sensitivity", "specificity": "specificity"}
ROWS = {"on_true_members": "members", "on_routed": "routed"}


def summary(results: Mapping[str, Any]) -> Group:
    """Lay out the results of a nested cross-validation.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.

    Returns
    -------
    rich.console.Group
        A table for each node (on its true members, and on the patients routed there, with the number of those that
        this leaves out), one for each class against the rest, the confusion matrix, and a line that says what the
        figures are. To be printed by a rich console.
    """
    from rich.console import Group

    classes = results["three_class"]
    repeated = classes["n_predictions"] > classes["n_patients"]
    nodes = [_node_table(node, results["classes"], repeated) for node in results["nodes"]]
    accuracy = (
        f"accuracy {spread(classes['accuracy'])}, balanced accuracy {spread(classes['balanced_accuracy'])} "
        "(the mean sensitivity)\n"
    )
    note = f"mean ± SD over {classes['accuracy']['n_folds']} outer folds"
    if any(figure["mean"] is None for figure in _figures(results)):
        note += f"; {NOT_DEFINED} where a fold lacks one of the classes"
    return Group(*nodes, _class_table(classes, repeated), accuracy, _confusion_table(classes), note)


def spread(figure: Mapping[str, Any]) -> str:
    """Write one figure as mean ± SD.

    Parameters
    ----------
    figure : mapping
        With ``mean`` and ``sd``, either of which may be None.

    Returns
    -------
    str
        Two decimals each.

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


def _figures(results: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """All figures that the tables show."""
    for node in results["nodes"]:
        yield from (node[rows][metric] for rows in ROWS for metric in NODE_METRICS)
    classes = results["three_class"]
    yield from (classes[f"{metric}_macro"] for metric in CLASS_METRICS)
    yield from (figures[metric] for figures in classes["by_class"].values() for metric in CLASS_METRICS)
    yield from (classes[metric] for metric in ("accuracy", "balanced_accuracy"))


def _node_table(node: Mapping[str, Any], classes: Sequence[Any], repeated: bool) -> Table:
    table = _table(
        f"{node['name'].replace('_', ' ')} (positive: {either(node['positive'])})",
        ("judged on",),
        (_count_heading(repeated), *NODE_METRICS.values()),
    )
    for rows, text in ROWS.items():
        part = node[rows]
        table.add_row(text, _count(part, repeated), *(spread(part[metric]) for metric in NODE_METRICS))
    table.caption = _not_routed(node, classes, repeated)
    return table


def _not_routed(node: Mapping[str, Any], classes: Sequence[Any], repeated: bool) -> str | None:
    """Say whom the line of routed patients leaves out; None for a first node, to which everyone comes."""
    others = [label for label in classes if label not in (*node["positive"], *node["negative"])]
    if not others:
        return None
    unit = "prediction" if repeated else "patient"
    foreign, missed = (
        f"{count} {unit}{'' if count == 1 else 's'}"
        for count in (node["on_routed"]["n_predictions_foreign"], node["on_routed"]["n_predictions_missed"])
    )
    came = f"not in routed: {foreign} sent here from {either(others)},"
    return f"{came}\nand {missed} of its own classes sent elsewhere\n"


def _class_table(classes: Mapping[str, Any], repeated: bool) -> Table:
    table = _table(
        f"each class against the rest, by {classes['confusion']['columns']}",
        ("class",),
        (_count_heading(repeated), *CLASS_METRICS.values()),
    )
    for name, part in classes["by_class"].items():
        table.add_row(name, _count(part, repeated), *(spread(part[metric]) for metric in CLASS_METRICS))
    means = (spread(classes[f"{metric}_macro"]) for metric in CLASS_METRICS)
    table.add_row("mean of classes", _count(classes, repeated), *means)
    return table


def _count_heading(repeated: bool) -> str:
    return "patients\n(predictions)" if repeated else "patients"


def _count(part: Mapping[str, Any], repeated: bool) -> str:
    return f"{part['n_patients']} ({part['n_predictions']})" if repeated else str(part["n_patients"])


def _confusion_table(classes: Mapping[str, Any]) -> Table:
    confusion = classes["confusion"]
    labels = [str(label) for label in confusion["labels"]]
    table = _table(
        f"true class by {confusion['columns']}\n{counted(classes['n_patients'], classes['n_predictions'])}",
        ("true class",),
        labels,
    )
    for label, counts in zip(labels, confusion["matrix"], strict=True):
        table.add_row(label, *(str(count) for count in counts))
    return table


def _table(title: str, texts: Sequence[str], numbers: Sequence[str]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(
        title=title,
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    for heading in texts:
        table.add_column(heading)
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    return table

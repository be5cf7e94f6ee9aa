"""Atomic files: a reader sees the old file or the whole new one, never a part."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from radiobone.core.errors import UsageError, one_line


def check_output(path: Path, inputs: Iterable[Path] = (), suffixes: Sequence[str] = ()) -> None:
    """Check that an output can be written and is no input, before hours are spent on it.

    Parameters
    ----------
    path : Path
        The file to be; its folder is made if need be.
    inputs : iterable of Path
        What must not be overwritten.
    suffixes : sequence of str
        Suffixes of the formats that can be written, such as ``.csv`` or ``.nii.gz``; by default any.

    Raises
    ------
    UsageError
        If the path is a folder or an input, its format is not known, or its folder cannot be written.
    """
    if suffixes and not path.name.endswith(tuple(suffixes)):
        raise UsageError("the output's format is not known", got=path.name, expected=" or ".join(suffixes))
    if path.is_dir():
        raise UsageError("the output is a folder", where=str(path), expected="the name of a file")
    if path.exists() and any(source.exists() and path.samefile(source) for source in inputs):
        raise UsageError("the output would overwrite an input", where=str(path), do="choose another name")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise UsageError(
            "the output cannot be written", where=str(path), got=one_line(error), do="choose another folder"
        ) from None


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place when the block ends well.

    The temporary file keeps the last two suffixes of ``path`` (``.nii.gz``), since writers choose their format
    by them. It is removed when the block fails, and ``path`` stays as it was.

    Parameters
    ----------
    path : Path
        The finished file; its folder is made if need be.

    Yields
    ------
    Path
        An empty file to write to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".part-", suffix="".join(path.suffixes[-2:]), dir=path.parent)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        # mkstemp makes the file private; the finished file gets the permissions of any new file.
        umask = os.umask(0)
        os.umask(umask)
        part.chmod(0o666 & ~umask)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write text atomically, as UTF-8 with Unix line ends.

    Parameters
    ----------
    path : Path
        The file; its folder is made if need be.
    text : str
        All of its content, with the last line end.
    """
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: object) -> None:
    """Write a JSON-like value atomically, indented.

    Parameters
    ----------
    path : Path
        The file; its folder is made if need be.
    value : object
        Mappings, sequences, text, numbers, bool and None.

    Raises
    ------
    ValueError
        If a number is NaN or infinite, which JSON cannot say.
    """
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")

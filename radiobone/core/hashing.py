"""SHA-256 of files and of configuration, as lower-case hexadecimal text."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes.

    Parameters
    ----------
    path : Path
        The file; it is read in pieces, so that it may be larger than memory.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_json(value: object) -> str:
    """Return the SHA-256 of a JSON-like value, whatever the order of its keys.

    Parameters
    ----------
    value : object
        Mappings with text keys, sequences (their order counts), text, numbers, bool and None.

    Examples
    --------
    >>> sha256_json({"a": 1, "b": 2}) == sha256_json({"b": 2, "a": 1})
    True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()

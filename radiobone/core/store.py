"""The resume store: finished results under a hash of everything that they depend on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radiobone.core.files import write_text


@dataclass(frozen=True)
class ResumeStore:
    """Results in a folder, one small JSON file each, named by their key.

    A key is a SHA-256 over all inputs of a result, so that neither row order nor a changed file
    can bring back another case's result. Failures are never put here.

    Parameters
    ----------
    folder : Path
        Where the results lie; made when the first one is put.
    """

    folder: Path

    def get(self, key: str) -> Any | None:
        """Return the result kept under a key, or None; a damaged file counts as none.

        Parameters
        ----------
        key : str
            SHA-256 of everything that the result depends on, in hexadecimal.
        """
        try:
            return json.loads(self._path(key).read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError):
            return None

    def values(self) -> Iterator[Any]:
        """Yield every result that is kept; damaged files are passed over."""
        for path in sorted(self.folder.glob("*/*.json")):
            value = self.get(path.stem)
            if value is not None:
                yield value

    def put(self, key: str, result: object) -> None:
        """Keep a JSON-like result; floats (NaN included) come back to the last bit.

        Parameters
        ----------
        key : str
            As for `get`; what stood under it is replaced.
        result : object
            Mappings, sequences, text, numbers and bool; tuples come back as lists. None means no result.
        """
        write_text(self._path(key), json.dumps(result))

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"

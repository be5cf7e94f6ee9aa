"""Which steps of a study are done, and from what: ``steps.json`` in its folder."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from radiobone.core.config import FileModel, validate
from radiobone.core.errors import CaseError, ConfigError
from radiobone.core.files import write_json
from radiobone.core.hashing import sha256_file, sha256_json
from radiobone.core.provenance import now, versions
from radiobone.imaging.reading import source_files

JOURNAL = "steps.json"

Say = Callable[[str], None]
"""What tells the user which step of a study begins."""


class StepRecord(FileModel):
    """One finished step.

    Parameters
    ----------
    inputs : dict of str to str
        SHA-256 of everything that it was made from, by what it is.
    outputs : dict of str to str
        SHA-256 of each file that it wrote, by its path in the folder.
    finished : str
        Time, UTC.
    seconds : float
        How long it took.
    """

    inputs: dict[str, str]
    outputs: dict[str, str]
    finished: str
    seconds: float


class _Steps(FileModel):
    format: int = 1
    versions: dict[str, str]
    steps: dict[str, StepRecord]


class Journal:
    """The finished steps of the study in one folder.

    Parameters
    ----------
    folder : Path
        The study's.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOURNAL
        self._steps = self._read()
        self._begun = time.monotonic()

    def done(self, step: str, inputs: Mapping[str, str]) -> bool:
        """Say whether a step was finished from these inputs, and its files are as it left them.

        Parameters
        ----------
        step : str
            Its name.
        inputs : mapping of str to str
            SHA-256 of everything that it would be made from.
        """
        record = self._steps.get(step)
        if record is None or record.inputs != dict(inputs):
            return False
        folder = self.path.parent
        return all(
            (folder / name).is_file() and sha256_file(folder / name) == sha256
            for name, sha256 in record.outputs.items()
        )

    def outputs(self, step: str) -> tuple[str, ...]:
        """List the files that a step wrote, by their paths in the folder; none if it is not finished.

        Parameters
        ----------
        step : str
            Its name.
        """
        record = self._steps.get(step)
        return () if record is None else tuple(record.outputs)

    def begin(self) -> None:
        """Start the clock of the next step."""
        self._begun = time.monotonic()

    def note(self, step: str, inputs: Mapping[str, str], outputs: Iterable[Path]) -> None:
        """Write down that a step is finished.

        Parameters
        ----------
        step : str
            Its name.
        inputs : mapping of str to str
            SHA-256 of everything that it was made from.
        outputs : iterable of Path
            The files that it wrote.
        """
        folder = self.path.parent
        self._steps[step] = StepRecord(
            inputs=dict(inputs),
            outputs={path.relative_to(folder).as_posix(): sha256_file(path) for path in outputs},
            finished=now(),
            seconds=round(time.monotonic() - self._begun, 3),
        )
        content = _Steps(versions=versions(), steps=self._steps)
        write_json(self.path, content.model_dump(mode="json"))
        self.begin()

    def _read(self) -> dict[str, StepRecord]:
        """Read the finished steps; a file of something else, or of other versions, tells of none."""
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            found = validate(_Steps, content, str(self.path))
        except (FileNotFoundError, ValueError, ConfigError):
            return {}
        return dict(found.steps) if found.versions == versions() else {}


def files_of(source: Path) -> list[Path]:
    """List the files whose state tells whether an image or a mask has changed.

    Parameters
    ----------
    source : Path
        A file, a folder, or a ``.txt`` that lists files.

    Returns
    -------
    list of Path
        A list and all that it names, a header and the file of its voxels; else the source itself, also where it
        cannot be read, which is told when it is.
    """
    if source.is_dir():
        return [source]
    try:
        return list(dict.fromkeys([source, *source_files(source)]))
    except (CaseError, UnicodeDecodeError):
        return [source]


def state_of(files: Iterable[Path], base: Path) -> str:
    """Return a hash of the names, sizes and times of change of files, which takes no reading of them.

    Parameters
    ----------
    files : iterable of Path
        Files, or folders of files (see `files_of`); what does not exist counts as missing.
    base : Path
        The folder that names are relative to, so that a study may be moved with its scans.

    Returns
    -------
    str
        SHA-256.
    """
    found: list[list[object]] = []
    for path in files:
        members = sorted(path.iterdir()) if path.is_dir() else [path]
        for member in members:
            stat = member.stat() if member.exists() else None
            found.append([os.path.relpath(member, base), stat and stat.st_size, stat and stat.st_mtime_ns])
    return sha256_json(found)

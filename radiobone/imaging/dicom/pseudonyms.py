"""Names without meaning for patients and their series, the same in every run on one folder."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from radiobone.core.errors import UsageError
from radiobone.core.files import write_json
from radiobone.imaging.dicom.archive import hashed_name


@dataclass(frozen=True)
class Pseudonyms:
    """Numbers given to patients and to the series of each, by their hashes.

    An archive grows. A new patient gets the next number, and nobody's number ever changes: masks and labels that
    were made for P0007 must not become those of another.

    Parameters
    ----------
    salt : str
        Mixed into the hashes.
    patients : dict of str to int
        Number of each patient.
    series : dict of str to int
        Number of each series among those of its patient.
    """

    salt: str
    patients: dict[str, int]
    series: dict[str, int]

    @staticmethod
    def read(path: Path) -> Pseudonyms:
        """Read the numbers of an earlier run, or begin anew.

        Parameters
        ----------
        path : Path
            Where `write` puts them.

        Raises
        ------
        UsageError
            If the file is damaged.
        """
        if not path.exists():
            return Pseudonyms(secrets.token_hex(16), {}, {})
        try:
            return Pseudonyms(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError):
            raise UsageError(
                "the numbers of patients cannot be read", where=str(path), do="import into a new folder"
            ) from None

    def write(self, path: Path) -> None:
        """Keep the numbers for the next run.

        Parameters
        ----------
        path : Path
            The file. It holds hashes and numbers, and no identifier.
        """
        write_json(path, {"salt": self.salt, "patients": self.patients, "series": self.series})

    def number(self, people: Sequence[tuple[str, str]]) -> tuple[list[tuple[str, str]], Pseudonyms]:
        """Name patients and series, those without a number in the order in which they are given.

        Parameters
        ----------
        people : sequence of (str, str)
            Of each series, who the patient is and which series it is.

        Returns
        -------
        list of (str, str)
            ``P0001`` and ``S01`` for each.
        Pseudonyms
            With the new numbers.
        """
        patients, series = dict(self.patients), dict(self.series)
        last: dict[int, int] = {}
        for key, number in series.items():
            owner = int(key.partition("|")[0])
            last[owner] = max(last.get(owner, 0), number)
        names = []
        for who, which in people:
            patient = patients.setdefault(hashed_name(who, self.salt), len(patients) + 1)
            key = f"{patient}|{hashed_name(which, self.salt)}"
            if key not in series:
                last[patient] = series[key] = last.get(patient, 0) + 1
            names.append((f"P{patient:04d}", f"S{series[key]:02d}"))
        return names, replace(self, patients=patients, series=series)

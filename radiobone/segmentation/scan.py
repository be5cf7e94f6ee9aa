"""The segmentation of one scan, from its file to the file of its mask, kept if nothing has changed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from radiobone.core.errors import ImageError, UsageError
from radiobone.core.files import atomic_path
from radiobone.core.hashing import sha256_file, sha256_json
from radiobone.core.provenance import versions
from radiobone.core.store import ResumeStore
from radiobone.imaging import Image, Mask
from radiobone.imaging.reading import read_image, read_mask, source_files
from radiobone.imaging.writing import write_mask
from radiobone.segmentation.labels import AUTO, MODEL, SACRUM, Values, instance_label, names_levels
from radiobone.segmentation.model import Model
from radiobone.segmentation.naming import Anchor, name_levels
from radiobone.segmentation.records import GIVEN, SegmentedScan
from radiobone.tables.cohort import NOTHING_FOUND, UnmaskedScan
from radiobone.tables.level_names import find_level
from radiobone.voi.schemes import VERSE, Scheme, find_scheme

VALUES_REVISION = 2
"""Raised with every change of a voxel, so that kept masks of earlier versions are made anew."""

_PACKAGES = ("torch", "nnunetv2", "numpy", "scipy", "SimpleITK", "pydicom")


class Predictor(Protocol):
    """What a single model and a cascade have in common."""

    @property
    def models(self) -> tuple[Model, ...]:
        """All models."""

    @property
    def values(self) -> Values:
        """Values of the labels."""

    @property
    def settings(self) -> dict[str, object]:
        """All that masks depend on beside the models and the image."""

    def predict(self, image: Image, *, progress: bool = False) -> Mask:
        """Segment a scan."""


@dataclass(frozen=True)
class Naming:
    """How levels get their names.

    Parameters
    ----------
    wanted : bool
        Whether vertebrae are parted and counted; else the model's labels stay as they are.
    scheme : Scheme
        Under which masks are to be read.
    label : int
        The label of all vertebrae.
    sacrum : int or None
        The label of the sacrum.
    """

    wanted: bool
    scheme: Scheme
    label: int = 1
    sacrum: int | None = None

    def levels(self, values: Sequence[int]) -> tuple[str, ...]:
        """Return the levels of label values; one that the scheme does not name keeps its number."""
        return tuple(self.scheme.level(value) or f"label_{value}" for value in values)


def plan_naming(predictor: Predictor, scheme: str | Path, anchored: bool) -> Naming:
    """Decide whether levels are to be counted, and refuse an anchor that has no meaning.

    Parameters
    ----------
    predictor : Segmenter or Cascade
        Its last model gives the labels.
    scheme : str or Path
        As asked for.
    anchored : bool
        Whether any scan has an anchor.

    Raises
    ------
    UsageError
        If an anchor is given to a model that names levels itself, or that has several nameless labels, or beside
        the scheme ``model``; or a scheme is asked for, and there is nothing to count from.
    """
    labels = predictor.models[-1].labels
    name = instance_label(labels)
    sacrum = next((value for label, value in labels.items() if find_level(label) == SACRUM), None)
    if name is None or not (anchored or (sacrum is not None and scheme != MODEL)):
        if anchored:
            raise UsageError(
                "an anchor is of no use for this model",
                got=f"labels {', '.join(labels)}",
                expected="one label for all vertebrae, and the sacrum at most beside it",
                do="leave the anchor out" + ("; the model names levels itself" if names_levels(labels) else ""),
            )
        if name is not None and scheme not in (AUTO, MODEL):
            raise UsageError(
                "levels cannot be named: the model has one label for all vertebrae, and none is known",
                got=f"labels {', '.join(labels)}, scheme {scheme}",
                expected="an anchor",
                do="name one vertebra (--anchor lowest=L5, say, or a column 'anchor' in the cohort table)",
            )
        return Naming(False, predictor.values.scheme)
    if scheme == MODEL:
        raise UsageError(
            "levels that are counted have no values of the model",
            got=f"an anchor, and scheme {MODEL}",
            expected="a scheme that names levels, such as verse",
            do="leave the anchor or the scheme out",
        )
    changed = predictor.values.changed
    known = VERSE if scheme == AUTO else find_scheme(scheme)
    return Naming(True, known, changed[labels[name]], None if sacrum is None else changed[sacrum])


def scan_key(image_sha256: str, series: str, predictor: Predictor, naming: Naming, anchor: Anchor | None) -> str:
    """Return the key under which a finished mask is kept: a hash of everything that it depends on.

    Parameters
    ----------
    image_sha256, series : str
        The scan's files, and which series of them.
    predictor : Segmenter or Cascade
        Models and settings.
    naming, anchor : Naming, Anchor or None
        How levels get their names.
    """
    found = versions()
    content: list[Any] = [
        VALUES_REVISION,
        image_sha256,
        series,
        [model.sha256 for model in predictor.models],
        predictor.settings,
        [naming.wanted, naming.scheme.name, {str(key): name for key, name in naming.scheme.labels.items()}],
        str(anchor),
        {name: found.get(name) for name in _PACKAGES},
    ]
    return sha256_json(content)


def given_scan(scan: UnmaskedScan, out: Path, naming: Naming) -> SegmentedScan:
    """Return the record of a mask that somebody corrected or made, which stays as it is.

    Parameters
    ----------
    scan : UnmaskedScan
        Who.
    out : Path
        The mask.
    naming : Naming
        From `plan_naming`; the mask is read with the values of those that are made.

    Raises
    ------
    CaseError
        If the mask cannot be read.
    """
    values = read_mask(out).labels()
    return SegmentedScan(
        patient_id=scan.patient_id,
        scan_id=scan.scan_id,
        status=GIVEN,
        mask=out.name,
        mask_sha256=sha256_file(out),
        levels=naming.levels(values),
        notes=("changed after it was made, or not made here: kept as it is",),
    )


def segment_scan(
    scan: UnmaskedScan,
    out: Path,
    predictor: Predictor,
    naming: Naming,
    anchor: Anchor | None = None,
    store: ResumeStore | None = None,
    *,
    resume: bool = True,
    progress: bool = False,
) -> SegmentedScan:
    """Segment one scan and write its mask; a mask that an earlier run finished is kept.

    Parameters
    ----------
    scan : UnmaskedScan
        Who, and the image.
    out : Path
        The mask.
    predictor : Segmenter or Cascade
        Loaded once, for all scans.
    naming : Naming
        From `plan_naming`.
    anchor : Anchor, optional
        The vertebra that is known in this scan.
    store : ResumeStore, optional
        Where finished masks are recorded.
    resume : bool, default True
        Keep a mask that stands in the store, and has not changed since.
    progress : bool, default False
        Show a bar of the windows.

    Raises
    ------
    CaseError
        If the image cannot be used, nothing is found, or levels cannot be named. A mask of another image or by
        other settings that stood in the same place is removed before, so that it is not taken for this one.
    """
    begin = time.perf_counter()
    hashes = sorted(sha256_file(path) for path in source_files(scan.image, scan.series))
    image_sha256 = hashes[0] if len(hashes) == 1 else sha256_json(hashes)
    key = scan_key(image_sha256, scan.series, predictor, naming, anchor)
    kept = store.get(key) if store and resume else None
    if kept is not None and out.is_file() and sha256_file(out) == kept["mask_sha256"]:
        own = {"patient_id": scan.patient_id, "scan_id": scan.scan_id, "mask": out.name, "seconds": None}
        return SegmentedScan(**{**kept, **own})
    out.unlink(missing_ok=True)
    mask = predictor.predict(read_image(scan.image, scan.series), progress=progress)
    if not mask.array.any():
        raise ImageError(
            NOTHING_FOUND,
            got="only background",
            expected=", ".join(predictor.models[-1].labels),
            do="check that the image is a CT that shows the spine, and the model's order of axes (--orientation)",
        )
    notes = mask.notes
    if naming.wanted:
        named = name_levels(mask, anchor, label=naming.label, sacrum=naming.sacrum, scheme=naming.scheme)
        mask, notes = named.mask, (*notes, *named.notes)
    with atomic_path(out) as part:
        write_mask(mask, part)
        result = SegmentedScan(
            patient_id=scan.patient_id,
            scan_id=scan.scan_id,
            status="ok",
            mask=out.name,
            image_sha256=image_sha256,
            mask_sha256=sha256_file(part),
            anchor=None if anchor is None else str(anchor),
            levels=naming.levels(mask.labels()),
            notes=notes,
            seconds=round(time.perf_counter() - begin, 3),
        )
        # Before the mask is in its place: one that no record knows would be taken for somebody else's.
        if store:
            store.put(key, result.model_dump(mode="json"))
    return result

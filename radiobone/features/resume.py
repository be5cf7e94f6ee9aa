"""What is kept of a scan between runs, and the keys that it is kept under.

A key is a hash of everything that a result depends on, and of nothing else: a changed file, parameter or package
can never bring back an old result, and a longer list of levels or patients computes only what is new.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from radiobone.core.hashing import sha256_file, sha256_json
from radiobone.core.provenance import numeric_versions
from radiobone.core.store import ResumeStore
from radiobone.features.prepare import PreparedScan
from radiobone.features.radiomics.engine import VoiValues
from radiobone.features.request import ExtractionRequest
from radiobone.imaging.reading import mask_files, source_files
from radiobone.tables.cohort import Scan
from radiobone.tables.features import BlockRecord
from radiobone.voi.schemes import AUTO, Scheme, find_scheme

PLAN_REVISION = 3
"""Raised with every change of scheme detection, alignment or quality columns; recipes have their own versions."""

READING_REVISION = 1
"""Raised with every change of the voxels that the same files give: of HU, contours or segments, or their place."""


@dataclass(frozen=True)
class FileHashes:
    """SHA-256 of a scan's files; of all of them together where an image is several files.

    Parameters
    ----------
    image, mask : str
        Of image and mask.
    body_mask : str or None
        Of the body mask, if there is one.
    segments : tuple of str
        Names of the mask's segments that were asked for.
    scheme : str
        The label scheme of this mask alone, if it has one: its name, or SHA-256 of its file.
    """

    image: str
    mask: str
    body_mask: str | None
    segments: tuple[str, ...] = ()
    scheme: str = ""


@dataclass(frozen=True)
class PlannedVoi:
    """What became of one level before any feature.

    Parameters
    ----------
    status, reason : str
        ``ok``, ``failed`` or ``skipped``, and why.
    quality : mapping
        Quality columns; empty unless ``ok``.
    """

    status: str
    reason: str
    quality: Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """What is known of a scan before any feature, as JSON-like values.

    Parameters
    ----------
    voi_key : str
        Hash of everything that the VOIs of this scan depend on, apart from their level.
    pixel_type : str
        The file's pixel type.
    notes : list of str
        How the scheme was chosen, then what was done to the masks.
    vois : mapping of str to PlannedVoi
        By level.
    """

    voi_key: str
    pixel_type: str
    notes: list[str]
    vois: Mapping[str, PlannedVoi]


def hash_files(scan: Scan, store: ResumeStore | None) -> FileHashes:
    """Hash the files of a scan; a file that has not been touched since an earlier run is not read again.

    Parameters
    ----------
    scan : Scan
        The files.
    store : ResumeStore or None
        Where hashes of untouched files are kept.

    Raises
    ------
    ImageError
        If a file is missing.
    """
    return FileHashes(
        _hash_image(scan.image, store, scan.series),
        hash_mask(scan.mask, store, scan.segments),
        hash_mask(scan.body_mask, store) if scan.body_mask else None,
        scan.segments,
        sha256_file(Path(scan.scheme)) if Path(scan.scheme).is_file() else scan.scheme,
    )


def _hash_image(source: Path, store: ResumeStore | None, series: str) -> str:
    hashes = sorted(_hash_file(path, store) for path in source_files(source, series))
    return hashes[0] if len(hashes) == 1 else sha256_json(hashes)


def hash_mask(source: Path, store: ResumeStore | None, segments: tuple[str, ...] = ()) -> str:
    """Hash a mask; see `hash_files`.

    Parameters
    ----------
    source : Path
        A file, or a folder of label files.
    store : ResumeStore or None
        Where hashes of untouched files are kept.
    segments : tuple of str, default ()
        Which of its segments are read.
    """
    hashes = [(path.name, _hash_file(path, store)) for path in mask_files(source, segments)]
    # The names of label files say which level each of them is.
    return hashes[0][1] if len(hashes) == 1 and not source.is_dir() else sha256_json(sorted(hashes))


def _hash_file(path: Path, store: ResumeStore | None) -> str:
    state = path.stat()
    # The time of the last status change cannot be set by a user, so that a replaced file is always seen.
    key = sha256_json([str(path.absolute()), state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns])
    kept = store.get(key) if store else None
    if kept is not None:
        return str(kept)
    found = sha256_file(path)
    if store:
        store.put(key, found)
    return found


def plan_key(hashes: FileHashes, request: ExtractionRequest) -> str:
    """Return the key of a scan's plan.

    Parameters
    ----------
    hashes : FileHashes
        Of the scan's files.
    request : ExtractionRequest
        Which VOIs.
    """
    scheme = AUTO if request.scheme == AUTO else _content(find_scheme(request.scheme))
    return sha256_json(
        {
            "revision": PLAN_REVISION,
            "reading": READING_REVISION,
            "files": asdict(hashes),
            "scheme": scheme,
            "recipe": request.recipe.text(request.options),
            "levels": request.levels,
            "missing": request.missing,
            "align": request.align,
            "versions": numeric_versions(),
        }
    )


def make_plan(hashes: FileHashes, request: ExtractionRequest, prepared: PreparedScan) -> Plan:
    """Note what is known of a prepared scan.

    Parameters
    ----------
    hashes : FileHashes
        Of the scan's files.
    request : ExtractionRequest
        Which VOIs.
    prepared : PreparedScan
        The scan.
    """
    voi_key = sha256_json(
        {
            "reading": READING_REVISION,
            "files": asdict(hashes),
            # All named labels tell the direction of the spine, by which a body is cut.
            "scheme": _content(prepared.scheme),
            "recipe": request.recipe.text(request.options),
            "aligned": prepared.aligned,
            "versions": numeric_versions(),
        }
    )
    vois = {
        level: PlannedVoi(
            outcome.status, outcome.reason, outcome.result.quality.columns() if outcome.result is not None else {}
        )
        for level, outcome in prepared.vois.items()
    }
    return Plan(voi_key, str(prepared.image.array.dtype), prepared.notes, vois)


def _content(scheme: Scheme) -> object:
    return "raw" if scheme.raw else sorted(scheme.labels.items())


def get_plan(store: ResumeStore | None, key: str) -> Plan | None:
    """Return a kept plan, or None.

    Parameters
    ----------
    store : ResumeStore or None
        Where results are kept.
    key : str
        From `plan_key`.
    """
    kept = store.get(key) if store else None
    if kept is None:
        return None
    return Plan(**(kept | {"vois": {level: PlannedVoi(**voi) for level, voi in kept["vois"].items()}}))


def put_plan(store: ResumeStore | None, key: str, plan: Plan) -> None:
    """Keep a plan, unless a VOI of it failed.

    Parameters
    ----------
    store : ResumeStore or None
        Where results are kept.
    key : str
        From `plan_key`.
    plan : Plan
        The plan.
    """
    if store and not any(voi.status == "failed" for voi in plan.vois.values()):
        store.put(key, asdict(plan))


def get_values(store: ResumeStore | None, record: BlockRecord, plan: Plan, level: str) -> VoiValues | None:
    """Return the kept values of one block of one VOI, or None.

    Parameters
    ----------
    store : ResumeStore or None
        Where results are kept.
    record : BlockRecord
        The block.
    plan : Plan
        The scan's plan.
    level : str
        The VOI.
    """
    kept = store.get(_values_key(record, plan, level)) if store else None
    if kept is None:
        return None
    features = dict(zip(record.columns, kept["features"], strict=True))
    return VoiValues(features, kept["n_grey"], tuple(kept["warnings"]))


def put_values(store: ResumeStore | None, record: BlockRecord, plan: Plan, level: str, values: VoiValues) -> None:
    """Keep the values of one block of one VOI.

    Parameters
    ----------
    store : ResumeStore or None
        Where results are kept.
    record : BlockRecord
        The block.
    plan : Plan
        The scan's plan.
    level : str
        The VOI.
    values : VoiValues
        Its values.
    """
    if store:
        features = [values.features[name] for name in record.columns]
        kept = {"features": features, "n_grey": dict(values.n_grey), "warnings": list(values.warnings)}
        store.put(_values_key(record, plan, level), kept)


def _values_key(record: BlockRecord, plan: Plan, level: str) -> str:
    made = [record.name, record.engine, record.values_revision, record.parameters_sha256]
    return sha256_json([plan.voi_key, level, *made, numeric_versions(record.engine)])

"""Attribution of a cohort: maps and pictures of every VOI, and a table of how much of them lies in the VOI."""

from __future__ import annotations

import functools
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from radiobone.core.batch import Outcome, run_cases
from radiobone.core.errors import CaseError, one_line
from radiobone.core.files import atomic_path, check_output, write_json, write_text
from radiobone.core.hashing import sha256_file, sha256_json
from radiobone.core.provenance import machine, now, versions
from radiobone.core.store import ResumeStore
from radiobone.features.deep.attribution import (
    AttributionMap,
    AttributionOptions,
    Share,
    attribute,
    bone,
    check_bone,
    share,
)
from radiobone.features.deep.block import DeepBlock
from radiobone.features.deep.compute import Network
from radiobone.features.deep.patches import make_inputs
from radiobone.features.prepare import prepare_scan, refuse_unsegmented
from radiobone.features.request import ExtractionRequest
from radiobone.features.resume import hash_files, make_plan
from radiobone.imaging import Image
from radiobone.study.attribution_pictures import draw
from radiobone.study.attribution_target import TargetChoice
from radiobone.tables.cohort import Cohort, Scan
from radiobone.tables.keys import LEVEL, PATIENT, REASON, REPEAT, SCAN, STATUS, VOI
from radiobone.tables.vertebrae import level_order
from radiobone.voi import Voi

TABLE = "attribution.csv"
MANIFEST = "attribution.manifest.json"
RESUME = "attribution.resume"

REVISION = 2
"""Raised with every change of maps, numbers, pictures, or of what is kept of them."""

VIEW = "view"
FRACTION, AREA = "fraction", "area"
NUMBERS = (FRACTION, AREA, "ratio")
BONE_NUMBERS = ("bone_fraction", "bone_area", "bone_ratio")

_UNSAFE = re.compile(r"[^\w.+-]+")

Row = dict[str, Any]


@dataclass(frozen=True)
class AttributionRequest:
    """What is to be found out of every scan.

    Parameters
    ----------
    extraction : ExtractionRequest
        Which VOIs; its blocks play no part.
    block : DeepBlock
        The network and what it is shown.
    options : AttributionOptions
        How; its target is that of `target`, level by level.
    target : TargetChoice
        Of what.
    bone_hu : float, optional
        Count the attribution in all bone, too: pixels from so many HU on, of whatever vertebra.

    Raises
    ------
    UsageError
        If method, occluder, layer or HU do not go with the parameter file.
    """

    extraction: ExtractionRequest
    block: DeepBlock
    options: AttributionOptions = field(default_factory=AttributionOptions)
    target: TargetChoice = field(default_factory=TargetChoice)
    bone_hu: float | None = None

    def __post_init__(self) -> None:
        self.options.check(self.block.params)
        if self.bone_hu is not None:
            check_bone(self.block.params, self.bone_hu)

    @property
    def content(self) -> dict[str, Any]:
        """Everything that maps and numbers depend on, besides image and VOI, as a JSON-like value."""
        record = self.block.record
        terms = None if self.target.terms is None else dict(self.target.terms)
        return {
            "revision": REVISION,
            "deep": {"engine": record.engine, "revision": record.values_revision, "parameters": record.parameters},
            "method": self.options.method,
            "occluder": asdict(self.options.occluder),
            "layer": self.options.layer,
            "target": {"name": self.target.name, "terms": terms},
            "bone_hu": self.bone_hu,
        }


@dataclass(frozen=True)
class AttributionSummary:
    """What became of a cohort.

    Parameters
    ----------
    path : Path
        The table.
    rows : list of dict
        Its rows.
    """

    path: Path
    rows: list[Row]

    @property
    def counts(self) -> dict[str, int]:
        """Rows by status."""
        return dict(sorted(Counter(row[STATUS] for row in self.rows).items()))

    @property
    def means(self) -> dict[str, tuple[float, float]]:
        """Means of fraction and area by view, over all VOIs that have them."""
        seen = [row for row in self.rows if row[STATUS] == "ok" and not math.isnan(row[FRACTION])]
        means = {}
        for view in dict.fromkeys(row[VIEW] for row in seen):
            found = [row for row in seen if row[VIEW] == view]
            means[view] = (fmean(row[FRACTION] for row in found), fmean(row[AREA] for row in found))
        return means

    @property
    def failures(self) -> list[tuple[str, str]]:
        """Name and reason of each VOI that failed."""
        failed = [row for row in self.rows if row[STATUS] == "failed"]
        named = [
            (f"{row[PATIENT]}, scan {row[SCAN]}, {row[LEVEL]}".removesuffix(", "), row[REASON]) for row in failed
        ]
        return list(dict.fromkeys(named))


def attribute_cohort(
    scans: Sequence[Scan],
    request: AttributionRequest,
    out: Path,
    *,
    cohort: Cohort | None = None,
    jobs: int = 1,
    resume: bool = True,
    progress: bool = True,
) -> AttributionSummary:
    """Make maps, pictures and the table of all scans.

    Parameters
    ----------
    scans : sequence of Scan
        The scans.
    request : AttributionRequest
        What to find out.
    out : Path
        The folder: ``attribution.csv`` with its manifest, and for each scan a folder with a PNG for each VOI and
        view and an .npz with the arrays of each VOI.
    cohort : Cohort, optional
        The table that the scans come from, for the manifest.
    jobs : int, default 1
        Number of worker processes.
    resume : bool, default True
        Whether to keep what is done, and to use what was kept.
    progress : bool, default True
        Show a progress bar.

    Raises
    ------
    UsageError
        If the folder cannot be written, or a package, the device or the weights are missing.
    """
    table = out / TABLE
    check_output(table, [cohort.path] if cohort else [])
    folders = _folders(scans)
    store = ResumeStore(out / RESUME) if resume else None
    request.block.prepare(jobs)
    outcomes = run_cases(
        list(zip(scans, folders, strict=True)),
        functools.partial(_attribute_scan, request=request, out=out, store=store),
        name=lambda case: case[0].name,
        jobs=jobs,
        description="looking where networks look",
        progress=progress,
    )
    done = zip(scans, outcomes, strict=True)
    rows = [row for scan, outcome in done for row in outcome.result or _failed_scan(scan, request, outcome.reason)]
    rows.sort(key=lambda row: (row[PATIENT], row[SCAN], level_order(row[LEVEL]), row[REPEAT]))
    summary = AttributionSummary(table, rows)
    _write(summary, request, cohort)
    return summary


def _attribute_scan(
    case: tuple[Scan, str], request: AttributionRequest, out: Path, store: ResumeStore | None
) -> list[Row]:
    """Make all maps of one scan; a VOI that fails is told in its rows."""
    scan, folder = case
    refuse_unsegmented(scan)
    hashes = hash_files(scan, store)
    prepared = prepare_scan(scan, request.extraction)
    plan = make_plan(hashes, request.extraction, prepared)
    rows: list[Row] = []
    for level, outcome in prepared.vois.items():
        key = sha256_json([request.content, plan.voi_key, level, scan.name, folder, versions()])
        kept = store.get(key) if store else None
        # Files of one name may since have been made in another way.
        if kept is not None and _files(out, kept["rows"]) == kept["files"]:
            rows += kept["rows"]
            continue
        try:
            found = _attribute_voi(scan, level, outcome, prepared.image, request, out / folder)
        except CaseError as error:
            rows += _without(scan, level, request, "failed", one_line(error))
            continue
        if store and all(row[STATUS] == "ok" for row in found):
            store.put(key, {"rows": found, "files": _files(out, found)})
        rows += found
    return rows


def _files(out: Path, rows: Sequence[Row]) -> dict[str, str]:
    """Hash the maps and pictures that rows name; those that are gone are left out."""
    names = {row[kind] for row in rows for kind in ("map", "picture")}
    return {name: sha256_file(out / name) for name in sorted(names) if (out / name).is_file()}


def _attribute_voi(
    scan: Scan, level: str, outcome: Outcome[Voi], image: Image, request: AttributionRequest, folder: Path
) -> list[Row]:
    if outcome.result is None:
        return _without(scan, level, request, outcome.status, outcome.reason)
    target = request.target.at(level)
    if target is None:
        return _without(scan, level, request, "skipped", f"{request.target.name} has no term of this level")
    options, block = replace(request.options, target=target), request.block
    network = Network(block.params, block.weights, block.kind, block.source)
    inputs = make_inputs(image, outcome.result.mask, block.params)
    maps = list(attribute(network, inputs, options))
    stem = _UNSAFE.sub("_", level)
    arrays = folder / f"{stem}.npz"
    _write_arrays(arrays, maps)
    rows = []
    for view in options.views(block.params):
        seen = [item for item in maps if item.place.view == view]
        found = share(seen)
        picture = folder / f"{stem}_{view}.png"
        draw(picture, f"{scan.name}, {level}", seen, found, block.params, options)
        reason = "nothing in the picture raises the target" if math.isnan(found.fraction) else ""
        numbers = dict(zip(NUMBERS, _numbers(found), strict=True))
        if request.bone_hu is not None:
            regions = [bone(item, block.params, request.bone_hu) for item in seen]
            numbers |= dict(zip(BONE_NUMBERS, _numbers(share(seen, regions)), strict=True))
        files = {"map": f"{folder.name}/{arrays.name}", "picture": f"{folder.name}/{picture.name}"}
        rows.append(_keys(scan, level, view, request, "ok", reason) | numbers | files)
    return rows


def _numbers(found: Share) -> tuple[float, float, float]:
    return found.fraction, found.area, found.ratio


def _keys(scan: Scan, level: str, view: str, request: AttributionRequest, status: str, reason: str) -> Row:
    return {
        PATIENT: scan.patient_id,
        SCAN: scan.scan_id,
        VOI: request.extraction.recipe.name,
        LEVEL: level,
        REPEAT: scan.repeat,
        VIEW: view,
        STATUS: status,
        REASON: reason,
        "network": request.block.params.name,
        "method": request.options.method,
        "target": request.target.name,
    }


def _without(scan: Scan, level: str, request: AttributionRequest, status: str, reason: str) -> list[Row]:
    """Return the rows of a VOI of which there is no map."""
    names = (*NUMBERS, *(BONE_NUMBERS if request.bone_hu is not None else ()))
    nothing = dict.fromkeys(names, math.nan) | {"map": "", "picture": ""}
    views = request.block.params.views
    return [_keys(scan, level, view, request, status, reason) | nothing for view in views]


def _failed_scan(scan: Scan, request: AttributionRequest, reason: str) -> list[Row]:
    levels = request.extraction.levels or ("",)
    return [row for level in levels for row in _without(scan, level, request, "failed", reason)]


def _write_arrays(path: Path, maps: Sequence[AttributionMap]) -> None:
    """Keep the maps of a VOI with what the network saw, so that others can draw them anew."""
    arrays: dict[str, Any] = {}
    for view in dict.fromkeys(item.place.view for item in maps):
        seen = [item for item in maps if item.place.view == view]
        arrays[f"{view}_heat"] = np.stack([item.heat for item in seen]).astype(np.float32)
        arrays[f"{view}_grey"] = np.stack([item.grey for item in seen])
        arrays[f"{view}_voi"] = np.stack([item.inside for item in seen])
        arrays[f"{view}_slices"] = np.array([item.place.slices for item in seen])
        arrays[f"{view}_pixel_mm"] = np.array(seen[0].place.pixel_mm)
    with atomic_path(path) as part, part.open("wb") as stream:
        np.savez_compressed(stream, **arrays)


def _folders(scans: Sequence[Scan]) -> list[str]:
    """Name a folder for each scan, with a hash of its key where a plain name would be ambiguous."""
    keys = [(scan.patient_id, scan.scan_id, scan.repeat) for scan in scans]
    plain = ["_".join(_UNSAFE.sub("-", part) for part in key if part).strip(".") or "scan" for key in keys]
    count = Counter(name.casefold() for name in plain)
    return [
        f"{name}_{sha256_json(list(key))[:8]}" if count[name.casefold()] > 1 else name
        for name, key in zip(plain, keys, strict=True)
    ]


def _write(summary: AttributionSummary, request: AttributionRequest, cohort: Cohort | None) -> None:
    import pandas as pd

    table = pd.DataFrame(summary.rows)
    if not table[REPEAT].any():
        table = table.drop(columns=REPEAT)
    write_text(summary.path, table.to_csv(index=False, lineterminator="\n"))
    write_json(
        summary.path.with_name(MANIFEST),
        {
            "created": now(),
            "versions": versions(),
            "machine": machine(),
            "cohort_sha256": cohort.sha256 if cohort else None,
            "voi": request.extraction.recipe.text(request.extraction.options),
            **request.content,
            "weights": request.block.record.weights,
            "counts": summary.counts,
        },
    )

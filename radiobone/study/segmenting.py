"""Masks for the scans of a study that have none, before anything is extracted."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radiobone.core.errors import UsageError
from radiobone.core.files import write_text
from radiobone.core.hashing import sha256_file, sha256_json
from radiobone.segmentation.batch import ANCHOR, SCHEME_FILE, SHIPPED, segment_cohort
from radiobone.segmentation.earlier import MANIFEST, MASKS, keep_foreign, mask_names, read_manifest
from radiobone.segmentation.labels import SACRUM, instance_label
from radiobone.segmentation.options import make_predictor
from radiobone.segmentation.records import GIVEN, SegmentationManifest
from radiobone.segmentation.scan import Naming, plan_naming
from radiobone.study.journal import Journal, Say, files_of, state_of
from radiobone.study.recipe import Recipe
from radiobone.study.recipe.segment import SegmentChoice
from radiobone.tables.cohort import (
    IMAGE,
    MASK,
    SCHEME,
    SEGMENTATION_REASON,
    SEGMENTATION_STATUS,
    SEGMENTS,
    SERIES,
    Cohort,
)
from radiobone.tables.keys import PATIENT, SCAN
from radiobone.tables.level_names import find_level
from radiobone.tables.vertebrae import level_parts

if TYPE_CHECKING:
    import pandas as pd

STEP = "segment"
SEGMENTED = "segmented.csv"
"""The cohort table with all masks, for other verbs."""

_KEEP = "name them in the column mask of the cohort, which keeps them"


@dataclass(frozen=True)
class Masks:
    """Where the masks of a study come from.

    Parameters
    ----------
    cohort : Cohort
        The cohort table with a mask in every row, or the reason why there is none.
    record : dict
        Models, settings, scheme, naming of levels and counts, for ``results.json``; times play no part.
    """

    cohort: Cohort
    record: dict[str, Any]


def segment_missing(
    recipe: Recipe, cohort: Cohort, out: Path, *, progress: bool = True, say: Say = lambda text: None
) -> Masks:
    """Make masks for scans that have none; masks that are given are kept.

    Parameters
    ----------
    recipe : Recipe
        With the key ``segment``.
    cohort : Cohort
        With images; the column ``mask`` may be absent, or empty in some rows.
    out : Path
        The study's folder: masks in ``masks/``, ``segmentation.manifest.json``, and the cohort table with all
        masks (``segmented.csv``).
    progress : bool, default True
        Show a progress bar.
    say : callable, optional
        Called with one line of text about the step.

    Returns
    -------
    Masks
        The cohort with all masks; a scan whose segmentation failed has the reason instead.

    Raises
    ------
    UsageError
        If the extra or the model is missing, the model cannot give the levels of the recipe, or the folder holds
        masks that the study did not make, or that were changed since.
    """
    assert recipe.segment is not None
    table = cohort.table.copy()
    if MASK not in table:
        table.insert(list(table.columns).index(IMAGE) + 1, MASK, "")
    missing = table[MASK].str.strip() == ""
    cohort = Cohort(cohort.path, table, cohort.sha256)
    if not missing.any():
        say(f"{STEP}: every scan has a mask")
        return Masks(_completed(cohort, missing, None, out), {"counts": {GIVEN: len(table)}})
    unmasked = Cohort(cohort.path, table[missing], cohort.sha256)
    keep_foreign(out, mask_names(unmasked.unmasked_scans()).values(), _KEEP)
    manifest = _make(recipe, unmasked, out, progress, say)
    completed = _completed(cohort, missing, manifest, out)
    text = completed.moved(out).to_csv(index=False, lineterminator="\n")
    path = out / SEGMENTED
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)
    return Masks(completed, _record(manifest, int((~missing).sum())))


def _make(recipe: Recipe, cohort: Cohort, out: Path, progress: bool, say: Say) -> SegmentationManifest:
    """Segment all scans, unless that is done; those that failed are tried again."""
    choice = recipe.segment
    assert choice is not None
    inputs = _inputs(choice, cohort)
    n_scans = len(cohort.unmasked_scans())
    journal = Journal(out)
    if journal.done(STEP, inputs):
        say(f"{STEP}: done before, {n_scans} masks in {MASKS}/")
        return read_manifest(out)
    predictor = make_predictor(choice.options)
    anchored = choice.anchor is not None or (ANCHOR in cohort.table and bool((cohort.table[ANCHOR] != "").any()))
    _refuse_other_levels(recipe, choice, plan_naming(predictor, choice.scheme, anchored))
    say(f"{STEP}: {n_scans} scans by the model {Path(choice.model).name}")
    journal.begin()
    done = segment_cohort(
        cohort, predictor, out, scheme=choice.scheme, anchor=choice.known, table=False, progress=progress
    )
    told = ", ".join(f"{count} {status}" for status, count in done.counts.items())
    say(f"{STEP}: {told}" + (f" ({done.kept} kept from an earlier run)" if done.kept else ""))
    if done.noted:
        say(f"{STEP}: what was assumed or left out in {done.noted} of {n_scans} scans stands in {MANIFEST}")
    manifest = read_manifest(out)
    if not done.failures:
        named = [] if manifest.scheme in SHIPPED else [out / SCHEME_FILE]
        masks = [out / scan.mask for scan in manifest.scans if scan.mask is not None]
        journal.note(STEP, inputs, [*masks, *named, out / MANIFEST])
    return manifest


def _inputs(choice: SegmentChoice, cohort: Cohort) -> dict[str, str]:
    """Tell what masks are made from: settings, every file of the models, which scans, the state of their files.

    SHA-256 of the images themselves stand in the manifest of the masks, which is one of the step's outputs.
    """
    models = [("model", Path(choice.model))] + ([("coarse", Path(choice.coarse))] if choice.coarse else [])
    files = {
        f"{role} {path.relative_to(folder).as_posix()}": sha256_file(path)
        for path in choice.options.files
        for role, folder in models
        if path.is_relative_to(folder)
    }
    scheme = Path(choice.scheme)
    if scheme.is_file():
        files[f"scheme {scheme.name}"] = sha256_file(scheme)
    columns = [name for name in (PATIENT, SCAN, IMAGE, SERIES, ANCHOR) if name in cohort.table]
    images = [file for scan in cohort.unmasked_scans() for file in files_of(scan.image)]
    return {
        "recipe": sha256_json(choice.content()),
        **files,
        "scans": sha256_json([columns, *cohort.table[columns].to_numpy().tolist()]),
        "images": state_of(images, cohort.path.parent),
    }


def _refuse_other_levels(recipe: Recipe, choice: SegmentChoice, naming: Naming) -> None:
    """Refuse a model whose masks could not hold any level that is asked for."""
    wanted = [
        level for voi in recipe.vois.values() for merged in voi.level_names or () for level in level_parts(merged)
    ]
    if wanted and all(naming.scheme.value(level) is None for level in wanted):
        raise UsageError(
            "the model's masks hold none of the levels of the recipe",
            where=choice.model,
            got=", ".join(naming.scheme.labels.values()),
            expected=", ".join(dict.fromkeys(wanted)),
            do="give segment.anchor (lowest=L5, say) or a column anchor, where the model has one label for all "
            "vertebrae; else another model, or other levels",
        )


def _completed(
    cohort: Cohort, missing: pd.Series[bool], manifest: SegmentationManifest | None, out: Path
) -> Cohort:
    """Return the cohort with all masks: path, scheme, status and reason of those made."""
    table = cohort.table.copy()
    for column in (SCHEME, SEGMENTATION_STATUS, SEGMENTATION_REASON):
        if column not in table:
            table[column] = ""
    given = ~missing & (table[SEGMENTATION_STATUS].str.strip() == "")
    table.loc[given, SEGMENTATION_STATUS] = GIVEN
    if manifest is None:
        return Cohort(cohort.path, table, cohort.sha256)
    base = cohort.path.resolve().parent

    def place(name: str) -> str:
        return os.path.relpath(out.resolve() / name, base)

    made = {(scan.patient_id, scan.scan_id): scan for scan in manifest.scans}
    rows = [made[key] for key in zip(table.loc[missing, PATIENT], table.loc[missing, SCAN], strict=True)]
    table.loc[missing, MASK] = [place(scan.mask or "") for scan in rows]
    table.loc[missing, SCHEME] = manifest.scheme if manifest.scheme in SHIPPED else place(SCHEME_FILE)
    table.loc[missing, SEGMENTATION_STATUS] = [scan.status for scan in rows]
    table.loc[missing, SEGMENTATION_REASON] = [scan.reason for scan in rows]
    if SEGMENTS in table:
        table.loc[missing, SEGMENTS] = ""
    return Cohort(cohort.path, table, cohort.sha256)


def _record(manifest: SegmentationManifest, n_given: int) -> dict[str, Any]:
    """Tell which models made the masks and how levels got their names, without times."""
    return {
        "models": [model.model_dump(mode="json") for model in manifest.models],
        "settings": manifest.settings,
        "scheme": manifest.scheme,
        "levels": _naming(manifest),
        "counts": {GIVEN: n_given, **manifest.counts},
        "manifest": MANIFEST,
    }


def _naming(manifest: SegmentationManifest) -> str:
    labels = manifest.models[-1].labels
    if instance_label(labels) is None:
        return "named by the model's own labels"
    anchors = sorted({scan.anchor for scan in manifest.scans if scan.anchor is not None})
    if anchors:
        return f"counted along the spine from a vertebra that is known: {', '.join(anchors)}"
    if any(find_level(name) == SACRUM for name in labels):
        return "counted along the spine, the vertebra above the sacrum taken for L5"
    return "not named: one label for all vertebrae, and none is known"

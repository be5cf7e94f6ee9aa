"""Agreement of two masks of every scan of a cohort: one row for each level of each scan."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from radiobone.core.batch import Outcome, run_cases
from radiobone.core.errors import CaseError, ConfigError, ImageError, UsageError, VoiError
from radiobone.core.hashing import sha256_file
from radiobone.imaging import Image, Mask
from radiobone.imaging.alignment import align_mask, check_same_grid
from radiobone.imaging.masks.forms import is_stored_apart
from radiobone.imaging.masks.placing import place_on
from radiobone.imaging.reading import mask_files, read_image, read_mask
from radiobone.study.agreement_pairs import MaskFile, MaskPair, PairRecord
from radiobone.tables.keys import LEVEL, PATIENT, REASON, REPEAT, SCAN, STATUS
from radiobone.tables.vertebrae import level_parts
from radiobone.voi.agreement import LevelAgreement, compare_masks
from radiobone.voi.schemes import AUTO, RAW, TOTALSEGMENTATOR, VERSE, Scheme, choose_scheme, find_scheme

if TYPE_CHECKING:
    import pandas as pd

PRESENT = "present"
EMPTY = "empty: it misses all levels of the other one, with a Dice of 0"
METRICS = ("dice", "hd95_mm", "assd_mm", "volume_difference_ml", "volume_difference_percent")
COLUMNS = (PRESENT, *METRICS[:3], "volume_a_ml", "volume_b_ml", *METRICS[3:])


@dataclass(frozen=True)
class AgreementRequest:
    """How masks are compared.

    Parameters
    ----------
    levels : tuple of str, optional
        The levels wanted; by default all that either mask holds.
    scheme_a, scheme_b : str
        Label scheme of the first and of the second masks.
    align : bool, default False
        Resample the second mask onto the grid of the first where they differ.

    Raises
    ------
    UsageError
        If there is no such scheme, or neither of the two knows a level.
    """

    levels: tuple[str, ...] | None = None
    scheme_a: str = AUTO
    scheme_b: str = AUTO
    align: bool = False

    def __post_init__(self) -> None:
        named = [find_scheme(name) for name in (self.scheme_a, self.scheme_b) if name != AUTO]
        # A mask's own names may be any: only where both schemes are given is a level known to be none.
        if len(named) < 2:
            return
        for level in (part for merged in self.levels or () for part in level_parts(merged)):
            if all(scheme.value(level) is None for scheme in named):
                raise UsageError("neither label scheme has this level", got=level)


@dataclass(frozen=True, eq=False)
class Agreement:
    """The agreement of many pairs.

    Parameters
    ----------
    table : DataFrame
        Keys, ``status``, ``reason``, then `COLUMNS`; one row for each level of each pair, and one row without a
        level for a pair that could not be compared. A level that one mask lacks is ``ok``, with a Dice of 0, and
        the reason says which mask; so are all levels where one mask is empty.
    records : list of PairRecord
        Each pair.
    """

    table: pd.DataFrame
    records: list[PairRecord]

    @property
    def counts(self) -> dict[str, int]:
        """Pairs by status."""
        return dict(sorted(Counter(record.status for record in self.records).items()))


def compare_pairs(
    pairs: Sequence[MaskPair], request: AgreementRequest, *, jobs: int = 1, progress: bool = True
) -> Agreement:
    """Compare the two masks of every pair; one bad pair never stops the others.

    Parameters
    ----------
    pairs : sequence of MaskPair
        The masks.
    request : AgreementRequest
        How they are compared.
    jobs : int, default 1
        Number of worker processes.
    progress : bool, default True
        Show a progress bar, if standard error is a terminal.

    Returns
    -------
    Agreement
        In the order of ``pairs``.
    """
    import pandas as pd

    work = functools.partial(compare_pair, request=request)
    outcomes = run_cases(
        pairs, work, name=lambda pair: pair.name, jobs=jobs, description="comparing masks", progress=progress
    )
    results = [_result(pair, outcome) for pair, outcome in zip(pairs, outcomes, strict=True)]
    keys = (PATIENT, SCAN, *([REPEAT] if any(pair.repeat for pair in pairs) else []), LEVEL)
    rows = [_row(record, item) for record, levels in results for item in (levels or (None,))]
    table = pd.DataFrame(rows, columns=[*keys, STATUS, REASON, *COLUMNS])
    return Agreement(table, [record for record, _ in results])


def compare_pair(pair: MaskPair, request: AgreementRequest) -> tuple[PairRecord, list[LevelAgreement]]:
    """Read and compare two masks.

    Parameters
    ----------
    pair : MaskPair
        The files; both are there.
    request : AgreementRequest
        How they are compared.

    Returns
    -------
    tuple of PairRecord and list of LevelAgreement
        What was read, and one entry for each level.

    Raises
    ------
    CaseError
        If a mask cannot be read, both are empty or do not lie on one grid, or a scheme cannot be told.
    """
    sides = (pair.mask_a, pair.mask_b)
    missing = [name for name, side in zip(("first", "second"), sides, strict=True) if side.path is None]
    if pair.mask_a.path is None or pair.mask_b.path is None:
        return _record(pair, "skipped", reason=f"no {' and no '.join(missing)} mask in the cohort table"), []
    files = [_files(side) for side in sides]
    # Only what is drawn on a DICOM series needs that series: reading every image would take longer than all else.
    apart = [bool(found) and is_stored_apart(found) for found in files]
    image = read_image(pair.image, pair.series) if any(apart) and pair.image is not None else None
    mask_a, mask_b = _read(pair.mask_a, image), _read(pair.mask_b, image)
    placed: tuple[str, ...] = ()
    if mask_a is None or mask_b is None:
        mask_a, mask_b = _beside_empty(mask_a, mask_b)
    else:
        # Without the image, a mask that keeps only a box of it may lie on the grid of the other one.
        if apart[0] and not apart[1]:
            mask_a = place_on(mask_b.geometry, mask_a, boxed=True)
        mask_b = place_on(mask_a.geometry, mask_b, boxed=apart[1])
        mask_b, placed = _on_one_grid(mask_a, mask_b, pair, request.align)
    (scheme_a, told_a), (scheme_b, told_b) = _schemes(mask_a, mask_b, pair, request)
    try:
        levels = compare_masks(mask_a, mask_b, scheme_a, scheme_b, request.levels)
    except UsageError as error:
        # A detected scheme belongs to this pair alone; others may know the level.
        raise VoiError(error.what, got=error.got) from None
    notes = (f"first mask: {told_a}", f"second mask: {told_b}", *placed, *mask_a.notes, *mask_b.notes)
    hashes = [tuple(sha256_file(path) for path in found) for found in files]
    return _record(pair, "ok", notes=notes, hashes=hashes), levels


def _on_one_grid(mask_a: Mask, mask_b: Mask, pair: MaskPair, align: bool) -> tuple[Mask, tuple[str, ...]]:
    where = f"{pair.name}, {pair.mask_b.path}"
    if not align:
        check_same_grid(mask_a, mask_b, where)
        return mask_b, ()
    aligned, note = align_mask(mask_b, mask_a, where)
    return aligned, (f"second {note}",) if note else ()


def _read(side: MaskFile, image: Image | None) -> Mask | None:
    """Read a mask; None where it is empty, or its model found nothing."""
    if side.is_empty:
        return None
    assert side.path is not None
    mask = read_mask(side.path, image, side.segments, may_be_empty=True)
    return mask if mask.array.any() else None


def _beside_empty(mask_a: Mask | None, mask_b: Mask | None) -> tuple[Mask, Mask]:
    """Return both masks on the grid of that which holds labels; where neither does, nothing can be compared."""
    held = mask_a or mask_b
    if held is None:
        raise VoiError("both masks are empty: their agreement is not defined")
    empty = Mask(np.zeros((1, 1, 1), dtype=np.uint8), held.geometry)
    return mask_a or empty, mask_b or empty


def _files(side: MaskFile) -> list[Path]:
    if side.is_empty:
        return []
    if side.unsegmented:
        raise ImageError(f"segmentation failed: {side.unsegmented}")
    assert side.path is not None
    return mask_files(side.path, side.segments)


def _schemes(
    mask_a: Mask, mask_b: Mask, pair: MaskPair, request: AgreementRequest
) -> tuple[tuple[Scheme, str], tuple[Scheme, str]]:
    """Choose the schemes of both masks; an empty one is read by the other's."""
    if not mask_b.array.any():
        found = _scheme(mask_a, pair.mask_a, request.scheme_a)
        return found, (found[0], EMPTY)
    found = _scheme(mask_b, pair.mask_b, request.scheme_b)
    return _scheme(mask_a, pair.mask_a, request.scheme_a) if mask_a.array.any() else (found[0], EMPTY), found


def _scheme(mask: Mask, side: MaskFile, asked: str) -> tuple[Scheme, str]:
    """Choose the scheme of a mask: that of its row before the one asked for."""
    try:
        return choose_scheme(side.scheme or asked, mask)
    except ConfigError as error:
        # That of the request was found before; the row's own is one mask's affair.
        where = f"{side.path}, scheme {side.scheme}"
        raise VoiError(error.what, where=where, got=error.got, expected=error.expected) from None
    except CaseError as error:
        known = ", ".join(scheme.name for scheme in (TOTALSEGMENTATOR, VERSE, RAW))
        raise VoiError(
            error.what,
            where=str(side.path),
            got=error.got,
            expected=error.expected,
            do=f"name its scheme by --scheme or --scheme-b: {known}, or a YAML file of your own",
        ) from None


def _record(
    pair: MaskPair,
    status: str,
    *,
    reason: str = "",
    notes: tuple[str, ...] = (),
    hashes: Sequence[tuple[str, ...]] = ((), ()),
) -> PairRecord:
    return PairRecord(
        patient_id=pair.patient_id,
        scan_id=pair.scan_id,
        repeat=pair.repeat,
        status=status,
        reason=reason,
        mask_a_sha256=hashes[0],
        mask_b_sha256=hashes[1],
        notes=notes,
    )


def _result(
    pair: MaskPair, outcome: Outcome[tuple[PairRecord, list[LevelAgreement]]]
) -> tuple[PairRecord, list[LevelAgreement]]:
    return outcome.result or (_record(pair, outcome.status, reason=outcome.reason), [])


def _row(record: PairRecord, item: LevelAgreement | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        PATIENT: record.patient_id,
        SCAN: record.scan_id,
        REPEAT: record.repeat,
        LEVEL: item.level if item else "",
        STATUS: record.status,
        REASON: record.reason,
    }
    if item is None:
        return row | {PRESENT: ""} | dict.fromkeys(COLUMNS[1:], math.nan)
    if item.present == "none":
        row |= {STATUS: "skipped", REASON: "in neither mask"}
    elif item.present != "both":
        row[REASON] = f"not in the {'second' if item.present == 'a' else 'first'} mask"
    return row | {name: getattr(item, name) for name in COLUMNS}

"""How far the native engine is from PyRadiomics on whole, uncropped files: the table for each family and data set.

Run by hand; the folder is that of the shared test data (see tests/conftest.py):

    python tests/benchmarks/parity.py /path/to/shared/data --presets original wavelet ct_trabecular full

Two kinds of differences above 1e-6 are allowed, and shown: those of features in which terms cancel (measured again
against the sum of absolute terms), and those of an image in which a voxel lies on the edge of a bin within the
noise of its pixel type; such voxels are listed with index and values. Anything else is named as a difference.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "features" / "radiomics"))

from radiomics_generated import generated
from radiomics_real_cases import CASES
from radiomics_scans import whole_volume

from radiobone.core.config import read_yaml, validate
from radiobone.core.errors import CaseError
from radiobone.core.resources import find
from radiobone.features.radiomics import pyradiomics
from radiobone.features.radiomics.agreement import TOLERANCE, Difference, differences
from radiobone.features.radiomics.columns import columns
from radiobone.features.radiomics.native.engine import NativeEngine
from radiobone.features.radiomics.native.images import images
from radiobone.features.radiomics.native.levels import VoiGrid
from radiobone.features.radiomics.params import RadiomicsParams
from radiobone.features.radiomics.roi import region_of_interest
from radiobone.features.radiomics.whole import WholeScan
from radiobone.imaging import Image, Mask


@dataclass
class Row:
    """One line of the table."""

    n: int = 0
    n_equal: int = 0
    largest: float = 0.0
    column: str = ""
    n_cancelling: int = 0
    largest_absolute: float = 0.0
    n_edge: int = 0
    n_beyond: int = 0


@dataclass
class Table:
    """All lines, and what is to be said of single values."""

    rows: dict[tuple[str, str], Row] = field(default_factory=lambda: defaultdict(Row))
    remarks: list[str] = field(default_factory=list)

    def add(self, data_set: str, case: str, image: Image, mask: Mask, content: dict[str, Any]) -> None:
        """Compare one VOI under one parameter file."""
        params = validate(RadiomicsParams, content, case)
        right: dict[str, float] = {}
        reason = ""
        try:
            right = whole_volume(image, mask, content)
        except Exception as error:  # PyRadiomics refuses by errors of any kind
            reason = f"{type(error).__name__}: {error}"
        ours = NativeEngine().extract(image, {"voi": mask}, params)["voi"]
        if isinstance(ours, CaseError) or not right:
            both = isinstance(ours, CaseError) and len(right) < len(columns(params))
            said = str(ours) if isinstance(ours, CaseError) else f"computed by native alone ({reason})"
            self.remarks.append(f"{case}: {'refused by both' if both else 'REFUSED BY ONE'}: {said[:150]}")
            return
        if list(ours.features) != list(right):
            self.remarks.append(f"{case}: COLUMNS DIFFER ({len(ours.features)} and {len(right)})")
            return
        found = {item.column: item for item in differences(case, right, ours.features, right) if not item.same}
        far = {item.column.partition("_")[0] for item in found.values() if item.share > TOLERANCE}
        on_edge = {name: self.voxels_on_edges(case, name, image, mask, params) for name in far}
        for name in right:
            row = self.rows[data_set, name.split("_")[-2]]
            row.n += 1
            if name not in found:
                row.n_equal += 1
                continue
            self._count(row, found[name], on_edge)

    def _count(self, row: Row, item: Difference, on_edge: dict[str, int]) -> None:
        told = f"{item.column}: {item.ours!r} instead of {item.reference!r} ({item.share:.1e})"
        if item.share <= TOLERANCE and item.cancels:
            relative = item.relative if item.share else 0.0  # the rounding of a zero
            row.n_cancelling += relative > TOLERANCE
            row.largest_absolute = max(row.largest_absolute, item.share)
            if relative > TOLERANCE:
                self.remarks.append(f"{item.case}: terms cancel: {told}, relative {relative:.1e}")
        elif item.share <= TOLERANCE:
            if item.share > row.largest:
                row.largest, row.column = item.share, item.column
        elif on_edge[item.column.partition("_")[0]]:
            row.n_edge += 1
        else:
            row.n_beyond += 1
            self.remarks.append(f"{item.case}: DIFFERENT: {told}")

    def voxels_on_edges(self, case: str, name: str, image: Image, mask: Mask, params: RadiomicsParams) -> int:
        """List the voxels of an image whose grey level differs between the engines; return their number."""
        region = region_of_interest(WholeScan(image), mask, params).region
        for image_type in params.image_types:
            settings = params.settings_of(image_type)
            theirs = {key: array for array, key in pyradiomics._images(region, image_type, settings)}
            ours = dict(images(region, image_type, settings))
            if name not in ours:
                continue
            grid = VoiGrid.of(region.mask, 1)
            values = [grid.gather(array) for array in (ours[name], theirs[name])]
            levels = [
                grid.discretise(
                    found, bin_width=settings.binWidth, bin_count=settings.binCount, dtype=ours[name].dtype
                )
                for found in values
            ]
            grey = [found.values[found.padded.reshape(-1)[found.inside] - 1] for found in levels]
            moved = np.flatnonzero(grey[0] != grey[1])
            for at in moved:
                index = np.unravel_index(grid.inside_box[at], grid.shape)
                self.remarks.append(
                    f"{case}: on the edge of a bin: {name} voxel {tuple(map(int, index))} (z, y, x) of the box: "
                    f"{values[0][at]!r} and {values[1][at]!r}, levels {grey[0][at]} and {grey[1][at]}"
                )
            return int(moved.size)
        return 0

    def show(self) -> None:
        """Print the table and the remarks."""
        head = (
            "data set",
            "family",
            "values",
            "same bits",
            "largest rel.",
            "(a) cancel",
            "largest abs.",
            "(b) edge",
            "beyond",
        )
        print(("{:<16}{:<12}" + "{:>13}" * 7).format(*head))
        for (data_set, family), row in sorted(self.rows.items()):
            print(
                f"{data_set:<16}{family:<12}{row.n:>13,}{row.n_equal:>13,}{row.largest:>13.1e}{row.n_cancelling:>13}"
                f"{row.largest_absolute:>13.1e}{row.n_edge:>13}{row.n_beyond:>13}  {row.column}"
            )
        rows = self.rows.values()
        n = sum(row.n for row in rows)
        edge, cancel, beyond = (
            sum(getattr(row, key) for row in rows) for key in ("n_edge", "n_cancelling", "n_beyond")
        )
        print(
            f"{n:,} values; (a) {cancel} of cancelling terms, (b) {edge} ({edge / max(n, 1):.4%}) of bin edges; "
            f"{beyond} beyond"
        )
        for remark in self.remarks:
            print(remark)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared_data", type=Path)
    parser.add_argument("--presets", nargs="+", default=["original", "wavelet", "ct_trabecular", "full"])
    parser.add_argument("--cases", default="", help="only those whose name contains this")
    parser.add_argument("--generated", type=int, default=400, help="number of generated scans")
    chosen = parser.parse_args()
    table = Table()
    for case in CASES:
        if chosen.cases in case.name:
            image, mask = case.load(chosen.shared_data)
            for preset in chosen.presets:
                table.add(case.data_set, f"{case.name}, {preset}", image, mask, read_yaml(find("params", preset)))
                print(f"{case.name}, {preset}", file=sys.stderr)
    for seed in range(chosen.generated):
        made = generated(seed)
        table.add("generated", f"generated {seed}", made.image, made.mask, made.content)
    table.show()


if __name__ == "__main__":
    main()

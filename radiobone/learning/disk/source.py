"""How the columns of a table came about: what a model and a new table must have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from radiobone.core.config import FileModel
from radiobone.tables.features import FeatureManifest
from radiobone.tables.wide import Aggregation


class BlockSource(FileModel):
    """How one block of features was computed.

    Parameters
    ----------
    name : str
        ``radiomics`` or ``density``, or ``deep-...`` with network and views.
    engine : str
        Which engine computed it; another one gives the same values.
    values_revision : int
        The engine's own revision of its numbers.
    parameters_sha256 : str
        SHA-256 of the effective parameters.
    """

    name: str
    engine: str
    values_revision: int
    parameters_sha256: str


class ColumnSource(FileModel):
    """How one column of the cohort table became columns of X.

    Parameters
    ----------
    group : str
        ``clinical`` or ``acquisition``.
    column : str
        Its name in the cohort table.
    kind : {"number", "category"}
        What it holds.
    categories : list of str
        The reference first; each other one has a column with 0 and 1.
    """

    group: str
    column: str
    kind: Literal["number", "category"]
    categories: list[str] = Field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The columns of X, such as ``clinical__age`` and ``clinical__sex=m``."""
        if self.kind == "number":
            return [f"{self.group}__{self.column}"]
        return [f"{self.group}__{self.column}={category}" for category in self.categories[1:]]


class FeatureSource(FileModel):
    """How the columns of X came about: a model speaks only of columns that were made in the same way.

    Parameters
    ----------
    voi_recipe : str
        Name and version, such as ``trabecular@1``.
    voi_options : mapping
        The recipe's options, complete.
    levels : list of str or None
        The levels whose rows count; None is every level of the mask.
    aggregation : {"mean", "min", "concat"}
        What became of the levels of a patient.
    blocks : list of BlockSource
        The blocks that the columns were taken from.
    first_level : bool, default False
        Whether only the first of the levels that a mask holds was extracted (``missing_levels: first``).
    columns : list of ColumnSource
        The columns of the cohort table that are columns of X.
    patient : str or None, default "patient_id"
        The column that names patients in that table; None where each of its rows is one.
    external : str or None
        The column that names patients in a feature table that radiobone did not extract.
    more : dict of str to FeatureSource
        How the features of further VOIs were made, by the name that stands before their columns.
    unit : {"patient", "level"}
        What a row of X stands for: a patient, or each of the patient's levels.
    """

    voi_recipe: str
    voi_options: dict[str, Any]
    levels: list[str] | None
    aggregation: Aggregation
    blocks: list[BlockSource]
    first_level: bool = False
    columns: list[ColumnSource] = Field(default_factory=list)
    patient: str | None = "patient_id"
    external: str | None = None
    more: dict[str, FeatureSource] = Field(default_factory=dict)
    unit: Literal["patient", "level"] = "patient"

    @staticmethod
    def of(
        manifest: FeatureManifest,
        *,
        aggregation: Aggregation,
        blocks: Sequence[str] | None = None,
        levels: Sequence[str] | None = None,
    ) -> FeatureSource:
        """Take what matters from a feature table's manifest.

        Parameters
        ----------
        manifest : FeatureManifest
            Of the long table.
        aggregation : {"mean", "min", "concat"}
            How it was made wide.
        blocks : sequence of str, optional
            The blocks that were used; by default all.
        levels : sequence of str, optional
            The levels whose rows were used; by default those that were extracted.

        Returns
        -------
        FeatureSource
            What a model's manifest holds.
        """
        return FeatureSource(
            voi_recipe=manifest.voi.recipe,
            voi_options=manifest.voi.options,
            levels=manifest.voi.levels if levels is None else list(levels),
            aggregation=aggregation,
            blocks=[
                BlockSource(
                    name=block.name,
                    engine=block.engine,
                    values_revision=block.values_revision,
                    parameters_sha256=block.parameters_sha256,
                )
                for block in manifest.blocks
                if blocks is None or block.name in blocks
            ],
            first_level=manifest.voi.missing_levels == "first",
        )

    @staticmethod
    def unknown(*, aggregation: Aggregation, levels: Sequence[str] | None = None) -> FeatureSource:
        """Say what is known of a table without a manifest: how it was used.

        Parameters
        ----------
        aggregation : {"mean", "min", "concat"}
            How it was made wide.
        levels : sequence of str, optional
            The levels whose rows were used; by default all.

        Returns
        -------
        FeatureSource
            Without a VOI recipe.
        """
        chosen = None if levels is None else list(levels)
        return FeatureSource(voi_recipe="", voi_options={}, levels=chosen, aggregation=aggregation, blocks=[])

    def holds_levels_of(self, model: FeatureSource) -> bool:
        """Say whether a table made in this way has the rows that a model needs.

        Parameters
        ----------
        model : FeatureSource
            Of the model.

        Returns
        -------
        bool
            True for the same levels or more, since rows of others are left out; but "all" and "the first" of
            some levels speak of those levels only.
        """
        if model.levels is None or model.first_level:
            return self.levels == model.levels
        return self.levels is None or set(model.levels) <= set(self.levels)

    def facts(self) -> dict[str, object]:
        """Return each known fact under the name by which a message tells it.

        Returns
        -------
        dict of str to object
            None are known of a table without a manifest, but for how it was made wide.
        """
        if not self.voi_recipe:
            return {"aggregation": self.aggregation}
        found: dict[str, object] = {
            "VOI recipe": self.voi_recipe,
            "VOI options": self.voi_options,
            "levels": self.levels,
            "first level only": self.first_level,
            "aggregation": self.aggregation,
        }
        for block in self.blocks:
            found[f"parameters of {block.name} (SHA-256)"] = block.parameters_sha256
        return found

    def differences(self, table: FeatureSource | None) -> list[str]:
        """List in what a table differs from the one that a model made in this way learned from.

        Another engine is no difference: all engines of a block give the same values for the same parameters. Each
        counts the revisions of its values for itself, so these compare within one engine only.

        Parameters
        ----------
        table : FeatureSource or None
            Of the table; None if nothing is known of it.

        Returns
        -------
        list of str
            Empty if the table fits. It may hold more blocks and levels than the model uses.
        """
        wanted, got = self.facts(), {} if table is None else table.facts()
        if table is not None and table.holds_levels_of(self):
            got["levels"] = wanted.get("levels")
        facts = [
            f"{name}: {got.get(name, 'unknown')} instead of {value}"
            for name, value in wanted.items()
            if got.get(name, object()) != value
        ]
        revisions = [
            f"values revision of {mine.name} ({mine.engine}): "
            f"{other.values_revision} instead of {mine.values_revision}"
            for mine, other in self._common_blocks(table)
            if mine.engine == other.engine and mine.values_revision != other.values_revision
        ]
        return facts + revisions

    def other_engines(self, table: FeatureSource | None) -> list[str]:
        """List the blocks of a table that another engine computed.

        Parameters
        ----------
        table : FeatureSource or None
            Of the table; None if nothing is known of it.

        Returns
        -------
        list of str
            Each names the block, and both engines with the revisions of their values.
        """
        return [
            f"{mine.name}: {other.engine} (revision {other.values_revision})"
            f" instead of {mine.engine} (revision {mine.values_revision})"
            for mine, other in self._common_blocks(table)
            if mine.engine != other.engine
        ]

    def _common_blocks(self, table: FeatureSource | None) -> list[tuple[BlockSource, BlockSource]]:
        others = {} if table is None else {block.name: block for block in table.blocks}
        return [(block, others[block.name]) for block in self.blocks if block.name in others]

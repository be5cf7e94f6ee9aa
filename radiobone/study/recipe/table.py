"""What a recipe says of tables: patients, rows, columns of the cohort, features from elsewhere."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from radiobone.core.config import FileModel
from radiobone.study.recipe.checks import forbid_twice, one_or_more

Policy = Literal["drop", "keep"]
Names = Annotated[tuple[str, ...], BeforeValidator(one_or_more)]


class CohortKeys(FileModel):
    """How rows of the cohort table are patients.

    Parameters
    ----------
    patient : str
        The column that names patients.
    rows : {"patients"}, optional
        For a table without such a column: each row is a patient, named by its line.
    """

    patient: str = "patient_id"
    rows: Literal["patients"] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.rows is not None and "patient" in self.model_fields_set:
            raise ValueError("give patient, or rows: patients, not both")
        return self


class Table(FileModel):
    """From rows of features to the rows that are learned from.

    Parameters
    ----------
    unit : {"patient", "level"}
        What one row stands for. With ``level`` it is a vertebra: one row for each patient x level of
        ``voi.levels``, labelled by the patient's class or by columns such as ``bmd_mg_cm3.L1``. Patients stay
        whole in every split, and intervals and tests are by patient, either way.
    blocks : tuple of str
        Blocks of features of the first arm, where the recipe names no arms.
    levels : {"mean", "min", "concat"}
        What becomes of the levels of a patient, where the unit is the patient.
    exclude : tuple of str
        Columns of the cohort table; patients with anything in one of them are excluded, and counted by it.
    status : {"drop", "keep"}
        Patients without any row of features: leave them out, or keep them with missing values, which needs the
        step ``missing``.
    needs_review : {"drop", "keep"}
        Rows whose VOI is flagged in a column ``needs_review`` (or ``qc_needs_review``) of either table.
    repeat : str, optional
        The reader or perturbation whose rows are learned from, where the feature table has a column ``repeat``;
        all of them feed the step ``stability``.
    """

    unit: Literal["patient", "level"] = "patient"
    blocks: tuple[str, ...] = Field(default=("radiomics",), min_length=1)
    levels: Literal["mean", "min", "concat"] = "mean"
    exclude: Names = ()
    status: Policy = "drop"
    needs_review: Policy = "keep"
    repeat: str | None = None

    @field_validator("blocks", "exclude")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        forbid_twice(value)
        return value

    @model_validator(mode="after")
    def _levels_of_a_patient(self) -> Self:
        if self.unit == "level" and "levels" in self.model_fields_set:
            raise ValueError("levels makes one row of a patient's levels; unit: level has a row for each of them")
        return self


class ExternalTable(FileModel):
    """A feature table that radiobone did not extract: one row for each patient, features in columns.

    Parameters
    ----------
    patient : str
        The column that names patients, as in the cohort table.
    columns : tuple of str
        Names of the feature columns, or patterns such as ``CT_*``. By default every column that holds numbers only
        and that the recipe does not use for something else.
    drop : tuple of str
        Names or patterns of columns that are no features.
    """

    patient: str = "patient_id"
    columns: Names = ("*",)
    drop: Names = ()


class Column(FileModel):
    """One column of the cohort table.

    Parameters
    ----------
    column : str
        Its name.
    kind : {"auto", "number", "category"}
        ``auto``: a number if every filled cell is one. A category becomes one 0/1 column for each of its values
        but the reference, whatever the class of the patients who have it. In tables that are predicted later,
        a value that no patient of the study has counts as missing.
    reference : str, optional
        The category without a column; by default the first in sorted order.
    optional : bool
        Leave it out of cohort tables that lack it, instead of refusing them.
    """

    column: str
    kind: Literal["auto", "number", "category"] = "auto"
    reference: str | None = None
    optional: bool = False

    @model_validator(mode="before")
    @classmethod
    def _a_name_is_enough(cls, value: object) -> object:
        return {"column": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _reference_of_a_category(self) -> Self:
        if self.reference is not None and self.kind == "number":
            raise ValueError("a number has no reference category")
        return self

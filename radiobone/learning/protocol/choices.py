"""What recipes say by naming one of several choices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeVar

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from radiobone.core.config import FileModel

if TYPE_CHECKING:
    from radiobone.learning.selection.repeats import Repeats

Value = TypeVar("Value")


def _listed(value: object) -> object:
    return value if isinstance(value, (list, tuple)) else (value,)


Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Several = Annotated[tuple[Value, ...], BeforeValidator(_listed), Field(min_length=1)]
"""One value or more; a single one needs no brackets."""


@dataclass(frozen=True)
class StepContext:
    """What a recipe's steps need of the study around them.

    Parameters
    ----------
    inner_folds : int
        Folds of the inner validation, for a step that cross-validates.
    seed : int
        Of everything that a step draws.
    repeats : Repeats, optional
        Repeated measurements, for the stability step.
    """

    inner_folds: int
    seed: int
    repeats: Repeats | None = None


class OneKey(FileModel):
    """A mapping of exactly one name to its options, such as ``correlation: {threshold: 0.9}``."""

    newer: ClassVar[frozenset[str]] = frozenset()
    """Keys that recipes did not have at first: where they are not given, a study keeps the hash that it had."""

    @model_serializer(mode="wrap")
    def _without_newer_keys(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = handler(self)
        return {key: value for key, value in content.items() if value is not None or key not in self.newer}

    @model_validator(mode="before")
    @classmethod
    def _options_may_be_left_out(cls, value: object) -> object:
        if isinstance(value, dict):
            return {key: {} if options is None else options for key, options in value.items()}
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = self.model_fields_set
        if len(given) != 1:
            known = ", ".join(type(self).model_fields)
            raise ValueError(f"expected exactly one of {known}, got {', '.join(sorted(given)) or 'none'}")
        return self

    @property
    def name(self) -> str:
        """The one name given."""
        return next(iter(self.model_fields_set))

    @property
    def chosen(self) -> Any:
        """Its options."""
        return getattr(self, self.name)

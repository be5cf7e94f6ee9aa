"""Validated files: every YAML file is a frozen pydantic model that forbids unknown keys."""

from __future__ import annotations

import difflib
from collections.abc import Hashable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from radiobone.core.errors import ConfigError


class FileModel(BaseModel):
    """Base of all models that stand for a file or a part of one."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


Model = TypeVar("Model", bound=BaseModel)


class _UniqueKeyLoader(yaml.SafeLoader):
    """A safe YAML loader that refuses a key given twice, which YAML itself would silently drop."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                line = key_node.start_mark.line + 1
                raise yaml.MarkedYAMLError(problem=f"key {key!r} is given twice (line {line})")
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file whose top level is a mapping.

    Parameters
    ----------
    path : Path
        A UTF-8 file, with or without a byte order mark.

    Returns
    -------
    dict of str to object
        The content, not yet validated.

    Raises
    ------
    ConfigError
        If the file cannot be read, is not YAML, is not a mapping, or gives a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError("file not found", where=str(path), do="check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("file cannot be read as text", where=str(path), got=error) from None
    try:
        content = yaml.load(text, Loader=_UniqueKeyLoader)
    except yaml.YAMLError as error:
        raise ConfigError("not valid YAML", where=str(path), got=" ".join(str(error).split())) from None
    if not isinstance(content, dict):
        raise ConfigError("not a mapping", where=str(path), got=type(content).__name__, expected="key: value")
    return content


def validate(model: type[Model], content: object, where: str) -> Model:
    """Build a model from plain content, or raise one error that lists every problem.

    Parameters
    ----------
    model : type of BaseModel
        The model to build.
    content : object
        Plain content, as read from a file.
    where : str
        The file, for the message.

    Returns
    -------
    Model
        An instance of ``model``.

    Raises
    ------
    ConfigError
        With the path of each wrong key, and the nearest known key for an unknown one.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(_describe(model, item) for item in error.errors(include_url=False))
        raise ConfigError("not valid", where=where, got=problems, do="mend the keys named") from None


def nearest(name: str, known: list[str]) -> str:
    """Return the hint `` (did you mean 'x'?)`` for a mistyped name, or nothing.

    Parameters
    ----------
    name : str
        What was typed.
    known : list of str
        Names that are right.

    Returns
    -------
    str
        Begins with a space, to be put behind a message; empty if no name is near.

    Examples
    --------
    >>> nearest("binwidth", ["binWidth", "binCount"])
    " (did you mean 'binWidth'?)"
    """
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if not close:
        folded = {item.casefold(): item for item in known}
        close = [folded[match] for match in difflib.get_close_matches(name.casefold(), list(folded), n=1)]
    return f" (did you mean {close[0]!r}?)" if close else ""


def _describe(model: type[BaseModel], item: ErrorDetails) -> str:
    location = item["loc"]
    path = ".".join(str(part) for part in location)
    if item["type"] == "extra_forbidden":
        name = str(location[-1])
        return f"{path}: unknown key{nearest(name, _known_keys(model, location[:-1]))}"
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "missing":
        return f"{path}: required key is missing"
    return f"{path}: {message}, got {item['input']!r}" if path else message


def _known_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """List the keys known at a location; where a union hides them, all keys of its models."""
    models = [model]
    for part in location:
        below = [
            found
            for parent in models
            for name, field in parent.model_fields.items()
            if part in (name, field.alias)
            for found in _models_in(field.annotation)
        ]
        models = below or models
    return [field.alias or name for item in models for name, field in item.model_fields.items()]


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in getattr(annotation, "__args__", ()) for found in _models_in(part)]

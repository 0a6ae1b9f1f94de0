r"""``--set path.to.field=value``, as in Helm.

A path starts at the object's root (``spec.retrieval.topK=5``) or at the specification
(``retrieval.topK=5``). Commas separate several settings; ``\`` takes the next character as it is (``\,`` in
a value, ``\.`` in a key). Values are YAML scalars: ``5`` and ``true`` have their type, ``"5"`` is a string,
``null`` removes the field. ``a[0]`` is the first item of a list; the position after the last adds one.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from ragfleet_api.problems import (
    ManifestError,
    Path,
    Problem,
    hide_credentials,
    show_path,
    show_value,
)
from ragfleet_api.spec import RAGPipelineSpec
from ragfleet_api.suggest import suggestion
from ragfleet_api.yaml_scalars import plain_scalar

_SETTING: Final = re.compile(
    r"""(?P<path>(?:\\.|[^=,\\])+)
        =(?P<value>"(?:\\.|[^"\\])*"(?=,|$)
          |'(?:''|[^'])*'(?=,|$)
          |(?:\\.|[^,\\])*)
        (?:,|$)""",
    re.VERBOSE | re.DOTALL,
)
_STEP: Final = re.compile(r"(?P<key>(?:\\.|[^.\[\]\\])+)(?P<positions>(?:\[\d{1,6}\])*)(?:\.(?=.)|$)")
_ROOT_FIELDS: Final = ("metadata", "spec")
_SPEC_FIELDS: Final = tuple(field.alias or name for name, field in RAGPipelineSpec.model_fields.items())


@dataclass(frozen=True, slots=True)
class Override:
    """One setting: ``argument`` is its text, for messages; a value of None removes the field."""

    argument: str
    path: Path
    value: Any


def parse_overrides(arguments: Sequence[str]) -> list[Override]:
    """The settings of all ``--set`` arguments, in order. Raises ManifestError for what is not a setting."""
    return [override for argument in arguments for override in _parse(argument)]


def apply_overrides(value: Any, overrides: Sequence[Override]) -> tuple[Any, dict[Path, str]]:
    """A copy of the value with the settings applied, and the argument behind each path that they touched.

    Raises ManifestError where a path goes through something that is neither an object nor a list.
    """
    result = copy.deepcopy(value)
    origins: dict[Path, str] = {}
    for override in overrides:
        _apply(result, override, origins)
    return result, origins


def _parse(argument: str) -> list[Override]:
    overrides: list[Override] = []
    position = 0
    while position < len(argument) or not overrides:
        setting = _SETTING.match(argument, position)
        if setting is None:
            raise _error(argument, r"must be path.to.field=value; write \, for a comma in a value")
        text = argument[position : setting.end("value")]
        overrides.append(
            Override(
                argument=hide_credentials(text),
                path=_from_root(_parse_path(setting["path"], text), text),
                value=_parse_value(setting["value"], text),
            )
        )
        position = setting.end()
    return overrides


def _parse_path(text: str, argument: str) -> Path:
    steps: list[str | int] = []
    position = 0
    while position < len(text):
        step = _STEP.match(text, position)
        if step is None:
            raise _error(argument, f"{text} is not a path such as retrieval.topK or list[0].name")
        steps.append(_unescape(step["key"]))
        steps.extend(int(number) for number in re.findall(r"\d+", step["positions"]))
        position = step.end()
    return tuple(steps)


def _from_root(path: Path, argument: str) -> Path:
    first = str(path[0])
    if first in _ROOT_FIELDS:
        return path
    if first in _SPEC_FIELDS:
        return ("spec", *path)
    allowed = (*_ROOT_FIELDS, *_SPEC_FIELDS)
    message = f"{first} is not a field; {suggestion(first, allowed)}a path starts with {', '.join(allowed)}"
    raise _error(argument, message)


def _parse_value(text: str, argument: str) -> Any:
    if text[:1] in ("'", '"') and len(text) > 1 and text[0] == text[-1]:
        try:
            return yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise _error(argument, f"{text} is not a quoted YAML string") from error
    # As in Helm, nothing after the = is the empty string, not null.
    return plain_scalar(_unescape(text)) if text else ""


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _apply(root: Any, override: Override, origins: dict[Path, str]) -> None:
    path, parent = override.path, root
    for depth, step in enumerate(path[:-1], start=1):
        child = _get(parent, step, path[:depth], override)
        if child is None:
            if override.value is None:
                return
            child = [] if isinstance(path[depth], int) else {}
            _put(parent, step, child)
            origins[path[:depth]] = override.argument
        parent = child
    existing = _get(parent, path[-1], path, override)
    if override.value is not None:
        _put(parent, path[-1], override.value)
    elif existing is not None:
        del parent[path[-1]]
    origins[path] = override.argument


def _get(parent: Any, step: str | int, path: Path, override: Override) -> Any:
    """What is at the path now, or None. Raises ManifestError where nothing can be."""
    above = show_path(path[:-1])
    if isinstance(step, str):
        if not isinstance(parent, dict):
            raise _error(override.argument, f"{above} is {show_value(parent)}, not an object")
        return parent.get(step)
    if not isinstance(parent, list):
        raise _error(override.argument, f"{above} is {show_value(parent)}, not a list")
    if step > len(parent):
        raise _error(override.argument, f"{above} has {len(parent)} items; the next is [{len(parent)}]")
    return parent[step] if step < len(parent) else None


def _put(parent: Any, step: str | int, value: Any) -> None:
    if isinstance(parent, list) and step == len(parent):
        parent.append(value)
    else:
        parent[step] = value


def _error(argument: str, message: str) -> ManifestError:
    return ManifestError([Problem("", None, message, f"--set {hide_credentials(argument)}")])

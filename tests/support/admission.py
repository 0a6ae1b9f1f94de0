"""What an API server says of an object: the parts of its admission that the definition decides.

Strict field validation, as kubectl asks for; nulls pruned; the schema's value checks; then, only if all of
these pass, the CEL rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from support.cel import broken_rules

# Specified by the API server itself.
_IMPLICIT = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}


def admit(definition: dict[str, Any], value: dict[str, Any]) -> list[tuple[str, str]]:
    """The path and the reason of every problem; none when the object is admitted."""
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema = {**schema, "properties": {**_IMPLICIT, **schema["properties"]}}
    pruned = _without_nulls(schema, value)
    return list(_problems(schema, pruned, "")) or list(broken_rules(schema, pruned))


def _without_nulls(schema: dict[str, Any], value: Any) -> Any:
    """The value less the nulls of declared fields, as PruneNonNullableNullsWithoutDefaults leaves it."""
    if isinstance(value, list):
        return [_without_nulls(schema.get("items", {}), item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for name, child in value.items():
        inner = _field(schema, name)
        if child is not None or inner is None:
            kept[name] = _without_nulls(inner or {}, child)
    return kept


def _field(schema: dict[str, Any], name: str) -> dict[str, Any] | None:
    return schema.get("properties", {}).get(name) or schema.get("additionalProperties")


def _problems(schema: dict[str, Any], value: Any, path: str) -> Iterator[tuple[str, str]]:
    if not _has_type(schema["type"], value):
        yield path, f"must be of type {schema['type']}"
    elif isinstance(value, dict):
        yield from _object_problems(schema, value, path)
    elif isinstance(value, list):
        yield from _list_problems(schema, value, path)
    elif reason := _scalar_problem(schema, value):
        yield path, reason


def _has_type(name: str, value: Any) -> bool:
    types: dict[str, type] = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}
    return isinstance(value, types[name]) and (name == "boolean" or not isinstance(value, bool))


def _object_problems(schema: dict[str, Any], value: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    if len(value) > schema.get("maxProperties", len(value)):
        yield path, "Too many"
    prefix = f"{path}." if path else ""
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{prefix}{name}", "Required value"
    for name, child in value.items():
        inner = _field(schema, name)
        if inner:
            yield from _problems(inner, child, f"{prefix}{name}")
        elif path != "metadata":
            yield f"{prefix}{name}", "unknown field"


def _list_problems(schema: dict[str, Any], value: list[Any], path: str) -> Iterator[tuple[str, str]]:
    if len(value) > schema["maxItems"]:
        yield path, "Too many"
    if len(value) < schema.get("minItems", 0):
        yield path, "Too few"
    for index, item in enumerate(value):
        yield from _problems(schema["items"], item, f"{path}[{index}]")
    if schema.get("x-kubernetes-list-type") == "map":
        yield from _duplicates(schema["x-kubernetes-list-map-keys"], value, path)


def _duplicates(names: list[str], items: list[Any], path: str) -> Iterator[tuple[str, str]]:
    keys = [tuple(item.get(name) for name in names) for item in items if isinstance(item, dict)]
    for index, key in enumerate(keys):
        if key in keys[:index]:
            yield f"{path}[{index}]", "Duplicate value"


def _scalar_problem(schema: dict[str, Any], value: Any) -> str | None:
    checks: dict[str, Callable[[Any], bool]] = {
        "enum": lambda allowed: value in allowed,
        "minimum": lambda bound: value >= bound,
        "maximum": lambda bound: value <= bound,
        "minLength": lambda bound: len(value) >= bound,
        "maxLength": lambda bound: len(value) <= bound,
        # In Go $ is the end of the text; in Python a newline may follow.
        "pattern": lambda pattern: re.search(pattern.removesuffix("$") + r"\Z", value) is not None,
    }
    for keyword, holds in checks.items():
        if keyword in schema and not holds(schema[keyword]):
            return f"breaks {keyword} {schema[keyword]}"
    return None

"""Filters as Qdrant Edge takes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import qdrant_edge as edge

from ragfleet_runtime.index.filters import AnyOf, Condition, Group, Range, Scalar

DOCUMENT_KEY = "document_id"
METADATA = "metadata"
FLAGS = "flags"


def to_edge(condition: Condition) -> edge.Filter:
    """The same condition over the payload of points."""
    if isinstance(condition, Group):
        members: list[edge.ConditionType] = [to_edge(member) for member in condition.conditions]
        return edge.Filter(must=members) if condition.combine == "and" else edge.Filter(should=members)
    if isinstance(condition, Range):
        range_ = _range(condition)
        return edge.Filter(
            should=[edge.FieldCondition(path, range=range_) for path in _paths(METADATA, condition.key)]
        )
    return _any_of(condition)


def _any_of(condition: AnyOf) -> edge.Filter:
    matches: list[edge.ConditionType] = [
        field for value in condition.values for field in _matches(condition.key, value)
    ]
    if condition.negated:
        return edge.Filter(must_not=matches)
    if not matches:
        return edge.Filter(must=[edge.HasIdCondition(set())])
    return edge.Filter(should=matches)


def _matches(key: str, value: Scalar) -> list[edge.FieldCondition]:
    if isinstance(value, bool):
        flag = edge.MatchValue(flag_text(value))
        return [edge.FieldCondition(path, match=flag) for path in _paths(FLAGS, key)]
    if isinstance(value, str):
        return [edge.FieldCondition(path, match=edge.MatchValue(value)) for path in _paths(METADATA, key)]
    # A range, because the engine's exact match knows integers only and 3 must find 3.0.
    number = float(value)
    same = edge.RangeFloat(gte=number, lte=number)
    return [edge.FieldCondition(path, range=same) for path in _paths(METADATA, key)]


def _range(condition: Range) -> edge.RangeFloat | edge.RangeDateTime:
    bound = condition.bound
    if isinstance(bound, datetime):
        return edge.RangeDateTime(**{condition.order: bound.isoformat()})
    return edge.RangeFloat(**{condition.order: bound})


def _paths(root: str, key: str) -> list[str]:
    """Where a key's value is: as a key of its own, and, where it has dots, inside nested objects."""
    if key == DOCUMENT_KEY:
        return [DOCUMENT_KEY]
    paths = [f'{root}."{key}"']
    parts = key.split(".")
    if len(parts) > 1 and all(parts):
        paths.append(".".join([root, *(f'"{part}"' for part in parts)]))
    return paths


def metadata_paths(key: str, *, is_flag: bool) -> list[str]:
    """Where filters look for a metadata key; booleans are found by their flags."""
    return _paths(FLAGS if is_flag else METADATA, key)


def flag_text(value: bool) -> str:
    """A boolean as the text that stands for it in the payload."""
    return "true" if value else "false"


def flags(value: Any) -> Any:
    """The booleans of a metadata value as text, in the same nesting; None where there are none.

    The engine's Python binding takes True for the integer 1 in a match, so that no filter could find a
    boolean as such.
    """
    if isinstance(value, bool):
        return flag_text(value)
    if isinstance(value, dict):
        found = {key: flag for key, member in value.items() if (flag := flags(member)) is not None}
        return found or None
    if isinstance(value, list):
        return [flag for member in value if (flag := flags(member)) is not None] or None
    return None

"""Filters as a Qdrant server takes them: over the same payload as the embedded engine's."""

from __future__ import annotations

import re
from datetime import datetime

from qdrant_client.http import models as q

from ragfleet_runtime.index.edge_filters import DOCUMENT_KEY, FLAGS, METADATA, flag_text
from ragfleet_runtime.index.filters import AnyOf, Condition, Group, Range

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")


def to_filter(condition: Condition) -> q.Filter:
    """The condition over the payload of points."""
    if isinstance(condition, Group):
        members: list[q.Condition] = [to_filter(member) for member in condition.conditions]
        return q.Filter(must=members) if condition.combine == "and" else q.Filter(should=members)
    if isinstance(condition, Range):
        range_ = _range(condition)
        return q.Filter(
            should=[q.FieldCondition(key=path, range=range_) for path in paths(METADATA, condition.key)]
        )
    return _any_of(condition)


def paths(root: str, key: str) -> list[str]:
    """Where a key's value is: as a key of its own, and, where it has dots, inside nested objects.

    Written as the server writes them back: parts of letters, digits, "_" and "-" alone have no quotes.
    """
    if key == DOCUMENT_KEY:
        return [DOCUMENT_KEY]
    found = [f"{root}.{_quoted(key)}"]
    parts = key.split(".")
    if len(parts) > 1 and all(parts):
        found.append(".".join([root, *(_quoted(part) for part in parts)]))
    return found


def has_any(key: str, values: list[str]) -> q.FieldCondition:
    """The field has one of the texts."""
    return q.FieldCondition(key=key, match=q.MatchAny(any=values))


def has(key: str, value: str | int) -> q.FieldCondition:
    """The field has the value."""
    return q.FieldCondition(key=key, match=q.MatchValue(value=value))


def _any_of(condition: AnyOf) -> q.Filter:
    matches = _matches(condition)
    if condition.negated:
        return q.Filter(must_not=matches)
    if not matches:
        return q.Filter(must=[q.HasIdCondition(has_id=[])])
    return q.Filter(should=matches)


def _matches(condition: AnyOf) -> list[q.Condition]:
    key, values = condition.key, condition.values
    texts = [value for value in values if isinstance(value, str)]
    flags = [flag_text(value) for value in values if isinstance(value, bool)]
    # A range, because the engine's exact match knows integers only and 3 must find 3.0.
    numbers = [
        float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    matches: list[q.Condition] = []
    if texts:
        matches.extend(has_any(path, texts) for path in paths(METADATA, key))
    if flags:
        matches.extend(has_any(path, flags) for path in paths(FLAGS, key))
    matches.extend(
        q.FieldCondition(key=path, range=q.Range(gte=number, lte=number))
        for number in numbers
        for path in paths(METADATA, key)
    )
    return matches


def _range(condition: Range) -> q.RangeInterface:
    bound = condition.bound
    if isinstance(bound, datetime):
        return q.DatetimeRange.model_validate({condition.order: bound})
    return q.Range.model_validate({condition.order: bound})


def _quoted(part: str) -> str:
    return part if _PLAIN.fullmatch(part) else f'"{part}"'

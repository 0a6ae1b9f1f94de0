"""Filters on document metadata: the two shapes that callers may send, parsed into one tree.

The long shape is that of OpenAI's vector stores: ``{"type": "eq", "key": "team", "value": "a"}`` and
``{"type": "and", "filters": [...]}``. The short one is ``{"team": "a", "year": [2024, 2025]}``: every key
must have the value, or one of the values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeGuard, cast

MAX_DEPTH = 8
MAX_CONDITIONS = 128
MAX_VALUES = 1000
MAX_KEY_LENGTH = 256

Scalar = str | int | float | bool
Order = Literal["gt", "gte", "lt", "lte"]
ORDERS = ("gt", "gte", "lt", "lte")
COMPARISONS = ("eq", "ne", *ORDERS, "in", "nin")
COMBINATIONS = ("and", "or")


class FilterError(ValueError):
    """A filter is malformed; the message names the place and what is allowed there."""


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The key has one of the values, or (negated) none of them. A missing key has none."""

    key: str
    values: tuple[Scalar, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Range:
    """The key's value lies beyond a bound: a number, or a moment in time."""

    key: str
    order: Order
    bound: float | datetime


@dataclass(frozen=True, slots=True)
class Group:
    """All of the conditions hold ("and"), or at least one ("or")."""

    combine: Literal["and", "or"]
    conditions: tuple[Condition, ...]


Condition = AnyOf | Range | Group


def parse_filter(value: object) -> Condition | None:
    """The filter in ``value`` (decoded JSON), or None where it asks for nothing.

    Raises FilterError where it is malformed, nested deeper than MAX_DEPTH or larger than MAX_CONDITIONS.
    """
    if value is None or value == {}:
        return None
    return _Parser().condition(value, "filters", 1)


class _Parser:
    def __init__(self) -> None:
        self._conditions = 0

    def condition(self, value: object, path: str, depth: int) -> Condition:
        if depth > MAX_DEPTH:
            raise FilterError(f"{path}: nested deeper than {MAX_DEPTH} levels; flatten the filter")
        self._conditions += 1
        if self._conditions > MAX_CONDITIONS:
            raise FilterError(
                f"filters: more than {MAX_CONDITIONS} conditions; use 'in' with a list of values"
            )
        if not isinstance(value, dict):
            raise FilterError(f"{path}: found {_kind(value)}; must be an object")
        fields = cast("dict[str, Any]", value)
        kind = fields.get("type")
        if kind in COMBINATIONS and "filters" in fields:
            return self._group(fields, path, depth)
        if kind in COMPARISONS and "key" in fields:
            return _comparison(fields, path)
        if "type" in fields and ("key" in fields or "filters" in fields):
            allowed = ", ".join((*COMPARISONS, *COMBINATIONS))
            raise FilterError(f"{path}.type: found {_shown(kind)}; must be one of {allowed}")
        return self._shorthand(fields, path)

    def _group(self, fields: dict[str, Any], path: str, depth: int) -> Condition:
        _no_other_fields(fields, ("type", "filters"), path)
        members = fields["filters"]
        if not isinstance(members, list) or not members:
            raise FilterError(f"{path}.filters: must be a list of at least one filter")
        conditions = tuple(
            self.condition(member, f"{path}.filters[{i}]", depth + 1) for i, member in enumerate(members)
        )
        return Group(fields["type"], conditions)

    def _shorthand(self, fields: dict[str, Any], path: str) -> Condition:
        if not fields:
            raise FilterError(f"{path}: must name at least one key")
        self._conditions += len(fields)
        conditions = tuple(
            AnyOf(
                _key(key, path),
                _values(value if isinstance(value, list) else [value], f"{path}.{key}"),
            )
            for key, value in fields.items()
        )
        return conditions[0] if len(conditions) == 1 else Group("and", conditions)


def _comparison(fields: dict[str, Any], path: str) -> Condition:
    _no_other_fields(fields, ("type", "key", "value"), path)
    if "value" not in fields:
        raise FilterError(f"{path}.value: missing")
    kind, value = fields["type"], fields["value"]
    key = _key(fields["key"], path)
    place = f"{path}.value"
    if kind in ("in", "nin"):
        if not isinstance(value, list):
            raise FilterError(f"{place}: found {_kind(value)}; '{kind}' takes a list")
        return AnyOf(key, _values(value, place), negated=kind == "nin")
    if kind in ("eq", "ne"):
        return AnyOf(key, _values([value], place), negated=kind == "ne")
    return Range(key, kind, _bound(value, kind, place))


def _bound(value: object, kind: str, place: str) -> float | datetime:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value, place)
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
    raise FilterError(
        f"{place}: found {_shown(value)}; '{kind}' takes a number or a date such as 2026-01-31T00:00:00Z"
    )


def _number(value: float, place: str) -> float:
    try:
        number = float(value)
    except OverflowError:
        raise FilterError(f"{place}: the number is too large") from None
    if not math.isfinite(number):
        raise FilterError(f"{place}: must be a finite number")
    return number


def _values(values: list[object], place: str) -> tuple[Scalar, ...]:
    if len(values) > MAX_VALUES:
        raise FilterError(f"{place}: {len(values)} values; at most {MAX_VALUES}")
    for value in values:
        if not _is_scalar(value):
            raise FilterError(f"{place}: found {_kind(value)}; must be a string, a number or a boolean")
        if isinstance(value, int | float):
            _number(value, place)
        elif not _is_unicode(value):
            raise FilterError(f"{place}: contains half of a surrogate pair; send valid Unicode")
    return tuple(value for value in values if _is_scalar(value))


def _is_scalar(value: object) -> TypeGuard[Scalar]:
    return isinstance(value, str | int | float | bool)


def _key(key: object, path: str) -> str:
    if not isinstance(key, str) or not 0 < len(key) <= MAX_KEY_LENGTH or not _is_plain(key):
        raise FilterError(
            f"{path}.key: must be a string of 1 to {MAX_KEY_LENGTH} characters without quotes and backslashes"
        )
    return key


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_plain(key: str) -> bool:
    """Whether the engine's path syntax can name the key."""
    return key.isprintable() and '"' not in key and "\\" not in key


def _no_other_fields(fields: dict[str, Any], allowed: tuple[str, ...], path: str) -> None:
    for name in fields:
        if name not in allowed:
            raise FilterError(f"{path}.{name}: unknown field; allowed: {', '.join(allowed)}")


def _shown(value: object) -> str:
    return ascii(value)[:40] if isinstance(value, str) else _kind(value)


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")

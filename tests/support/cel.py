"""The validation rules of a structural schema, evaluated as an API server does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import celpy
from celpy.adapter import json_to_cel


def broken_rules(schema: dict[str, Any], value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The path and the message of every rule that the value, or something in it, breaks."""
    for rule in schema.get("x-kubernetes-validations", ()):
        if not evaluate(rule["rule"], value):
            yield f"{path}{rule.get('fieldPath', '')}", rule["message"]
    if isinstance(value, dict):
        for name, child in value.items():
            inner = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
            if inner:
                yield from broken_rules(inner, child, f"{path}.{name}" if path else name)
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from broken_rules(schema["items"], item, f"{path}[{index}]")


def evaluate(expression: str, value: Any) -> bool:
    """The expression with ``self`` bound to the value. Raises celpy.CELEvalError where it has none."""
    return bool(_program(expression).evaluate({"self": json_to_cel(value)}))


@cache
def _program(expression: str) -> celpy.Runner:
    # celpy raises the interpreter's recursion limit, which is no business of other tests.
    limit = sys.getrecursionlimit()
    try:
        environment = celpy.Environment()
        return environment.program(environment.compile(expression))
    finally:
        sys.setrecursionlimit(limit)

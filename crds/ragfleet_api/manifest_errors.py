"""What pydantic found, told to the manifest's author: the path, what was found, what is allowed.

What is allowed is read from the structural schema, as it is in the cluster; of pydantic's errors only the
place and three types are used, so that its wording reaches nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pydantic_core import ErrorDetails

from ragfleet_api.problems import Path, Problem, show_path, show_value
from ragfleet_api.schema import Schema
from ragfleet_api.suggest import suggestion

# From a path to the source and the line of its nearest part.
Locate = Callable[[Path], tuple[str, int | None]]
# Whether the value at a path must not be shown.
Conceal = Callable[[Path], bool]

_TYPE_NAMES: Mapping[type, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    dict: "object",
    list: "array",
}
_CONCEALED: Mapping[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    dict: "an object",
    list: "a list",
    type(None): "null",
}


def is_unknown_field(error: ErrorDetails) -> bool:
    """Whether the error is about a field that the API does not have."""
    return error["type"] == "extra_forbidden"


def describe(
    errors: Sequence[ErrorDetails], schema: Schema, locate: Locate, conceal: Conceal = lambda _: False
) -> list[Problem]:
    """One problem for each error, and for each rule of an object that breaks several.

    schema: of the whole object, as ``structural_schema`` makes it.
    """
    problems = []
    for error in errors:
        for path, message in _messages(error, schema, conceal):
            source, line = locate(path)
            problems.append(Problem(show_path(path), line, message, source))
    return problems


def _messages(error: ErrorDetails, schema: Schema, conceal: Conceal) -> list[tuple[Path, str]]:
    path: Path = error["loc"]
    if error["type"] == "rule":
        return [_rule_message(path, violation) for violation in error["ctx"]["violations"]]
    if is_unknown_field(error):
        return [(path, _unknown(str(path[-1]), _node(schema, path[:-1])))]
    if error["type"] == "missing":
        return [(path, f"required, and missing; must be {_expected(_node(schema, path))}")]
    describe_wrong = _wrong_concealed if conceal(path) else _wrong
    return [(path, describe_wrong(error["input"], _node(schema, path)))]


def _rule_message(path: Path, violation: Mapping[str, str]) -> tuple[Path, str]:
    field = violation["field"]
    return ((*path, field) if field else path), violation["message"]


def _unknown(name: str, parent: Schema) -> str:
    allowed = sorted(parent["properties"])
    return f"unknown field; {suggestion(name, allowed)}allowed: {', '.join(allowed)}"


def _wrong(value: object, node: Schema) -> str:
    found = show_value(value)
    name = _TYPE_NAMES.get(type(value))
    if name not in (node["type"], "object", "array", None):
        found += f" ({name})"
    hint = suggestion(value, node["enum"]) if len(node.get("enum", ())) > 1 else ""
    return f"found {found}; {hint}must be {_expected(node)}"


def _wrong_concealed(value: object, node: Schema) -> str:
    found = _CONCEALED.get(type(value), "another value")
    hint = ": put it in quotes" if node["type"] == "string" and isinstance(value, bool | int | float) else ""
    return f"found {found}; must be {_expected(node)}{hint}"


def _expected(node: Schema) -> str:
    if "enum" in node:
        values = node["enum"]
        return f"one of {', '.join(values)}" if len(values) > 1 else f'"{values[0]}"'
    if node["type"] == "object":
        fields = sorted(node.get("properties", ()))
        return f"an object with {', '.join(fields)}" if fields else f"an object with {_entries(node)}"
    if node["type"] == "string":
        return f"a string{_length(node)}{_pattern(node)}"
    if node["type"] == "integer":
        return f"an integer{_range(node)}"
    if node["type"] == "array":
        return f"a list{_items(node)}"
    return "true or false"


def _entries(node: Schema) -> str:
    return f"at most {node['maxProperties']} string values" if "maxProperties" in node else "string values"


def _items(node: Schema) -> str:
    if "minItems" in node and "maxItems" in node:
        return f" of {node['minItems']} to {node['maxItems']} items"
    return f" of at most {node['maxItems']} items" if "maxItems" in node else ""


def _range(node: Schema) -> str:
    if "minimum" in node and "maximum" in node:
        return f" from {node['minimum']} to {node['maximum']}"
    return f" of at least {node['minimum']}" if "minimum" in node else ""


def _length(node: Schema) -> str:
    if "minLength" in node and "maxLength" in node:
        return f" of {node['minLength']} to {node['maxLength']} characters"
    return f" of at most {node['maxLength']} characters" if "maxLength" in node else ""


def _pattern(node: Schema) -> str:
    return f" that matches {node['pattern']}" if "pattern" in node else ""


def _node(schema: Schema, path: Path) -> Schema:
    node = schema
    for step in path:
        if isinstance(step, int):
            node = node["items"]
        elif step in node.get("properties", ()):
            node = node["properties"][step]
        else:
            node = node["additionalProperties"]
    return node

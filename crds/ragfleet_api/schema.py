"""From a model to a Kubernetes structural schema.

A structural schema (https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/
custom-resource-definitions/#specifying-a-structural-schema) is plainer than the JSON schema that pydantic
writes: every node has one type, nothing is referred to, and an optional field is one that is not required.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

# In the order in which they are written.
_KEPT = (
    "type",
    "description",
    "default",
    "format",
    "enum",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "maxProperties",
    "required",
    "properties",
    "additionalProperties",
    "items",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-validations",
)
_RULE_KEYS = ("rule", "message", "fieldPath", "reason")
_INT32_MAX = 2**31 - 1


def structural_schema(model: type[BaseModel]) -> Schema:
    """The structural schema of a model.

    Raises ValueError for what such a schema cannot say: a union of types, or a keyword not listed here.
    """
    # A copy, since callers put parts of it into what they make.
    return copy.deepcopy(_made(model))


@cache
def _made(model: type[BaseModel]) -> Schema:
    # Some 60 ms for the whole API, and messages about manifests ask for it again and again.
    schema = model.model_json_schema(by_alias=True)
    return _structural(schema, schema.get("$defs", {}))


def _structural(node: Mapping[str, Any], definitions: Mapping[str, Schema]) -> Schema:
    flat = _plain(_flatten(node, definitions))
    unknown = flat.keys() - set(_KEPT)
    if unknown:
        raise ValueError(f"no place in a structural schema for {sorted(unknown)}: {flat}")
    if "properties" in flat:
        flat["properties"] = {
            name: _structural(child, definitions) for name, child in flat["properties"].items()
        }
    for key in ("additionalProperties", "items"):
        if key in flat:
            flat[key] = _structural(flat[key], definitions)
    if flat.get("type") == "array":
        # What the API server takes where nothing is said; tools ask for it to be said.
        flat.setdefault("x-kubernetes-list-type", "atomic")
    if flat.get("type") == "integer":
        flat.setdefault("format", _integer_format(flat))
    if "x-kubernetes-validations" in flat:
        flat["x-kubernetes-validations"] = [
            {key: rule[key] for key in _RULE_KEYS if key in rule} for rule in flat["x-kubernetes-validations"]
        ]
    return {key: flat[key] for key in _KEPT if key in flat}


def _flatten(node: Mapping[str, Any], definitions: Mapping[str, Schema]) -> Schema:
    """The node with its reference resolved and its null alternative dropped; its own keys win."""
    own = {key: value for key, value in node.items() if key not in ("$ref", "anyOf", "$defs")}
    if "$ref" in node:
        return {**_flatten(definitions[node["$ref"].removeprefix("#/$defs/")], definitions), **own}
    if "anyOf" in node:
        alternatives = [item for item in node["anyOf"] if item != {"type": "null"}]
        if len(alternatives) != 1:
            raise ValueError(f"a field has one type in a structural schema, not {alternatives}")
        return {**_flatten(alternatives[0], definitions), **own}
    return own


def _plain(node: Schema) -> Schema:
    plain = {key: value for key, value in node.items() if key != "title"}
    if plain.get("default", ...) is None:
        del plain["default"]
    if plain.get("additionalProperties") is False:
        del plain["additionalProperties"]
    if "const" in plain:
        plain["enum"] = [plain.pop("const")]
    return plain


def _integer_format(node: Mapping[str, Any]) -> str:
    return "int32" if node.get("maximum", _INT32_MAX + 1) <= _INT32_MAX else "int64"

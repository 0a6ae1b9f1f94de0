"""The generated schema is structural, bounded and described.

The rules are those of the Kubernetes documentation (custom-resource-definitions, "Specifying a structural
schema") and of the API server's own check of definitions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from ragfleet_api.crd import custom_resource_definition
from ragfleet_api.schema import structural_schema
from support.cel import evaluate

ROOT = custom_resource_definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]

# Of the OpenAPI v3 keywords that the API server knows, those that this API has a use for.
KEYWORDS = {
    "object": {"required", "properties", "additionalProperties", "maxProperties"},
    "array": {"items", "minItems", "maxItems", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"},
    "string": {"enum", "minLength", "maxLength", "pattern", "format"},
    "integer": {"format", "minimum", "maximum"},
    "boolean": set(),
}
COMMON = {"type", "description", "default", "x-kubernetes-validations"}


def walk(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from walk(child, f"{path}.{name}")
    for name in ("items", "additionalProperties"):
        if name in node:
            yield from walk(node[name], f"{path}[]")


NODES = dict(walk(ROOT))
each_node = pytest.mark.parametrize("path", NODES)


@each_node
def test_every_node_has_one_type_and_only_known_keywords(path: str) -> None:
    node = NODES[path]
    assert node["type"] in KEYWORDS
    assert node.keys() <= KEYWORDS[node["type"]] | COMMON


@each_node
def test_required_fields_are_declared(path: str) -> None:
    node = NODES[path]
    required = node.get("required", [])
    assert set(required) <= node.get("properties", {}).keys()
    assert len(set(required)) == len(required)


@each_node
def test_everything_that_can_grow_is_bounded(path: str) -> None:
    node = NODES[path]
    bounded = {
        # The server gives a date-time its own bound.
        "string": "enum" in node or "maxLength" in node or node.get("format") == "date-time",
        "array": "maxItems" in node and "items" in node,
        "object": "properties" in node or "maxProperties" in node or path == ".metadata",
    }
    assert bounded.get(node["type"], True)


@each_node
def test_every_node_is_described(path: str) -> None:
    # Of metadata the server lets only the name be specified.
    assert path == ".metadata" or NODES[path]["description"].endswith(".")


@each_node
def test_patterns_are_bound_to_both_ends_and_free_of_what_go_lacks(path: str) -> None:
    pattern = NODES[path].get("pattern")
    if pattern is not None:
        assert not re.search(r"\(\?[=!<>]|\\[1-9]", pattern), "lookaround or a backreference"
        assert pattern.startswith("^")
        assert pattern.endswith("$")


@each_node
def test_numbers_are_integers_of_a_stated_size(path: str) -> None:
    node = NODES[path]
    if node["type"] == "integer":
        size = {"int32": 2**31, "int64": 2**63}[node["format"]]
        assert -size <= node["minimum"] <= node.get("maximum", node["minimum"]) < size


@each_node
def test_rules_are_complete_and_name_a_field(path: str) -> None:
    node = NODES[path]
    for rule in node.get("x-kubernetes-validations", ()):
        assert rule.keys() == {"rule", "message", "fieldPath", "reason"}
        assert rule["fieldPath"].removeprefix(".") in node["properties"]
        assert rule["reason"] == "FieldValueInvalid"
        assert 0 < len(rule["message"]) <= 2048
        assert "\n" not in rule["message"]


def test_metadata_restricts_the_name_and_nothing_else() -> None:
    assert NODES[".metadata"].keys() == {"type", "properties"}
    assert NODES[".metadata"]["properties"].keys() == {"name"}


def test_only_the_status_has_a_default() -> None:
    assert {path: node["default"] for path, node in NODES.items() if "default" in node} == {
        ".status": {"observedGeneration": -1}
    }
    observed = NODES[".status.observedGeneration"]
    assert observed["minimum"] <= NODES[".status"]["default"]["observedGeneration"]


def test_conditions_are_a_map_by_type_in_the_shape_of_metav1() -> None:
    conditions = NODES[".status.conditions"]
    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]
    item = conditions["items"]
    assert item["required"] == ["type", "status", "lastTransitionTime", "reason", "message"]
    assert item["properties"].keys() == {*item["required"], "observedGeneration"}
    assert item["properties"]["status"]["enum"] == ["True", "False", "Unknown"]


def test_a_field_that_may_be_absent_is_read_with_has() -> None:
    """An expression that reads an absent field is an error, which refuses a valid object."""
    spec = {"vectorStore": {"type": "Embedded"}, "generation": {"type": "Extractive"}}
    for rule in NODES[".spec"]["x-kubernetes-validations"]:
        evaluate(rule["rule"], spec)
        evaluate(rule["rule"], {**spec, "auth": {}})
    for rule in NODES[".spec.chunking"]["x-kubernetes-validations"]:
        evaluate(rule["rule"], {})


def test_what_a_structural_schema_cannot_say_is_refused() -> None:
    class Union(BaseModel):
        value: int | str

    class Exclusive(BaseModel):
        value: list[tuple[int, int]]

    with pytest.raises(ValueError, match="one type"):
        structural_schema(Union)
    with pytest.raises(ValueError, match="prefixItems"):
        structural_schema(Exclusive)

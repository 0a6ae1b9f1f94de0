"""The generated schema is structural, bounded and described.

The rules are those of the Kubernetes documentation (custom-resource-definitions, "Specifying a structural
schema") and of the API server's own check of definitions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
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
        assert not re.search(r"\\[sSdDwWbB]", pattern), "of ASCII in Go, and of Unicode in Python"
        assert pattern.startswith("^")
        assert pattern.endswith("$")


@each_node
def test_numbers_are_integers_of_a_stated_size(path: str) -> None:
    node = NODES[path]
    if node["type"] == "integer":
        size = {"int32": 2**31, "int64": 2**63}[node["format"]]
        assert -size <= node["minimum"] <= node.get("maximum", node["minimum"]) < size


@each_node
def test_rules_are_complete(path: str) -> None:
    node = NODES[path]
    for rule in node.get("x-kubernetes-validations", ()):
        assert rule.keys() - {"fieldPath"} == {"rule", "message", "reason"}
        if "fieldPath" in rule:
            assert rule["fieldPath"].removeprefix(".") in node["properties"]
        assert rule["reason"] == "FieldValueInvalid"
        assert 0 < len(rule["message"]) <= 2048
        assert "\n" not in rule["message"]


# Lists that server-side apply takes whole: their items have no name of their own.
ATOMIC = {
    ".spec.runtime.tolerations",
    ".spec.autoscaling.behavior.scaleUp.policies",
    ".spec.autoscaling.behavior.scaleDown.policies",
    ".spec.exposure.httpRoute.parentRefs",
    ".spec.exposure.httpRoute.hostnames",
    ".spec.networkPolicy.clients",
    ".spec.networkPolicy.scrapers",
    ".spec.networkPolicy.egress",
    ".spec.networkPolicy.egress[].ports",
}


@each_node
def test_a_list_of_named_objects_is_a_map_by_a_field_that_each_has(path: str) -> None:
    node = NODES[path]
    if node["type"] == "array":
        expected = "atomic" if path in ATOMIC else "map"
        assert node["x-kubernetes-list-type"] == expected
        for key in node.get("x-kubernetes-list-map-keys", ()):
            assert key in node["items"]["required"]
            assert node["items"]["properties"][key]["type"] == "string"


@each_node
def test_names_and_choices_are_written_as_in_kubernetes(path: str) -> None:
    """Fields in camelCase, choices in CamelCase, acronyms in one case."""
    for name in NODES[path].get("properties", {}):
        assert re.fullmatch(r"[a-z][A-Za-z0-9]*", name)
        assert not re.search(r"(Url|Api|Ai|Ca|Hnsw|Rrf)(?![a-z])", name)
    if path.startswith(".spec"):
        for choice in NODES[path].get("enum", ()):
            assert re.fullmatch(r"[A-Z][A-Za-z0-9]*", choice)


def test_names_that_are_not_made_by_rule() -> None:
    generation = NODES[".spec.generation"]["properties"]
    assert {"openAI", "anthropic", "extractive"} <= generation.keys()
    assert {"baseURL", "apiKeySecretRef", "maxTokensParameter"} <= generation["openAI"]["properties"].keys()
    assert {"apiKeySecretRef", "caSecretRef"} <= NODES[".spec.vectorStore.qdrant"]["properties"].keys()
    assert "whenEmbeddingFails" in NODES[".spec.retrieval"]["properties"]
    assert "apiKeys" in NODES[".spec.auth"]["properties"]


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


@each_node
def test_a_field_that_may_be_absent_is_read_with_has(path: str) -> None:
    """An expression that reads an absent field is an error, which refuses a valid object."""
    node = NODES[path]
    if "x-kubernetes-validations" not in node:
        return
    for value in samples(node) if "additionalProperties" in node else sparse_objects(node):
        for rule in node["x-kubernetes-validations"]:
            evaluate(rule["rule"], value)


def sparse_objects(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Objects with the required fields, for every choice of them, and with each of the others alone."""
    choices = [
        [(name, value) for value in samples(node["properties"][name])] for name in node.get("required", ())
    ]
    for required in product(*choices):
        yield dict(required)
        for name, child in node["properties"].items():
            for value in samples(child):
                yield {**dict(required), name: value}


def samples(node: dict[str, Any]) -> list[Any]:
    """Values of the node's type, objects and items with no more than they need."""
    if "additionalProperties" in node:
        return [{}, {"a": samples(node["additionalProperties"])[0]}]
    if node["type"] == "object":
        return [{name: samples(node["properties"][name])[0] for name in node.get("required", ())}]
    if node["type"] == "array":
        return [[], [samples(node["items"])[0]]]
    simple: dict[str, list[Any]] = {"integer": [1], "boolean": [False, True], "string": ["a"]}
    return list(node["enum"]) if "enum" in node else simple[node["type"]]


def test_what_a_structural_schema_cannot_say_is_refused() -> None:
    class Union(BaseModel):
        value: int | str

    class Exclusive(BaseModel):
        value: list[tuple[int, int]]

    with pytest.raises(ValueError, match="one type"):
        structural_schema(Union)
    with pytest.raises(ValueError, match="prefixItems"):
        structural_schema(Exclusive)

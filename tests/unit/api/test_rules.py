"""The models and the generated definition give one verdict on every case."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from ragfleet_api.crd import custom_resource_definition
from ragfleet_api.manifest import parse_manifest
from ragfleet_api.problems import ManifestError
from support.admission import admit
from support.rule_cases import CASES, Case, changed
from support.sections import GENERATORS, QDRANT, around, leaves, valid_values

DEFINITION = custom_resource_definition()
SCHEMA = DEFINITION["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
SPEC = SCHEMA["properties"]["spec"]
LEAVES = dict(leaves(SPEC))
each_leaf = pytest.mark.parametrize("path", LEAVES)


def told(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    """The path and the message of each problem that a laptop's user sees."""
    try:
        parse_manifest(yaml.safe_dump(manifest, allow_unicode=True), "pipeline.yaml")
    except ManifestError as error:
        return [(problem.path, problem.message) for problem in error.problems]
    return []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_models_find_what_the_case_says(case: Case) -> None:
    assert told(case.manifest()) == ([(case.path, case.message)] if case.message else [])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_definition_finds_what_the_case_says(case: Case) -> None:
    problems = admit(DEFINITION, case.manifest())
    assert [path for path, _ in problems] == ([case.path] if case.message else [])
    if case.rule:
        assert problems == [(case.path, case.message)]


def test_two_rules_of_one_object_are_both_told() -> None:
    manifest = changed({"spec.replicas": 3, "spec.retrieval": {"mode": "Dense"}})
    assert sorted(told(manifest)) == sorted(admit(DEFINITION, manifest))
    assert len(told(manifest)) == 2


def test_every_rule_has_a_case() -> None:
    declared = {
        (f"{path}{rule.get('fieldPath', '')}", rule["message"])
        for path, node in nodes(SCHEMA)
        for rule in node.get("x-kubernetes-validations", ())
    }
    assert declared == {(case.path.replace("[0]", "[]"), case.message) for case in CASES if case.rule}


def test_cases_have_names_of_their_own() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)


@each_leaf
def test_every_bound_is_the_same_on_both_sides(path: str) -> None:
    values = list(around_the_bounds(LEAVES[path]))
    assert len(values) > 5
    for value in values:
        manifest = changed({f"spec.{key}": item for key, item in around(path, value).items()})
        expected = [problem for problem, _ in admit(DEFINITION, manifest)]
        assert [problem for problem, _ in told(manifest)] == expected, value


@each_leaf
def test_each_leaf_is_tried_where_it_is_valid(path: str) -> None:
    """Otherwise the bounds above are those of an object that is refused for another reason."""
    for value in valid_values(path, LEAVES[path]):
        manifest = changed({f"spec.{key}": item for key, item in around(path, value).items()})
        assert told(manifest) == [], value


NAMES = [f"a{number}" for number in range(65)]
POLICY = {"type": "Pods", "value": 1, "periodSeconds": 1}
GROWING: list[tuple[str, list[Any]]] = [
    ("generation.fallbacks", [{"name": name, **GENERATORS["OpenAI"]} for name in NAMES[:9]]),
    ("vectorStore.index.metadata", [{"key": name, "type": "Keyword"} for name in NAMES]),
    ("runtime.imagePullSecrets", [{"name": name} for name in NAMES[:17]]),
    ("runtime.tolerations", [{"key": name} for name in NAMES[:33]]),
    ("runtime.env", [{"name": name, "value": ""} for name in NAMES]),
    ("autoscaling.metrics", [{"name": name, "averageValue": "1"} for name in NAMES[:9]]),
    ("autoscaling.behavior.scaleUp.policies", [POLICY] * 5),
    ("autoscaling.behavior.scaleDown.policies", [POLICY] * 5),
    ("exposure.httpRoute.parentRefs", [{"name": name} for name in NAMES[:9]]),
    ("exposure.httpRoute.hostnames", NAMES[:17]),
    ("networkPolicy.clients", [{}] * 33),
    ("networkPolicy.scrapers", [{}] * 33),
    ("networkPolicy.egress", [{"peer": {}}] * 65),
    ("networkPolicy.egress[0].ports", [443] * 17),
]


def test_every_list_is_tried() -> None:
    lists = {path for path, node in nodes(SPEC) if node["type"] == "array"}
    assert {path.replace("[0]", "[]") for path, _ in GROWING} == lists


@pytest.mark.parametrize(("path", "items"), GROWING)
def test_a_list_holds_so_many_items_and_no_more(path: str, items: list[Any]) -> None:
    manifest = changed({f"spec.{key}": item for key, item in around(path, items).items()})
    assert [problem for problem, _ in told(manifest)] == [f"spec.{path}"]
    assert admit(DEFINITION, manifest) == [(f"spec.{path}", "Too many")]
    manifest = changed({f"spec.{key}": item for key, item in around(path, items[:-1]).items()})
    assert told(manifest) == admit(DEFINITION, manifest) == []


@pytest.mark.parametrize("path", [path for path, node in LEAVES.items() if node["type"] == "object"])
def test_a_map_holds_so_many_entries_and_no_more(path: str) -> None:
    most = LEAVES[path]["maxProperties"]
    # With a domain, so that resources can have these names too.
    entries = {f"example.com/{name}": "1" for name in NAMES[: most + 1]}
    manifest = changed({f"spec.{key}": item for key, item in around(path, entries).items()})
    assert [problem for problem, _ in told(manifest)] == [f"spec.{path}"]
    assert admit(DEFINITION, manifest) == [(f"spec.{path}", "Too many")]
    entries.popitem()
    manifest = changed({f"spec.{key}": item for key, item in around(path, entries).items()})
    assert told(manifest) == admit(DEFINITION, manifest) == []


def test_a_setting_does_not_show_the_password_in_an_address() -> None:
    text = yaml.safe_dump(changed({"spec.vectorStore": QDRANT}))
    for path in ("vectorStore.qdrant.url", "vectorStore.qdrant.url[0]", "vectorStore.adopt", "nothing"):
        with pytest.raises(ManifestError) as caught:
            parse_manifest(text, "pipeline.yaml", [f"{path}=https://user:passw0rd@qdrant:6333"])
        assert "passw0rd" not in str(caught.value)
        assert "https://…@qdrant:6333" in str(caught.value)


def around_the_bounds(node: dict[str, Any]) -> Iterator[Any]:
    for keyword, step in (("minimum", -1), ("maximum", 1)):
        if keyword in node:
            yield node[keyword]
            yield node[keyword] + step
    for keyword, step in (("minLength", -1), ("maxLength", 1)):
        if keyword in node:
            yield "a" * node[keyword]
            yield "a" * (node[keyword] + step)
    yield from node.get("enum", ())
    yield from ("a" * 5000, -1, 0.5, True, [], {})


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}" if path else name)
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")

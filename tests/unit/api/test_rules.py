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
        (f"{path}{rule['fieldPath']}", rule["message"])
        for path, node in nodes(SCHEMA)
        for rule in node.get("x-kubernetes-validations", ())
    }
    assert declared == {(case.path.replace("[0]", "[]"), case.message) for case in CASES if case.rule}


def test_cases_have_names_of_their_own() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)


def test_every_bound_is_the_same_on_both_sides() -> None:
    checked = 0
    for path, node in leaves(SPEC):
        for value in around_the_bounds(node):
            manifest = changed({f"spec.{key}": item for key, item in around(path, value).items()})
            expected = [problem for problem, _ in admit(DEFINITION, manifest)]
            assert [problem for problem, _ in told(manifest)] == expected, (path, value)
            checked += 1
    assert checked > 500


def test_each_leaf_is_tried_where_it_is_valid() -> None:
    """Otherwise the bounds above are those of an object that is refused for another reason."""
    for path, node in leaves(SPEC):
        for value in valid_values(path, node):
            manifest = changed({f"spec.{key}": item for key, item in around(path, value).items()})
            assert told(manifest) == [], (path, value)


@pytest.mark.parametrize(
    ("path", "items"),
    [
        (
            "spec.generation.fallbacks",
            [{"name": f"other-{number}", **GENERATORS["OpenAI"]} for number in range(9)],
        ),
        ("spec.vectorStore.index.metadata", [{"key": f"key-{n}", "type": "Keyword"} for n in range(65)]),
    ],
)
def test_a_list_holds_so_many_items_and_no_more(path: str, items: list[Any]) -> None:
    around_it = {"spec.generation": GENERATORS["OpenAI"]}
    manifest = changed({**around_it, path: items})
    assert [problem for problem, _ in told(manifest)] == [path]
    assert admit(DEFINITION, manifest) == [(path, "Too many")]
    manifest = changed({**around_it, path: items[:-1]})
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

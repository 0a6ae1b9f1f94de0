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

DEFINITION = custom_resource_definition()
SCHEMA = DEFINITION["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


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
    manifest = changed({"spec.replicas": 3, "spec.auth": ...})
    assert sorted(told(manifest)) == sorted(admit(DEFINITION, manifest))
    assert len(told(manifest)) == 2


def test_every_rule_has_a_case() -> None:
    declared = {
        rule["message"] for node in nodes(SCHEMA) for rule in node.get("x-kubernetes-validations", ())
    }
    assert declared == {case.message for case in CASES if case.rule}


def test_every_bound_is_the_same_on_both_sides() -> None:
    checked = 0
    for path, node in leaves(SCHEMA["properties"]["spec"], "spec"):
        for value in around_the_bounds(node):
            manifest = changed({path: value})
            expected = [problem for problem, _ in admit(DEFINITION, manifest)]
            assert [problem for problem, _ in told(manifest)] == expected, (path, value)
            checked += 1
    assert checked > 50


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


def nodes(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    for child in schema.get("properties", {}).values():
        yield from nodes(child)


def leaves(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if "properties" not in schema:
        yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from leaves(child, f"{path}.{name}")

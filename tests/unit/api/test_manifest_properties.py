"""Whatever a manifest holds, its author is told in Ragfleet's words, and both checkers agree."""

from __future__ import annotations

import json
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ragfleet_api.crd import custom_resource_definition
from ragfleet_api.manifest import parse_manifest
from ragfleet_api.problems import ManifestError
from support.admission import admit
from support.rule_cases import CASES, MINIMAL

DEFINITION = custom_resource_definition()

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 600) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def paths(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(value, dict):
        return [path]
    return [path, *(found for name, child in value.items() for found in paths(child, (*path, name)))]


PATHS = sorted({path for case in CASES for path in paths(case.manifest()) if path[:1] == ("spec",)})


@st.composite
def manifests(draw: st.DrawFn) -> dict[str, Any]:
    """The minimal object with up to three values of any kind in places that matter."""
    manifest: dict[str, Any] = json.loads(json.dumps(MINIMAL))
    for path in draw(st.lists(st.sampled_from(PATHS), max_size=3)):
        parent = manifest
        for step in path[:-1]:
            child = parent.get(step)
            parent[step] = child if isinstance(child, dict) else {}
            parent = parent[step]
        parent[path[-1]] = draw(VALUES)
    return manifest


def told(text: str, *overrides: str) -> list[str]:
    try:
        parse_manifest(text, "f.yaml", overrides)
    except ManifestError as error:
        return str(error).splitlines()
    return []


@settings(deadline=None)
@given(manifests())
def test_a_laptop_and_a_cluster_agree(manifest: dict[str, Any]) -> None:
    assert bool(told(yaml.safe_dump(manifest))) == bool(admit(DEFINITION, manifest))


@settings(deadline=None)
@given(st.text() | st.text("ab:-{}[]&*!|>'\"#,? \n\t<~%@`0.", max_size=40))
def test_any_text_is_refused_in_our_words(text: str) -> None:
    lines = told(text)
    assert lines
    assert all(line.startswith("f.yaml:") for line in lines)


@settings(deadline=None)
@given(st.text() | st.text("retival.topK=[]0\\,\"'", max_size=30))
def test_any_setting_is_applied_or_refused_in_our_words(setting: str) -> None:
    text = json.dumps(MINIMAL)
    assert all(line.startswith("--set ") for line in told(text, setting)[:1])

"""The projection: every field of the specification has an effect, and equal pipelines give equal bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragfleet_api.config import (
    ChunkingConfig,
    Owner,
    RuntimeConfig,
    SparseConfig,
    canonical_json,
    project,
    query_fingerprint,
    recipe_fingerprint,
)
from ragfleet_api.schema import structural_schema
from ragfleet_api.spec import RAGPipelineSpec
from support.rule_cases import changed

OWNER = Owner(cluster="local", namespace="team-a", name="handbook")

# Fields whose effect is not in the service's configuration, and where it is.
ELSEWHERE = {
    "replicas": "the number of copies of the service, which none of them reads",
    "auth.required": "a rule refuses all but false until there are API keys",
}


def leaves(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, child in schema["properties"].items():
        here = f"{path}.{name}" if path else name
        if "properties" in child:
            yield from leaves(child, here)
        else:
            yield here, child


LEAVES = dict(leaves(structural_schema(RAGPipelineSpec)))


def values_of(node: dict[str, Any]) -> list[Any]:
    """Every value of a choice, and two of anything else."""
    if "enum" in node:
        return list(node["enum"])
    if node["type"] == "integer":
        return [node["minimum"], node["minimum"] + 1]
    two: dict[str, list[Any]] = {"boolean": [False, True], "string": ["a", "b"]}
    return two[node["type"]]


def projected(changes: dict[str, Any]) -> RuntimeConfig:
    manifest = changed({f"spec.{path}": value for path, value in changes.items()})
    return project(RAGPipelineSpec.model_validate(manifest["spec"]), OWNER)


@pytest.mark.parametrize("path", [path for path in LEAVES if path not in ELSEWHERE])
def test_every_field_has_an_effect(path: str) -> None:
    values = values_of(LEAVES[path])
    if len(values) == 1:
        # A choice of one cannot make a difference; the service must still be told of it.
        assert json.dumps(values[0]) in projected({path: values[0]}).canonical_json()
    else:
        assert len({projected({path: value}).canonical_json() for value in values}) == len(values)


def test_what_is_excused_is_a_field_and_has_no_effect() -> None:
    assert set(ELSEWHERE) <= set(LEAVES)
    assert projected({"replicas": 0}) == projected({"replicas": 1})


def test_defaults_are_resolved() -> None:
    config = json.loads(projected({}).canonical_json())
    assert config == {
        "configVersion": 1,
        "owner": {"cluster": "local", "namespace": "team-a", "name": "handbook", "uid": ""},
        "engine": "Embedded",
        "collection": "team-a-handbook-b620b3be",
        "adopt": False,
        "chunking": {"strategy": "Adaptive", "maxTokens": 256, "overlapTokens": 32},
        "retrieval": {
            "mode": "Sparse",
            "topK": 8,
            "sparse": {"encoder": "qdrant-bm25", "language": "English"},
            "query": {"maxCharacters": 8192, "tooLong": "Reject"},
        },
        "generation": {
            "type": "Extractive",
            "maxSentences": 3,
            "noAnswer": "I can't find that in the documents.",
        },
        "ingestion": {
            "maxRequestBytes": 64 * 2**20,
            "parseTimeoutSeconds": 30,
            "parseMemoryBytes": 1024 * 2**20,
        },
    }


@pytest.mark.parametrize(("size", "overlap"), [(16, 2), (255, 31), (256, 32), (8192, 32)])
def test_the_default_overlap_fits_the_size(size: int, overlap: int) -> None:
    assert projected({"chunking.maxTokens": size}).chunking.overlap_tokens == overlap


def test_the_longest_names_give_a_valid_collection() -> None:
    spec = RAGPipelineSpec.model_validate(changed({})["spec"])
    config = project(spec, Owner(cluster="local", namespace="n" * 63, name="p" * 52))
    assert projected({"vectorStore.collection": config.collection}).collection == config.collection


def test_fingerprints_do_not_change_by_accident() -> None:
    """A change of these makes every stored collection unusable, or every document stale."""
    assert query_fingerprint(SparseConfig(language="English")) == "b620b3be"
    chunking = ChunkingConfig(strategy="Adaptive", max_tokens=256, overlap_tokens=32)
    assert recipe_fingerprint(chunking, 1) == "aec4961a"
    assert recipe_fingerprint(chunking, 2) != recipe_fingerprint(chunking, 1)


def test_a_configuration_survives_its_own_json() -> None:
    config = projected({"retrieval.bm25.language": "Greek", "generation.noAnswer": "Δεν το βρίσκω."})
    assert RuntimeConfig.model_validate_json(config.canonical_json()) == config


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=12,
)


def reversed_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reversed_keys(value[key]) for key in reversed(value)}
    return [reversed_keys(item) for item in value] if isinstance(value, list) else value


@settings(deadline=None)
@given(JSON)
def test_canonical_json_is_one_text_for_one_value(value: Any) -> None:
    text = canonical_json(value)
    assert canonical_json(reversed_keys(value)) == text
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text

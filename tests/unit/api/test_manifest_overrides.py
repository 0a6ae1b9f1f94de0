"""``--set``: paths, values and errors."""

from __future__ import annotations

from typing import Any

import pytest

from ragfleet_api.manifest import parse_manifest
from ragfleet_api.overrides import apply_overrides, parse_overrides
from ragfleet_api.problems import ManifestError
from ragfleet_api.resource import RAGPipeline

TEXT = """\
apiVersion: ragfleet.dev/v1alpha1
kind: RAGPipeline
metadata: {name: handbook}
spec:
  vectorStore: {type: Embedded}
  generation: {type: Extractive}
  retrieval: {topK: 3, query: {maxCharacters: 100}}
  chunking: {maxTokens: 64}
"""
AUTH = "auth.required=false"
SECTIONS = (
    "vectorStore, embedding, chunking, retrieval, generation, ingestion, requests, auth, runtime, replicas, "
    "autoscaling, exposure, networkPolicy, monitoring, upgrade, suspend"
)


def load(*settings: str) -> RAGPipeline:
    return parse_manifest(TEXT, "pipeline.yaml", (*settings, AUTH))


def told(*settings: str) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        parse_manifest(TEXT, "pipeline.yaml", settings)
    return str(caught.value).splitlines()


def applied(value: Any, *arguments: str) -> Any:
    return apply_overrides(value, parse_overrides(arguments))[0]


def test_a_path_starts_at_the_root_or_at_the_spec() -> None:
    pipeline = load("spec.retrieval.topK=5", "retrieval.mode=Sparse", "metadata.name=other")
    assert pipeline.spec.retrieval is not None
    assert (pipeline.spec.retrieval.top_k, pipeline.spec.retrieval.mode) == (5, "Sparse")
    assert pipeline.metadata.name == "other"


def test_a_later_setting_wins() -> None:
    retrieval = load("retrieval.topK=5,retrieval.topK=6", "retrieval.topK=7").spec.retrieval
    assert retrieval is not None
    assert retrieval.top_k == 7


def test_null_removes_a_field_or_a_section() -> None:
    pipeline = load("retrieval.topK=null", "chunking=null", "ingestion.parseTimeoutSeconds=null")
    assert pipeline.spec.retrieval is not None
    assert pipeline.spec.retrieval.top_k is None
    assert pipeline.spec.chunking is None
    assert "ingestion" not in pipeline.spec.model_fields_set


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", 5),
        ("true", True),
        ("1.5", 1.5),
        ("1:30", "1:30"),
        ("two words", "two words"),
        ("a=b", "a=b"),
        ("a: b", "a: b"),
        ("[a]", "[a]"),
        ("", ""),
        ('"5"', "5"),
        ("'null'", "null"),
        ('"a, b\\n"', "a, b\n"),
        (r"a\, b", "a, b"),
        (r"a\\b", r"a\b"),
        ('"', '"'),
        ('"open', '"open'),
    ],
)
def test_values(text: str, expected: Any) -> None:
    (override,) = parse_overrides([f"generation.noAnswer={text}"])
    assert override.value == expected
    assert type(override.value) is type(expected)


def test_keys_with_dots() -> None:
    labels = load(r"metadata.labels.example\.com/team=a").metadata.labels
    assert labels == {"example.com/team": "a"}


def test_lists() -> None:
    value = {"spec": {"auth": [{"name": "a"}, {"name": "b"}]}}
    assert applied(value, "auth[1].name=c", "auth[2].name=d")["spec"]["auth"] == [
        {"name": "a"},
        {"name": "c"},
        {"name": "d"},
    ]
    assert applied(value, "auth[0]=null")["spec"]["auth"] == [{"name": "b"}]
    assert applied({}, "auth[0][0]=1") == {"spec": {"auth": [[1]]}}
    assert value == {"spec": {"auth": [{"name": "a"}, {"name": "b"}]}}


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("", r"--set : must be path.to.field=value; write \, for a comma in a value"),
        ("retrieval", r"--set retrieval: must be path.to.field=value; write \, for a comma in a value"),
        ("=5", r"--set =5: must be path.to.field=value; write \, for a comma in a value"),
        (
            "retrieval.topK=5,more",
            r"--set retrieval.topK=5,more: must be path.to.field=value; write \, for a comma in a value",
        ),
        (
            "retrieval..topK=5",
            "--set retrieval..topK=5: retrieval..topK is not a path such as retrieval.topK or list[0].name",
        ),
        ("auth[x]=5", "--set auth[x]=5: auth[x] is not a path such as retrieval.topK or list[0].name"),
        ("auth.=5", "--set auth.=5: auth. is not a path such as retrieval.topK or list[0].name"),
        (
            "retreival.topK=5",
            "--set retreival.topK=5: retreival is not a field; did you mean retrieval? a path starts with "
            f"metadata, spec, {SECTIONS}",
        ),
        (
            "status.replicas=5",
            f"--set status.replicas=5: status is not a field; a path starts with metadata, spec, {SECTIONS}",
        ),
        (
            "retrieval.topK.most=5",
            "--set retrieval.topK.most=5: spec.retrieval.topK is 3, not an object",
        ),
        ("retrieval[0]=5", "--set retrieval[0]=5: spec.retrieval is an object, not a list"),
        ("auth[1]=5", "--set auth[1]=5: spec.auth has 0 items; the next is [0]"),
        (
            'generation.noAnswer="\\q"',
            '--set generation.noAnswer="\\q": "\\q" is not a quoted YAML string',
        ),
    ],
)
def test_a_setting_that_cannot_be_applied(setting: str, message: str) -> None:
    assert told(setting) == [message]


def test_an_error_names_the_setting_in_place_of_the_line() -> None:
    assert told("retrieval.topKK=5,chunking.maxTokens=8", "chunking.overlapTokens=x", AUTH) == [
        "--set retrieval.topKK=5: spec.retrieval.topKK: unknown field; did you mean topK? "
        "allowed: bm25, candidates, fusion, mode, query, topK, whenEmbeddingFails",
        "--set chunking.maxTokens=8: spec.chunking.maxTokens: found 8; must be an integer from 16 to 8192",
        '--set chunking.overlapTokens=x: spec.chunking.overlapTokens: found "x" (string); '
        "must be an integer from 0 to 4096",
    ]


def test_an_error_that_a_setting_leads_to_is_told_where_it_is() -> None:
    assert told("vectorStore.type=null", AUTH) == [
        "--set vectorStore.type=null: spec.vectorStore.type: required, and missing; "
        "must be one of Embedded, Qdrant"
    ]
    assert told("chunking.overlapTokens=64", AUTH) == [
        "--set chunking.overlapTokens=64: spec.chunking.overlapTokens: overlapTokens must be less than "
        "maxTokens (default 256)"
    ]


def test_the_line_stands_where_the_file_is_at_fault() -> None:
    assert told("retrieval.mode=Dense") == [
        "pipeline.yaml:7: spec.retrieval: retrieval.mode Dense and Hybrid need an embedding"
    ]
    assert told("vectorStore.type=Qdrant") == [
        "pipeline.yaml:5: spec.vectorStore.qdrant: type Qdrant needs the section qdrant"
    ]

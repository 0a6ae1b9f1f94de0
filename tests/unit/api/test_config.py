"""The projection: every field of the specification has an effect, and equal pipelines give equal bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragfleet_api.config.canonical import canonical_json
from ragfleet_api.config.fingerprints import query_fingerprint, recipe_fingerprint
from ragfleet_api.config.models import EmbeddingConfig, FastEmbedConfig
from ragfleet_api.config.project import project
from ragfleet_api.config.runtime import ChunkingConfig, Owner, RuntimeConfig, SparseConfig
from ragfleet_api.manifest import parse_manifest
from ragfleet_api.schema import structural_schema
from ragfleet_api.spec import RAGPipelineSpec
from support.rule_cases import VALID, changed
from support.sections import EMBEDDINGS, GENERATORS, QDRANT, around, leaves, valid_values

OWNER = Owner(cluster="local", namespace="team-a", name="handbook")
DOCUMENT = Path(__file__).parents[3] / "docs" / "manifest.md"

# Starts of the paths of fields whose effect is not in the service's configuration but in the objects that the
# operator makes, or in what it does: tests/unit/operator/test_every_field_renders.py holds each to that.
ELSEWHERE = (
    "runtime.",
    "replicas",
    "autoscaling.",
    "exposure.",
    "networkPolicy.",
    "monitoring.",
    "upgrade.",
    "suspend",
    "vectorStore.embedded.",
    "vectorStore.deletionPolicy",
)

LEAVES = dict(leaves(structural_schema(RAGPipelineSpec)))
# What a new index is needed for.
OF_THE_INDEX = {
    "embedding.type",
    "embedding.fastEmbed.model",
    "embedding.sentenceTransformers.model",
    "embedding.openAI.model",
    "embedding.cohere.model",
    "embedding.dimensions",
    "embedding.queryPrefix",
    "embedding.documentPrefix",
    "embedding.normalize",
    "retrieval.bm25.language",
}


def projected(changes: dict[str, Any]) -> RuntimeConfig:
    manifest = changed({f"spec.{path}": value for path, value in changes.items()})
    return project(RAGPipelineSpec.model_validate(manifest["spec"]), OWNER)


def fingerprint(config: RuntimeConfig) -> str:
    return query_fingerprint(config.retrieval.sparse, config.embedding)


@pytest.mark.parametrize("path", [path for path in LEAVES if not path.startswith(ELSEWHERE)])
def test_every_field_has_an_effect(path: str) -> None:
    values = valid_values(path, LEAVES[path])
    assert len(values) > 1
    assert len({projected(around(path, value)).canonical_json() for value in values}) == len(values)


@pytest.mark.parametrize("path", [path for path in LEAVES if path.startswith(ELSEWHERE)])
def test_what_concerns_the_cluster_is_not_in_the_configuration(path: str) -> None:
    """Otherwise an edit of it would roll the pods."""
    values = valid_values(path, LEAVES[path])
    assert len({projected(around(path, value)).canonical_json() for value in values}) == 1


@pytest.mark.parametrize("start", ELSEWHERE)
def test_what_is_excused_is_a_field(start: str) -> None:
    assert any(path.startswith(start) for path in LEAVES)


def test_the_order_of_fallbacks_is_kept() -> None:
    fallbacks = [
        {"name": "b", **GENERATORS["Anthropic"]},
        {"name": "a", **GENERATORS["OpenAI"]},
        {"name": "c", **GENERATORS["Extractive"]},
    ]
    config = projected({"generation": {**GENERATORS["OpenAI"], "fallbacks": fallbacks}})
    assert [generator.name for generator in config.generation.generators] == ["openai", "b", "a", "c"]
    assert [generator.type for generator in config.generation.generators] == [
        "OpenAI",
        "Anthropic",
        "OpenAI",
        "Extractive",
    ]


DEFAULTS: dict[str, Any] = {
    "configVersion": 1,
    "owner": {"cluster": "local", "namespace": "team-a", "name": "handbook", "uid": ""},
    "store": {
        "engine": "Embedded",
        "collection": "team-a-handbook-b620b3be",
        "adopt": False,
        "qdrant": None,
        "index": {
            "hnsw": {"m": 16, "efConstruct": 100, "efSearch": 128, "onDisk": False},
            "quantization": None,
            "indexingThresholdKilobytes": 10_000,
            "segments": 0,
            "metadata": [],
        },
    },
    "embedding": None,
    "chunking": {"strategy": "Adaptive", "maxTokens": 256, "overlapTokens": 32},
    "retrieval": {
        "mode": "Sparse",
        "topK": 8,
        "candidates": 200,
        "fusion": {
            "method": "DBSF",
            "rrfK": 60,
            "rrfDenseWeight": 1,
            "rrfSparseWeight": 1,
            "alphaPercent": 50,
        },
        "whenEmbeddingFails": "Fail",
        "sparse": {"encoder": "qdrant-bm25", "language": "English"},
        "query": {"maxCharacters": 8192, "tooLong": "Reject"},
    },
    "generation": {
        "generators": [{"type": "Extractive", "name": "extractive", "maxSentences": 3}],
        "prompt": {
            "systemPrompt": None,
            "temperature": None,
            "maxOutputTokens": 800,
            "language": None,
            "contextTokens": 6000,
            "tokenizerPath": None,
        },
        "noAnswer": "I can't find that in the documents.",
    },
    "ingestion": {
        "maxRequestBytes": 64 * 2**20,
        "parseTimeoutSeconds": 30,
        "parseMemoryBytes": 1024 * 2**20,
    },
    "requests": {"deadlineSeconds": 60},
    "auth": {"required": True, "secret": "handbook-api-keys", "generate": True},
}


def test_defaults_are_resolved() -> None:
    assert json.loads(projected({"auth": ...}).canonical_json()) == DEFAULTS


def test_the_manifest_that_the_documentation_shows_has_the_defaults() -> None:
    text = DOCUMENT.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    pipeline = parse_manifest(text, DOCUMENT.name)
    assert json.loads(project(pipeline.spec, OWNER).canonical_json()) == DEFAULTS


def test_defaults_of_the_server_engine() -> None:
    assert json.loads(projected({"vectorStore": QDRANT}).store.model_dump_json(by_alias=True))["qdrant"] == {
        "url": "https://qdrant.data:6333",
        "apiKey": None,
        "ca": None,
        "timeoutSeconds": 10,
        "maxRetries": 3,
        "maxConnections": 32,
        "upsertBatchSize": 256,
        "shards": 1,
        "replicationFactor": 1,
    }


KEY = {"name": "keys", "key": "token"}
CALLS = {"timeoutSeconds": 30, "maxRetries": 2, "maxConcurrency": 4}


@pytest.mark.parametrize(
    ("type_", "provider", "batch"),
    [
        ("FastEmbed", {"model": "bge-m3", "path": None, "threads": 1}, 32),
        ("SentenceTransformers", {"model": "bge-m3", "path": None, "device": "CPU"}, 32),
        ("OpenAI", {"model": "bge-m3", "baseUrl": "https://api.openai.com/v1", "apiKey": KEY, **CALLS}, 32),
        ("Cohere", {"model": "bge-m3", "baseUrl": "https://api.cohere.com", "apiKey": KEY, **CALLS}, 96),
    ],
)
def test_defaults_of_an_embedding(type_: str, provider: dict[str, Any], batch: int) -> None:
    config = json.loads(projected({"embedding": EMBEDDINGS[type_]}).canonical_json())
    assert config["embedding"] == {
        "provider": {"type": type_, **provider},
        "dimensions": None,
        "queryPrefix": "",
        "documentPrefix": "",
        "normalize": True,
        "batchSize": batch,
    }
    assert config["retrieval"] == {**DEFAULTS["retrieval"], "mode": "Hybrid"}


@pytest.mark.parametrize(
    ("type_", "generator"),
    [
        (
            "OpenAI",
            {
                "name": "openai",
                "model": "model-c",
                "baseUrl": "https://api.openai.com/v1",
                "apiKey": KEY,
                "maxTokensParameter": "max_completion_tokens",
            },
        ),
        (
            "Anthropic",
            {
                "name": "anthropic",
                "model": "model-d",
                "baseUrl": "https://api.anthropic.com",
                "apiKey": KEY,
            },
        ),
    ],
)
def test_defaults_of_a_generator(type_: str, generator: dict[str, Any]) -> None:
    config = json.loads(projected({"generation": GENERATORS[type_]}).canonical_json())
    assert config["generation"] == {
        **DEFAULTS["generation"],
        "generators": [{"type": type_, **generator}],
    }


@pytest.mark.parametrize(
    ("base_url", "parameter", "name"),
    [
        (None, None, "max_completion_tokens"),
        ("https://api.openai.com/v1/", None, "max_completion_tokens"),
        ("http://vllm:8000/v1", None, "max_tokens"),
        (None, "MaxTokens", "max_tokens"),
        ("http://vllm:8000/v1", "MaxCompletionTokens", "max_completion_tokens"),
    ],
)
def test_the_name_of_the_limit_of_an_answer(base_url: str | None, parameter: str | None, name: str) -> None:
    chat = {**GENERATORS["OpenAI"]["openAI"], "baseURL": base_url, "maxTokensParameter": parameter}
    config = json.loads(projected({"generation": {"type": "OpenAI", "openAI": chat}}).canonical_json())
    assert config["generation"]["generators"][0]["maxTokensParameter"] == name


def test_a_temperature_becomes_a_number() -> None:
    config = projected({"generation": {**GENERATORS["OpenAI"], "temperature": "0.25"}})
    assert config.generation.prompt.temperature == 0.25


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        (None, {"required": True, "secret": "handbook-api-keys", "generate": True}),
        ({"required": True}, {"required": True, "secret": "handbook-api-keys", "generate": True}),
        ({"apiKeys": {}}, {"required": True, "secret": "handbook-api-keys", "generate": True}),
        (
            {"apiKeys": {"secretRef": {"name": "callers"}}},
            {"required": True, "secret": "callers", "generate": False},
        ),
    ],
)
def test_keys_are_generated_unless_a_secret_is_named(
    auth: dict[str, Any] | None, expected: dict[str, Any]
) -> None:
    assert projected({"auth": auth}).auth.model_dump(by_alias=True) == expected


def test_no_key_is_generated_where_none_is_required() -> None:
    auth = projected({"auth": {"required": False}}).auth
    assert not auth.required
    assert not auth.generate


@pytest.mark.parametrize(("size", "overlap"), [(16, 2), (255, 31), (256, 32), (8192, 32)])
def test_the_default_overlap_fits_the_size(size: int, overlap: int) -> None:
    assert projected({"chunking.maxTokens": size}).chunking.overlap_tokens == overlap


def test_the_longest_names_give_a_valid_collection() -> None:
    spec = RAGPipelineSpec.model_validate(changed({})["spec"])
    config = project(spec, Owner(cluster="local", namespace="n" * 63, name="p" * 52))
    name = config.store.collection
    assert projected({"vectorStore.collection": name}).store.collection == name


def test_fingerprints_do_not_change_by_accident() -> None:
    """A change of these makes every stored collection unusable, or every document stale."""
    sparse = SparseConfig(language="English")
    assert query_fingerprint(sparse) == "b620b3be"
    embedding = EmbeddingConfig(
        provider=FastEmbedConfig(
            model="sentence-transformers/all-MiniLM-L6-v2", path="models/all-MiniLM-L6-v2", threads=1
        ),
        dimensions=None,
        query_prefix="",
        document_prefix="",
        normalize=True,
        batch_size=32,
    )
    assert query_fingerprint(sparse, embedding) == "526680f4"
    chunking = ChunkingConfig(strategy="Adaptive", max_tokens=256, overlap_tokens=32)
    assert recipe_fingerprint(chunking, 1) == "aec4961a"
    assert recipe_fingerprint(chunking, 2) != recipe_fingerprint(chunking, 1)


@pytest.mark.parametrize("path", LEAVES)
def test_the_fingerprint_changes_with_what_vectors_depend_on_and_with_nothing_else(path: str) -> None:
    found = {
        fingerprint(projected({**beside(path), **around(path, value)}))
        for value in valid_values(path, LEAVES[path])
    }
    assert (len(found) > 1) == (path in OF_THE_INDEX)


def beside(path: str) -> dict[str, Any]:
    """An embedding, except where that is what is changed."""
    return {} if path.startswith("embedding") else {"embedding": EMBEDDINGS["FastEmbed"]}


def test_the_default_collection_is_named_by_the_fingerprint() -> None:
    config = projected({"embedding": EMBEDDINGS["Cohere"]})
    assert config.store.collection == f"team-a-handbook-{fingerprint(config)}"


@pytest.mark.parametrize("case", VALID, ids=lambda case: case.name)
def test_a_configuration_survives_its_own_json(case: Any) -> None:
    config = project(RAGPipelineSpec.model_validate(case.manifest()["spec"]), OWNER)
    assert RuntimeConfig.model_validate_json(config.canonical_json()) == config


def test_a_configuration_names_secrets_and_has_no_place_for_their_values() -> None:
    def references(node: Any, path: str = "") -> list[tuple[str, Any]]:
        if isinstance(node, dict):
            children = [(f"{path}.{name}" if path else name, child) for name, child in node.items()]
        elif isinstance(node, list):
            children = [(f"{path}[{index}]", child) for index, child in enumerate(node)]
        else:
            return []
        own = [(where, child) for where, child in children if where.endswith((".apiKey", ".ca"))]
        return own + [found for where, child in children for found in references(child, where)]

    case = next(case for case in VALID if "remote models and keys" in case.name)
    spec = RAGPipelineSpec.model_validate(case.manifest()["spec"])
    found = references(json.loads(project(spec, OWNER).canonical_json()))
    assert len(found) == 6
    assert all(value.keys() == {"name", "key"} for _, value in found)


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

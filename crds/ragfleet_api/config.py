"""The runtime's configuration: an explicit projection of the specification, with every default resolved.

What is not projected cannot restart the service; what is projected is all that the service reads.
"""

from __future__ import annotations

import hashlib
import json
from typing import Literal, TypeVar

from ragfleet_api.base import ApiModel
from ragfleet_api.spec import (
    BM25,
    DEFAULT_MAX_TOKENS,
    DEFAULT_OVERLAP_TOKENS,
    Chunking,
    ChunkingStrategy,
    Extractive,
    Ingestion,
    Language,
    LongQueryPolicy,
    Query,
    RAGPipelineSpec,
    Retrieval,
    RetrievalMode,
)

NO_ANSWER = "I can't find that in the documents."


class Owner(ApiModel):
    """Whose collection it is. On a laptop the cluster is "local" and there is no UID."""

    cluster: str
    namespace: str
    name: str
    uid: str = ""


class ChunkingConfig(ApiModel):
    """Chunking with defaults resolved; sizes in tokens."""

    strategy: ChunkingStrategy
    max_tokens: int
    overlap_tokens: int


class SparseConfig(ApiModel):
    """What a sparse vector depends on."""

    encoder: Literal["qdrant-bm25"] = "qdrant-bm25"
    language: Language


class QueryConfig(ApiModel):
    """Limits of a question."""

    max_characters: int
    too_long: LongQueryPolicy


class RetrievalConfig(ApiModel):
    """Retrieval with defaults resolved."""

    mode: RetrievalMode
    top_k: int
    sparse: SparseConfig
    query: QueryConfig


class GenerationConfig(ApiModel):
    """Generation with defaults resolved."""

    type: Literal["Extractive"]
    max_sentences: int
    no_answer: str


class IngestionConfig(ApiModel):
    """Limits of ingestion: bytes and seconds."""

    max_request_bytes: int
    parse_timeout_seconds: int
    parse_memory_bytes: int


class RuntimeConfig(ApiModel):
    """All that the service reads of its pipeline."""

    config_version: Literal[1] = 1
    owner: Owner
    engine: Literal["Embedded"]
    collection: str
    adopt: bool
    chunking: ChunkingConfig
    retrieval: RetrievalConfig
    generation: GenerationConfig
    ingestion: IngestionConfig

    def canonical_json(self) -> str:
        """The configuration as JSON with sorted keys: equal configurations give equal bytes."""
        return canonical_json(self.model_dump(mode="json", by_alias=True))


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def query_fingerprint(sparse: SparseConfig) -> str:
    """Identity of everything that a stored vector must share with a question's vector (8 hex digits)."""
    return _fingerprint({"sparse": sparse.model_dump(mode="json", by_alias=True)})


def recipe_fingerprint(chunking: ChunkingConfig, version: int) -> str:
    """Identity of how documents become chunks; ``version`` is that of the chunking code (8 hex digits)."""
    return _fingerprint({"chunking": chunking.model_dump(mode="json", by_alias=True), "version": version})


def _fingerprint(value: object) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:8]


def project(spec: RAGPipelineSpec, owner: Owner) -> RuntimeConfig:
    """The runtime's configuration for a pipeline."""
    chunking = spec.chunking or Chunking()
    retrieval = spec.retrieval or Retrieval()
    query = retrieval.query or Query()
    ingestion = spec.ingestion or Ingestion()
    extractive = spec.generation.extractive or Extractive()
    max_tokens = _default(chunking.max_tokens, DEFAULT_MAX_TOKENS)
    sparse = SparseConfig(language=_default((retrieval.bm25 or BM25()).language, "English"))
    default_collection = f"{owner.namespace}-{owner.name}-{query_fingerprint(sparse)}"
    return RuntimeConfig(
        owner=owner,
        engine=spec.vector_store.type,
        collection=_default(spec.vector_store.collection, default_collection),
        adopt=_default(spec.vector_store.adopt, False),
        chunking=ChunkingConfig(
            strategy=_default(chunking.strategy, "Adaptive"),
            max_tokens=max_tokens,
            overlap_tokens=_default(chunking.overlap_tokens, min(DEFAULT_OVERLAP_TOKENS, max_tokens // 8)),
        ),
        retrieval=RetrievalConfig(
            mode=_default(retrieval.mode, "Sparse"),
            top_k=_default(retrieval.top_k, 8),
            sparse=sparse,
            query=QueryConfig(
                max_characters=_default(query.max_characters, 8192),
                too_long=_default(query.too_long, "Reject"),
            ),
        ),
        generation=GenerationConfig(
            type=spec.generation.type,
            max_sentences=_default(extractive.max_sentences, 3),
            no_answer=_default(spec.generation.no_answer, NO_ANSWER),
        ),
        ingestion=IngestionConfig(
            max_request_bytes=_default(ingestion.max_request_megabytes, 64) * 2**20,
            parse_timeout_seconds=_default(ingestion.parse_timeout_seconds, 30),
            parse_memory_bytes=_default(ingestion.parse_memory_megabytes, 1024) * 2**20,
        ),
    )


_T = TypeVar("_T")


def _default(value: _T | None, default: _T) -> _T:
    return default if value is None else value

"""All that the service reads of its pipeline."""

from __future__ import annotations

from typing import Literal

from ragfleet_api.base import ApiModel
from ragfleet_api.config.canonical import canonical_json
from ragfleet_api.config.models import EmbeddingConfig, GenerationConfig
from ragfleet_api.config.store import StoreConfig
from ragfleet_api.spec.chunking import ChunkingStrategy
from ragfleet_api.spec.common import Language
from ragfleet_api.spec.retrieval import (
    EmbeddingFailurePolicy,
    FusionMethod,
    LongQueryPolicy,
    RetrievalMode,
)


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


class FusionConfig(ApiModel):
    """How the dense and the sparse ranking become one; each number counts with its method only."""

    method: FusionMethod
    rrf_k: int = 60
    rrf_dense_weight: int = 1
    rrf_sparse_weight: int = 1
    alpha_percent: int = 50


class RetrievalConfig(ApiModel):
    """Retrieval with defaults resolved."""

    mode: RetrievalMode
    top_k: int
    candidates: int
    fusion: FusionConfig
    when_embedding_fails: EmbeddingFailurePolicy
    sparse: SparseConfig
    query: QueryConfig


class IngestionConfig(ApiModel):
    """Limits of ingestion: bytes and seconds."""

    max_request_bytes: int
    parse_timeout_seconds: int
    parse_memory_bytes: int


class RequestsConfig(ApiModel):
    """Limits of answering a request."""

    deadline_seconds: int


class AuthConfig(ApiModel):
    """Who may call. ``secret`` names the Secret of the keys; ``generate`` says that it is made, not given."""

    required: bool
    secret: str
    generate: bool


class RuntimeConfig(ApiModel):
    """All that the service reads of its pipeline."""

    config_version: Literal[1] = 1
    owner: Owner
    store: StoreConfig
    embedding: EmbeddingConfig | None
    chunking: ChunkingConfig
    retrieval: RetrievalConfig
    generation: GenerationConfig
    ingestion: IngestionConfig
    requests: RequestsConfig
    auth: AuthConfig

    def canonical_json(self) -> str:
        """The configuration as JSON with sorted keys: equal configurations give equal bytes."""
        return canonical_json(self.model_dump(mode="json", by_alias=True))

"""The vector store with defaults resolved."""

from __future__ import annotations

from typing import Literal

from ragfleet_api.base import ApiModel
from ragfleet_api.spec.common import SecretKeyRef
from ragfleet_api.spec.vector_store import EngineType, QuantizationType

# As the engine names them; its indexes of integers would leave out a 2025.0.
MetadataIndexType = Literal["Keyword", "Float", "Bool", "Datetime"]


class QdrantConfig(ApiModel):
    """A Qdrant server and how it is called."""

    url: str
    api_key: SecretKeyRef | None
    ca: SecretKeyRef | None
    timeout_seconds: int
    max_retries: int
    max_connections: int
    upsert_batch_size: int
    shards: int
    replication_factor: int


class HNSWConfig(ApiModel):
    """The graph of dense vectors."""

    m: int
    ef_construct: int
    ef_search: int
    on_disk: bool


class QuantizationConfig(ApiModel):
    """Smaller copies of the dense vectors."""

    type: QuantizationType
    always_in_memory: bool
    oversampling_percent: int


class MetadataIndexConfig(ApiModel):
    """An index on a metadata key."""

    key: str
    type: MetadataIndexType


class IndexConfig(ApiModel):
    """How the collection is indexed."""

    hnsw: HNSWConfig
    quantization: QuantizationConfig | None
    indexing_threshold_kilobytes: int
    segments: int
    metadata: tuple[MetadataIndexConfig, ...]


class StoreConfig(ApiModel):
    """Where chunks are indexed and documents are kept."""

    engine: EngineType
    collection: str
    adopt: bool
    qdrant: QdrantConfig | None
    index: IndexConfig

"""From a specification to the runtime's configuration: every default is resolved here."""

from __future__ import annotations

from ragfleet_api.config.defaults import default
from ragfleet_api.config.fingerprints import query_fingerprint
from ragfleet_api.config.project_models import project_embedding, project_generation
from ragfleet_api.config.runtime import (
    AuthConfig,
    ChunkingConfig,
    FusionConfig,
    IngestionConfig,
    Owner,
    QueryConfig,
    RequestsConfig,
    RetrievalConfig,
    RuntimeConfig,
    SparseConfig,
)
from ragfleet_api.config.store import (
    HNSWConfig,
    IndexConfig,
    MetadataIndexConfig,
    QdrantConfig,
    QuantizationConfig,
    StoreConfig,
)
from ragfleet_api.spec.auth import APIKeys, Auth
from ragfleet_api.spec.chunking import DEFAULT_MAX_TOKENS, DEFAULT_OVERLAP_TOKENS, Chunking
from ragfleet_api.spec.limits import Ingestion, Requests
from ragfleet_api.spec.pipeline import RAGPipelineSpec
from ragfleet_api.spec.retrieval import BM25, DEFAULT_CANDIDATES, DEFAULT_TOP_K, RRF, Fusion, Query, Retrieval
from ragfleet_api.spec.vector_store import (
    HNSW,
    Index,
    MetadataIndex,
    Optimizer,
    Qdrant,
    Quantization,
    VectorStore,
)


def project(spec: RAGPipelineSpec, owner: Owner) -> RuntimeConfig:
    """The runtime's configuration for a pipeline."""
    embedding = project_embedding(spec.embedding)
    retrieval = _retrieval(spec.retrieval or Retrieval(), has_embedding=embedding is not None)
    collection = f"{owner.namespace}-{owner.name}-{query_fingerprint(retrieval.sparse, embedding)}"
    return RuntimeConfig(
        owner=owner,
        store=_store(spec.vector_store, collection),
        embedding=embedding,
        chunking=_chunking(spec.chunking or Chunking()),
        retrieval=retrieval,
        generation=project_generation(spec.generation),
        ingestion=project_ingestion(spec),
        requests=project_requests(spec),
        auth=project_auth(spec, owner.name),
    )


def project_ingestion(spec: RAGPipelineSpec) -> IngestionConfig:
    """The section ``ingestion`` of the configuration alone."""
    ingestion = spec.ingestion or Ingestion()
    return IngestionConfig(
        max_request_bytes=default(ingestion.max_request_megabytes, 64) * 2**20,
        parse_timeout_seconds=default(ingestion.parse_timeout_seconds, 30),
        parse_memory_bytes=default(ingestion.parse_memory_megabytes, 1024) * 2**20,
    )


def project_requests(spec: RAGPipelineSpec) -> RequestsConfig:
    """The section ``requests`` of the configuration alone."""
    requests = spec.requests or Requests()
    return RequestsConfig(deadline_seconds=default(requests.deadline_seconds, 60))


def project_auth(spec: RAGPipelineSpec, pipeline: str) -> AuthConfig:
    """The section ``auth`` of the configuration alone. pipeline: its name."""
    auth = spec.auth or Auth()
    keys = auth.api_keys or APIKeys()
    if keys.secret_ref is not None:
        return AuthConfig(required=True, secret=keys.secret_ref.name, generate=False)
    required = default(auth.required, True)
    return AuthConfig(required=required, secret=f"{pipeline}-api-keys", generate=required)


def _store(store: VectorStore, collection: str) -> StoreConfig:
    return StoreConfig(
        engine=store.type,
        collection=default(store.collection, collection),
        adopt=default(store.adopt, False),
        qdrant=None if store.qdrant is None else _qdrant(store.qdrant),
        index=_index(store.index or Index()),
    )


def _qdrant(qdrant: Qdrant) -> QdrantConfig:
    return QdrantConfig(
        url=qdrant.url,
        api_key=qdrant.api_key_secret_ref,
        ca=qdrant.ca_secret_ref,
        timeout_seconds=default(qdrant.timeout_seconds, 10),
        max_retries=default(qdrant.max_retries, 3),
        max_connections=default(qdrant.max_connections, 32),
        upsert_batch_size=default(qdrant.upsert_batch_size, 256),
        shards=default(qdrant.shards, 1),
        replication_factor=default(qdrant.replication_factor, 1),
    )


def _index(index: Index) -> IndexConfig:
    hnsw, optimizer = index.hnsw or HNSW(), index.optimizer or Optimizer()
    return IndexConfig(
        hnsw=HNSWConfig(
            m=default(hnsw.m, 16),
            ef_construct=default(hnsw.ef_construct, 100),
            ef_search=default(hnsw.ef_search, 128),
            on_disk=default(hnsw.on_disk, False),
        ),
        quantization=None if index.quantization is None else _quantization(index.quantization),
        indexing_threshold_kilobytes=default(optimizer.indexing_threshold_kilobytes, 10_000),
        segments=default(optimizer.segments, 0),
        metadata=tuple(_metadata_index(one) for one in index.metadata or ()),
    )


def _metadata_index(index: MetadataIndex) -> MetadataIndexConfig:
    return MetadataIndexConfig(key=index.key, type="Float" if index.type == "Number" else index.type)


def _quantization(quantization: Quantization) -> QuantizationConfig:
    return QuantizationConfig(
        type=quantization.type,
        always_in_memory=default(quantization.always_in_memory, True),
        oversampling_percent=default(quantization.oversampling_percent, 200),
    )


def _chunking(chunking: Chunking) -> ChunkingConfig:
    max_tokens = default(chunking.max_tokens, DEFAULT_MAX_TOKENS)
    return ChunkingConfig(
        strategy=default(chunking.strategy, "Adaptive"),
        max_tokens=max_tokens,
        overlap_tokens=default(chunking.overlap_tokens, min(DEFAULT_OVERLAP_TOKENS, max_tokens // 8)),
    )


def _retrieval(retrieval: Retrieval, *, has_embedding: bool) -> RetrievalConfig:
    query, fusion = retrieval.query or Query(), retrieval.fusion or Fusion()
    rrf = fusion.rrf or RRF()
    return RetrievalConfig(
        mode=default(retrieval.mode, "Hybrid" if has_embedding else "Sparse"),
        top_k=default(retrieval.top_k, DEFAULT_TOP_K),
        candidates=default(retrieval.candidates, DEFAULT_CANDIDATES),
        fusion=FusionConfig(
            method=default(fusion.method, "DBSF"),
            rrf_k=default(rrf.k, 60),
            rrf_dense_weight=default(rrf.dense_weight, 1),
            rrf_sparse_weight=default(rrf.sparse_weight, 1),
            alpha_percent=default(fusion.alpha_percent, 50),
        ),
        when_embedding_fails=default(retrieval.when_embedding_fails, "Fail"),
        sparse=SparseConfig(language=default((retrieval.bm25 or BM25()).language, "English")),
        query=QueryConfig(
            max_characters=default(query.max_characters, 8192),
            too_long=default(query.too_long, "Reject"),
        ),
    )

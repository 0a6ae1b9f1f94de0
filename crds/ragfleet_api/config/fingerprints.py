"""What stored vectors and chunks depend on, and its identity."""

from __future__ import annotations

from typing import Any

from ragfleet_api.config.canonical import fingerprint
from ragfleet_api.config.models import EmbeddingConfig
from ragfleet_api.config.runtime import ChunkingConfig, SparseConfig


def query_settings(sparse: SparseConfig, embedding: EmbeddingConfig | None) -> dict[str, Any]:
    """Everything that a stored vector must share with a question's vector.

    Where a model's files are, who serves it and how it is called are not in it: those may change.
    """
    settings: dict[str, Any] = {"sparse": sparse.model_dump(mode="json", by_alias=True)}
    if embedding is not None:
        settings["dense"] = {
            "provider": embedding.provider.type,
            "model": embedding.provider.model,
            "dimensions": embedding.dimensions,
            "queryPrefix": embedding.query_prefix,
            "documentPrefix": embedding.document_prefix,
            "normalize": embedding.normalize,
        }
    return settings


def query_fingerprint(sparse: SparseConfig, embedding: EmbeddingConfig | None = None) -> str:
    """Identity of the query settings (8 hex digits)."""
    return fingerprint(query_settings(sparse, embedding))


def recipe_fingerprint(chunking: ChunkingConfig, version: int) -> str:
    """Identity of how documents become chunks; ``version`` is that of the chunking code (8 hex digits)."""
    return fingerprint({"chunking": chunking.model_dump(mode="json", by_alias=True), "version": version})

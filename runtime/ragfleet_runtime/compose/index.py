"""The part of the service that holds documents: embedding model, collection, ingestion, retrieval."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_runtime.embed.build import open_embedding
from ragfleet_runtime.embed.model import PROBE, Embedding, Vector
from ragfleet_runtime.errors import CollectionError, StartError
from ragfleet_runtime.index.collection import Collection, audit, open_collection
from ragfleet_runtime.ingest.ingester import Ingester
from ragfleet_runtime.ingest.isolate import ParserPool
from ragfleet_runtime.retrieve.retriever import Retriever
from ragfleet_runtime.secrets import SecretSource

_MOST_PARSERS = 4

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Index:
    """An open collection and what works on it."""

    embedding: Embedding | None
    collection: Collection
    ingester: Ingester
    retriever: Retriever


@asynccontextmanager
async def open_index(config: RuntimeConfig, folder: Path, secrets: SecretSource) -> AsyncIterator[Index]:
    """Open the pipeline's collection, checked and repaired.

    Raises StartError where it can't be opened as things are (CollectionError where that is the collection's
    fault), NotOpenYetError and ProviderError where that may pass.
    """
    async with AsyncExitStack() as stack:
        embedding = probe = None
        if config.embedding is not None:
            embedding = await asyncio.to_thread(open_embedding, config.embedding, secrets)
            stack.push_async_callback(embedding.embedder.aclose)
            probe = (await embedding.embedder.embed_documents([PROBE]))[0]
        collection = await stack.enter_async_context(
            _open_collection(config, folder, secrets, embedding, probe)
        )
        limits = config.ingestion
        pool = ParserPool(
            workers=max(1, min(_MOST_PARSERS, os.cpu_count() or 1)),
            timeout_seconds=limits.parse_timeout_seconds,
            memory_bytes=limits.parse_memory_bytes,
        )
        stack.push_async_callback(pool.aclose)
        embedder = None if embedding is None else embedding.embedder
        ingester = Ingester(collection, pool, config.chunking, config.retrieval.sparse, embedder)
        if config.store.engine == "Embedded":
            await _repair(collection, ingester)
        embeds_in_searches = config.store.engine == "Embedded" and embedding is not None and embedding.local
        retriever = Retriever(
            collection.reader,
            None if embeds_in_searches else embedder,
            config.retrieval.when_embedding_fails,
        )
        yield Index(embedding, collection, ingester, retriever)


def _open_collection(
    config: RuntimeConfig,
    folder: Path,
    secrets: SecretSource,
    embedding: Embedding | None,
    probe: Vector | None,
) -> AbstractAsyncContextManager[Collection]:
    if config.store.engine == "Embedded":
        return _open_embedded(config, folder, embedding, probe)
    from ragfleet_runtime.index.qdrant.open import open_server_collection  # noqa: PLC0415 (an extra)

    return open_server_collection(config, secrets, probe=probe)


@asynccontextmanager
async def _open_embedded(
    config: RuntimeConfig, folder: Path, embedding: Embedding | None, probe: Vector | None
) -> AsyncIterator[Collection]:
    async with AsyncExitStack() as stack:
        try:
            collection = await stack.enter_async_context(
                open_collection(config, folder, None if embedding is None else embedding.local, probe)
            )
        except StartError as error:
            raise CollectionError(str(error)) from error
        yield collection


async def _repair(collection: Collection, ingester: Ingester) -> None:
    """Hold the engine's files against the records: this process alone writes them."""
    damaged = await audit(collection)
    if damaged:
        log.warning("documents are indexed again: chunks were missing", documents=len(damaged))
        await ingester.reindex(damaged)
    collection.flushing.repaired()

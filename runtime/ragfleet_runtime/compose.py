"""The service, composed from its pipeline's configuration: the one place where parts meet."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from starlette.types import ASGIApp

from ragfleet_api.config import RuntimeConfig
from ragfleet_runtime.api.app import make_app
from ragfleet_runtime.api.documents import documents_router
from ragfleet_runtime.api.ingest import ingest_router
from ragfleet_runtime.api.observed import Observed
from ragfleet_runtime.api.probes import Readiness, probes_router
from ragfleet_runtime.api.query import query_router
from ragfleet_runtime.api.search import search_router
from ragfleet_runtime.generate.answerer import Answerer
from ragfleet_runtime.generate.extractive import ExtractiveGenerator
from ragfleet_runtime.index.collection import Collection, audit, open_collection
from ragfleet_runtime.ingest.ingester import Ingester
from ragfleet_runtime.ingest.isolate import ParserPool
from ragfleet_runtime.observe.health import Part, Verdict
from ragfleet_runtime.observe.metrics import Metrics

_LOW_DISK_BYTES = 256 * 2**20
_MOST_PARSERS = 4
# A question's body: JSON may write one character as twelve bytes ("\ud83d\ude00"), and filters take room too.
_QUERY_BODY_BYTES = 2 * 2**20
_BYTES_A_CHARACTER = 12

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Runtime:
    """A running service."""

    config: RuntimeConfig
    app: ASGIApp
    collection: Collection
    ingester: Ingester
    readiness: Readiness


@asynccontextmanager
async def open_runtime(config: RuntimeConfig, folder: Path) -> AsyncIterator[Runtime]:
    """Open a pipeline's service over its data folder; its ``app`` can be served at once.

    Raises StartError with what to change where it can't start.
    """
    async with open_collection(config, folder) as collection:
        limits = config.ingestion
        pool = ParserPool(
            workers=max(1, min(_MOST_PARSERS, os.cpu_count() or 1)),
            timeout_seconds=limits.parse_timeout_seconds,
            memory_bytes=limits.parse_memory_bytes,
        )
        try:
            ingester = Ingester(collection, pool, config.chunking, config.retrieval.sparse)
            damaged = await audit(collection)
            if damaged:
                log.warning("documents are indexed again: chunks were missing", documents=len(damaged))
                await ingester.reindex(damaged)
            collection.flushing.repaired()
            readiness = Readiness()
            app = _app(config, folder, collection, ingester, readiness)
            readiness.open()
            yield Runtime(config, app, collection, ingester, readiness)
        finally:
            await pool.aclose()


def _app(
    config: RuntimeConfig, folder: Path, collection: Collection, ingester: Ingester, readiness: Readiness
) -> ASGIApp:
    metrics = Metrics()
    retrieval = config.retrieval
    generator = ExtractiveGenerator(
        collection.engine,
        collection.analyzer,
        max_sentences=config.generation.max_sentences,
        no_answer=config.generation.no_answer,
    )
    answerer = Answerer(collection.reader, generator, retrieval, metrics)
    question_bytes = _QUERY_BODY_BYTES + retrieval.query.max_characters * _BYTES_A_CHARACTER
    upload_bytes = config.ingestion.max_request_bytes
    routers = [
        ingest_router(ingester, metrics, upload_bytes),
        documents_router(collection, ingester.recipe, question_bytes),
        search_router(collection.reader, retrieval, metrics, question_bytes),
        query_router(answerer, question_bytes),
        probes_router(_parts(folder, collection), readiness, metrics, collection.store, ingester.recipe),
    ]
    app = make_app(config.owner.name, routers)
    return Observed(app, metrics)


def _parts(folder: Path, collection: Collection) -> Sequence[Part]:
    async def documents() -> Verdict:
        await collection.store.totals()
        return Verdict()

    async def engine() -> Verdict:
        await collection.engine.count()
        return Verdict()

    async def index() -> Verdict:
        if collection.maintenance.is_settled:
            return Verdict()
        return Verdict(reason="recent writes are being put in order; searches see them already")

    async def disk() -> Verdict:
        free = shutil.disk_usage(folder).free
        if free < _LOW_DISK_BYTES:
            return Verdict("degraded", f"{free // 2**20} MiB free on the data folder's disk: free some space")
        return Verdict()

    return [Part("documents", documents), Part("engine", engine), Part("index", index), Part("disk", disk)]

"""The HTTP application over an open collection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.types import ASGIApp

from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_runtime.api.app import make_app
from ragfleet_runtime.api.direct import Direct
from ragfleet_runtime.api.documents import documents_router
from ragfleet_runtime.api.ingest import ingest_router
from ragfleet_runtime.api.probes import Readiness, metrics_router, probes_router
from ragfleet_runtime.api.query import query_router
from ragfleet_runtime.api.search import search_router
from ragfleet_runtime.compose.health import health_parts
from ragfleet_runtime.compose.index import Index
from ragfleet_runtime.generate.answerer import Answerer
from ragfleet_runtime.generate.build import open_generators
from ragfleet_runtime.guard.keys import KeyRing
from ragfleet_runtime.observe.metrics import Metrics
from ragfleet_runtime.secrets import SecretSource

# JSON may write one character of a question as twelve bytes ("\ud83d\ude00"), and filters take room too.
_QUERY_BODY_BYTES = 2 * 2**20
_BYTES_A_CHARACTER = 12


@dataclass(frozen=True)
class ServiceParts:
    """What the application is made of. has_admin_port: the metrics are there, and not here."""

    config: RuntimeConfig
    folder: Path
    secrets: SecretSource
    index: Index
    readiness: Readiness
    metrics: Metrics
    ring: KeyRing | None
    has_admin_port: bool = False


@asynccontextmanager
async def open_app(parts: ServiceParts) -> AsyncIterator[ASGIApp]:
    """The application; what it opens for its generators is closed in the end. Raises StartError."""
    config, index, metrics = parts.config, parts.index, parts.metrics
    collection, recipe = index.collection, index.ingester.recipe
    question_bytes = _QUERY_BODY_BYTES + config.retrieval.query.max_characters * _BYTES_A_CHARACTER
    async with open_generators(
        config.generation,
        config.retrieval.query,
        parts.secrets,
        engine=collection.engine,
        analyzer=collection.analyzer,
        metrics=metrics,
    ) as generators:
        deadline = config.requests.deadline_seconds
        answerer = Answerer(index.retriever, generators, config.retrieval, metrics, deadline_seconds=deadline)
        search = search_router(
            index.retriever,
            config.retrieval,
            has_embedding=config.embedding is not None,
            deadline_seconds=deadline,
            metrics=metrics,
            max_body_bytes=question_bytes,
        )
        others = [
            query_router(answerer, question_bytes),
            ingest_router(index.ingester, metrics, config.ingestion.max_request_bytes),
            documents_router(collection, recipe, question_bytes),
            probes_router(health_parts(config, parts.folder, index, parts.ring), parts.readiness),
        ]
        if not parts.has_admin_port:
            others.append(metrics_router(metrics, collection.store, recipe))
        app = make_app(config.owner.name, [search, *others], needs_key=parts.ring is not None)
        yield Direct(app, search.routes)

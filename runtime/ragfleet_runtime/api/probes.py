"""GET /health, /ready and /live, and /metrics where there is one port for all."""

from __future__ import annotations

import math
from collections.abc import Sequence

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from ragfleet_runtime.api.auth import ANONYMOUS, METRICS_PATH
from ragfleet_runtime.api.problems import NOT_READY, problem_response
from ragfleet_runtime.api.schemas import HealthReply
from ragfleet_runtime.errors import StorageError
from ragfleet_runtime.index.documents import DocumentStore
from ragfleet_runtime.observe.health import Part, examine
from ragfleet_runtime.observe.metrics import CONTENT_TYPE, Metrics

_DRAINING = "draining"


class Readiness:
    """Whether traffic may come: from the first success on, until the service drains."""

    def __init__(self) -> None:
        self._reason: str | None = "starting"

    @property
    def reason(self) -> str | None:
        """Why not, or None where traffic may come."""
        return self._reason

    def open(self) -> None:
        """Traffic may come, unless the service drains already."""
        if self._reason != _DRAINING:
            self._reason = None

    def wait(self, reason: str) -> None:
        """Traffic can't come yet, and why."""
        if self._reason != _DRAINING:
            self._reason = reason

    def drain(self) -> None:
        """No new traffic, please; what is under way is finished."""
        self._reason = _DRAINING


def probes_router(parts: Sequence[Part], readiness: Readiness) -> APIRouter:
    """The routes that a platform asks, but for the metrics."""
    router = APIRouter(tags=["operations"])
    ok = {"content": {"application/json": {"example": {"status": "ok"}}}}

    @router.get("/live", summary="Is the process alive?", responses={200: ok})
    async def live() -> Response:
        """Answer from the event loop alone."""
        return Response(b'{"status":"ok"}', media_type="application/json")

    @router.get("/ready", summary="May traffic come?", responses={200: ok})
    async def ready(request: Request) -> Response:
        """Answer 200 while requests are served, 503 before and while draining."""
        if readiness.reason is not None:
            return problem_response(request, NOT_READY, readiness.reason)
        return Response(b'{"status":"ok"}', media_type="application/json")

    @router.get("/health", response_model=HealthReply, summary="How is each part?")
    async def health(request: Request) -> Response:
        """Ask every part; 503 where one has failed. Reasons are shown to callers with a key."""
        shows_reasons = ANONYMOUS not in request.scope
        status, findings = await examine(parts)
        reply = {
            "status": status,
            "checks": [
                {
                    "name": finding.name,
                    "status": finding.verdict.status,
                    "reason": finding.verdict.reason if shows_reasons else None,
                    "took_ms": finding.took_ms,
                }
                for finding in findings
            ],
        }
        return Response(
            orjson.dumps(reply), 503 if status == "failed" else 200, media_type="application/json"
        )

    return router


def metrics_router(metrics: Metrics, store: DocumentStore, recipe: str) -> APIRouter:
    """The route of the metrics, for a service without an admin port."""
    router = APIRouter(tags=["operations"])

    @router.get(
        METRICS_PATH,
        response_class=PlainTextResponse,
        summary="Prometheus metrics",
        responses={200: {"content": {"text/plain": {"example": "ragfleet_documents 12.0"}}}},
    )
    async def show_metrics() -> Response:
        """Show metrics in Prometheus' text format."""
        try:
            totals, stale = await store.totals(), await store.stale(recipe)
        except StorageError:  # the other metrics are wanted all the more
            metrics.set_counts(math.nan, math.nan, math.nan)
        else:
            metrics.set_counts(totals.documents, totals.chunks, stale)
        return Response(metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})

    return router

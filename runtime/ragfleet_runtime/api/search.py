"""POST /search: passages."""

from __future__ import annotations

import time

import orjson
from fastapi import APIRouter, Response

from ragfleet_api.config import RetrievalConfig
from ragfleet_runtime.api.schemas import SearchReply, SearchRequest
from ragfleet_runtime.api.shapes import search_result
from ragfleet_runtime.index.filters import parse_filter
from ragfleet_runtime.index.reader import PassageReader
from ragfleet_runtime.observe.metrics import Metrics
from ragfleet_runtime.retrieve.question import checked_question


def search_router(
    reader: PassageReader, config: RetrievalConfig, metrics: Metrics, max_body_bytes: int
) -> APIRouter:
    """The route of search."""
    router = APIRouter(tags=["search"])
    stage = metrics.stage_seconds.labels("retrieve")
    mode = config.mode.lower()

    @router.post("/search", response_model=SearchReply, max_body_size=max_body_bytes, summary="Find passages")
    async def search(request: SearchRequest) -> Response:
        """Find the passages that match the query best; equal scores are in the order of their ids."""
        start = time.perf_counter()
        hits = await reader.search(
            checked_question(request.query, config.query),
            top_k=request.top_k,
            condition=parse_filter(request.filters),
            min_score=request.min_score,
            group_by_document=request.group_by_document,
        )
        seconds = time.perf_counter() - start
        stage.observe(seconds)
        reply = {
            "results": [search_result(hit) for hit in hits],
            "mode": mode,
            "took_ms": round(seconds * 1000, 3),
        }
        return Response(orjson.dumps(reply), media_type="application/json")

    return router

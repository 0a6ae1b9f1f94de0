"""POST /search: passages."""

from __future__ import annotations

import time
from typing import cast

import orjson
from fastapi import APIRouter, Request, Response

from ragfleet_api.config.runtime import RetrievalConfig
from ragfleet_runtime.api.bodies import body_description, read_json
from ragfleet_runtime.api.problems import INVALID_REQUEST, ProblemError
from ragfleet_runtime.api.schemas import SearchReply
from ragfleet_runtime.api.schemas import SearchRequest as SearchBody
from ragfleet_runtime.api.shapes import search_result
from ragfleet_runtime.deadline import Deadline
from ragfleet_runtime.index.filters import parse_filter
from ragfleet_runtime.index.search import Mode, SearchRequest
from ragfleet_runtime.observe.metrics import Metrics
from ragfleet_runtime.retrieve.question import checked_question
from ragfleet_runtime.retrieve.retriever import Retriever


def search_router(
    retriever: Retriever,
    config: RetrievalConfig,
    *,
    has_embedding: bool,
    deadline_seconds: float,
    metrics: Metrics,
    max_body_bytes: int,
) -> APIRouter:
    """The route of search; ``Direct`` may serve it."""
    router = APIRouter(tags=["search"])
    stage = metrics.stage_seconds.labels("retrieve")
    own_mode = cast(Mode, config.mode.lower())

    @router.post(
        "/search",
        response_model=SearchReply,
        openapi_extra=body_description(SearchBody),
        summary="Find passages",
    )
    async def search(http: Request) -> Response:
        """Find the passages that match the query best; equal scores are in the order of their ids."""
        body = await read_json(http, SearchBody, max_body_bytes)
        if body.mode in ("dense", "hybrid") and not has_embedding:
            raise ProblemError(
                INVALID_REQUEST,
                f"mode: {body.mode} needs an embedding, and this pipeline has none; use sparse, or add "
                "spec.embedding to its manifest",
            )
        start = time.perf_counter()
        request = SearchRequest(
            checked_question(body.query, config.query),
            body.mode or own_mode,
            body.top_k,
            parse_filter(body.filters),
            body.min_score,
            body.group_by_document,
        )
        found = await retriever.search(request, Deadline(deadline_seconds))
        seconds = time.perf_counter() - start
        stage.observe(seconds)
        reply = {
            "results": [search_result(hit) for hit in found.hits],
            "mode": found.mode,
            "took_ms": round(seconds * 1000, 3),
            "degraded": found.degraded,
        }
        return Response(orjson.dumps(reply), media_type="application/json")

    return router

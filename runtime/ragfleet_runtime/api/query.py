"""POST /query: answers with citations, whole or as server-sent events."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import orjson
from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from ragfleet_runtime.api.schemas import QueryReply, QueryRequest
from ragfleet_runtime.api.shapes import answer_rest, answer_source
from ragfleet_runtime.generate.answerer import Answerer
from ragfleet_runtime.index.filters import parse_filter


def query_router(answerer: Answerer, max_body_bytes: int) -> APIRouter:
    """The route of questions."""
    router = APIRouter(tags=["search"])

    @router.post(
        "/query", response_model=QueryReply, max_body_size=max_body_bytes, summary="Answer a question"
    )
    async def query(request: QueryRequest) -> Response:
        """Answer from the documents alone; ``[N]`` in the answer refers to source N.

        Where they don't hold the answer, the reply says so and its confidence is near 0.
        """
        start = time.perf_counter()
        sources = await answerer.retrieve(request.query, request.top_k, parse_filter(request.filters))
        answer = await answerer.generate(request.query, sources)
        found = [answer_source(source) for source in sources]
        rest = answer_rest(answer, len(sources), (time.perf_counter() - start) * 1000)
        if request.stream:
            return StreamingResponse(_events(found, answer.text, rest), media_type="text/event-stream")
        reply = {"answer": answer.text, "sources": found, **rest}
        return Response(orjson.dumps(reply), media_type="application/json")

    return router


async def _events(sources: list[dict[str, Any]], text: str, rest: dict[str, Any]) -> AsyncIterator[bytes]:
    """The reply as server-sent events (HTML Living Standard, 9.2): sources, content, done."""
    for event, data in (("sources", {"sources": sources}), ("content", {"content": text}), ("done", rest)):
        yield b"event: " + event.encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n"

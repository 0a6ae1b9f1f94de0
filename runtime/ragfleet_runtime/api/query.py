"""POST /query and /query/stream: answers with citations, whole or as server-sent events."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import orjson
import structlog
from fastapi import APIRouter, Request, Response

from ragfleet_runtime.api.problems import INTERNAL_ERROR, problem_document, problem_of
from ragfleet_runtime.api.schemas import QueryReply, QueryRequest
from ragfleet_runtime.api.shapes import answer_rest, answer_source
from ragfleet_runtime.api.sse import MEDIA_TYPE, EventStream, event, unless_gone
from ragfleet_runtime.generate.answerer import Answerer, Ask, Evidence
from ragfleet_runtime.generate.model import Answer
from ragfleet_runtime.index.filters import parse_filter
from ragfleet_runtime.retrieve.conversation import Turn

# Nobody reads it: for the access log, as nginx calls a client that went away.
_CLIENT_GONE = 499
_STREAM_EXAMPLE = """\
event: sources
data: {"sources": [{"n": 1, "document_id": "vpn", "title": "VPN", "text": "Keys are issued there.",
data:  "score": 1.91, "metadata": {"team": "it"}, "start": 30, "end": 66}]}

event: content
data: {"content": "Keys are issued at"}

event: content
data: {"content": " the service desk. [1]"}

event: done
data: {"citations": [{"n": 1, "answer_start": 0, "answer_end": 36}], "confidence": 0.8, "model": "qwen3-32b",
data:  "usage": {"prompt_tokens": 512, "completion_tokens": 9, "total_tokens": 521}, "cached": false,
data:  "retrieval_count": 1, "latency_ms": 480.2, "degraded": []}
"""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def query_router(answerer: Answerer, max_body_bytes: int) -> APIRouter:
    """The routes of questions."""
    router = APIRouter(tags=["search"])

    @router.post(
        "/query", response_model=QueryReply, max_body_size=max_body_bytes, summary="Answer a question"
    )
    async def query(request: Request, asked: QueryRequest) -> Response:
        """Answer from the documents alone; ``[N]`` in the answer refers to source N.

        Where they don't hold the answer, the reply says so and its confidence is near 0.
        """
        work = _stream(answerer, request, asked) if asked.stream else _whole(answerer, asked)
        return await unless_gone(request.receive, work) or Response(status_code=_CLIENT_GONE)

    @router.post(
        "/query/stream",
        response_class=EventStream,
        status_code=200,
        max_body_size=max_body_bytes,
        summary="Answer a question as it is written",
        responses={200: {"content": {MEDIA_TYPE: {"example": _STREAM_EXAMPLE}}}},
    )
    async def query_stream(request: Request, asked: QueryRequest) -> Response:
        """Answer as server-sent events: sources, content (many times), done with the rest of the reply.

        Where it breaks within the answer, the last event is error, with a problem document.
        """
        work = _stream(answerer, request, asked)
        return await unless_gone(request.receive, work) or Response(status_code=_CLIENT_GONE)

    return router


async def _whole(answerer: Answerer, asked: QueryRequest) -> Response:
    start = time.perf_counter()
    evidence = await answerer.find(_ask(asked))
    answer = await answerer.whole(evidence)
    reply = {"answer": answer.text, "sources": _sources(evidence), **_rest(evidence, answer, start)}
    return Response(orjson.dumps(reply), media_type="application/json")


async def _stream(answerer: Answerer, request: Request, asked: QueryRequest) -> Response:
    """The reply, once its first piece is there: until then, an error is a plain problem."""
    start = time.perf_counter()
    evidence = await answerer.find(_ask(asked))
    pieces = answerer.stream(evidence)
    first = await anext(pieces)
    return EventStream(_events(request, evidence, first, pieces, start))


async def _events(
    request: Request,
    evidence: Evidence,
    first: str | Answer,
    pieces: AsyncGenerator[str | Answer, None],
    start: float,
) -> AsyncGenerator[bytes, None]:
    async with aclosing(pieces):
        yield event("sources", {"sources": _sources(evidence)})
        yield _piece(evidence, first, start)
        try:
            async for piece in pieces:
                yield _piece(evidence, piece, start)
        except Exception as error:
            found = problem_of(error)
            if found.problem is INTERNAL_ERROR:
                log.exception("an answer broke off", request_id=request.scope.get("request_id", ""))
            yield event("error", problem_document(request, found.problem, found.detail, **found.members))


def _piece(evidence: Evidence, piece: str | Answer, start: float) -> bytes:
    if isinstance(piece, str):
        return event("content", {"content": piece})
    return event("done", _rest(evidence, piece, start))


def _ask(asked: QueryRequest) -> Ask:
    conversation = tuple(Turn(turn.role, turn.content) for turn in asked.conversation)
    return Ask(asked.query, asked.top_k, parse_filter(asked.filters), conversation)


def _sources(evidence: Evidence) -> list[dict[str, Any]]:
    return [answer_source(source) for source in evidence.sources]


def _rest(evidence: Evidence, answer: Answer, start: float) -> dict[str, Any]:
    return answer_rest(answer, evidence.retrieval_count, (time.perf_counter() - start) * 1000)

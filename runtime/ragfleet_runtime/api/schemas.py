"""The bodies of requests and replies."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

MAX_TOP_K = 100
MAX_TURNS = 64
MAX_TURN_CHARACTERS = 32_768
MAX_CONVERSATION_CHARACTERS = 131_072


def _is_text(value: str) -> str:
    if "\0" in value:
        raise ValueError("contains a NUL character: send text only")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("contains half of a surrogate pair: send valid Unicode") from None
    return value


def _is_identifier(value: str) -> str:
    if not _is_text(value).isprintable() or value != value.strip():
        raise ValueError("must be printable, without spaces at its ends")
    return value


DocumentId = Annotated[str, Field(min_length=1, max_length=512), AfterValidator(_is_identifier)]
Title = Annotated[str, Field(max_length=1000), AfterValidator(_is_text)]
Filters = Annotated[
    dict[str, Any],
    Field(
        description=(
            'Conditions on metadata: {"team": "search", "year": [2025, 2026]}, or the long form '
            '{"type": "gte", "key": "year", "value": 2025} with eq, ne, gt, gte, lt, lte, in, nin, and, or.'
        ),
    ),
]


class Request(BaseModel):
    """Base of requests: unknown fields and values of another type are errors."""

    model_config = ConfigDict(extra="forbid", strict=True)


class IngestDocument(Request):
    """A document as text."""

    id: DocumentId | None = Field(default=None, description="Default: the SHA-256 of the text.")
    text: str = Field(description="The text; Markdown and numbered sections are recognised.")
    title: Title | None = None
    metadata: dict[str, Any] = Field(
        default_factory=dict, description="Returned with results; can be filtered on."
    )


class IngestRequest(Request):
    """Documents to take in."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "documents": [
                        {
                            "id": "vpn",
                            "title": "VPN",
                            "text": "The VPN needs a hardware key. Keys are issued at the service desk.",
                            "metadata": {"team": "it"},
                        }
                    ]
                }
            ]
        }
    )

    documents: Annotated[list[IngestDocument], Field(min_length=1, max_length=10_000)]


class IngestedDocument(BaseModel):
    """What became of a document."""

    id: str
    chunks: int
    status: Literal["indexed", "unchanged", "failed"]
    error: str | None = None


class IngestReply(BaseModel):
    """What became of each document, in the order sent."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "documents": [{"id": "vpn", "chunks": 1, "status": "indexed"}],
                    "indexed": 1,
                    "unchanged": 0,
                    "failed": 0,
                }
            ]
        }
    )

    documents: list[IngestedDocument]
    indexed: int
    unchanged: int
    failed: int


class SearchRequest(Request):
    """A search."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"query": "who issues hardware keys", "top_k": 5, "filters": {"team": "it"}}]
        }
    )

    query: str
    top_k: Annotated[int, Field(ge=1, le=MAX_TOP_K)] = 10
    mode: Literal["sparse", "dense", "hybrid"] | None = Field(
        default=None,
        description="Default: the pipeline's mode. dense and hybrid need an embedding in the manifest.",
    )
    filters: Filters | None = None
    min_score: Annotated[float, Field(allow_inf_nan=False)] | None = Field(
        default=None, description="Leave out passages that score less."
    )
    group_by_document: bool = Field(default=False, description="Only the best passage of each document.")


class SearchResult(BaseModel):
    """A passage: characters ``start`` to ``end`` of its document's text."""

    document_id: str
    chunk_id: str
    text: str
    score: float
    title: str | None
    metadata: dict[str, Any]
    start: int
    end: int


class SearchReply(BaseModel):
    """Passages, best first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "results": [
                        {
                            "document_id": "vpn",
                            "chunk_id": "vpn#0",
                            "text": "The VPN needs a hardware key. Keys are issued at the service desk.",
                            "score": 1.91,
                            "title": "VPN",
                            "metadata": {"team": "it"},
                            "start": 0,
                            "end": 66,
                        }
                    ],
                    "mode": "sparse",
                    "took_ms": 0.8,
                    "degraded": [],
                }
            ]
        }
    )

    results: list[SearchResult]
    mode: Literal["sparse", "dense", "hybrid"] = Field(description="The mode that found them.")
    took_ms: float
    degraded: list[str] = Field(
        description='What was done without: "embedding" where the model failed and BM25 alone searched.'
    )


class ConversationTurn(Request):
    """One thing that was said before the question."""

    role: Literal["user", "assistant"]
    content: Annotated[str, Field(min_length=1, max_length=MAX_TURN_CHARACTERS), AfterValidator(_is_text)]


def _is_bounded(turns: list[ConversationTurn]) -> list[ConversationTurn]:
    size = sum(len(turn.content) for turn in turns)
    if size > MAX_CONVERSATION_CHARACTERS:
        raise ValueError(
            f"has {size} characters; at most {MAX_CONVERSATION_CHARACTERS}: leave the oldest turns out"
        )
    return turns


class QueryRequest(Request):
    """A question."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"query": "Where do I get a hardware key?"},
                {
                    "query": "And what if I lose it?",
                    "conversation": [
                        {"role": "user", "content": "Where do I get a hardware key?"},
                        {"role": "assistant", "content": "Keys are issued at the service desk. [1]"},
                    ],
                },
            ]
        }
    )

    query: str
    top_k: Annotated[int, Field(ge=1, le=MAX_TOP_K)] | None = Field(
        default=None, description="Passages to answer from. Default: the pipeline's spec.retrieval.topK."
    )
    filters: Filters | None = None
    conversation: Annotated[
        list[ConversationTurn], Field(max_length=MAX_TURNS), AfterValidator(_is_bounded)
    ] = Field(
        default_factory=list,
        description="What was said before, oldest first, without the query: it counts in search and answer.",
    )
    stream: bool = Field(
        default=False, description="Answer as server-sent events, as /query/stream always does."
    )


class AnswerSource(BaseModel):
    """A passage that the answer was made from; ``[n]`` in the answer refers to it."""

    n: int
    document_id: str
    title: str | None
    text: str
    score: float
    metadata: dict[str, Any]
    start: int
    end: int


class AnswerCitation(BaseModel):
    """Characters ``answer_start`` to ``answer_end`` of the answer are supported by source ``n``."""

    n: int
    answer_start: int
    answer_end: int


class AnswerUsage(BaseModel):
    """Tokens as the model's provider counted them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class QueryReply(BaseModel):
    """An answer with its sources."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "answer": "Keys are issued at the service desk. [1]",
                    "sources": [
                        {
                            "n": 1,
                            "document_id": "vpn",
                            "title": "VPN",
                            "text": "The VPN needs a hardware key. Keys are issued at the service desk.",
                            "score": 1.91,
                            "metadata": {"team": "it"},
                            "start": 0,
                            "end": 66,
                        }
                    ],
                    "citations": [{"n": 1, "answer_start": 0, "answer_end": 36}],
                    "confidence": 0.8,
                    "model": "extractive",
                    "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
                    "cached": False,
                    "retrieval_count": 1,
                    "latency_ms": 2.1,
                    "degraded": [],
                }
            ]
        }
    )

    answer: str
    sources: list[AnswerSource] = Field(description="The passages that the answer was made from.")
    citations: list[AnswerCitation]
    confidence: Annotated[float, Field(ge=0, le=1)]
    model: str = Field(description='Who wrote the answer: "none" where no passage was found.')
    usage: AnswerUsage
    cached: bool
    retrieval_count: int = Field(description="Passages found; what is over the token budget is no source.")
    latency_ms: float
    degraded: list[str] = Field(
        description=(
            'What is not as it should be: "embedding" and "rewrite" were done without, '
            '"generation:NAME:FAULT" names a generator that failed, the answer is "truncated" or "uncited".'
        )
    )


_DOCUMENT: dict[str, Any] = {
    "id": "vpn",
    "title": "VPN",
    "metadata": {"team": "it"},
    "chunks": 1,
    "stale": False,
    "created_at": "2026-11-21T09:00:00Z",
    "updated_at": "2026-11-21T09:00:00Z",
}
_TEXT = "The VPN needs a hardware key. Keys are issued at the service desk."


class DocumentSummary(BaseModel):
    """A document without its text. It is stale when it was cut by other settings than the pipeline's."""

    id: str
    title: str | None
    metadata: dict[str, Any]
    chunks: int
    stale: bool
    created_at: datetime
    updated_at: datetime


class DocumentReply(DocumentSummary):
    """A document; ``text[start:end]`` of a result is the passage."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_DOCUMENT, "text": _TEXT, "kind": "prose"}]})

    text: str
    kind: str


class DocumentsReply(BaseModel):
    """A page of documents, in the order of their ids; pass ``next_cursor`` as ``cursor`` for the next one."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"documents": [_DOCUMENT], "next_cursor": "dnBu"}]}
    )

    documents: list[DocumentSummary]
    next_cursor: str | None


class DeleteRequest(Request):
    """Which documents to delete."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"filters": {"team": "it"}}]})

    filters: Filters


class DeleteReply(BaseModel):
    """How many documents were deleted."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"deleted": 3}]})

    deleted: int


class HealthCheck(BaseModel):
    """One part of the service."""

    name: str
    status: Literal["ok", "degraded", "failed"]
    reason: str | None = None
    took_ms: float


class HealthReply(BaseModel):
    """The service's parts; the overall status is that of the worst."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "degraded",
                    "checks": [
                        {"name": "engine", "status": "ok", "reason": None, "took_ms": 0.2},
                        {
                            "name": "disk",
                            "status": "degraded",
                            "reason": "120 MiB free on the data folder's disk: free some space",
                            "took_ms": 0.1,
                        },
                    ],
                }
            ]
        }
    )

    status: Literal["ok", "degraded", "failed"]
    checks: list[HealthCheck]


class ProblemReply(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str

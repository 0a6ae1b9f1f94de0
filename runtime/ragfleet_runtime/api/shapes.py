"""What the service found, in the shape of its replies."""

from __future__ import annotations

from typing import Any

from ragfleet_runtime.generate.model import Answer, Source
from ragfleet_runtime.index.documents import Document, DocumentSummary
from ragfleet_runtime.index.engine import Hit, Passage


def search_result(hit: Hit) -> dict[str, Any]:
    """A SearchResult."""
    return {"chunk_id": hit.passage.chunk_id, "score": hit.score, **_passage(hit.passage)}


def answer_source(source: Source) -> dict[str, Any]:
    """An AnswerSource."""
    return {"n": source.n, "score": source.score, **_passage(source.passage)}


def answer_rest(answer: Answer, retrieval_count: int, latency_ms: float) -> dict[str, Any]:
    """A QueryReply, but for the answer's text and its sources."""
    usage = answer.usage
    return {
        "citations": [
            {"n": c.n, "answer_start": c.answer_start, "answer_end": c.answer_end} for c in answer.citations
        ],
        "confidence": answer.confidence,
        "model": answer.model,
        "usage": {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
        },
        "cached": False,
        "retrieval_count": retrieval_count,
        "latency_ms": round(latency_ms, 3),
        "degraded": list(answer.degraded),
    }


def document_summary(document: DocumentSummary | Document, recipe: str) -> dict[str, Any]:
    """A DocumentSummary; ``recipe`` is the pipeline's."""
    return {
        "id": document.key.id,
        "title": document.title,
        "metadata": document.metadata,
        "chunks": document.chunks,
        "stale": document.recipe != recipe,
        "created_at": document.created_at,
        "updated_at": document.updated_at,
    }


def _passage(passage: Passage) -> dict[str, Any]:
    return {
        "document_id": passage.document_id,
        "title": passage.title,
        "text": passage.text,
        "start": passage.start,
        "end": passage.end,
        "metadata": _metadata(passage),
    }


def _metadata(passage: Passage) -> dict[str, Any]:
    """The document's metadata and, unless it has a key of that name, the headings above the passage."""
    if not passage.headings:
        return dict(passage.metadata)
    return {"headings": list(passage.headings), **passage.metadata}

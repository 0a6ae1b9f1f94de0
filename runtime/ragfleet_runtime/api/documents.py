"""GET and DELETE /documents: what is kept."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

import orjson
from fastapi import APIRouter, Path, Query, Response

from ragfleet_runtime.api.problems import INVALID_FILTER, INVALID_REQUEST, NOT_FOUND, ProblemError
from ragfleet_runtime.api.schemas import DeleteReply, DeleteRequest, DocumentReply, DocumentsReply
from ragfleet_runtime.api.shapes import document_summary
from ragfleet_runtime.index.collection import Collection
from ragfleet_runtime.index.documents import DEFAULT_TENANT, Key
from ragfleet_runtime.index.filters import parse_filter

_MAX_PAGE = 1000

# A path, because ids may be paths of files: GET /documents/guides/install.md
DocumentPath = Annotated[str, Path(description="The document's id.", examples=["vpn"])]


def documents_router(collection: Collection, recipe: str, max_body_bytes: int) -> APIRouter:
    """The routes of documents; ``recipe`` is the pipeline's, by which a document shows as stale."""
    router = APIRouter(tags=["documents"])

    @router.get("/documents", response_model=DocumentsReply, summary="List documents")
    async def list_documents(
        limit: Annotated[int, Query(ge=1, le=_MAX_PAGE)] = 100,
        cursor: Annotated[str | None, Query(description="next_cursor of the page before.")] = None,
    ) -> Response:
        """List documents in the order of their ids."""
        after = None if cursor is None else _decode(cursor)
        page = await collection.store.page(DEFAULT_TENANT, after=after, limit=limit + 1)
        following = _encode(page[limit - 1].key.id) if len(page) > limit else None
        reply = {
            "documents": [document_summary(document, recipe) for document in page[:limit]],
            "next_cursor": following,
        }
        return _json(reply)

    @router.get("/documents/{id:path}", response_model=DocumentReply, summary="Get a document")
    async def get_document(id: DocumentPath) -> Response:  # noqa: A002 (the name in the path)
        """Get a document with its text."""
        document = await collection.store.get(Key(DEFAULT_TENANT, id))
        if document is None:
            raise ProblemError(NOT_FOUND, f"there is no document {id!a}")
        return _json({**document_summary(document, recipe), "text": document.text, "kind": document.kind})

    @router.delete("/documents/{id:path}", response_model=DeleteReply, summary="Delete a document")
    async def delete_document(id: DocumentPath) -> Response:  # noqa: A002 (the name in the path)
        """Delete a document; from the reply on, no search finds it."""
        if not await collection.delete([id]):
            raise ProblemError(NOT_FOUND, f"there is no document {id!a}")
        return _json({"deleted": 1})

    @router.delete(
        "/documents",
        response_model=DeleteReply,
        max_body_size=max_body_bytes,
        summary="Delete documents by filter",
    )
    async def delete_documents(request: DeleteRequest) -> Response:
        """Delete the documents whose metadata match the filter."""
        condition = parse_filter(request.filters)
        if condition is None:
            raise ProblemError(INVALID_FILTER, "filters: empty, which would match everything; name a key")
        return _json({"deleted": await collection.delete_matching(condition)})

    return router


def _json(reply: object) -> Response:
    return Response(orjson.dumps(reply), media_type="application/json")


def _encode(id_: str) -> str:
    return base64.urlsafe_b64encode(id_.encode()).decode().rstrip("=")


def _decode(cursor: str) -> str:
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise ProblemError(INVALID_REQUEST, "cursor: unknown; pass next_cursor as it came") from None

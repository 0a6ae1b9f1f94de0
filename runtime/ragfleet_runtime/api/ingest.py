"""POST /ingest: documents as JSON, or as files."""

from __future__ import annotations

from typing import Any, TypeGuard

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import FormData, UploadFile

from ragfleet_runtime.api.bodies import content_type, parse_json
from ragfleet_runtime.api.problems import (
    INVALID_REQUEST,
    MALFORMED_BODY,
    ProblemError,
    problem_of,
    problem_response,
)
from ragfleet_runtime.api.schemas import DocumentId, IngestReply, IngestRequest
from ragfleet_runtime.ingest.ingester import Ingester, IngestReport
from ragfleet_runtime.ingest.model import FileDocument, Outcome, TextDocument
from ragfleet_runtime.observe.metrics import Metrics

_MOST_FILES = 1000
_PARTS = ("files", "metadata", "ids")
_MULTIPART_SCHEMA = {
    "type": "object",
    "required": ["files"],
    "properties": {
        "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
        "metadata": {
            "type": "string",
            "description": "JSON: an object for all files, or an array with one object a file.",
        },
        "ids": {"type": "string", "description": "JSON: an array with one id a file."},
    },
}


def ingest_router(ingester: Ingester, metrics: Metrics, max_request_bytes: int) -> APIRouter:
    """The route of ingestion."""
    router = APIRouter(tags=["documents"])
    body = {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/IngestRequest"}},
            "multipart/form-data": {"schema": _MULTIPART_SCHEMA},
        },
    }

    @router.post(
        "/ingest",
        response_model=IngestReply,
        max_body_size=max_request_bytes,
        openapi_extra={"requestBody": body},
        summary="Take documents in",
    )
    async def ingest(request: Request) -> Response:
        """Index documents and keep them; the reply comes when they can be found and survive a crash.

        A document with a known id and the same content is "unchanged"; with new content, it replaces the old
        one whole. A document that fails leaves its earlier version as it was; the others land.
        """
        report = await ingester.ingest(await _documents(request))
        for outcome in report.outcomes:
            metrics.ingested.labels(outcome.status).inc()
        reply = _reply(report)
        if report.failure is not None:
            found = problem_of(report.failure)
            return problem_response(
                request, found.problem, found.detail, retry_after=found.retry_after, **reply
            )
        return Response(orjson.dumps(reply), media_type="application/json")

    return router


async def _documents(request: Request) -> list[TextDocument] | list[FileDocument]:
    kind = content_type(request)
    if kind == "multipart/form-data":
        async with request.form(max_files=_MOST_FILES, max_fields=len(_PARTS)) as form:
            return await _files(form)
    if kind in ("application/json", ""):
        return _texts(await request.body())
    raise ProblemError(
        MALFORMED_BODY, f"content type {kind!r}: send application/json, or multipart/form-data with files"
    )


def _texts(body: bytes) -> list[TextDocument]:
    found = parse_json(body, IngestRequest)
    return [TextDocument(d.id, d.text, d.title, d.metadata) for d in found.documents]


async def _files(form: FormData) -> list[FileDocument]:
    for part in form:
        if part not in _PARTS:
            raise ProblemError(INVALID_REQUEST, f"unknown part {part!r}; allowed: {', '.join(_PARTS)}")
    uploads = [part for part in form.getlist("files") if isinstance(part, UploadFile)]
    if not uploads or len(uploads) != len(form.getlist("files")):
        raise ProblemError(INVALID_REQUEST, "files: send at least one part 'files' with a file name")
    metadata = _metadata(form, len(uploads))
    ids = _ids(form, len(uploads))
    return [
        FileDocument(id_, await upload.read(), upload.filename, upload.content_type, own)
        for upload, own, id_ in zip(uploads, metadata, ids, strict=True)
    ]


def _metadata(form: FormData, files: int) -> list[dict[str, Any]]:
    value = _json_part(form, "metadata")
    if value is None:
        return [{}] * files
    if isinstance(value, dict):
        return [value] * files
    if not _is_list_of_objects(value) or len(value) != files:
        raise ProblemError(
            INVALID_REQUEST, f"metadata: must be a JSON object, or an array of {files} objects, one a file"
        )
    return value


def _ids(form: FormData, files: int) -> list[str] | list[None]:
    value = _json_part(form, "ids")
    if value is None:
        return [None] * files
    try:
        ids = TypeAdapter(list[DocumentId]).validate_python(value, strict=True)
    except ValidationError as error:
        raise ProblemError(INVALID_REQUEST, f"ids: {error.errors()[0]['msg']}") from None
    if len(ids) != files:
        raise ProblemError(INVALID_REQUEST, f"ids: {len(ids)} ids for {files} files; send one a file")
    return ids


def _is_list_of_objects(value: Any) -> TypeGuard[list[dict[str, Any]]]:
    return isinstance(value, list) and all(isinstance(member, dict) for member in value)


def _json_part(form: FormData, name: str) -> Any:
    part = form.get(name)
    if part is None:
        return None
    if isinstance(part, UploadFile):
        raise ProblemError(INVALID_REQUEST, f"{name}: must be a field with JSON, not a file")
    try:
        return orjson.loads(part)
    except orjson.JSONDecodeError as error:
        raise ProblemError(INVALID_REQUEST, f"{name}: not JSON: {error}") from None


def _reply(report: IngestReport) -> dict[str, Any]:
    counts = {"indexed": 0, "unchanged": 0, "failed": 0}
    for outcome in report.outcomes:
        counts[outcome.status] += 1
    return {"documents": [_outcome(outcome) for outcome in report.outcomes], **counts}


def _outcome(outcome: Outcome) -> dict[str, Any]:
    reply: dict[str, Any] = {"id": outcome.id, "chunks": outcome.chunks, "status": outcome.status}
    if outcome.error is not None:
        reply["error"] = outcome.error
    return reply

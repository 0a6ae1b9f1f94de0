"""Errors as problem documents (RFC 9457), each with a stable type and the request's id."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from ragfleet_runtime.errors import (
    DeadlineError,
    ProviderError,
    StorageError,
    StorageFullError,
    UnavailableError,
)
from ragfleet_runtime.generate.fallbacks import AllFailedError
from ragfleet_runtime.index.filters import FilterError
from ragfleet_runtime.retrieve.question import QuestionError

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "https://ragfleet.dev/problems/"
RETRY_AFTER_SECONDS = 5
TOO_LARGE_DETAIL = (
    "the body is larger than this route takes: send less at once, "
    "or raise spec.ingestion.maxRequestMegabytes for /ingest"
)


@dataclass(frozen=True, slots=True)
class Problem:
    """A kind of error: the end of its type URI, its HTTP status and its title."""

    slug: str
    status: int
    title: str


UNAUTHORIZED = Problem("unauthorized", 401, "An API key is needed")
FORBIDDEN = Problem("forbidden", 403, "The API key may not do this")
INVALID_REQUEST = Problem("invalid-request", 422, "The request is not valid")
MALFORMED_BODY = Problem("malformed-body", 400, "The body can't be read")
INVALID_QUERY = Problem("invalid-query", 422, "The query can't be searched for")
INVALID_FILTER = Problem("invalid-filter", 422, "The filter is not valid")
NOT_FOUND = Problem("not-found", 404, "There is no such thing here")
METHOD_NOT_ALLOWED = Problem("method-not-allowed", 405, "The method is not allowed here")
TOO_LARGE = Problem("too-large", 413, "The body is too large")
STORAGE_FULL = Problem("storage-full", 507, "There is no room left")
STORAGE_FAILED = Problem("storage-failed", 503, "The storage failed")
NOT_READY = Problem("not-ready", 503, "The service is not ready")
PROVIDER_FAILED = Problem("provider-failed", 502, "A model's provider failed")
PROVIDER_BUSY = Problem("provider-busy", 503, "A model's provider is busy")
DEADLINE_EXCEEDED = Problem("deadline-exceeded", 504, "The time ran out")
INTERNAL_ERROR = Problem("internal-error", 500, "The service failed")

ALL = (
    UNAUTHORIZED,
    FORBIDDEN,
    INVALID_REQUEST,
    MALFORMED_BODY,
    INVALID_QUERY,
    INVALID_FILTER,
    NOT_FOUND,
    METHOD_NOT_ALLOWED,
    TOO_LARGE,
    STORAGE_FULL,
    STORAGE_FAILED,
    NOT_READY,
    PROVIDER_FAILED,
    PROVIDER_BUSY,
    DEADLINE_EXCEEDED,
    INTERNAL_ERROR,
)
_PASSING_FAULTS = frozenset({"rate_limited", "overloaded", "unavailable"})
_BY_KIND = (
    (QuestionError, INVALID_QUERY),
    (FilterError, INVALID_FILTER),
    (DeadlineError, DEADLINE_EXCEEDED),
)
_BY_STATUS = {
    problem.status: problem for problem in (MALFORMED_BODY, NOT_FOUND, METHOD_NOT_ALLOWED, TOO_LARGE)
}


class ProblemError(Exception):
    """Raised by a route to answer with a problem."""

    def __init__(
        self, problem: Problem, detail: str, *, retry_after: float | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.problem = problem
        self.detail = detail
        self.retry_after = retry_after
        self.members = members


def problem_document(request: Request, problem: Problem, detail: str, **members: Any) -> dict[str, Any]:
    """The problem as a document; ``members`` are its extension members."""
    return {
        "type": TYPE_PREFIX + problem.slug,
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
        "instance": request.url.path,
        "request_id": request.scope.get("request_id", ""),
        **members,
    }


def problem_response(
    request: Request, problem: Problem, detail: str, *, retry_after: float | None = None, **members: Any
) -> Response:
    """The problem as a response. retry_after: seconds, told with a 503; the default is 5."""
    body = problem_document(request, problem, detail, **members)
    headers = None
    if problem.status == NOT_READY.status:
        seconds = RETRY_AFTER_SECONDS if retry_after is None else max(1, math.ceil(retry_after))
        headers = {"Retry-After": str(seconds)}
    return Response(
        orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS), problem.status, headers, media_type=MEDIA_TYPE
    )


def storage_problem(error: StorageError) -> Problem:
    """The problem that a storage error is."""
    return STORAGE_FULL if isinstance(error, StorageFullError) else STORAGE_FAILED


def provider_problem(error: ProviderError) -> Problem:
    """The problem that a provider's error is: whether to change something, to wait, or to give more time."""
    if error.fault == "timeout":
        return DEADLINE_EXCEEDED
    return PROVIDER_BUSY if error.fault in _PASSING_FAULTS else PROVIDER_FAILED


def problem_of(error: Exception) -> ProblemError:
    """The problem that an error is; what nobody foresaw is the service's own fault."""
    if isinstance(error, AllFailedError):
        members = {"degraded": list(error.degraded)}
        return ProblemError(provider_problem(error), str(error), retry_after=error.retry_after, **members)
    if isinstance(error, ProviderError):
        return ProblemError(provider_problem(error), str(error), retry_after=error.retry_after)
    if isinstance(error, StorageError):
        retry_after = error.retry_after if isinstance(error, UnavailableError) else None
        return ProblemError(storage_problem(error), str(error), retry_after=retry_after)
    for kind, problem in _BY_KIND:
        if isinstance(error, kind):
            return ProblemError(problem, str(error))
    return ProblemError(INTERNAL_ERROR, "the cause is in the service's log under this request id")


def error_response(request: Request, error: Exception) -> Response:
    """The answer to a request of which an error came."""
    if isinstance(error, RequestValidationError):
        return _validation_problem(request, error)
    if isinstance(error, HTTPException):
        return _http_problem(request, error)
    found = error if isinstance(error, ProblemError) else problem_of(error)
    return problem_response(
        request, found.problem, found.detail, retry_after=found.retry_after, **found.members
    )


def add_problem_handlers(app: FastAPI) -> None:
    """Answer every error of ``app`` with a problem document."""

    async def handler(request: Request, error: Exception) -> Response:
        return error_response(request, error)

    # Those that are named are answered where they are raised, the others in the outermost layer.
    for kind in (
        ProblemError,
        QuestionError,
        FilterError,
        StorageError,
        ProviderError,
        DeadlineError,
        RequestValidationError,
        HTTPException,
        Exception,
    ):
        app.add_exception_handler(kind, handler)


def _validation_problem(request: Request, error: RequestValidationError) -> Response:
    errors = error.errors()
    if any(item["type"] == "json_invalid" for item in errors):
        return problem_response(request, MALFORMED_BODY, f"the body is not JSON: {errors[0]['ctx']['error']}")
    found = [{"path": _path(item["loc"]), "message": _sentence(item)} for item in errors]
    detail = "; ".join(f"{item['path']}: {item['message']}" for item in found[:3])
    return problem_response(request, INVALID_REQUEST, detail, errors=found)


def _path(location: Sequence[int | str]) -> str:
    """A field's place in the request: "documents[0].text", or "query" for a parameter."""
    path = ""
    for part in location[1:] if len(location) > 1 else location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _sentence(item: dict[str, Any]) -> str:
    if item["type"] == "extra_forbidden":
        return "unknown field"
    if item["type"] == "missing":
        return "missing"
    message: str = item["msg"]
    return message.removeprefix("Value error, ")


def _http_problem(request: Request, error: HTTPException) -> Response:
    unknown = Problem("http-error", error.status_code, "The request failed")
    response = problem_response(
        request, _BY_STATUS.get(error.status_code, unknown), _http_detail(request, error)
    )
    response.headers.update(error.headers or {})
    return response


def _http_detail(request: Request, error: HTTPException) -> str:
    if error.status_code == NOT_FOUND.status:
        return f"no route {request.url.path}"
    if error.status_code == TOO_LARGE.status:
        return TOO_LARGE_DETAIL
    return str(error.detail)

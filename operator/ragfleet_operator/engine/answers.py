"""Reads a refusal of the API server: a ``Status`` of the Kubernetes API, with its details."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from ragfleet_operator.engine.errors import (
    ApiError,
    Cause,
    Conflict,
    Forbidden,
    Gone,
    Held,
    Invalid,
    NamespaceTerminating,
    NotFound,
    QuotaExceeded,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from ragfleet_operator.text import one_line

_HOLDER = re.compile(r'conflict with "((?:[^"\\]|\\.)*)"')
_REFUSED_VALUE = re.compile(r"^(Invalid|Unsupported|Duplicate) value: ")
# What the validations of the API server say of a change that they never allow.
_IMMUTABLE = re.compile(
    r"immutable|may not change|may not be changed|can ?not be changed|can not be less than|"
    r"less than (status\.capacity|previous value)|updates to \w+ spec for fields other than",
    re.IGNORECASE,
)
# A server-side apply with a field that the kind doesn't have is answered with 500.
_NOT_OF_THE_SCHEMA = "failed to create typed patch object"
_SHOWN = 400
_DEFAULT_RETRY_SECONDS = 1.0


def refusal(code: int, body: Mapping[str, Any], retry_after: str | None = None) -> ApiError:
    """The exception for an answer; ``body`` is the Status, or {} where the answer holds none."""
    message = one_line(str(body.get("message") or f"the API server answers {code}"), _SHOWN)
    details = body.get("details") or {}
    causes = [cause for cause in details.get("causes") or () if isinstance(cause, dict)]
    if code == HTTPStatus.TOO_MANY_REQUESTS:
        return TooManyRequests(message, _seconds(retry_after or details.get("retryAfterSeconds")))
    if code == HTTPStatus.INTERNAL_SERVER_ERROR and message.startswith(_NOT_OF_THE_SCHEMA):
        return _invalid(message, causes)
    read = _READERS.get(code)
    return Unavailable(message) if read is None else read(message, causes)


def _unauthorized(message: str, causes: list[dict[str, Any]]) -> ApiError:
    return Unauthorized("the API server doesn't accept the operator's credentials")


def _forbidden(message: str, causes: list[dict[str, Any]]) -> ApiError:
    if any(cause.get("reason") == "NamespaceTerminating" for cause in causes):
        return NamespaceTerminating(message)
    return QuotaExceeded(message) if "exceeded quota" in message else Forbidden(message)


def _conflict(message: str, causes: list[dict[str, Any]]) -> ApiError:
    held = []
    for cause in causes:
        holder = _HOLDER.search(str(cause.get("message", "")))
        if cause.get("reason") == "FieldManagerConflict" and holder:
            held.append(Held(holder.group(1), str(cause.get("field", ""))))
    return Conflict(message, held)


def _invalid(message: str, causes: list[dict[str, Any]]) -> ApiError:
    read = [
        Cause(str(item.get("field", "")), _without_value(str(item.get("message", "")))) for item in causes
    ]
    if any(cause.field == "metadata.uid" for cause in read):
        # The object that was meant is gone, and another has its name.
        return Conflict("the object was deleted and made again meanwhile")
    told = "; ".join(dict.fromkeys(f"{cause.field}: {cause.message}" for cause in read))
    immutable = any(_IMMUTABLE.search(cause.message) for cause in read)
    return Invalid(one_line(told or message, _SHOWN), read, immutable=immutable)


def _without_value(message: str) -> str:
    """What is wrong, without the value that is: it may be long, or nobody's business."""
    found = _REFUSED_VALUE.match(message)
    if found is None:
        return one_line(message.removeprefix("Forbidden: "), _SHOWN)
    try:
        _, end = json.JSONDecoder().raw_decode(message, found.end())
    except ValueError:
        end = message.find(": ", found.end())
        end = len(message) if end < 0 else end
    return one_line(message[end:].lstrip(": ") or f"{found.group(1).lower()} value", _SHOWN)


def _seconds(value: object) -> float:
    try:
        return min(max(float(str(value)), 0.1), 60.0)
    except ValueError:
        return _DEFAULT_RETRY_SECONDS


_READERS: Final[Mapping[int, Callable[[str, list[dict[str, Any]]], ApiError]]] = {
    HTTPStatus.BAD_REQUEST: _invalid,
    HTTPStatus.UNAUTHORIZED: _unauthorized,
    HTTPStatus.FORBIDDEN: _forbidden,
    HTTPStatus.NOT_FOUND: lambda message, _: NotFound(message),
    HTTPStatus.CONFLICT: _conflict,
    HTTPStatus.GONE: lambda message, _: Gone(message),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: _invalid,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: _invalid,
    HTTPStatus.UNPROCESSABLE_ENTITY: _invalid,
}

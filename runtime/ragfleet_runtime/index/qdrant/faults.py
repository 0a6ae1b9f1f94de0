"""What a call to a Qdrant server can fail with, in the service's own errors."""

from __future__ import annotations

import json
import re
import ssl

import httpx
from qdrant_client.common.client_exceptions import QdrantException, ResourceExhaustedResponse
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from ragfleet_runtime.errors import EngineError, StorageError, StorageFullError, UnavailableError
from ragfleet_runtime.index.filters import FilterError
from ragfleet_runtime.secrets import MissingSecretError

_LONGEST = 300
_NOT_FOUND = 404
_REFUSED_KEY = (401, 403)
_TIMEOUT = 408
_TOO_MANY = 429
_UNAVAILABLE = 503
_FULL = 507
_SERVER_ERRORS = 500

# The wording of the server's strict mode (lib/collection/src/operations/verification in qdrant/qdrant).
_NO_INDEX = re.compile(r'Index required but not found for "(?P<path>.+)" of one of')

CALL_ERRORS = (ApiException, QdrantException)


class TransientError(UnavailableError):
    """A failure that may pass by itself: the call may be made again.

    asked_to_wait: seconds after which the server asked to be called again; None where it didn't.
    """

    def __init__(self, message: str, asked_to_wait: float | None = None) -> None:
        if asked_to_wait is None:
            super().__init__(message)
        else:
            super().__init__(message, retry_after=asked_to_wait)
        self.asked_to_wait = asked_to_wait


class NotThereError(EngineError):
    """What the call names isn't on the server."""


class MissingIndexError(FilterError):
    """The server's strict mode refuses a filter on a key without an index."""


def storage_error(error: Exception, doing: str, url: str) -> StorageError | MissingIndexError:
    """The error that a failed call is: one line, without the server's stack or our secrets.

    doing: what was tried, as in "searching". url: the server's address, which has no user info.
    """
    place = f"the Qdrant server at {url}"
    if isinstance(error, ResourceExhaustedResponse):
        told = _line(str(error))
        return TransientError(f"{place} is overloaded, {doing}: {told}", float(error.retry_after_s))
    if isinstance(error, UnexpectedResponse):
        return _answer_error(error, doing, place)
    source = error.source if isinstance(error, ResponseHandlingException) else error
    if isinstance(source, MissingSecretError):
        return UnavailableError(str(source))
    if isinstance(source, httpx.TimeoutException | TimeoutError):
        return TransientError(f"{place} gave no answer in time, {doing}")
    if isinstance(source, httpx.TransportError):
        return TransientError(f"{place} can't be reached, {doing}: {_network_reason(source)}")
    return EngineError(
        f"{place} gave an answer that isn't Qdrant's, {doing}: {type(source).__name__}; check the address"
    )


def _answer_error(error: UnexpectedResponse, doing: str, place: str) -> StorageError | MissingIndexError:
    status = error.status_code or 0
    told = _told(error)
    if (missing := _NO_INDEX.search(told)) is not None:
        return MissingIndexError(_missing_index(missing["path"]))
    if status in _REFUSED_KEY:
        return EngineError(f"{place} refused the call ({status}), {doing}: {told}; check its API key")
    if status == _NOT_FOUND:
        return NotThereError(f"{place} doesn't have that ({status}), {doing}: {told}")
    if status == _FULL:
        return StorageFullError(f"{place} has no room left, {doing}: {told}")
    if status in (_TIMEOUT, _TOO_MANY) or status >= _SERVER_ERRORS:
        return TransientError(f"{place} failed ({status}), {doing}: {told}", _retry_after(error))
    return EngineError(f"{place} refused the call ({status}), {doing}: {told}")


def _missing_index(path: str) -> str:
    key = re.sub(r"^(metadata|flags)\.", "", path).replace('"', "")
    return (
        f"filters.{key}: the Qdrant server filters by indexed keys only; "
        "add the key to spec.vectorStore.index.metadata, with the type of its values"
    )


def _told(error: UnexpectedResponse) -> str:
    """The server's own words: its JSON's status.error, or the start of the body."""
    try:
        status = json.loads(error.content)["status"]
        return _line(str(status["error"] if isinstance(status, dict) else status))
    except (ValueError, KeyError, TypeError):
        return _line(error.content.decode(errors="replace")) or error.reason_phrase


def _retry_after(error: UnexpectedResponse) -> float | None:
    """Seconds of a Retry-After header; its form as a date isn't used by Qdrant and the proxies before it."""
    value = error.headers.get("retry-after", "")
    return float(value) if value.isdecimal() else None


def _network_reason(error: httpx.TransportError) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                f"its certificate isn't trusted ({cause.verify_message}); "
                "give its authority with spec.vectorStore.qdrant.caSecretRef"
            )
        cause = cause.__cause__ or cause.__context__
    return _line(str(error)) or type(error).__name__


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"

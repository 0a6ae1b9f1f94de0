"""What goes wrong at a model's provider, as a ProviderError of one line that holds no secret. Pure."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz
from typing import Any

from ragfleet_api.spec.common import SecretKeyRef
from ragfleet_runtime.errors import ProviderError, ProviderFault

_FAULTS: Mapping[int, ProviderFault] = {
    401: "unauthorized",
    402: "forbidden",  # nothing left to pay with
    403: "forbidden",
    404: "not_found",
    408: "timeout",
    409: "unavailable",
    429: "rate_limited",
    503: "overloaded",
    529: "overloaded",
}
_CLIENT_ERRORS = range(400, 500)
_SERVER_ERRORS = range(500, 600)
# Whatever looks like a key: providers repeat parts of a wrong one.
_KEYS = re.compile(r"\b(?:sk|key|pk|api|bearer)[-_ ][\w.*+/=-]{6,}|\b[\w*-]*\*{3,}[\w*-]*", re.IGNORECASE)
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model is asked for: what its errors name. ``name`` is the generator's."""

    name: str
    model: str
    base_url: str
    api_key: SecretKeyRef | None

    def fault(self, fault: ProviderFault, message: str, retry_after: float | None = None) -> ProviderError:
        """The error."""
        return ProviderError(self.name, fault, message, retry_after=retry_after)


def status_error(
    endpoint: Endpoint, status: int, said: str, headers: Mapping[str, str], key: str | None
) -> ProviderError:
    """The error of an HTTP status that isn't 200.

    said: the provider's own words, repeated where they help. key: the secret that was sent.
    """
    fault = _FAULTS.get(status) or _other_fault(status)
    words = cleaned(said, key)
    reason = f": {words}" if words else ""
    if status == 401:  # noqa: PLR2004 (a status is its own name)
        return endpoint.fault(fault, f"{_refused_key(endpoint)} (401)")
    message = {
        "forbidden": f"the key may not use the model {endpoint.model} ({status})",
        "not_found": f"no model {endpoint.model} at {endpoint.base_url} (404), check both{reason}",
        "rate_limited": f"too many requests, or nothing left of the quota (429){reason}",
        "overloaded": f"overloaded ({status}){reason}",
        "timeout": f"took too long ({status}){reason}",
        "invalid_request": f"refused the request ({status}){reason}",
        "bad_response": f"answered with status {status}: check baseURL",
    }.get(fault, f"failed ({status}){reason}")
    return endpoint.fault(fault, message, retry_after(headers))


def stream_error(endpoint: Endpoint, kind: str, said: str, key: str | None) -> ProviderError:
    """The error that a provider sends within a stream; ``kind`` is its type or code, by either API."""
    fault: ProviderFault = "unavailable"
    if "overloaded" in kind:
        fault = "overloaded"
    elif "rate_limit" in kind or kind == "429":
        fault = "rate_limited"
    elif "invalid_request" in kind or kind == "400":
        fault = "invalid_request"
    words = cleaned(said, key)
    return endpoint.fault(fault, f"failed while it answered{': ' + words if words else ''}")


def unreachable(endpoint: Endpoint, error: Exception, key: str | None) -> ProviderError:
    """The error of a connection that couldn't be made, or that ended before the answer began."""
    return endpoint.fault("unavailable", f"{endpoint.base_url} can't be reached: {_reason(error, key)}")


def broken_off(endpoint: Endpoint, error: Exception, key: str | None) -> ProviderError:
    """The error of a connection that ended within the answer."""
    return endpoint.fault("bad_response", f"the answer broke off: {_reason(error, key)}")


def no_end(endpoint: Endpoint, content_type: str) -> ProviderError:
    """The error of a reply in which no end of an answer came; often it is no stream of a model's at all."""
    if content_type.startswith("text/event-stream"):
        return endpoint.fault("bad_response", "the answer broke off: the stream ended without its end")
    kind = cleaned(content_type, None) or "no content type"
    return endpoint.fault("bad_response", f"answered with {kind} instead of a stream: check baseURL")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds after which the provider asks to be called again (RFC 9110, 10.2.3), where it does."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        return seconds if 0 <= seconds < float("inf") else None
    date = parsedate_tz(headers.get("retry-after", ""))
    return None if date is None else max(0.0, mktime_tz(date) - time.time())


def said_in(body: object) -> str:
    """The provider's own words in the body of an error, in the form of either API or in none."""
    error = body.get("error", body) if isinstance(body, dict) else body
    message = error.get("message") if isinstance(error, dict) else None
    return message if isinstance(message, str) else str(body or "")


def cleaned(said: Any, key: str | None) -> str:
    """A provider's words in one line of at most 200 characters, without anything that looks like a key."""
    text = " ".join(said.split()) if isinstance(said, str) else ""
    if key:
        text = text.replace(key, "***")
    text = _KEYS.sub("***", text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _reason(error: BaseException, key: str | None) -> str:
    """What the innermost cause says that says anything: those around it tell of the library's layers."""
    reason = type(error).__name__
    cause: BaseException | None = error
    while cause is not None:
        message = getattr(cause, "message", None)
        said = message if isinstance(message, str) else str(cause)
        reason, cause = said or reason, cause.__cause__
    return cleaned(reason, key)


def _refused_key(endpoint: Endpoint) -> str:
    ref = endpoint.api_key
    if ref is None:
        return f"{endpoint.base_url} asks for a key: give it in a Secret and name it in apiKeySecretRef"
    return f"the key is refused: check entry {ref.key} of Secret {ref.name}"


def _other_fault(status: int) -> ProviderFault:
    if status in _CLIENT_ERRORS:
        return "invalid_request"
    return "unavailable" if status in _SERVER_ERRORS else "bad_response"

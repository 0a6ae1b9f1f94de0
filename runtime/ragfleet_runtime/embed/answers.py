"""What a provider's HTTP answers mean. Pure.

Messages never hold what came back: it may echo the texts, or the key.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

import orjson

from ragfleet_api.config.models import RemoteEmbeddingConfig
from ragfleet_runtime.errors import ProviderError, ProviderFault

_FAULTS: Final[Mapping[int, ProviderFault]] = {
    401: "unauthorized",
    402: "forbidden",
    403: "forbidden",
    404: "not_found",
    405: "not_found",
    408: "timeout",
    410: "not_found",
    429: "rate_limited",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}
_LONGEST_RETRY_AFTER = 24 * 3600.0

# A word such as context_length_exceeded. Keys and texts have digits, capitals or spaces.
_CODE = re.compile(r"[a-z]{1,16}(_[a-z]{1,16}){0,5}")


def fault_of(status: int) -> ProviderFault:
    """What an HTTP status that isn't 2xx says of the call."""
    if status in _FAULTS:
        return _FAULTS[status]
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "unavailable"
    return "invalid_request" if status >= HTTPStatus.BAD_REQUEST else "bad_response"


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds of ``Retry-After``, a number or a date (RFC 9110 10.2.3); None where there is none of use."""
    value = headers.get("retry-after", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            at = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = (at.replace(tzinfo=at.tzinfo or UTC) - (now or datetime.now(UTC))).total_seconds()
    if not math.isfinite(seconds) or seconds > _LONGEST_RETRY_AFTER:
        return None
    return max(0.0, seconds)


def parse_json(provider: str, body: bytes) -> Any:
    """An answer's JSON. Raises ProviderError (bad_response)."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(body)  # takes NaN, which isn't JSON: what is wrong can then be said
    except ValueError:
        raise ProviderError(provider, "bad_response", "its answer isn't JSON") from None


@dataclass(frozen=True, slots=True)
class Refusals:
    """The errors of a provider's calls."""

    provider: str
    config: RemoteEmbeddingConfig

    def status(self, status: int, headers: Mapping[str, str], code: object = None) -> ProviderError:
        """The error for an HTTP status. code: the provider's own word for what is wrong."""
        fault = fault_of(status)
        word = f", {code}" if isinstance(code, str) and _CODE.fullmatch(code) else ""
        after = retry_after(headers) if fault in ("rate_limited", "overloaded", "unavailable") else None
        message = f"{self._explained(fault)} (HTTP {status}{word})"
        return ProviderError(self.provider, fault, message, retry_after=after)

    def unreachable(self, error: Exception) -> ProviderError:
        """The error for a call that got no answer, or lost the connection in the middle of it."""
        reason = type(error.__cause__ or error).__name__
        return ProviderError(self.provider, "unavailable", f"can't reach {self.config.base_url} ({reason})")

    def _explained(self, fault: ProviderFault) -> str:
        if fault == "unauthorized":
            return self._about_key()
        model, address = self.config.model, self.config.base_url
        return {
            "forbidden": f"the API key may not use the model {model}, or its account is out of funds",
            "not_found": f"{address} has no model {model}, or isn't the address of this API: check both",
            "invalid_request": f"the request was refused: check that {model} takes such texts and dimensions",
            "rate_limited": "too many requests: lower maxConcurrency or have the limit raised",
            "overloaded": "the service is overloaded",
            "timeout": "the service ran out of time",
            "bad_response": f"{address} sends elsewhere: set baseURL to where it sends",
        }.get(fault, "the service failed")

    def _about_key(self) -> str:
        ref = self.config.api_key
        if ref is None:
            return f"{self.config.base_url} asks for an API key: set apiKeySecretRef"
        return f"the API key was refused: check the entry {ref.key} of the Secret {ref.name}"

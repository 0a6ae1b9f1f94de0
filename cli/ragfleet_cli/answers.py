"""What the service's answers say: results, outcomes, errors, and when to come again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeGuard

import httpx

from ragfleet_cli.access import KEY_VARIABLE
from ragfleet_cli.errors import CliError
from ragfleet_cli.output import one_line

BUSY: Final = (429, 503)
LONGEST_DETAIL: Final = 500


class RefusedError(CliError):
    """The service answered with an error.

    detail: its own text. outcomes: what became of the documents sent, where the answer says so all the same.
    """

    def __init__(self, status: int, detail: str, outcomes: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(f"the service answered {status}: {detail}")
        self.status = status
        self.detail = detail
        self.outcomes = outcomes


def retry_after(response: httpx.Response) -> float | None:
    """Seconds until a busy service wants the request again (RFC 9110, section 10.2.3), if it says so."""
    value = response.headers.get("Retry-After", "").strip()
    if response.status_code not in BUSY or not value:
        return None
    if value.isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def refused(response: httpx.Response) -> RefusedError:
    """The error in a problem document (RFC 9457); of another answer, its beginning."""
    problem = _json(response)
    if not isinstance(problem, dict):
        return RefusedError(response.status_code, one_line(response.text, 200) or response.reason_phrase)
    text = str(problem.get("detail") or problem.get("title") or response.reason_phrase)
    request = problem.get("request_id")
    detail = one_line(text, LONGEST_DETAIL) + (f" (request {request})" if request else "")
    if response.status_code == httpx.codes.UNAUTHORIZED:
        detail += f"; give the key in {KEY_VARIABLE}, or its file with --api-key-file"
    documents = problem.get("documents")
    return RefusedError(response.status_code, detail, documents if _is_list_of_objects(documents) else ())


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def with_lists(response: httpx.Response, *names: str) -> dict[str, Any]:
    """The answer: an object with these lists of objects in it. Raises CliError where it is something else."""
    body = _json(response)
    if not isinstance(body, dict) or not all(_is_list_of_objects(body.get(name)) for name in names):
        raise CliError(f"{response.url}: the answer is not one of a Ragfleet service; check --url")
    return body


def _is_list_of_objects(value: object) -> TypeGuard[list[dict[str, Any]]]:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def outcomes(response: httpx.Response, expected: int) -> list[dict[str, Any]]:
    """What became of each document sent. Raises CliError where it is not as many as ``expected``."""
    found: list[dict[str, Any]] = with_lists(response, "documents")["documents"]
    if len(found) != expected:
        raise CliError(f"{response.url}: {expected} documents sent, {len(found)} answered")
    return found

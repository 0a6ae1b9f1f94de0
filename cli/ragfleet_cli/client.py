"""The service's HTTP API, as the commands use it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, BinaryIO, Final, Self
from urllib.parse import quote

import httpx

from ragfleet_cli.answers import (
    LONGEST_DETAIL,
    RefusedError,
    outcomes,
    refused,
    retry_after,
    with_lists,
)
from ragfleet_cli.errors import CliError
from ragfleet_cli.events import Event, read_events
from ragfleet_cli.output import one_line

# Waits, in seconds. An answer may take long: a batch of documents is parsed before it comes.
TIMEOUT: Final = httpx.Timeout(60, connect=5, read=600)
PAGE: Final = 1000

# One file of an upload: its name, and its content or a file to read it from.
FilePart = tuple[str, bytes | BinaryIO]


class UnreachableError(CliError):
    """No answer came: nothing listens, or the connection was lost."""


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a request is sent, and the waits between, in seconds.

    A busy service (429 or 503 with Retry-After) names the wait itself. A connection that is lost is tried
    again after ``backoff``, then twice that, and so on, if the service has answered before.
    """

    attempts: int = 5
    backoff: float = 0.5
    longest_wait: float = 30.0


class ServiceClient:
    """A connection to one service; an asynchronous context manager. ``api_key`` goes with every request.

    Every method raises UnreachableError, RefusedError, or CliError where the answer isn't one of Ragfleet's.
    """

    def __init__(
        self,
        url: str,
        retries: Retries | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        api_key: str | None = None,
    ) -> None:
        self._url = _checked(url)
        self._retries = retries or Retries()
        self._answered = False
        # A proxy of the environment can't reach this machine's own loopback address.
        self._http = httpx.AsyncClient(
            base_url=self._url,
            headers={} if api_key is None else {"Authorization": f"Bearer {api_key}"},
            timeout=TIMEOUT,
            trust_env=not _is_loopback(self._url.host),
            transport=transport,
            verify=self._url.scheme == "https",  # loading certificates takes longer than most answers
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def require_ready(self) -> None:
        """Return once the service says that it is ready; raise where it doesn't."""
        await self._send("GET", "ready")

    async def require_ingest(self) -> None:
        """Return if documents may be sent with this key; raise where they may not.

        A service doesn't read what comes with a wrong key, and in the middle of it the answer may be lost.
        """
        try:
            await self._send("POST", "ingest", json={"documents": []})
        except RefusedError as error:
            if error.status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
                raise

    async def is_settled(self) -> bool:
        """GET /health: whether the index is in order, with no work left from recent writes."""
        checks = with_lists(await self._send("GET", "health"), "checks")["checks"]
        return not any(check.get("name") == "index" and check.get("reason") for check in checks)

    async def query(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """POST /query."""
        return with_lists(await self._send("POST", "query", json=body), "sources", "citations")

    async def query_stream(self, body: Mapping[str, Any]) -> AsyncGenerator[Event, None]:
        """POST /query/stream. The events, as they come."""
        response = await self._send("POST", "query/stream", stream=True, json=body)
        try:
            if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
                raise CliError(f"{response.url}: the answer is not a stream of events; check --url")
            async for event in read_events(response.aiter_bytes()):
                yield event
        except httpx.TransportError as error:
            raise UnreachableError(self._explain(error)) from error
        finally:
            await response.aclose()

    async def search(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """POST /search."""
        return with_lists(await self._send("POST", "search", json=body), "results")

    async def ingest_texts(self, documents: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """POST /ingest as JSON. The outcome of each document, in the order given."""
        response = await self._send("POST", "ingest", json={"documents": documents})
        return outcomes(response, len(documents))

    async def ingest_files(
        self, files: Sequence[FilePart], ids: Sequence[str], metadata: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        """POST /ingest as multipart. The outcome of each file, in the order given."""
        response = await self._send(
            "POST",
            "ingest",
            # The service finds out the type by itself.
            files=[("files", (name, content, "application/octet-stream")) for name, content in files],
            data={
                "ids": json.dumps(ids, ensure_ascii=False),
                "metadata": json.dumps(metadata, ensure_ascii=False),
            },
        )
        return outcomes(response, len(files))

    async def document_ids(self) -> set[str]:
        """The ids of all documents."""
        ids: set[str] = set()
        cursor: str | None = None
        while True:
            params: dict[str, str | int] = {"limit": PAGE} | ({"cursor": cursor} if cursor else {})
            page = with_lists(await self._send("GET", "documents", params=params), "documents")
            ids.update(document["id"] for document in page["documents"])
            cursor = page.get("next_cursor")
            if not cursor:
                return ids

    async def delete(self, id_: str) -> None:
        """DELETE /documents/{id}; that there is none is no error."""
        try:
            await self._send("DELETE", f"documents/{quote(id_, safe='')}")
        except RefusedError as error:
            if error.status != httpx.codes.NOT_FOUND:
                raise

    async def _send(self, method: str, path: str, *, stream: bool = False, **content: Any) -> httpx.Response:
        """The service's answer; where it is a stream, its body has not been read yet."""
        for attempt in range(1, self._retries.attempts + 1):
            last = attempt == self._retries.attempts
            try:
                request = self._http.build_request(method, path, **content)
                response = await self._http.send(request, stream=stream)
                if not response.is_success:
                    await response.aread()
            except httpx.TransportError as error:
                if last or not self._answered or isinstance(error, httpx.ReadTimeout):
                    raise UnreachableError(self._explain(error)) from error
                wait = self._retries.backoff * 2 ** (attempt - 1)
            else:
                self._answered = True
                asked = retry_after(response)
                if last or asked is None:
                    break
                wait = asked
            await asyncio.sleep(min(wait, self._retries.longest_wait))
        if not response.is_success:
            raise refused(response)
        return response

    def _explain(self, error: httpx.TransportError) -> str:
        if isinstance(error, httpx.ReadTimeout):
            return f"{self._url}: no answer within {TIMEOUT.read:g} seconds"
        reason = one_line(str(error) or type(error).__name__, LONGEST_DETAIL)
        if self._answered:
            return f"{self._url}: the connection was lost ({reason})"
        return (
            f"no service at {self._url} ({reason}); start one with `ragfleet up`, or name another with --url"
        )


def _checked(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise CliError(f"--url {text}: {error}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise CliError(f"--url {text}: must be an address such as http://127.0.0.1:8080")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

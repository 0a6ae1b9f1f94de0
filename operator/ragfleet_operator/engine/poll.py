"""Asks running services how they are, on their admin ports."""

from __future__ import annotations

import base64
import binascii
import random
from collections.abc import Callable
from typing import Any, Final

import aiohttp
import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from ragfleet_operator.engine.cluster import Cluster
from ragfleet_operator.engine.errors import ApiError, Unavailable
from ragfleet_operator.engine.lookup import Lookups
from ragfleet_operator.engine.queue import KeyQueue
from ragfleet_operator.kinds import SECRET
from ragfleet_operator.model import Key, Report
from ragfleet_operator.names import ADMIN_PORT, admin_secret, admin_service
from ragfleet_operator.text import one_line

_ENTRY: Final = "token"
_MOST_BYTES: Final = 65536
_SLOWEST: Final = 4.0
_OFTEN: Final = 10.0
_REFUSED: Final = frozenset({401, 403})


class _Store(BaseModel):
    reachable: bool | None = None
    message: str = ""


class _Answer(BaseModel):
    """What /status of the admin port gives; what isn't known here is left alone."""

    model_config = ConfigDict(alias_generator=to_camel)

    collection: str = ""
    documents: int | None = Field(default=None, ge=0)
    chunks: int | None = Field(default=None, ge=0)
    stale_documents: int | None = Field(default=None, ge=0)
    store: _Store = _Store()


def service_address(key: Key) -> str:
    """Where the admin port of a pipeline's service is, from inside the cluster."""
    return f"http://{admin_service(key.name)}.{key.namespace}.svc:{ADMIN_PORT}"


class Poller:
    """Keeps the last report of each service that it was told of.

    every: seconds from one question to the next. A service that doesn't answer is asked less and less, down
    to a quarter as often; one that can't reach its store, ten times as often. changed: is called with each
    pipeline whose report is another than before.
    """

    def __init__(
        self,
        cluster: Cluster,
        changed: Callable[[Key], None],
        *,
        address: Callable[[Key], str] = service_address,
        every: float = 30.0,
        seconds: float = 2.0,
        at_once: int = 64,
    ) -> None:
        self._cluster = cluster
        self._changed = changed
        self._address = address
        self._every = every
        self._seconds = seconds
        self._at_once = at_once
        self._queue = KeyQueue(debounce=0.0, timeout=60.0)
        self._reports: dict[Key, Report | None] = {}
        self._tokens: dict[Key, str] = {}
        self._silences: dict[Key, int] = {}
        self._lookups = Lookups()
        self._session: aiohttp.ClientSession | None = None

    def watch(self, key: Key) -> None:
        """Ask this service from now on; the first time at once."""
        if key not in self._reports:
            self._reports[key] = None
            self._queue.add(key)

    def drop(self, key: Key) -> None:
        """Ask this service no more, and forget what it said."""
        self._queue.forget(key)
        for memory in (self._reports, self._tokens, self._silences):
            memory.pop(key, None)

    def report(self, key: Key) -> Report | None:
        """What the service last said; None before it was first asked."""
        return self._reports.get(key)

    def is_asking(self, key: Key) -> bool:
        """Whether the service is being asked for the first time."""
        return key in self._reports and self._reports[key] is None

    async def ask(self, key: Key) -> Report:
        """Ask a service now. What keeps it from answering is in the report."""
        for is_last in (False, True):
            try:
                token = await self._token(key)
                return await self._get(key, token)
            except _RefusedError:
                self._tokens.pop(key, None)  # perhaps another one was made: read it again, once
                if is_last:
                    return Report(error="the service doesn't accept the token of its admin port")
            except ApiError as error:
                reason = "the API server can't be asked" if isinstance(error, Unavailable) else str(error)
                return Report(error=f"the token of the admin port can't be read: {reason}")
            except (aiohttp.ClientError, OSError):  # a TimeoutError is one
                # In the same words: a service that is gone does now the one, now the other.
                return Report(error=f"no connection, or nothing said within {self._seconds:g} s")
        raise AssertionError("unreachable")

    async def run(self) -> None:
        """Ask those that are due, until closed."""
        try:
            await self._queue.run(self._work, self._at_once)
        finally:
            if self._session is not None:
                await self._session.close()
                self._session = None
            await self._lookups.close()

    def close(self) -> None:
        """Ask nothing more."""
        self._queue.close()

    async def _work(self, key: Key) -> float | None:
        report = await self.ask(key)
        if key not in self._reports:
            return None
        before, self._reports[key] = self._reports[key], report
        if report != before:
            self._changed(key)
        silences = self._silences[key] = 0 if report.error is None else self._silences.get(key, 0) + 1
        slower = min(_SLOWEST, max(1.0, silences / 4))
        # What isn't well holds Ready back: the end of it is told soon.
        often = 1.0 if report.error or report.store_reachable else _OFTEN
        return self._every / often * slower * random.uniform(0.9, 1.1)  # noqa: S311 - spreads questions

    async def _token(self, key: Key) -> str:
        if key not in self._tokens:
            secret = await self._cluster.get(SECRET, key.namespace, admin_secret(key.name))
            try:
                value = base64.b64decode((secret.get("data") or {})[_ENTRY]).decode("ascii").strip()
            except (KeyError, TypeError, binascii.Error, UnicodeDecodeError):
                raise _TokenError("its Secret has no usable entry 'token'") from None
            self._tokens[key] = value
        return self._tokens[key]

    async def _get(self, key: Key, token: str) -> Report:
        if self._session is None:
            # Proxies of the environment are for the world outside; the token goes to the service alone.
            connector = aiohttp.TCPConnector(limit=0, resolver=self._lookups)
            self._session = aiohttp.ClientSession(trust_env=False, connector=connector)
        async with self._session.get(
            self._address(key) + "/status",
            headers={"Authorization": f"Bearer {token}"},
            timeout=aiohttp.ClientTimeout(total=self._seconds),
            allow_redirects=False,
        ) as answer:
            if answer.status in _REFUSED:
                raise _RefusedError
            if not answer.ok or answer.status in range(300, 400):
                return Report(error=f"the admin port answers {answer.status}")
            body = await _bounded(answer.content)
        return _report(body)


class _RefusedError(Exception):
    """The service doesn't accept the token."""


class _TokenError(ApiError):
    """There is no token in the Secret."""


async def _bounded(content: aiohttp.StreamReader) -> bytes:
    body = b""
    while len(body) <= _MOST_BYTES and (piece := await content.read(_MOST_BYTES)):
        body += piece
    return body


def _report(body: bytes) -> Report:
    strange = Report(error="the admin port answers something that isn't a status")
    if len(body) > _MOST_BYTES:
        return strange
    try:
        value: Any = orjson.loads(body)
        answer = _Answer.model_validate(value)
    except (ValueError, ValidationError):
        return strange
    return Report(
        store_reachable=answer.store.reachable,
        store_message=one_line(answer.store.message),
        collection=answer.collection,
        documents=answer.documents,
        chunks=answer.chunks,
        stale_documents=answer.stale_documents,
    )

"""What GET /status tells: the collection, what it holds, and whether the vector store answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final, Generic, TypeVar

from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_runtime.api.probes import Readiness
from ragfleet_runtime.errors import CollectionError, NotOpenYetError, StorageError
from ragfleet_runtime.index.claim import OWNER
from ragfleet_runtime.index.documents import DocumentStore

_KEPT_SECONDS: Final = 1.0
# Who asks may have little patience (the operator has two seconds), and counting on a server may take long.
_PATIENCE_SECONDS: Final = 1.5
_PING_SECONDS: Final = 1.0
_COUNT_SECONDS: Final = 30.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reach:
    """Whether the store answers; None where it wasn't asked yet. message: why not; one line, no secrets."""

    reachable: bool | None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """What is kept; ``stale`` documents were cut by earlier settings."""

    documents: int
    chunks: int
    stale: int


class Board:
    """The state of the service as the admin port tells it, within 1.5 s and at most as old as a second.

    The store is asked for all who ask meanwhile together. A count that takes longer is told when it is there.
    """

    def __init__(self, config: RuntimeConfig, readiness: Readiness) -> None:
        self._store_config = config.store
        self._readiness = readiness
        self._version = version("ragfleet")
        self._waiting = Reach(None, "starting")
        self._reach: _Latest[Reach] | None = None
        self._counts: _Latest[Counts | None] | None = None

    def wait(self, error: Exception) -> None:
        """The service isn't open yet, and why."""
        is_store = isinstance(error, NotOpenYetError | CollectionError)
        self._waiting = Reach(False if is_store else None, _one_line(error))

    def open(self, store: DocumentStore, recipe: str) -> None:
        """The service is open: from now on the store is asked."""
        self._reach = _Latest(lambda: _ping(store), Reach(None, "starting"))
        self._counts = _Latest(lambda: _count(store, recipe), None)

    async def aclose(self) -> None:
        """Ask the store no more: it is about to be closed."""
        for latest in (self._reach, self._counts):
            if latest is not None:
                await latest.aclose()
        self._reach = self._counts = None
        self._waiting = Reach(None, "closed")

    async def look(self) -> tuple[Reach, Counts | None]:
        """Whether the store answers, and what it holds; None where that isn't known now."""
        if self._reach is None or self._counts is None:
            return self._waiting, None
        reach, counts = await asyncio.gather(self._reach.get(), self._counts.get())
        return reach, counts if reach.reachable else None

    async def tell(self) -> dict[str, Any]:
        """The reply to GET /status."""
        reach, counts = await self.look()
        return {
            "collection": self._store_config.collection,
            "engine": self._store_config.engine,
            "documents": None if counts is None else counts.documents,
            "chunks": None if counts is None else counts.chunks,
            "staleDocuments": None if counts is None else counts.stale,
            "store": {"reachable": reach.reachable, "message": reach.message},
            "ready": self._readiness.reason is None,
            "version": self._version,
        }


class _Latest(Generic[T]):
    """The latest answer to a question, which is asked again, once for all, when that is a second old."""

    def __init__(self, ask: Callable[[], Awaitable[T]], nothing: T) -> None:
        """nothing: what counts as the answer before there is one."""
        self._ask = ask
        self._answer = nothing
        self._answered_at = 0.0
        self._asking: asyncio.Task[None] | None = None

    async def get(self) -> T:
        """The answer; the last one, where the next doesn't come in time. Raises what the question raised."""
        if self._asking is None and time.monotonic() - self._answered_at >= _KEPT_SECONDS:
            self._asking = asyncio.create_task(self._renew(), name="status")
        if self._asking is not None:
            # Doesn't cancel it when a caller goes away: others may wait.
            done, _ = await asyncio.wait([self._asking], timeout=_PATIENCE_SECONDS)
            for task in done:
                task.result()
        return self._answer

    async def aclose(self) -> None:
        """End a question that is being asked."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])

    async def _renew(self) -> None:
        try:
            self._answer = await self._ask()
            self._answered_at = time.monotonic()
        finally:
            self._asking = None


async def _ping(store: DocumentStore) -> Reach:
    """Read one small record."""
    try:
        async with asyncio.timeout(_PING_SECONDS):
            await store.get_setting(OWNER)
    except TimeoutError:
        return Reach(False, f"no answer within {_PING_SECONDS:g} s")
    except StorageError as error:
        return Reach(False, _one_line(error))
    return Reach(True)


async def _count(store: DocumentStore, recipe: str) -> Counts | None:
    try:
        async with asyncio.timeout(_COUNT_SECONDS):
            totals, stale = await store.totals(), await store.stale(recipe)
    except (TimeoutError, StorageError):
        return None
    return Counts(totals.documents, totals.chunks, stale)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())

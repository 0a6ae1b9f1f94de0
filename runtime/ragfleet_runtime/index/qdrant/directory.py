"""Document ids in their order, which the server doesn't know: it sorts by numbers and dates only.

A number made of an id's first bytes would do for random ids, but puts all ids with one long beginning, such
as addresses, into one heap. So each replica that is asked for a listing keeps the sorted ids (some 100 bytes
each), asks the server at each page whether documents came since, and reads only those. Ids that are gone are
passed over when their records are read. What isn't asked for is dropped after some minutes.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right

from qdrant_client.http import models as q

from ragfleet_runtime.index.documents import Key
from ragfleet_runtime.index.qdrant.filters import has
from ragfleet_runtime.index.qdrant.points import Payload, Points
from ragfleet_runtime.index.qdrant.records import DOCUMENT, TYPE, key_of

# Records made by a replica whose clock is behind by less than this are never missed.
_SKEW_SECONDS = 120.0
_COMPLETE_SECONDS = 60.0
_IDLE_SECONDS = 300.0
_LISTING = "listing documents"
_DOCUMENTS = q.Filter(must=[has(TYPE, DOCUMENT)])

_Signature = tuple[int, int, float]


class Directory:
    """The ids of a collection's documents."""

    def __init__(self, points: Points) -> None:
        self._points = points
        self._known: set[Key] = set()
        self._sorted: dict[str, list[str]] = {}
        self._signature: _Signature | None = None
        self._newest = 0.0
        self._completed = 0.0
        self._lock = asyncio.Lock()
        self._dropping: asyncio.TimerHandle | None = None

    async def after(self, tenant: str, id_: str | None, limit: int) -> list[str]:
        """The next ids in their order, from behind ``id_``; some may be of documents that are gone."""
        async with self._lock:
            await self._refresh()
            ids = self._sorted.get(tenant, [])
            start = 0 if id_ is None else bisect_right(ids, id_)
            return ids[start : start + limit]

    def drop(self) -> None:
        """Forget all ids; they are read again when they are asked for."""
        self._known, self._sorted, self._signature = set(), {}, None
        if self._dropping is not None:
            self._dropping.cancel()
            self._dropping = None

    async def _refresh(self) -> None:
        self._drop_later()
        is_due = time.monotonic() - self._completed > _COMPLETE_SECONDS
        if self._signature is None or is_due:
            await self._read_all()
            return
        signature = await self._ask()
        if signature == self._signature:
            return
        recent = self._newest - _SKEW_SECONDS
        self._add(
            [
                payload
                async for payload in self._points.scroll(
                    _LISTING, _since(recent), ["tenant", "id", "created_at"]
                )
            ]
        )
        if len(self._known) < signature[0]:  # more than was just found, and more than is known
            await self._read_all()
        else:
            self._signature = signature

    async def _read_all(self) -> None:
        started = time.monotonic()
        signature = await self._ask()
        self._known, self._sorted, self._newest = set(), {}, 0.0
        fields = ["tenant", "id", "created_at"]
        self._add([payload async for payload in self._points.scroll(_LISTING, _DOCUMENTS, fields)])
        self._signature = signature
        self._completed = started

    async def _ask(self) -> _Signature:
        """What changes whenever a document is added: how many there are, how many recent ones, the newest."""
        total, recent, newest = await asyncio.gather(
            self._points.count(_LISTING, _DOCUMENTS),
            self._points.count(_LISTING, _since(self._newest - _SKEW_SECONDS)),
            self._points.highest(_LISTING, _DOCUMENTS, "created_at"),
        )
        return total, recent, newest or 0.0

    def _add(self, payloads: list[Payload]) -> None:
        touched: set[str] = set()
        for payload in payloads:
            key = key_of(payload)
            self._newest = max(self._newest, payload["created_at"])
            if key not in self._known:
                self._known.add(key)
                self._sorted.setdefault(key.tenant, []).append(key.id)
                touched.add(key.tenant)
        for tenant in touched:
            self._sorted[tenant].sort()

    def _drop_later(self) -> None:
        if self._dropping is not None:
            self._dropping.cancel()
        self._dropping = asyncio.get_running_loop().call_later(_IDLE_SECONDS, self.drop)


def _since(moment: float) -> q.Filter:
    return q.Filter(must=[has(TYPE, DOCUMENT), q.FieldCondition(key="created_at", range=q.Range(gte=moment))])

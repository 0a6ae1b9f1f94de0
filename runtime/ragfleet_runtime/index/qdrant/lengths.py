"""The mean length of chunks, shared by replicas: read again every few seconds, renewed by one of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from uuid import UUID

from ragfleet_runtime.errors import StorageError
from ragfleet_runtime.index.bm25 import Analyzer
from ragfleet_runtime.index.documents import DocumentStore
from ragfleet_runtime.index.engine import Engine
from ragfleet_runtime.index.lengths import (
    ENCODING,
    MEAN,
    PAGE,
    UNFINISHED,
    Sized,
    first_mean,
    has_drifted,
    real_mean,
    vectors_of,
)
from ragfleet_runtime.index.qdrant.lease import Lease
from ragfleet_runtime.index.qdrant.settings import SharedSettings, Values
from ragfleet_runtime.lanes import Lane

FRESH_SECONDS = 5.0

_LEASE = "encoding_lease"


class SharedMeanLength:
    """See MeanLength: the same, where others write too.

    While weights are renewed, a replica may write with the mean of up to ``fresh_seconds`` ago. The one that
    renews waits for that long before it reads the first chunk, so that none keeps old weights.
    """

    def __init__(
        self,
        store: DocumentStore,
        settings: SharedSettings,
        *,
        fresh_seconds: float = FRESH_SECONDS,
    ) -> None:
        self._store = store
        self._settings = settings
        self._fresh = fresh_seconds
        self._lease = Lease(settings, _LEASE)
        self._mean: float | None = None
        self._read_at = 0.0

    async def for_batch(self, documents: Sequence[Sized]) -> float:
        """The mean in use; the first batch of a collection, whichever replica writes it, sets it."""
        if self._mean is None or time.monotonic() - self._read_at > self._fresh:
            await self._read()
        if self._mean is None:
            await self._settings.put_new(MEAN, {MEAN: repr(first_mean(documents))})
            await self._read()
        if self._mean is None:
            raise StorageError("the mean length of chunks can't be kept on the Qdrant server")
        return self._mean

    async def is_due(self) -> bool:
        """Whether weights should be renewed, and nobody is at it."""
        values = await self._read()
        if MEAN not in values or not self._lease.is_free(values):
            return False
        if values.get(ENCODING) == UNFINISHED:
            return True
        return has_drifted(await self._store.totals(), float(values[MEAN]))

    async def needs_encoding(self) -> bool:
        """Whether weights should be renewed, by this replica: then nobody else begins to."""
        return await self.is_due() and await self._lease.acquire(await self._settings.read())

    async def encode_again(self, engine: Engine, analyzer: Analyzer, encode: Lane) -> int:
        """Give every chunk weights of the real mean; returns how many chunks. See ``needs_encoding``.

        Stops where another replica has taken over, after a long silence of this one.
        """
        totals = await self._store.totals()
        mean = real_mean(totals) if totals.chunks else self._mean or 1.0
        await self._settings.put({MEAN: repr(mean), ENCODING: UNFINISHED})
        await asyncio.sleep(self._fresh)
        encoded = 0
        after: UUID | None = None
        while await self._lease.renew():
            page, after = await engine.scroll(after, PAGE)
            await engine.replace_vectors(await encode.run(vectors_of, page, analyzer, mean))
            encoded += len(page)
            if after is None:
                await self._settings.put({ENCODING: "finished"})
                await self._lease.release()
                break
        return encoded

    async def _read(self) -> Values:
        values = await self._settings.read()
        self._mean = float(values[MEAN]) if MEAN in values else None
        self._read_at = time.monotonic()
        return values

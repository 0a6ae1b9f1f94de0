"""Cleaning up what interrupted writes left on a Qdrant server, by every replica, beside the traffic.

Each sweep looks at the notes (see ``documents``). Chunks that no note and no record knows are rare: a
snapshot that was restored for one of the two collections, a request that came twice and late. The sums tell:
where they differ at two sweeps running, every chunk is looked at.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from uuid import UUID

import structlog

from ragfleet_runtime.errors import StorageError
from ragfleet_runtime.index.documents import Key
from ragfleet_runtime.index.engine import point_ids
from ragfleet_runtime.index.maintenance import Maintenance
from ragfleet_runtime.index.qdrant.documents import QdrantDocumentStore
from ragfleet_runtime.index.qdrant.engine import QdrantEngine
from ragfleet_runtime.index.qdrant.lengths import SharedMeanLength
from ragfleet_runtime.index.writer import DocumentWriter

PERIOD_SECONDS = 60.0

_PAGE = 1024
_SHOWN = 5

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Sweeper:
    """A task that sweeps now and then."""

    def __init__(
        self,
        engine: QdrantEngine,
        store: QdrantDocumentStore,
        writer: DocumentWriter,
        lengths: SharedMeanLength,
        maintenance: Maintenance,
    ) -> None:
        self._engine = engine
        self._store = store
        self._writer = writer
        self._lengths = lengths
        self._maintenance = maintenance
        self._differed = False
        self._task = asyncio.create_task(self._run(), name="sweeper")

    async def aclose(self) -> None:
        """Stop."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def sweep(self) -> int:
        """Remove dead revisions; returns how many. Hold all chunks against the records where sums differ."""
        removed = await self._writer.recover()
        if removed:
            log.info("chunks of interrupted writes removed", revisions=removed)
        differs = await self._engine.count() != (await self._store.totals()).chunks
        if differs and self._differed:
            await self.examine()
        self._differed = differs
        if await self._lengths.is_due():
            self._maintenance.notice_change()
        return removed

    async def examine(self) -> list[Key]:
        """Look at every chunk: remove those that nobody knows; returns documents whose chunks are missing."""
        found: dict[str, int] = {}
        after: UUID | None = None
        removed = 0
        while True:
            page, after = await self._engine.scroll(after, _PAGE)
            # Notes before records: a revision whose note has gone meanwhile is committed by then.
            noted = await self._store.noted({passage.revision for _, passage in page})
            current = await self._store.current({Key(p.tenant, p.document_id) for _, p in page})
            unknown = []
            for id_, passage in page:
                if current.get(Key(passage.tenant, passage.document_id)) == passage.revision:
                    found[passage.revision] = found.get(passage.revision, 0) + 1
                elif passage.revision not in noted:
                    unknown.append(id_)
            await self._engine.delete(unknown)
            removed += len(unknown)
            if after is None:
                break
        if removed:
            log.warning("chunks that no document has were removed", chunks=removed)
        damaged = await self._damaged(found)
        if damaged:
            log.error(
                "documents have lost chunks: delete them and send them again",
                documents=len(damaged),
                ids=[key.id for key in damaged[:_SHOWN]],
            )
        return damaged

    async def _damaged(self, found: dict[str, int]) -> list[Key]:
        """Documents that have fewer chunks than their records say, looked at once more one by one."""
        damaged: list[Key] = []
        async for key, revision, chunks in self._store.revisions():
            if found.get(revision, 0) >= chunks:
                continue
            there = await self._engine.existing(point_ids(revision, chunks))
            if len(there) < chunks and (await self._store.current([key])).get(key) == revision:
                damaged.append(key)
        return damaged

    async def _run(self) -> None:
        while True:
            # Replicas that started together don't sweep together.
            await asyncio.sleep(PERIOD_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 (no secret)
            try:
                await self.sweep()
            except StorageError as error:
                log.warning("sweeping failed and will be tried again", error=str(error))

"""Work on the index beside the traffic: weights kept true to the mean length, writes synced."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from ragfleet_runtime.errors import StorageError
from ragfleet_runtime.index.bm25 import Analyzer
from ragfleet_runtime.index.engine import Engine
from ragfleet_runtime.index.flushing import Syncing
from ragfleet_runtime.index.lengths import Lengths
from ragfleet_runtime.lanes import Lane

_QUIET_SECONDS = 1.0
_LONGEST_WAIT_SECONDS = 30.0
_RETRY_SECONDS = 30.0

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Maintenance:
    """One task that wakes after writes, waits until they pause, and puts the index in order."""

    def __init__(
        self,
        engine: Engine,
        lengths: Lengths,
        flushing: Syncing,
        analyzer: Analyzer,
        encode: Lane,
    ) -> None:
        self._engine = engine
        self._lengths = lengths
        self._flushing = flushing
        self._analyzer = analyzer
        self._encode = encode
        self._changed = asyncio.Event()
        self._settled = asyncio.Event()
        self._changed.set()  # an interrupted encoding goes on at the start
        self._task = asyncio.create_task(self._run(), name="maintenance")

    def notice_change(self) -> None:
        """Tell that something was written or deleted."""
        self._settled.clear()
        self._changed.set()

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to do for what has been written so far."""
        return self._settled.is_set()

    async def settled(self) -> None:
        """Wait until the index is in order."""
        await self._settled.wait()

    async def aclose(self) -> None:
        """Stop; what isn't done is done after the next start."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            try:
                await self._until_quiet()
                await self._put_in_order()
            except StorageError as error:
                log.warning("index maintenance failed and will be tried again", error=str(error))
                await asyncio.sleep(_RETRY_SECONDS)
                self._changed.set()
                continue
            if not self._changed.is_set():
                self._settled.set()

    async def _until_quiet(self) -> None:
        """Wait for a pause in the writes, syncing meanwhile; but not for ever."""
        deadline = asyncio.get_running_loop().time() + _LONGEST_WAIT_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), _QUIET_SECONDS)
            except TimeoutError:
                return
            await asyncio.sleep(_QUIET_SECONDS)
            await self._flushing.flush()

    async def _put_in_order(self) -> None:
        if await self._lengths.needs_encoding():
            async with self._flushing.writing():
                chunks = await self._lengths.encode_again(self._engine, self._analyzer, self._encode)
            log.info("weights renewed for the mean length of chunks", chunks=chunks)
        await self._flushing.flush()
        if await self._engine.put_in_order():
            log.info("index rebuilt")

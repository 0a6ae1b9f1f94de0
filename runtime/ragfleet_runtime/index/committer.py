"""Group commit: documents that wait together are written together, at the price of one sync."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from ragfleet_runtime.errors import EngineError, StorageError, UnavailableError, UncertainError
from ragfleet_runtime.index.writer import EncodedDocument, Staged

_MOST_CHUNKS = 1024
_MOST_WAITING = 1024


_Waiting = tuple[EncodedDocument, asyncio.Future[None]]


class _Writer(Protocol):
    async def stage(self, documents: Sequence[EncodedDocument]) -> Staged: ...
    async def commit(self, staged: Staged) -> None: ...


class Committer:
    """One task that writes what callers submit, in the order in which they submit it.

    While a batch is committed, the chunks of the next one are written. The task outlives its callers: a
    client that goes away leaves no write half done.
    """

    def __init__(self, writer: _Writer) -> None:
        self._writer = writer
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(_MOST_WAITING)
        self._task = asyncio.create_task(self._run(), name="committer")

    async def submit(self, document: EncodedDocument) -> asyncio.Future[None]:
        """Queue a document, waiting while the queue is full; its future is done when it is visible.

        The future fails with StorageError, and then the document is as it was before.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self._queue.put((document, done))
        return done

    async def aclose(self) -> None:
        """Write what was submitted, then stop."""
        await self._queue.join()
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        committing: asyncio.Task[None] | None = None
        while True:
            batch = await self._next_batch()
            try:
                staged = await self._writer.stage([document for document, _ in batch])
            except Exception as error:  # whatever it is, the callers wait for an answer
                if committing is not None:
                    await committing
                await self._after_refusal(batch, error)
                continue
            if committing is not None:
                await committing
            committing = asyncio.create_task(self._commit(batch, staged))

    async def _next_batch(self) -> list[_Waiting]:
        batch = [await self._queue.get()]
        chunks = len(batch[0][0].chunks)
        while chunks < _MOST_CHUNKS and not self._queue.empty():
            batch.append(self._queue.get_nowait())
            chunks += len(batch[-1][0].chunks)
        return batch

    async def _commit(self, batch: Sequence[_Waiting], staged: Staged) -> None:
        try:
            await self._writer.commit(staged)
        except Exception as error:
            self._settle(batch, error)
        else:
            self._settle(batch, None)

    async def _after_refusal(self, batch: Sequence[_Waiting], error: Exception) -> None:
        """One document that the engine refuses must not take the others with it: each is tried alone."""
        if not isinstance(error, EngineError) or len(batch) == 1:
            self._settle(batch, error)
            return
        for one in batch:
            try:
                staged = await self._writer.stage([one[0]])
            except Exception as own:
                self._settle([one], own)
            else:
                await self._commit([one], staged)

    def _settle(self, batch: Sequence[_Waiting], error: Exception | None) -> None:
        for _, done in batch:
            self._queue.task_done()
            if done.done():
                continue
            if error is None:
                done.set_result(None)
            elif isinstance(error, StorageError):
                done.set_exception(error)
            elif isinstance(error, UncertainError):
                done.set_exception(UnavailableError(str(error)))
            else:
                done.set_exception(StorageError(f"writing failed: {error}"))

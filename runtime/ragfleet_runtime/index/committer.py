"""Group commit: documents that wait together are written together, at the price of one sync."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from ragfleet_runtime.errors import EngineError, StorageError
from ragfleet_runtime.index.writer import EncodedDocument

_MOST_CHUNKS = 1024
_MOST_WAITING = 1024


class _Writer(Protocol):
    async def write(self, documents: Sequence[EncodedDocument]) -> None: ...


class Committer:
    """One task that writes what callers submit, in the order in which they submit it.

    The task outlives its callers: a client that goes away leaves no write half done.
    """

    def __init__(self, writer: _Writer) -> None:
        self._writer = writer
        self._queue: asyncio.Queue[tuple[EncodedDocument, asyncio.Future[None]]] = asyncio.Queue(
            _MOST_WAITING
        )
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
        while True:
            batch = [await self._queue.get()]
            chunks = len(batch[0][0].chunks)
            while chunks < _MOST_CHUNKS and not self._queue.empty():
                batch.append(self._queue.get_nowait())
                chunks += len(batch[-1][0].chunks)
            await self._write(batch)
            for _ in batch:
                self._queue.task_done()

    async def _write(self, batch: list[tuple[EncodedDocument, asyncio.Future[None]]]) -> None:
        try:
            await self._writer.write([document for document, _ in batch])
        except EngineError as error:
            if len(batch) == 1:
                _settle(batch, error)
                return
            # One document that the engine refuses must not take the others with it.
            for one in batch:
                await self._write([one])
        except Exception as error:
            _settle(batch, error)
        else:
            _settle(batch, None)


def _settle(batch: list[tuple[EncodedDocument, asyncio.Future[None]]], error: Exception | None) -> None:
    for _, done in batch:
        if done.done():
            continue
        if error is None:
            done.set_result(None)
        elif isinstance(error, StorageError):
            done.set_exception(error)
        else:
            done.set_exception(StorageError(f"writing failed: {error}"))

"""When the engine's files are synced to the disk, and how a start knows whether they were.

Records and originals are synced with every commit. The engine's files are derived from them and synced from
time to time: what was written survives the end of the process in any case. Should the machine go down before
a sync, the next start must hold every chunk against the records.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol, Self

from ragfleet_runtime.index.documents import DocumentStore
from ragfleet_runtime.index.engine import Engine

_UNSYNCED = "unsynced_since_boot"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_UNKNOWN = "unknown"


def boot_id() -> str:
    """The identity of the machine's current run; "unknown" where the system doesn't tell."""
    return _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else _UNKNOWN


class Syncing(Protocol):
    """What whoever writes to an engine says and asks of its files."""

    @property
    def may_have_lost_writes(self) -> bool:
        """Whether writes may have been lost before this start."""

    def repaired(self) -> None:
        """Tell that every chunk has been held against the records."""

    def writing(self) -> AbstractAsyncContextManager[None]:
        """Write to the engine inside."""

    async def flush(self) -> None:
        """Sync the engine's files."""


class NothingToSync:
    """The Syncing of a server engine, whose writes are durable when it confirms them."""

    may_have_lost_writes = False

    def repaired(self) -> None:
        """See Syncing."""

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """See Syncing."""
        yield

    async def flush(self) -> None:
        """See Syncing."""


class Flushing:
    """Keeps a note, in the store, of engine writes that aren't synced yet."""

    def __init__(self, engine: Engine, store: DocumentStore, *, noted: bool, lost: bool) -> None:
        self._engine = engine
        self._store = store
        self._noted = noted
        self._lost = lost
        self._writers = 0
        self._writes = 0

    @classmethod
    async def load(cls, engine: Engine, store: DocumentStore) -> Self:
        """Read the note that the collection was left with, before anything is written."""
        note = await store.get_setting(_UNSYNCED)
        return cls(
            engine, store, noted=bool(note), lost=bool(note) and (note == _UNKNOWN or note != boot_id())
        )

    @property
    def may_have_lost_writes(self) -> bool:
        """Whether the machine may have gone down, before this start, with writes that weren't synced."""
        return self._lost

    def repaired(self) -> None:
        """Tell that every chunk has been held against the records: from now on the note may go."""
        self._lost = False

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Write to the engine inside: the note that its files are ahead of the disk is made before."""
        self._writers += 1
        self._writes += 1
        try:
            if not self._noted:
                self._noted = True
                await self._store.put_settings({_UNSYNCED: boot_id()})
            yield
        finally:
            self._writers -= 1

    async def flush(self) -> None:
        """Sync the engine's files; the note goes unless something was written meanwhile."""
        if not self._noted:
            return
        before = self._writes
        quiet = not self._writers
        await self._engine.flush()
        if quiet and self._writes == before and not self._lost:
            self._noted = False  # first: a write that comes now makes its note after this one is dropped
            await self._store.put_settings({_UNSYNCED: ""})

"""The document store: originals, and the record that makes a document's chunks visible.

Commit protocol. Every version of a document gets a revision of its own, and its chunks carry it.

1. ``begin`` notes the revision as pending.
2. The chunks are written to the engine.
3. ``commit`` replaces the document's record in one transaction: from here the new revision is the
   document, and the old one is garbage.
4. The garbage's chunks are deleted, then ``forget`` drops the note.

A search asks the store which revisions are current and passes over the chunks of all others, so it sees
the old version or the new one, whole. Where no note is left and nothing was written while the engine looked,
all chunks are current, and the reader of the embedded engine doesn't ask. After a crash, ``leftovers`` lists
what steps 1 to 4 left unfinished. Records and originals are durable with the commit; the engine's files are
derived from them, and repaired from them where a power cut took what wasn't synced (see ``index.flushing``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

DEFAULT_TENANT = "default"


class Key(NamedTuple):
    """What names a document: ids are unique within a tenant."""

    tenant: str
    id: str


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it is kept. ``terms`` counts the analysed terms of its chunks."""

    key: Key
    revision: str
    content_hash: str
    recipe: str
    kind: str
    title: str | None
    metadata: Mapping[str, Any]
    text: str
    chunks: int
    terms: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class DocumentSummary:
    """A document without its text."""

    key: Key
    title: str | None
    metadata: Mapping[str, Any]
    chunks: int
    recipe: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Identity:
    """What a document was made from: the hash of its content and the recipe of its chunks; and how many."""

    content_hash: str
    recipe: str
    chunks: int


@dataclass(frozen=True, slots=True)
class Leftover:
    """A revision whose chunks may be in the engine and must not stay."""

    revision: str
    chunks: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all documents."""

    documents: int = 0
    chunks: int = 0
    terms: int = 0


class DocumentStore(Protocol):
    """Where documents are kept. Raises StorageFullError where there is no room."""

    async def begin(self, revisions: Sequence[Leftover]) -> None:
        """Note revisions as pending before their chunks are written."""

    async def commit(self, documents: Sequence[Document]) -> list[Leftover]:
        """Make documents current, in their order; returns the revisions that must go now.

        Those are the replaced ones, and any of these documents' own that another writer replaced meanwhile.
        Each document changes in one step; on the embedded engine, all of them do.
        """

    async def delete(self, keys: Sequence[Key]) -> list[Leftover]:
        """Remove documents; returns the revisions whose chunks are now garbage, one for each that existed."""

    async def forget(self, revisions: Sequence[str]) -> None:
        """Drop the notes of revisions whose chunks are gone."""

    async def leftovers(self) -> list[Leftover]:
        """Revisions that an interrupted write or deletion surely left behind, and nobody is at work on."""

    async def current(self, keys: Iterable[Key]) -> dict[Key, str]:
        """The current revision of each document that exists."""

    async def identities(self, keys: Iterable[Key]) -> dict[Key, Identity]:
        """What each document that exists was made from."""

    async def get(self, key: Key) -> Document | None:
        """One document, whole."""

    async def page(self, tenant: str, *, after: str | None, limit: int) -> list[DocumentSummary]:
        """Documents in the order of their ids, from behind ``after``."""

    async def totals(self) -> Totals:
        """Sums over all documents."""

    async def stale(self, recipe: str) -> int:
        """How many documents were cut by another recipe."""

    async def get_setting(self, name: str) -> str | None:
        """A setting kept with the collection."""

    async def put_settings(self, settings: Mapping[str, str]) -> None:
        """Keep settings with the collection, all at once."""

    async def aclose(self) -> None:
        """Release the store."""

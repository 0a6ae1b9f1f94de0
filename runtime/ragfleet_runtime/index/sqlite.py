"""The document store of the embedded engine: SQLite, beside the engine's folder."""

from __future__ import annotations

import itertools
import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import ParamSpec, Self, TypeVar

from ragfleet_runtime.index.documents import Document, DocumentSummary, Identity, Key, Leftover, Totals
from ragfleet_runtime.index.sqlite_calls import storage_errors, transaction
from ragfleet_runtime.index.sqlite_rows import document_of, note, put, rows_of, time_of
from ragfleet_runtime.lanes import Lane

# Short columns stand before long ones, so that reading them doesn't touch a row's overflow pages. The indexes
# cover what every search asks (half the time of a look-up in rows), and the sums.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    tenant TEXT NOT NULL, id TEXT NOT NULL, revision TEXT NOT NULL,
    content_hash TEXT NOT NULL, recipe TEXT NOT NULL, chunks INTEGER NOT NULL, terms INTEGER NOT NULL,
    kind TEXT NOT NULL, title TEXT, created_at REAL NOT NULL, updated_at REAL NOT NULL,
    metadata TEXT NOT NULL, text TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX IF NOT EXISTS documents_current ON documents (tenant, id, revision);
CREATE INDEX IF NOT EXISTS documents_sums ON documents (recipe, chunks, terms);
CREATE TABLE IF NOT EXISTS revisions (
    revision TEXT PRIMARY KEY, chunks INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'garbage'))
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_READERS = 2
_MAPPED_BYTES = 256 * 2**20

P = ParamSpec("P")
R = TypeVar("R")


class SQLiteDocumentStore:
    """The DocumentStore of one process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reads = Lane("documents", _READERS)
        self._writes = Lane("commit", 1)
        self._writer = self._connect()
        self._readers: list[sqlite3.Connection] = []
        self._local = threading.local()
        self._numbers = itertools.count(1)
        self._settled: int | None = None

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the store in the file ``path``, made where there is none."""
        with storage_errors():
            store = cls(path)
            store._writer.execute("PRAGMA journal_mode = WAL")
            store._writer.executescript(_SCHEMA)
            store._settled = None if _has_leftovers(store._writer) else next(store._numbers)
        return store

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=30)

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect()
            connection.execute("PRAGMA query_only = ON")
            connection.execute(f"PRAGMA mmap_size = {_MAPPED_BYTES}")
            self._local.connection = connection
            self._readers.append(connection)
        return connection

    async def _read(self, function: Callable[[sqlite3.Connection], R]) -> R:
        def call() -> R:
            with storage_errors():
                return function(self._reader())

        return await self._reads.run(call)

    async def _write(self, function: Callable[[sqlite3.Connection], R], *, durable: bool) -> R:
        def call() -> R:
            with storage_errors(), transaction(self._writer, durable=durable):
                return function(self._writer)

        return await self._writes.run(call)

    async def _revise(self, function: Callable[[sqlite3.Connection], R], *, durable: bool) -> R:
        """A write that changes which revisions are current or left over."""

        def call() -> R:
            self._settled = None  # and so it stays where the write fails
            with storage_errors(), transaction(self._writer, durable=durable):
                result = function(self._writer)
                has_leftovers = _has_leftovers(self._writer)
            self._settled = None if has_leftovers else next(self._numbers)
            return result

        return await self._writes.run(call)

    def settled(self) -> int | None:
        """A number while no revision is left over or being written, which is another after each change.

        As long as it is the same, the chunks in the engine are those of the current revisions.
        """
        return self._settled

    async def begin(self, revisions: Sequence[Leftover]) -> None:
        """See DocumentStore."""
        # Not synced to the disk: should a power cut lose the note together with the chunks' commit, the
        # count of points against the sum of chunks tells at the next start.
        await self._revise(lambda db: note(db, revisions, "pending"), durable=False)

    async def commit(self, documents: Sequence[Document]) -> list[Leftover]:
        """See DocumentStore."""

        def commit(db: sqlite3.Connection) -> list[Leftover]:
            replaced = [old for document in documents if (old := put(db, document)) is not None]
            note(db, replaced, "garbage")
            return replaced

        return await self._revise(commit, durable=True)

    async def delete(self, keys: Sequence[Key]) -> list[Leftover]:
        """See DocumentStore."""

        def delete(db: sqlite3.Connection) -> list[Leftover]:
            removed = [
                Leftover(*row)
                for key in keys
                for row in db.execute(
                    "DELETE FROM documents WHERE tenant = ? AND id = ? RETURNING revision, chunks",
                    (key.tenant, key.id),
                ).fetchall()
            ]
            note(db, removed, "garbage")
            return removed

        return await self._revise(delete, durable=True)

    async def forget(self, revisions: Sequence[str]) -> None:
        """See DocumentStore."""
        await self._revise(
            lambda db: db.executemany("DELETE FROM revisions WHERE revision = ?", [(r,) for r in revisions]),
            durable=False,
        )

    async def leftovers(self) -> list[Leftover]:
        """See DocumentStore."""
        rows = await self._read(lambda db: db.execute("SELECT revision, chunks FROM revisions").fetchall())
        return [Leftover(*row) for row in rows]

    def find_current(self, keys: Iterable[Key]) -> dict[Key, str]:
        """The current revision of each document that exists. Blocks."""
        with storage_errors():
            rows = rows_of(self._reader(), keys, "revision")
            return {Key(tenant, id_): revision for tenant, id_, revision in rows}

    def find_pending(self, revisions: Iterable[str]) -> set[str]:
        """Those of the revisions that are being written and are not committed yet. Blocks."""
        query = (
            "SELECT revision FROM revisions "
            "WHERE state = 'pending' AND revision IN (SELECT value FROM json_each(?))"
        )
        with storage_errors():
            return {row[0] for row in self._reader().execute(query, (json.dumps(list(revisions)),))}

    async def current(self, keys: Iterable[Key]) -> dict[Key, str]:
        """See DocumentStore."""
        return await self._reads.run(self.find_current, keys)

    async def identities(self, keys: Iterable[Key]) -> dict[Key, Identity]:
        """See DocumentStore."""
        wanted = list(keys)
        rows = await self._read(lambda db: list(rows_of(db, wanted, "content_hash, recipe, chunks")))
        return {Key(tenant, id_): Identity(*identity) for tenant, id_, *identity in rows}

    async def get(self, key: Key) -> Document | None:
        """See DocumentStore."""
        columns = (
            "revision, content_hash, recipe, kind, title, metadata, text, "
            "chunks, terms, created_at, updated_at"
        )
        rows = await self._read(lambda db: list(rows_of(db, [key], columns)))
        return document_of(rows[0]) if rows else None

    async def page(self, tenant: str, *, after: str | None, limit: int) -> list[DocumentSummary]:
        """See DocumentStore."""
        rows = await self._read(
            lambda db: db.execute(
                "SELECT tenant, id, title, metadata, chunks, recipe, created_at, updated_at FROM documents "
                "WHERE tenant = ? AND id > ? ORDER BY id LIMIT ?",
                (tenant, after or "", limit),
            ).fetchall()
        )
        return [
            DocumentSummary(
                Key(row[0], row[1]),
                row[2],
                json.loads(row[3]),
                row[4],
                row[5],
                time_of(row[6]),
                time_of(row[7]),
            )
            for row in rows
        ]

    async def totals(self) -> Totals:
        """See DocumentStore."""
        query = "SELECT COUNT(*), COALESCE(SUM(chunks), 0), COALESCE(SUM(terms), 0) FROM documents"
        return Totals(*await self._read(lambda db: db.execute(query).fetchone()))

    async def stale(self, recipe: str) -> int:
        """See DocumentStore."""
        query = "SELECT COUNT(*) FROM documents WHERE recipe <> ?"
        row = await self._read(lambda db: db.execute(query, (recipe,)).fetchone())
        return int(row[0])

    async def get_setting(self, name: str) -> str | None:
        """See DocumentStore."""
        query = "SELECT value FROM settings WHERE name = ?"
        row = await self._read(lambda db: db.execute(query, (name,)).fetchone())
        return None if row is None else str(row[0])

    async def put_settings(self, settings: Mapping[str, str]) -> None:
        """See DocumentStore."""
        await self._write(
            lambda db: db.executemany(
                "INSERT OR REPLACE INTO settings VALUES (?, ?)", list(settings.items())
            ),
            durable=True,
        )

    async def aclose(self) -> None:
        """See DocumentStore."""
        self._reads.close()
        self._writes.close()
        for connection in (*self._readers, self._writer):
            connection.close()


def _has_leftovers(db: sqlite3.Connection) -> bool:
    return bool(db.execute("SELECT EXISTS (SELECT 1 FROM revisions)").fetchone()[0])

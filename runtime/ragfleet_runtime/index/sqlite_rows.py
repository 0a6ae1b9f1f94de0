"""Rows of the document store, inside a transaction or a read of ``index.sqlite``. Every function blocks."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from ragfleet_runtime.index.documents import Document, Key, Leftover


def note(db: sqlite3.Connection, revisions: Sequence[Leftover], state: Literal["pending", "garbage"]) -> None:
    """Note revisions whose chunks may be in the engine and aren't, or are no longer, a document's."""
    db.executemany(
        "INSERT INTO revisions VALUES (?, ?, ?)", [(r.revision, r.chunks, state) for r in revisions]
    )


def put(db: sqlite3.Connection, document: Document) -> Leftover | None:
    """Make ``document`` the record of its key; returns the revision that it replaces."""
    key = document.key
    old = db.execute(
        "SELECT revision, chunks, created_at FROM documents WHERE tenant = ? AND id = ?", (key.tenant, key.id)
    ).fetchone()
    values: dict[str, Any] = {
        "tenant": key.tenant,
        "id": key.id,
        "revision": document.revision,
        "content_hash": document.content_hash,
        "recipe": document.recipe,
        "chunks": document.chunks,
        "terms": document.terms,
        "kind": document.kind,
        "title": document.title,
        "created_at": old[2] if old else document.created_at.timestamp(),
        "updated_at": document.updated_at.timestamp(),
        "metadata": json.dumps(dict(document.metadata), ensure_ascii=False),
        "text": document.text,
    }
    columns = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    db.execute(f"INSERT OR REPLACE INTO documents ({columns}) VALUES ({marks})", values)  # noqa: S608 (own names)
    db.execute("DELETE FROM revisions WHERE revision = ?", (document.revision,))
    return Leftover(old[0], old[1]) if old else None


def rows_of(db: sqlite3.Connection, keys: Iterable[Key], columns: str) -> Iterator[tuple[Any, ...]]:
    """The rows of the keys that exist: tenant, id, then ``columns``."""
    by_tenant: dict[str, list[str]] = {}
    for tenant, id_ in keys:
        by_tenant.setdefault(tenant, []).append(id_)
    query = (
        f"SELECT tenant, id, {columns} FROM documents "  # noqa: S608 (columns are named in index.sqlite)
        "WHERE tenant = ? AND id IN (SELECT value FROM json_each(?))"
    )
    for tenant, ids in by_tenant.items():
        yield from db.execute(query, (tenant, json.dumps(ids)))


def document_of(row: tuple[Any, ...]) -> Document:
    """The document in a row: tenant, id, and the columns that ``SQLiteDocumentStore.get`` asks for."""
    (
        tenant,
        id_,
        revision,
        content_hash,
        recipe,
        kind,
        title,
        metadata,
        text,
        chunks,
        terms,
        created,
        updated,
    ) = row
    return Document(
        Key(tenant, id_),
        revision,
        content_hash,
        recipe,
        kind,
        title,
        json.loads(metadata),
        text,
        chunks,
        terms,
        time_of(created),
        time_of(updated),
    )


def time_of(timestamp: float) -> datetime:
    """A moment, from seconds since 1970 in UTC."""
    return datetime.fromtimestamp(timestamp, UTC)

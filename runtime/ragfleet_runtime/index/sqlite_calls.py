"""What is around every call of the document store's SQLite: transactions and errors. Blocks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from ragfleet_runtime.errors import StorageError, StorageFullError


@contextmanager
def transaction(db: sqlite3.Connection, *, durable: bool) -> Iterator[None]:
    """Commit what the block does, synced to the disk where ``durable``, or nothing of it."""
    db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


@contextmanager
def storage_errors() -> Iterator[None]:
    """Raise SQLite's errors as StorageError, StorageFullError where the disk is full."""
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            raise StorageFullError(
                "the disk is full: free some space, then send the documents again"
            ) from error
        raise StorageError(f"the document store failed: {error}") from error

"""A pipeline's data folder: one process at a time, and one collection whose owner and settings match."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_runtime.errors import StartError, StorageError
from ragfleet_runtime.index.claim import OWNER, SETTINGS, other_settings, owner_note
from ragfleet_runtime.index.sqlite import SQLiteDocumentStore

DOCUMENTS_FILE = "documents.sqlite"
_LOCK_FILE = "lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder for this process, made where there is none.

    Raises StartError where another process holds it or it can't be written. The lock goes with the process.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StartError(f"the data folder {folder} can't be used: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            raise StartError(
                f"the data folder {folder} is in use by process {holder}: stop that one, "
                "or choose another folder with --data"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


async def refuse_forgotten_collection(folder: Path, config: RuntimeConfig) -> None:
    """Raise StartError where this pipeline has an index here under another name and none under this one.

    Without this, an edit that changes the index settings would start the service on an empty index.
    """
    if (folder / config.store.collection / DOCUMENTS_FILE).exists():
        return
    mine = owner_note(config)
    for path in sorted(folder.glob(f"*/{DOCUMENTS_FILE}")):  # noqa: ASYNC240 (before there is traffic)
        try:
            store = SQLiteDocumentStore.open(path)
        except StorageError as error:
            raise StartError(str(error)) from error
        try:
            if await store.get_setting(OWNER) == mine and (await store.totals()).documents:
                raise other_settings(config, path.parent.name, await store.get_setting(SETTINGS))
        finally:
            await store.aclose()

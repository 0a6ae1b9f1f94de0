"""A pipeline's data folder: one process at a time, and one collection whose owner and settings match."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ragfleet_api.config import Owner, RuntimeConfig, canonical_json, query_fingerprint
from ragfleet_runtime.errors import StartError, StorageError
from ragfleet_runtime.index.documents import DocumentStore
from ragfleet_runtime.index.sqlite import SQLiteDocumentStore

DOCUMENTS_FILE = "documents.sqlite"
ENGINE_FOLDER = "engine"
_LOCK_FILE = "lock"
_OWNER = "owner"
_FINGERPRINT = "query_fingerprint"
_SETTINGS = "query_settings"


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


async def claim(store: DocumentStore, config: RuntimeConfig) -> None:
    """Check that the collection is this pipeline's and made with its settings; a new one becomes so.

    Raises StartError for another owner's collection (unless the configuration adopts it), and for one whose
    vectors were made with other settings.
    """
    mine = canonical_json(config.owner.model_dump(mode="json", by_alias=True))
    fingerprint = query_fingerprint(config.retrieval.sparse)
    settings = canonical_json(config.retrieval.sparse.model_dump(mode="json", by_alias=True))
    found = await store.get_setting(_OWNER)
    if found is None:
        await store.put_settings({_OWNER: mine, _FINGERPRINT: fingerprint, _SETTINGS: settings})
        return
    if await store.get_setting(_FINGERPRINT) != fingerprint:
        raise _other_settings(config, config.collection, await store.get_setting(_SETTINGS))
    if found == mine:
        return
    if not config.adopt:
        raise StartError(
            f"the collection {config.collection} belongs to {_name(found)}, not to {_name(mine)}: "
            "choose another data folder or collection name, or take it over with spec.vectorStore.adopt"
        )
    await store.put_settings({_OWNER: mine})


async def refuse_forgotten_collection(folder: Path, config: RuntimeConfig) -> None:
    """Raise StartError where this pipeline has an index here under another name and none under this one.

    Without this, an edit that changes the index settings would start the service on an empty index.
    """
    if (folder / config.collection / DOCUMENTS_FILE).exists():
        return
    mine = canonical_json(config.owner.model_dump(mode="json", by_alias=True))
    for path in sorted(folder.glob(f"*/{DOCUMENTS_FILE}")):  # noqa: ASYNC240 (before there is traffic)
        try:
            store = SQLiteDocumentStore.open(path)
        except StorageError as error:
            raise StartError(str(error)) from error
        try:
            if await store.get_setting(_OWNER) == mine and (await store.totals()).documents:
                raise _other_settings(config, path.parent.name, await store.get_setting(_SETTINGS))
        finally:
            await store.aclose()


def _other_settings(config: RuntimeConfig, collection: str, settings: str | None) -> StartError:
    return StartError(
        f"the documents of {config.owner.namespace}/{config.owner.name} are in the collection {collection}, "
        f"whose index was built with {settings or 'other settings'}: change the manifest back, "
        "or ingest again into another data folder (--data)"
    )


def _name(owner: str) -> str:
    found = Owner.model_validate(json.loads(owner))
    return f"{found.namespace}/{found.name} of cluster {found.cluster}"

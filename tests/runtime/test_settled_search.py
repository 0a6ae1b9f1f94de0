"""A search looks revisions up only where something is or was being written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_runtime.errors import StorageError
from ragfleet_runtime.index.collection import Collection, open_collection
from ragfleet_runtime.index.documents import DEFAULT_TENANT, Document, Key, Leftover
from ragfleet_runtime.index.edge import EdgeEngine
from ragfleet_runtime.index.engine import Hit
from ragfleet_runtime.index.plan import Plan
from ragfleet_runtime.index.sqlite import SQLiteDocumentStore
from ragfleet_runtime.index.writer import EncodedDocument
from support.documents import encoded
from support.searching import search

pytestmark = pytest.mark.anyio

KEY = Key(DEFAULT_TENANT, "a")
PENDING = Leftover("f" * 24, 1)


@pytest.fixture
async def collection(config: RuntimeConfig, tmp_path: Path) -> AsyncIterator[Collection]:
    async with open_collection(config, tmp_path / "data") as opened:
        yield opened


def store_of(collection: Collection) -> SQLiteDocumentStore:
    assert isinstance(collection.store, SQLiteDocumentStore)
    return collection.store


def engine_of(collection: Collection) -> EdgeEngine:
    assert isinstance(collection.engine, EdgeEngine)
    return collection.engine


def text_a(collection: Collection, text: str) -> EncodedDocument:
    return encoded(collection.analyzer, KEY.id, [text])


async def put(collection: Collection, document: EncodedDocument) -> None:
    await (await collection.committer.submit(document))


async def texts(collection: Collection) -> list[str]:
    return [hit.passage.text for hit in await search(collection, "pier", 5)]


async def record(collection: Collection) -> Document:
    found = await collection.store.get(KEY)
    assert found is not None
    return found


async def test_the_store_is_settled_between_writes_and_says_that_there_was_one(
    collection: Collection,
) -> None:
    store = store_of(collection)
    at_first = store.settled()
    assert at_first is not None
    assert store.settled() == at_first
    await put(collection, text_a(collection, "old pier"))
    after_writing = store.settled()
    assert after_writing not in (None, at_first)
    await collection.delete([KEY.id])
    assert store.settled() not in (None, at_first, after_writing)


async def test_the_store_is_not_settled_from_the_note_of_a_write_to_the_last_chunk_that_goes(
    collection: Collection,
) -> None:
    store = store_of(collection)
    await put(collection, text_a(collection, "old pier"))
    old = await record(collection)
    await store.begin([PENDING])
    assert store.settled() is None
    garbage = await store.commit([replace(old, revision=PENDING.revision)])
    assert [one.revision for one in garbage] == [old.revision]
    assert store.settled() is None
    await store.forget([old.revision])
    assert store.settled() is not None
    await store.delete([KEY])
    assert store.settled() is None


async def test_leftovers_of_an_earlier_run_are_seen_at_the_start(tmp_path: Path) -> None:
    for expected in (True, False):
        store = SQLiteDocumentStore.open(tmp_path / "documents.sqlite")
        assert (store.settled() is not None) is expected
        if expected:
            await store.begin([PENDING])
        await store.aclose()


async def test_after_a_write_that_failed_nothing_is_taken_for_settled(collection: Collection) -> None:
    store = store_of(collection)
    await put(collection, text_a(collection, "old pier"))
    broken: Any = None
    with pytest.raises(StorageError):
        await store.commit([replace(await record(collection), content_hash=broken)])
    assert store.settled() is None
    assert await texts(collection) == ["old pier"]
    await put(collection, text_a(collection, "new pier"))
    assert store.settled() is not None


async def test_records_are_looked_up_only_beside_writes(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_of(collection)
    await put(collection, text_a(collection, "old pier"))
    asked = []
    look_up = store.find_current

    def find_current(keys: set[Key]) -> dict[Key, str]:
        asked.append(keys)
        return look_up(keys)

    monkeypatch.setattr(store, "find_current", find_current)
    assert await texts(collection) == ["old pier"]
    assert not asked
    await store.begin([PENDING])
    assert await texts(collection) == ["old pier"]
    assert asked == [{KEY}]


@pytest.mark.parametrize("deleted", [False, True])
async def test_a_whole_write_between_the_engine_s_answer_and_the_look_is_seen(
    collection: Collection, monkeypatch: pytest.MonkeyPatch, *, deleted: bool
) -> None:
    engine, loop = engine_of(collection), asyncio.get_running_loop()
    await put(collection, text_a(collection, "old pier"))
    find, calls = engine.find, 0

    async def write() -> None:
        if deleted:
            await collection.delete([KEY.id])
        else:
            await put(collection, text_a(collection, "new pier"))

    def find_and_write(plan: Plan) -> list[Hit]:
        nonlocal calls
        calls += 1
        hits = find(plan)
        if calls == 1:
            asyncio.run_coroutine_threadsafe(write(), loop).result(30)
        return hits

    monkeypatch.setattr(engine, "find", find_and_write)
    assert await texts(collection) == ([] if deleted else ["new pier"])
    assert store_of(collection).settled() is not None

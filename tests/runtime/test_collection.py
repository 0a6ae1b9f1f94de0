"""The embedded collection: crashes, repair, syncing, ownership. The rest is in the conformance suite."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_runtime.errors import StartError
from ragfleet_runtime.index.collection import Collection, audit, open_collection
from ragfleet_runtime.index.documents import DEFAULT_TENANT, Key, Leftover
from ragfleet_runtime.index.engine import point_ids
from ragfleet_runtime.index.writer import EncodedDocument, points_of
from support.configs import make_config
from support.documents import encoded
from support.searching import search

pytestmark = pytest.mark.anyio


@pytest.fixture
async def collection(config: RuntimeConfig, tmp_path: Path) -> AsyncIterator[Collection]:
    async with open_collection(config, tmp_path / "data") as opened:
        yield opened


async def put(collection: Collection, *documents: EncodedDocument) -> None:
    for done in [await collection.committer.submit(document) for document in documents]:
        await done


def found(hits: object) -> list[tuple[str, str]]:
    return [(hit.passage.document_id, hit.passage.text) for hit in hits]  # type: ignore[attr-defined]


async def test_what_a_crash_left_behind_is_removed(config: RuntimeConfig, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with open_collection(config, folder) as collection:
        await put(collection, encoded(collection.analyzer, "a", ["pier"]))
        # As after a crash between writing the chunks and the commit.
        revision = "f" * 24
        await collection.store.begin([Leftover(revision, 2)])
        document = encoded(collection.analyzer, "b", ["pier one", "pier two"])

        await collection.engine.upsert(points_of([(document, revision)], 2.0))
        assert await collection.engine.count() == 3
        assert found(await search(collection, "pier", 5)) == [("a", "pier")]
    async with open_collection(config, folder) as collection:
        assert await collection.engine.count() == 1
        assert await collection.store.leftovers() == []
        assert await audit(collection) == []


async def test_the_audit_finds_missing_and_unknown_chunks(config: RuntimeConfig, tmp_path: Path) -> None:
    async with open_collection(config, tmp_path / "data") as collection:
        await put(
            collection,
            encoded(collection.analyzer, "whole", ["mole"]),
            encoded(collection.analyzer, "torn", ["mole one", "mole two"]),
        )
        torn = await collection.store.get(Key(DEFAULT_TENANT, "torn"))
        assert torn is not None
        await collection.engine.delete(point_ids(torn.revision, 2)[:1])
        assert await audit(collection) == [Key(DEFAULT_TENANT, "torn")]
        # Chunks that no record knows, as after a power cut that lost the record.

        lost = encoded(collection.analyzer, "lost", ["mole a", "mole b", "mole c"])
        await collection.engine.upsert(points_of([(lost, "e" * 24)], 2.0))
        assert await audit(collection) == [Key(DEFAULT_TENANT, "torn")]
        assert await collection.engine.count() == 2


async def test_after_a_power_cut_every_chunk_is_held_against_the_records(
    config: RuntimeConfig, tmp_path: Path
) -> None:
    """The engine lost a replacement: as many points as before, but of the old version."""
    folder = tmp_path / "data"
    async with open_collection(config, folder) as collection:
        await put(collection, encoded(collection.analyzer, "a", ["old mole"]))
        await put(collection, encoded(collection.analyzer, "a", ["new mole"]))
        new = await collection.store.get(Key(DEFAULT_TENANT, "a"))
        assert new is not None
        await collection.engine.delete(point_ids(new.revision, 1))
        lost = encoded(collection.analyzer, "a", ["old mole"])
        await collection.engine.upsert(points_of([(lost, "e" * 24)], 2.0))
        assert await audit(collection) == []  # the sums agree, and the machine is still up
    async with open_collection(config, folder) as collection:
        assert not collection.flushing.may_have_lost_writes  # closed in order
        await collection.store.put_settings({"unsynced_since_boot": "an earlier run of the machine"})
        await collection.store.begin([Leftover("d" * 24, 1)])
    for _ in range(2):  # opening removes the leftover, and closes again without a repair: still in doubt
        async with open_collection(config, folder) as collection:
            assert await collection.store.leftovers() == []
            assert collection.flushing.may_have_lost_writes
    async with open_collection(config, folder) as collection:
        assert await audit(collection) == [Key(DEFAULT_TENANT, "a")]
        assert await collection.engine.count() == 0
        collection.flushing.repaired()
    async with open_collection(config, folder) as collection:
        assert not collection.flushing.may_have_lost_writes


async def test_unsynced_writes_are_noted_until_they_are_synced(collection: Collection) -> None:
    async def noted() -> bool:
        return bool(await collection.store.get_setting("unsynced_since_boot"))

    await put(collection, encoded(collection.analyzer, "a", ["sluice"]))
    assert await noted()
    assert not collection.flushing.may_have_lost_writes  # the same run of the machine
    await collection.flushing.flush()
    assert not await noted()
    await collection.delete(["a"])
    assert await noted()
    await asyncio.wait_for(collection.maintenance.settled(), 30)
    assert not await noted()


async def test_another_pipeline_s_collection_is_refused_unless_adopted(tmp_path: Path) -> None:
    mine = make_config(vectorStore={"type": "Embedded", "collection": "shared"})
    other = make_config("intruder", vectorStore={"type": "Embedded", "collection": "shared"})
    adopting = make_config(
        "intruder", vectorStore={"type": "Embedded", "collection": "shared", "adopt": True}
    )
    async with open_collection(mine, tmp_path) as collection:
        await put(collection, encoded(collection.analyzer, "a", ["jetty"]))
    with pytest.raises(
        StartError, match="belongs to team-a/handbook of cluster local, not to team-a/intruder"
    ):
        async with open_collection(other, tmp_path):
            pass
    async with open_collection(adopting, tmp_path) as collection:
        assert found(await search(collection, "jetty", 1)) == [("a", "jetty")]
    async with open_collection(other, tmp_path):
        pass


@pytest.mark.parametrize("name", [None, "fixed"])
async def test_other_index_settings_are_refused(tmp_path: Path, name: str | None) -> None:
    store = {"type": "Embedded"} if name is None else {"type": "Embedded", "collection": name}
    english = make_config(vectorStore=store)
    german = make_config(vectorStore=store, retrieval={"bm25": {"language": "German"}})
    async with open_collection(english, tmp_path) as collection:
        await put(collection, encoded(collection.analyzer, "a", ["jetty"]))
    with pytest.raises(
        StartError, match=r'index was built with .*"language":"English".*change the manifest back'
    ):
        async with open_collection(german, tmp_path):
            pass
    async with open_collection(english, tmp_path) as collection:
        assert await collection.engine.count() == 1


async def test_a_folder_in_use_is_refused_by_another_process(config: RuntimeConfig, tmp_path: Path) -> None:
    program = (
        "import sys, pathlib\n"
        "from ragfleet_runtime.index.data_folder import locked\n"
        f"with locked(pathlib.Path({str(tmp_path)!r})):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(  # noqa: ASYNC220 (the test waits for it anyway)
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StartError, match=f"in use by process {holder.pid}: stop that one"):
            async with open_collection(config, tmp_path):
                pass
        holder.communicate()
    async with open_collection(config, tmp_path):
        pass

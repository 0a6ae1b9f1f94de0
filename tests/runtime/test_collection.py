"""The collection on the real engine: the commit protocol, searches beside writes, ownership."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_runtime.errors import EngineError, StartError, StorageError
from ragfleet_runtime.index.collection import Collection, audit, open_collection
from ragfleet_runtime.index.documents import DEFAULT_TENANT, Key, Leftover
from ragfleet_runtime.index.engine import point_ids
from ragfleet_runtime.index.filters import parse_filter
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


async def test_a_document_is_found_replaced_and_deleted(collection: Collection) -> None:
    await put(collection, encoded(collection.analyzer, "a", ["red lighthouse", "blue harbour"]))
    assert found(await search(collection, "lighthouse", 5)) == [("a", "red lighthouse")]
    await put(collection, encoded(collection.analyzer, "a", ["green lighthouse"]))
    assert found(await search(collection, "lighthouse", 5)) == [("a", "green lighthouse")]
    assert await collection.engine.count() == 1
    assert await collection.delete(["a", "never was"]) == 1
    assert await search(collection, "lighthouse", 5) == []
    assert await collection.engine.count() == 0


async def test_no_search_sees_both_versions_or_neither(collection: Collection) -> None:
    """Replace a document again and again while searching for the words that both versions have."""
    versions = [[f"anchor version{v} part{p}" for p in range(4)] for v in range(2)]
    await put(collection, encoded(collection.analyzer, "a", versions[0]))
    stop = asyncio.Event()

    async def replace() -> None:
        for n in range(1, 60):
            await put(collection, encoded(collection.analyzer, "a", versions[n % 2]))
        stop.set()

    task = asyncio.create_task(replace())
    searches = 0
    while not stop.is_set():
        hits = await search(collection, "anchor", 4)
        searches += 1
        assert len(hits) == 4
        assert len({hit.passage.revision for hit in hits}) == 1
        assert sorted(hit.passage.text for hit in hits) in versions
    await task
    assert searches > 50


async def test_a_failed_write_leaves_the_old_version(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(collection, encoded(collection.analyzer, "a", ["old harbour"]))

    async def fail(_: object) -> list[Leftover]:
        raise StorageError("no")

    monkeypatch.setattr(collection.store, "commit", fail)
    with pytest.raises(StorageError):
        await put(collection, encoded(collection.analyzer, "a", ["new harbour"]))
    monkeypatch.undo()
    assert found(await search(collection, "harbour", 5)) == [("a", "old harbour")]
    assert await collection.engine.count() == 1
    assert await collection.store.leftovers() == []


async def test_one_refused_document_does_not_take_its_batch_with_it(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    upsert = collection.engine.upsert

    async def refuse_poison(points: object) -> None:
        if any(point.passage.document_id == "poison" for point in points):  # type: ignore[attr-defined]
            raise EngineError("the engine refuses it")
        await upsert(points)  # type: ignore[arg-type]

    monkeypatch.setattr(collection.engine, "upsert", refuse_poison)
    documents = [encoded(collection.analyzer, name, [f"quay {name}"]) for name in ("a", "poison", "b")]
    done = [await collection.committer.submit(document) for document in documents]
    results = await asyncio.gather(*done, return_exceptions=True)
    assert [type(result) for result in results] == [type(None), EngineError, type(None)]
    assert {id_ for id_, _ in found(await search(collection, "quay", 5))} == {"a", "b"}


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


async def test_drifted_weights_are_renewed_in_the_background(config: RuntimeConfig, tmp_path: Path) -> None:
    async with open_collection(config, tmp_path / "data") as collection:
        await put(collection, encoded(collection.analyzer, "short", ["crane"]))
        first = await collection.store.get_setting("mean_terms")
        text = " ".join(f"word{n}" for n in range(200)) + " crane"
        await put(collection, *(encoded(collection.analyzer, f"long{n}", [text]) for n in range(5)))
        before = {hit.passage.document_id: hit.score for hit in await search(collection, "crane", 9)}
        collection.maintenance.notice_change()
        await asyncio.wait_for(collection.maintenance.settled(), 30)
        after = {hit.passage.document_id: hit.score for hit in await search(collection, "crane", 9)}
    assert first == "1.0"
    assert after["long0"] > 10 * before["long0"]  # 200 times the mean length before, about the mean after
    async with open_collection(config, tmp_path / "data") as collection:
        assert float(await collection.store.get_setting("mean_terms") or 0) == pytest.approx(
            (1 + 5 * 201) / 6
        )


async def test_filters_run_in_the_engine(collection: Collection) -> None:
    rows: dict[str, dict[str, Any]] = {
        "a": {"team": "red", "year": 2024, "draft": True, "tags": ["x", "y"], "at": "2026-01-01T00:00:00Z"},
        "b": {"team": "blue", "year": 2025.0, "draft": False, "owner": {"name": "kim"}},
        "c": {"year": "2025", "owner.name": "lee"},
    }
    await put(
        collection,
        *(encoded(collection.analyzer, id_, ["dock"], metadata=metadata) for id_, metadata in rows.items()),
    )
    cases: list[tuple[dict[str, object], list[str]]] = [
        ({"team": "red"}, ["a"]),
        ({"team": ["red", "blue"]}, ["a", "b"]),
        ({"year": 2025}, ["b"]),
        ({"year": [2024, "2025"]}, ["a", "c"]),
        ({"draft": True}, ["a"]),
        ({"draft": False}, ["b"]),
        ({"draft": 1}, []),
        ({"tags": "y"}, ["a"]),
        ({"owner.name": "kim"}, ["b"]),
        ({"owner.name": ["kim", "lee"]}, ["b", "c"]),
        ({"missing": "x"}, []),
        ({"document_id": ["a", "c"]}, ["a", "c"]),
        ({"type": "ne", "key": "team", "value": "red"}, ["b", "c"]),
        ({"type": "ne", "key": "draft", "value": True}, ["b", "c"]),
        ({"type": "nin", "key": "team", "value": ["red", "blue"]}, ["c"]),
        ({"type": "in", "key": "team", "value": []}, []),
        ({"type": "nin", "key": "team", "value": []}, ["a", "b", "c"]),
        ({"type": "gt", "key": "year", "value": 2024}, ["b"]),
        ({"type": "gt", "key": "at", "value": "2025-12-31T00:00:00Z"}, ["a"]),
        ({"type": "or", "filters": [{"team": "red"}, {"year": "2025"}]}, ["a", "c"]),
        ({"type": "and", "filters": [{"team": "red"}, {"draft": False}]}, []),
    ]
    for value, expected in cases:
        hits = await search(collection, "dock", 10, parse_filter(value))
        assert [hit.passage.document_id for hit in hits] == expected, value
    condition = parse_filter({"type": "gte", "key": "year", "value": 2024})
    assert condition is not None
    assert await collection.delete_matching(condition) == 2
    assert [id_ for id_, _ in found(await search(collection, "dock", 10))] == ["c"]


async def test_equal_scores_are_in_the_order_of_ids(collection: Collection) -> None:
    await put(
        collection, *(encoded(collection.analyzer, f"{n:03}", ["same words"]) for n in range(200, 0, -1))
    )
    for top_k in (1, 3, 10, 100):
        hits = await search(collection, "words", top_k)
        assert [hit.passage.document_id for hit in hits] == [f"{n:03}" for n in range(1, top_k + 1)]


async def test_idf_is_the_engine_s(collection: Collection) -> None:
    await put(
        collection, *(encoded(collection.analyzer, str(n), ["tide " + "moon " * (n == 0)]) for n in range(9))
    )
    terms = {word: next(iter(collection.analyzer.counts(word))) for word in ("tide", "moon", "unknown")}
    idf = await collection.engine.inverse_document_frequencies(list(terms.values()))
    assert set(idf) == {terms["tide"], terms["moon"]}
    assert idf[terms["moon"]] > 5 * idf[terms["tide"]] > 0


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

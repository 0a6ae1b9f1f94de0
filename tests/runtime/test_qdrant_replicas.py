"""Replicas that share a Qdrant server: what one acknowledges the other finds, and races leave one version."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import cast

import pytest

from ragfleet_runtime.errors import StorageError, UncertainError
from ragfleet_runtime.index.collection import Collection
from ragfleet_runtime.index.documents import DEFAULT_TENANT, Key, Leftover
from ragfleet_runtime.index.engine import point_ids
from ragfleet_runtime.index.qdrant import assembly
from ragfleet_runtime.index.qdrant.client import connect
from ragfleet_runtime.index.qdrant.documents import QdrantDocumentStore
from ragfleet_runtime.index.qdrant.engine import QdrantEngine
from ragfleet_runtime.index.qdrant.lease import Lease
from ragfleet_runtime.index.qdrant.lengths import SharedMeanLength
from ragfleet_runtime.index.qdrant.points import Points
from ragfleet_runtime.index.qdrant.settings import Values
from ragfleet_runtime.index.qdrant.sweeper import Sweeper
from ragfleet_runtime.index.writer import DocumentWriter, points_of
from support.documents import encoded
from support.qdrant_faults import Fault
from support.qdrant_opening import Secrets, on_server, put, server_config
from support.qdrant_server import RunningQdrant, running_qdrant
from support.searching import search

pytestmark = pytest.mark.anyio


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningQdrant]:
    # Nobody waits five seconds for the other replicas of a test.
    monkeypatch.setattr(assembly, "SharedMeanLength", partial(SharedMeanLength, fresh_seconds=0.2))
    with running_qdrant(tmp_path / "qdrant") as running:
        yield running


@pytest.fixture
async def replicas(server: RunningQdrant) -> AsyncIterator[tuple[Collection, Collection]]:
    """Two replicas, opened at the same time on nothing."""
    async with AsyncExitStack() as stack:
        one, other = on_server(server), on_server(server)
        opened = await asyncio.gather(one.__aenter__(), other.__aenter__())
        stack.push_async_exit(one.__aexit__)
        stack.push_async_exit(other.__aexit__)
        yield opened


@asynccontextmanager
async def sweeping(server: RunningQdrant, collection: Collection) -> AsyncIterator[Sweeper]:
    """A sweeper that takes every note for dead at once."""
    config = server_config(server)
    assert config.store.qdrant is not None
    connection = connect(config.store.qdrant, Secrets())
    points = Points(connection, f"{collection.name}--documents")
    store = QdrantDocumentStore(points, grace_seconds=0)
    engine = cast("QdrantEngine", collection.engine)
    lengths = SharedMeanLength(store, store.settings)
    writer = DocumentWriter(engine, store, lengths, collection.flushing, collection.encode)
    sweeper = Sweeper(engine, store, writer, lengths, collection.maintenance)
    try:
        yield sweeper
    finally:
        await sweeper.aclose()
        await store.aclose()
        await connection.aclose()


async def notes(server: RunningQdrant, name: str) -> int:
    """How many notes there are."""
    config = server_config(server)
    assert config.store.qdrant is not None
    connection = connect(config.store.qdrant, Secrets())
    store = QdrantDocumentStore(Points(connection, f"{name}--documents"), grace_seconds=0)
    left = len(await store.leftovers())
    await connection.aclose()
    return left


async def test_what_one_acknowledges_the_other_finds_1000_of_1000(
    replicas: tuple[Collection, Collection],
) -> None:
    found = 0

    async def write_and_look(writer: Collection, reader: Collection, numbers: range) -> None:
        nonlocal found
        for start in range(numbers.start, numbers.stop, 20):
            batch = range(start, start + 20)
            await put(writer, *(encoded(writer.analyzer, f"d{n}", [f"word{n} pier"]) for n in batch))
            for n in batch:
                hits = await search(reader, f"word{n}", 1)
                found += [hit.passage.document_id for hit in hits] == [f"d{n}"]

    one, other = replicas
    await asyncio.gather(write_and_look(one, other, range(500)), write_and_look(other, one, range(500, 1000)))
    assert found == 1000
    totals = await one.store.totals()
    assert (totals.documents, totals.chunks) == (1000, 1000)
    assert await other.engine.count() == 1000


async def test_racing_writers_leave_exactly_one_version(
    server: RunningQdrant, replicas: tuple[Collection, Collection]
) -> None:
    async def write(collection: Collection, name: str) -> None:
        for n in range(12):
            await put(
                collection, encoded(collection.analyzer, "same", [f"quay {name} {n} {p}" for p in range(3)])
            )

    one, other = replicas
    await asyncio.gather(write(one, "one"), write(other, "other"))
    assert await one.store.totals() == await other.store.totals()
    assert (await one.store.totals()).chunks == 3
    hits = await search(one, "quay", 10)
    assert len(hits) == 3
    assert len({hit.passage.revision for hit in hits}) == 1
    document = await other.store.get(Key(DEFAULT_TENANT, "same"))
    assert document is not None
    assert document.revision == hits[0].passage.revision
    assert sorted(hit.passage.text for hit in hits) == sorted(document.text.splitlines())
    # Nothing is left behind, not even for the sweep.
    assert await one.engine.count() == 3
    assert await notes(server, one.name) == 0


async def test_racing_writers_and_deleters_leave_the_document_whole_or_gone(
    server: RunningQdrant, replicas: tuple[Collection, Collection]
) -> None:
    one, other = replicas

    async def write() -> None:
        for n in range(12):
            await put(one, encoded(one.analyzer, "same", [f"quay {n} {p}" for p in range(3)]))

    async def delete() -> None:
        for _ in range(12):
            await other.delete(["same"])

    await asyncio.gather(write(), delete())
    totals = await one.store.totals()
    assert await one.engine.count() == totals.chunks
    assert len(await search(other, "quay", 10)) == totals.chunks
    assert await notes(server, one.name) == 0


async def test_a_search_never_sees_half_of_what_the_other_replica_replaces(
    replicas: tuple[Collection, Collection],
) -> None:
    one, other = replicas
    versions = [[f"anchor version{v} part{p}" for p in range(4)] for v in range(2)]
    await put(one, encoded(one.analyzer, "a", versions[0]))
    stop = asyncio.Event()

    async def replace() -> None:
        for n in range(1, 25):
            await put(one, encoded(one.analyzer, "a", versions[n % 2]))
        stop.set()

    task = asyncio.create_task(replace())
    while not stop.is_set():
        hits = await search(other, "anchor", 4)
        assert sorted(hit.passage.text for hit in hits) in versions
    await task


async def test_the_other_replica_lists_new_documents_at_once(
    replicas: tuple[Collection, Collection],
) -> None:
    one, other = replicas

    async def listed() -> list[str]:
        return [s.key.id for s in await other.store.page(DEFAULT_TENANT, after=None, limit=100)]

    assert await listed() == []
    for n in range(10):
        await put(one, encoded(one.analyzer, f"{n}", ["quay"]))
        assert await listed() == [f"{m}" for m in range(n + 1)]
    await one.delete(["3"])
    await put(one, encoded(one.analyzer, "35", ["quay"]))
    assert await listed() == ["0", "1", "2", "35", "4", "5", "6", "7", "8", "9"]


async def test_what_a_crash_left_behind_is_swept(
    server: RunningQdrant, replicas: tuple[Collection, Collection]
) -> None:
    one, other = replicas
    await put(one, encoded(one.analyzer, "a", ["pier"]))
    # As after a crash between writing the chunks and the commit.
    await one.writer.stage([encoded(one.analyzer, "b", ["pier one", "pier two"])])
    # And as after one between committing a version and deleting the chunks that it replaced.
    await one.store.begin([Leftover("e" * 24, 1)])
    await one.engine.upsert(points_of([(encoded(one.analyzer, "a", ["pier old"]), "e" * 24)], 2.0))
    assert await one.engine.count() == 4
    assert await other.writer.recover() == 0  # it may still be at work: not before the time of grace
    async with sweeping(server, other) as sweeper:
        assert await sweeper.sweep() == 2
        assert await sweeper.sweep() == 0
    assert await one.engine.count() == 1
    assert [hit.passage.document_id for hit in await search(one, "pier", 5)] == ["a"]


async def test_a_note_on_a_current_revision_harms_nothing(
    server: RunningQdrant, replicas: tuple[Collection, Collection]
) -> None:
    one, other = replicas
    await put(one, encoded(one.analyzer, "a", ["pier"]))
    current = await one.store.current([Key(DEFAULT_TENANT, "a")])
    await one.store.begin([Leftover(revision, 1) for revision in current.values()])
    async with sweeping(server, other) as sweeper:
        assert await sweeper.sweep() == 0
    assert len(await search(other, "pier", 5)) == 1
    assert await notes(server, one.name) == 0


async def test_chunks_that_nobody_knows_are_found_by_the_sums(
    server: RunningQdrant, replicas: tuple[Collection, Collection]
) -> None:
    one, _ = replicas
    await put(one, *(encoded(one.analyzer, str(n), ["pier", "jetty"]) for n in range(5)))
    await one.writer.stage([encoded(one.analyzer, "pending", ["pier"])])  # has a note: another's business
    await one.engine.upsert(points_of([(encoded(one.analyzer, "x", ["pier"] * 3), "e" * 24)], 2.0))
    torn = await one.store.get(Key(DEFAULT_TENANT, "3"))
    assert torn is not None
    await one.engine.delete(point_ids(torn.revision, 2)[:1])
    async with sweeping(server, one) as sweeper:
        assert await sweeper.examine() == [Key(DEFAULT_TENANT, "3")]
        assert await one.engine.count() == 10
        await sweeper.sweep()
    assert await one.engine.count() == 9


async def test_a_writer_that_slept_too_long_commits_nothing(
    server: RunningQdrant, replicas: tuple[Collection, Collection]
) -> None:
    one, other = replicas
    await put(one, encoded(one.analyzer, "a", ["old pier"]))
    staged = await one.writer.stage([encoded(one.analyzer, "a", ["new pier"])])
    async with sweeping(server, other) as sweeper:
        assert await sweeper.sweep() == 1
    with pytest.raises(StorageError, match="took so long that their chunks were removed: send them again"):
        await one.writer.commit(staged)
    assert [hit.passage.text for hit in await search(other, "pier", 5)] == ["old pier"]
    assert await one.engine.count() == 1


async def test_a_writer_that_slept_while_committing_takes_it_back(
    server: RunningQdrant, replicas: tuple[Collection, Collection], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chunks are swept between the last look at the notes and the writing of the records."""
    one, other = replicas
    await put(one, encoded(one.analyzer, "a", ["old pier"]))
    texts = {"a": "new pier", "b": "first pier"}
    staged = await one.writer.stage([encoded(one.analyzer, id_, [text]) for id_, text in texts.items()])
    write = Points.write

    async def sweep_first(self: Points, doing: str, operations: list[dict[str, object]]) -> None:
        monkeypatch.setattr(Points, "write", write)
        async with sweeping(server, other) as sweeper:
            assert await sweeper.sweep() == 2
        await write(self, doing, operations)

    monkeypatch.setattr(Points, "write", sweep_first)
    with pytest.raises(UncertainError, match="send them again"):
        await one.writer.commit(staged)
    assert [hit.passage.text for hit in await search(other, "pier", 5)] == ["old pier"]
    assert await one.store.current([Key(DEFAULT_TENANT, "b")]) == {}
    assert await one.engine.count() == 1


@pytest.mark.parametrize("carried_out", [True, False])
async def test_a_commit_whose_answer_is_lost_leaves_a_whole_document(
    server: RunningQdrant, replicas: tuple[Collection, Collection], carried_out: bool
) -> None:
    """The records are written or not, and the server fails: nobody may touch the chunks of either version."""
    one, other = replicas
    await put(one, encoded(one.analyzer, "a", ["old pier"]))
    staged = await one.writer.stage([encoded(one.analyzer, "a", ["new pier"])])
    lost = Fault("POST", "--documents/points/batch", status=500, carries_out=carried_out)
    parts = Fault("POST", "--documents/points/batch", seconds=0, times=1)  # the text is written
    server.faults.add(parts)
    server.faults.add(lost)
    with pytest.raises(UncertainError, match="whether the documents were taken in isn't known"):
        await one.writer.commit(staged)
    server.faults.clear()
    expected = "new pier" if carried_out else "old pier"
    assert [hit.passage.text for hit in await search(other, "pier", 5)] == [expected]
    assert await one.engine.count() == 2
    async with sweeping(server, other) as sweeper:
        assert await sweeper.sweep() == 1
    assert [hit.passage.text for hit in await search(other, "pier", 5)] == [expected]
    assert await one.engine.count() == 1


async def test_a_write_that_came_twice_is_one_write(
    server: RunningQdrant, replicas: tuple[Collection, Collection]
) -> None:
    """Answers are lost, and the client sends each request again."""
    one, other = replicas
    for path in ("--documents/points/batch", "/points", "/points/delete"):
        server.faults.add(Fault(path_end=path, status=503, carries_out=True, times=1))
    await put(one, encoded(one.analyzer, "a", ["old pier"]))
    for _ in range(3):
        server.faults.add(Fault(path_end="--documents/points/batch", status=0, carries_out=True, times=1))
    await put(one, encoded(one.analyzer, "a", ["new pier"]))
    server.faults.clear()
    assert [hit.passage.text for hit in await search(other, "pier", 5)] == ["new pier"]
    assert await one.engine.count() == 1
    assert await notes(server, one.name) == 0


async def test_the_first_batch_of_any_replica_sets_the_mean(
    replicas: tuple[Collection, Collection],
) -> None:
    one, other = replicas
    await asyncio.gather(
        put(one, encoded(one.analyzer, "a", ["one two three"])),
        put(other, encoded(other.analyzer, "b", ["one two three four five"])),
    )
    mean = float(await one.store.get_setting("mean_terms") or 0)
    assert mean in (3.0, 5.0)
    lengths = [replica.writer._lengths for replica in replicas]
    assert [await length.for_batch([]) for length in lengths] == [mean, mean]


async def test_one_replica_renews_weights_and_the_other_follows(
    replicas: tuple[Collection, Collection],
) -> None:
    one, _ = replicas
    await put(one, encoded(one.analyzer, "short", ["crane"]))
    text = " ".join(f"word{n}" for n in range(100)) + " crane"
    await put(one, *(encoded(one.analyzer, f"long{n}", [text]) for n in range(5)))
    both = cast("list[SharedMeanLength]", [replica.writer._lengths for replica in replicas])
    needed = await asyncio.gather(*(lengths.needs_encoding() for lengths in both))
    assert sorted(needed) == [False, True]
    first = both[needed.index(True)]
    second = both[needed.index(False)]
    assert not await second.is_due()  # somebody is at it
    assert await first.encode_again(one.engine, one.analyzer, one.encode) == 6
    assert not await second.is_due()
    await asyncio.sleep(0.25)
    assert await second.for_batch([]) == pytest.approx((1 + 5 * 101) / 6)


async def test_a_lease_is_taken_over_from_a_holder_that_fell_silent(
    replicas: tuple[Collection, Collection],
) -> None:
    settings = cast("QdrantDocumentStore", replicas[0].store).settings
    one, other = (Lease(settings, "lease", expiry_seconds=0.2) for _ in range(2))

    async def values() -> Values:
        return await settings.read()

    assert await one.acquire(await values())
    seen = await values()
    assert not other.is_free(seen)
    assert not await other.acquire({})  # it isn't as it was seen
    await asyncio.sleep(0.25)
    assert other.is_free(await values())
    assert await other.acquire(await values())
    await one.release()  # of what it doesn't hold any more
    assert not one.is_free(await values())
    await other.release()
    assert one.is_free(await values())
    assert await one.acquire(await values())


async def test_settings_written_at_once_are_all_kept(replicas: tuple[Collection, Collection]) -> None:
    one, other = replicas
    await asyncio.gather(
        *(one.store.put_settings({f"one{n}": str(n)}) for n in range(5)),
        *(other.store.put_settings({f"other{n}": str(n)}) for n in range(5)),
    )
    values = await cast("QdrantDocumentStore", one.store).settings.read()
    assert {name: values[f"{name}4"] for name in ("one", "other")} == {"one": "4", "other": "4"}
    assert sum(name.startswith(("one", "other")) for name in values) == 10

"""A Qdrant server that is down, slow, somebody else's or of another make: said plainly, not for good."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from qdrant_client.http import models as q

from ragfleet_runtime.errors import EngineError, NotOpenYetError, StorageFullError, UnavailableError
from ragfleet_runtime.index.filters import FilterError, parse_filter
from ragfleet_runtime.index.qdrant.faults import MissingIndexError
from support.documents import encoded
from support.qdrant_faults import READ_ONLY_DISK, Fault
from support.qdrant_opening import EMBEDDING, Secrets, axes, on_server, put, server_config
from support.qdrant_server import QdrantServer, RunningQdrant, running_qdrant
from support.searching import search

pytestmark = pytest.mark.anyio

KEY = "s3cr3t-of-the-server"
FAST = {"timeoutSeconds": 1, "maxRetries": 1}
NAME = "handbook-chunks"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningQdrant]:
    with running_qdrant(tmp_path / "qdrant") as running:
        yield running


async def refusal(server: RunningQdrant, *arguments: Any, **options: Any) -> str:
    """Why a collection can't be opened; one line."""
    with pytest.raises(NotOpenYetError) as caught:
        async with on_server(server, *arguments, **options):
            pass
    message = str(caught.value)
    assert "\n" not in message
    assert KEY not in message
    return message


async def test_a_server_that_is_down_at_the_start_is_waited_for(tmp_path: Path) -> None:
    with running_qdrant(tmp_path / "qdrant", start=False) as server:
        config = server_config(server, qdrant=FAST)
        assert "can't be reached, asking for its version" in await refusal(server, config)
        server.start()
        async with on_server(server, config) as collection:
            await put(collection, encoded(collection.analyzer, "a", ["pier"]))
            assert len(await search(collection, "pier", 1)) == 1


async def test_a_server_that_goes_away_in_traffic_comes_back(server: RunningQdrant) -> None:
    async with on_server(server, server_config(server, qdrant=FAST)) as collection:
        await put(collection, encoded(collection.analyzer, "a", ["pier"]))
        server.stop()
        with pytest.raises(UnavailableError, match="can't be reached, searching") as caught:
            await search(collection, "pier", 1)
        assert caught.value.retry_after > 0
        with pytest.raises(UnavailableError):
            await put(collection, encoded(collection.analyzer, "b", ["pier"]))
        with pytest.raises(UnavailableError):
            await collection.store.totals()
        server.start()
        assert [hit.passage.document_id for hit in await search(collection, "pier", 5)] == ["a"]
        await put(collection, encoded(collection.analyzer, "b", ["pier"]))
        assert len(await search(collection, "pier", 5)) == 2


async def test_a_short_absence_isn_t_noticed(server: RunningQdrant) -> None:
    async with on_server(server) as collection:
        await put(collection, encoded(collection.analyzer, "a", ["pier"]))
        server.stop()
        searching = asyncio.create_task(search(collection, "pier", 1))
        await asyncio.sleep(0.05)
        server.start()
        assert len(await searching) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 408, 0])
async def test_a_failure_that_passes_is_tried_again(server: RunningQdrant, status: int) -> None:
    async with on_server(server) as collection:
        await put(collection, encoded(collection.analyzer, "a", ["pier"]))
        server.faults.add(Fault("POST", "/points/query/batch", status=status, times=2))
        assert len(await search(collection, "pier", 1)) == 1


async def test_the_server_s_own_pause_is_kept(server: RunningQdrant) -> None:
    async with on_server(server) as collection:
        for status in (429, 503):
            server.faults.add(Fault("POST", "/points/query/batch", status=status, retry_after=1, times=1))
            started = time.monotonic()
            await search(collection, "pier", 1)
            assert 0.95 < time.monotonic() - started < 3
        server.faults.add(Fault("POST", "/points/query/batch", status=429, retry_after=120))
        started = time.monotonic()
        with pytest.raises(UnavailableError, match="is overloaded, searching") as caught:
            await search(collection, "pier", 1)
        assert caught.value.retry_after == 120
        assert time.monotonic() - started < 1  # the caller is told, not kept


async def test_a_slow_server_is_given_up(server: RunningQdrant) -> None:
    config = server_config(server, qdrant={"timeoutSeconds": 1, "maxRetries": 0})
    async with on_server(server, config) as collection:
        server.faults.add(Fault("POST", "/points/query/batch", seconds=5))
        started = time.monotonic()
        with pytest.raises(UnavailableError, match="gave no answer in time, searching"):
            await search(collection, "pier", 1)
        assert time.monotonic() - started < 3
        server.faults.clear()
        assert await search(collection, "pier", 1) == []


async def test_a_read_only_disk_is_told_in_the_server_s_words(server: RunningQdrant) -> None:
    async with on_server(server, server_config(server, qdrant=FAST)) as collection:
        server.faults.add(Fault("PUT", "/points", status=500, message=READ_ONLY_DISK))
        with pytest.raises(
            UnavailableError, match=r"failed \(500\), writing chunks: .*Read-only file system"
        ):
            await put(collection, encoded(collection.analyzer, "a", ["pier"]))
        assert await search(collection, "pier", 1) == []


async def test_a_full_server_is_told_apart(server: RunningQdrant) -> None:
    async with on_server(server) as collection:
        server.faults.add(Fault("PUT", "/points", status=507, message="Insufficient storage: disk usage"))
        with pytest.raises(StorageFullError, match="has no room left, writing chunks"):
            await put(collection, encoded(collection.analyzer, "a", ["pier"]))


async def test_strict_mode_names_the_key_that_needs_an_index(server: RunningQdrant) -> None:
    indexes = {
        "index": {"metadata": [{"key": "team", "type": "Keyword"}, {"key": "owner.on", "type": "Bool"}]}
    }
    async with on_server(server, server_config(server, vectorStore=indexes)) as collection:
        await put(collection, encoded(collection.analyzer, "a", ["pier"], metadata={"team": "x", "year": 1}))
        server.server.make_strict()
        # All that the service itself does passes.
        await put(collection, encoded(collection.analyzer, "a", ["pier two"], metadata={"team": "x"}))
        await put(collection, encoded(collection.analyzer, "b", ["pier"]))
        assert await collection.delete(["b"]) == 1
        assert (await collection.store.totals()).documents == 1
        assert await collection.store.stale("recipe") == 0
        assert len(await collection.store.page("default", after=None, limit=5)) == 1
        assert await collection.writer.recover() == 0
        for fine in ({"team": "x"}, {"document_id": "a"}, {"type": "ne", "key": "owner.on", "value": True}):
            assert len(await search(collection, "pier", 1, parse_filter(fine))) == 1
        for key, refused in (
            ("year", {"year": 1}),
            ("team", {"type": "gt", "key": "team", "value": 3}),
            ("a b", {"a b": "x"}),
        ):
            with pytest.raises(
                MissingIndexError, match=rf"filters\.{key}: .*spec\.vectorStore\.index\.metadata"
            ):
                await search(collection, "pier", 1, parse_filter(refused))
        condition = parse_filter({"year": 1})
        assert condition is not None
        with pytest.raises(FilterError):
            await collection.delete_matching(condition)


async def test_an_alias_in_the_way_is_refused(server: RunningQdrant) -> None:
    server.server.make("another", q.CreateCollection(vectors={}))
    for name in (NAME, f"{NAME}--documents"):
        server.server.aliases = {name: "another"}
        config = server_config(server, vectorStore={"collection": NAME})
        assert await refusal(server, config) == (
            f"{name} is an alias of the collection another on the Qdrant server: take the alias away, "
            "or choose another name with spec.vectorStore.collection"
        )
    assert server.server.names == ["another"]


async def test_a_collection_that_isn_t_ours_is_refused_and_left_alone(server: RunningQdrant) -> None:
    wanted = q.CreateCollection(vectors={"text": q.VectorParams(size=2, distance=q.Distance.COSINE)})
    server.server.make(NAME, wanted)
    point = q.PointStruct(id="0f6f6d1e-8a1e-5c0e-9d3a-6c8f6f0b8a01", vector={"text": [1.0, 0.0]}, payload={})
    server.server.collection(NAME).update(q.PointsList(points=[point]))
    before = server.server.collection(NAME).info()
    config = server_config(server, vectorStore={"collection": NAME, "adopt": True})
    assert "has points that this service didn't write" in await refusal(server, config)
    assert server.server.names == [NAME]
    assert server.server.collection(NAME).info() == before


async def test_an_empty_collection_of_another_make_is_refused(server: RunningQdrant) -> None:
    wanted = q.CreateCollection(vectors={"dense": q.VectorParams(size=2, distance=q.Distance.COSINE)})
    server.server.make(NAME, wanted)
    config = server_config(server, vectorStore={"collection": NAME}, embedding=EMBEDDING)
    told = await refusal(server, config)
    assert "have 2 dimensions and distance Cosine, not 6 and Cosine" in told
    assert "the sparse vectors none, not ['bm25'] with IDF" in told


async def test_another_pipeline_s_collection_is_refused_unless_adopted(server: RunningQdrant) -> None:
    store = {"collection": NAME}
    mine = server_config(server, vectorStore=store)
    other = server_config(server, "intruder", vectorStore=store)
    adopting = server_config(server, "intruder", vectorStore={**store, "adopt": True})
    async with on_server(server, mine) as collection:
        await put(collection, encoded(collection.analyzer, "a", ["jetty"]))
    told = await refusal(server, other)
    assert "belongs to team-a/handbook of cluster local, not to team-a/intruder" in told
    async with on_server(server, adopting) as collection:
        assert len(await search(collection, "jetty", 1)) == 1
    async with on_server(server, other):
        pass


async def test_two_pipelines_that_claim_a_name_at_once_don_t_share_it(server: RunningQdrant) -> None:
    configs = [server_config(server, name, vectorStore={"collection": NAME}) for name in ("one", "two")]
    opening = [on_server(server, config) for config in configs]
    opened = await asyncio.gather(*(one.__aenter__() for one in opening), return_exceptions=True)
    assert sorted(type(result).__name__ for result in opened) == ["Collection", "NotOpenYetError"]
    for context, result in zip(opening, opened, strict=True):
        if not isinstance(result, BaseException):
            await context.__aexit__(None, None, None)


@pytest.mark.parametrize("name", [None, NAME])
async def test_other_index_settings_are_refused(server: RunningQdrant, name: str | None) -> None:
    store = {} if name is None else {"collection": name}
    english = server_config(server, vectorStore=store)
    german = server_config(server, vectorStore=store, retrieval={"bm25": {"language": "German"}})
    async with on_server(server, english) as collection:
        await put(collection, encoded(collection.analyzer, "a", ["jetty"]))
    told = await refusal(server, german)
    assert '"language":"English"' in told
    assert "change the manifest back" in told
    async with on_server(server, english) as collection:
        assert await collection.engine.count() == 1
    assert len(server.server.names) == 2


@pytest.mark.parametrize("version", ["1.17.1", "0.11.0", "nonsense"])
async def test_an_old_version_is_refused(tmp_path: Path, version: str) -> None:
    with running_qdrant(tmp_path / "qdrant", version=version) as server:
        assert f"is version {version}: upgrade it to 1.18 or newer" in await refusal(
            server, server_config(server)
        )
        server.server.version = "1.18.0"
        async with on_server(server):
            pass


async def test_the_api_key_is_read_for_each_call(tmp_path: Path) -> None:
    with running_qdrant(tmp_path / "qdrant", api_key=KEY) as server:
        config = server_config(server, qdrant={"apiKeySecretRef": {"name": "qdrant", "key": "api-key"}})
        secrets = Secrets()
        assert await refusal(server, config, secrets) == "the Secret qdrant has no entry api-key"
        secrets.values["api-key"] = "another"
        told = await refusal(server, config, secrets)
        assert (
            "refused the call (401), asking for its version: Invalid API key or JWT; check its API key"
            in told
        )
        secrets.values["api-key"] = KEY
        async with on_server(server, config, secrets) as collection:
            await put(collection, encoded(collection.analyzer, "a", ["pier"]))
            server.server.api_key = "the next"
            with pytest.raises(EngineError, match="401"):
                await search(collection, "pier", 1)
            secrets.values["api-key"] = "the next"
            assert len(await search(collection, "pier", 1)) == 1


@pytest.fixture
def certificate(tmp_path: Path) -> Callable[[str], tuple[Path, Path]]:
    """Makes self-signed certificates for 127.0.0.1."""

    def make(name: str) -> tuple[Path, Path]:
        files = tmp_path / f"{name}.pem", tmp_path / f"{name}.key"
        subject = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
        made = ["-keyout", str(files[1]), "-out", str(files[0])]
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *made]
        subprocess.run(command, check=True, capture_output=True, timeout=30)
        return files

    return make


async def test_a_private_authority_is_trusted_where_it_is_given(
    tmp_path: Path, certificate: Callable[[str], tuple[Path, Path]]
) -> None:
    mine, other = certificate("mine"), certificate("other")
    with running_qdrant(tmp_path / "qdrant", tls=mine) as server:
        ref = {"caSecretRef": {"name": "qdrant", "key": "ca"}, **FAST}
        config = server_config(server, qdrant=ref)
        for text in (None, other[0].read_text()):
            secrets = Secrets({} if text is None else {"ca": text})
            plain = server_config(server, qdrant=FAST) if text is None else config
            told = await refusal(server, plain, secrets)
            assert "its certificate isn't trusted (self-signed certificate)" in told
            assert "spec.vectorStore.qdrant.caSecretRef" in told
        told = await refusal(server, config, Secrets({"ca": "-----BEGIN nothing"}))
        assert told.startswith("the entry ca of Secret qdrant isn't a certificate in PEM form")
        async with on_server(server, config, Secrets({"ca": mine[0].read_text()})) as collection:
            await put(collection, encoded(collection.analyzer, "a", ["pier"]))


async def test_another_program_at_the_address_is_told(server: RunningQdrant) -> None:
    server.faults.add(Fault("GET", "/", status=418, message="I'm a teapot"))
    assert "refused the call (418)" in await refusal(server, server_config(server))


async def test_settings_are_brought_in_line_with_the_spec(server: RunningQdrant) -> None:
    def config(**index: Any) -> Any:
        return server_config(
            server,
            vectorStore={"collection": NAME, "index": index},
            embedding=EMBEDDING,
            qdrant={"replicationFactor": 2 if index else 1, "shards": 3 if index else 1},
        )

    async with on_server(server, config()) as collection:
        await put(collection, encoded(collection.analyzer, "a", ["red"], vectors=[axes("red")]))
    plain = server.server.collection(NAME).info()
    assert plain.config.quantization_config is None
    assert set(plain.payload_schema) == {"document_id", "tenant"}
    changed = config(
        hnsw={"m": 32, "efConstruct": 200, "onDisk": True},
        quantization={"type": "Binary", "alwaysInMemory": False, "oversamplingPercent": 300},
        optimizer={"indexingThresholdKilobytes": 500, "segments": 4},
        metadata=[{"key": "year", "type": "Number"}, {"key": "a.b", "type": "Bool"}],
    )
    async with on_server(server, changed) as collection:
        assert len(await search(collection, "red", 1, mode="hybrid", vector=axes("red"))) == 1
    info = server.server.collection(NAME).info()
    assert (info.config.hnsw_config.m, info.config.hnsw_config.ef_construct) == (32, 200)
    assert info.config.hnsw_config.on_disk is True
    vectors = info.config.params.vectors
    assert isinstance(vectors, dict)
    assert vectors["dense"].on_disk is True
    assert info.config.quantization_config == q.BinaryQuantization(
        binary=q.BinaryQuantizationConfig(always_ram=False)
    )
    assert info.config.optimizer_config.indexing_threshold == 500
    assert info.config.optimizer_config.default_segment_number == 4
    assert (info.config.params.replication_factor, info.config.params.shard_number) == (2, 1)
    types = {name: index.data_type.value for name, index in info.payload_schema.items()}
    assert types == {
        "document_id": "keyword",
        "tenant": "keyword",
        "metadata.year": "float",
        'flags."a.b"': "keyword",
        "flags.a.b": "keyword",
    }
    # The same again changes nothing.
    server.server.requests.clear()
    async with on_server(server, changed):
        pass
    assert [one for one in server.server.requests if one.startswith(("PATCH", "PUT", "DELETE"))] == []
    # And back, but for the indexes, which may be somebody else's.
    async with on_server(server, config()):
        pass
    back = server.server.collection(NAME).info()
    assert back.config.hnsw_config == plain.config.hnsw_config
    assert back.config.quantization_config is None
    assert "metadata.year" in back.payload_schema


def test_the_test_server_tells_what_it_doesn_t_speak(tmp_path: Path) -> None:
    server = RunningQdrant(QdrantServer(tmp_path / "qdrant"))
    server.start()
    try:
        with httpx.Client(base_url=server.url) as client:
            assert client.get("/cluster").status_code == 501
            client.put("/collections/x", json={"vectors": {}}).raise_for_status()
            assert client.put("/collections/y", json={"vectors": {}, "new_field": 1}).status_code == 501
            query = {"searches": [{"query": {"sample": "random"}, "limit": 1}]}
            assert client.post("/collections/x/points/query/batch", json=query).status_code == 501
            assert client.put("/collections/x/points", json={"points": []}).status_code == 501
    finally:
        server.stop()
    assert len(server.server.unknown) == 4


def test_the_test_server_is_a_program_too(tmp_path: Path) -> None:
    command = ["-m", "support.qdrant_server", "--port", "0", "--data", str(tmp_path / "data")]
    import sys

    folder = Path(__file__).parent.parent
    with subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, text=True, cwd=folder
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert httpx.get(url).json()["version"] == "1.19.0"
        finally:
            process.terminate()
            process.wait(30)

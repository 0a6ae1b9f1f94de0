"""Dense and hybrid search on the embedded engine, and its index rebuilt beside the traffic."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_runtime.embed.model import Vector
from ragfleet_runtime.errors import ProviderError, StartError
from ragfleet_runtime.index.collection import Collection, open_collection
from ragfleet_runtime.index.filters import parse_filter
from ragfleet_runtime.index.search import Mode, SearchRequest
from support.configs import make_config
from support.documents import encoded
from support.searching import search

pytestmark = pytest.mark.anyio

EMBEDDING = {"type": "FastEmbed", "fastEmbed": {"model": "test/axes"}}
# Each word is an axis: a text's vector is how often each word stands in it.
AXES = ("red", "blue", "green", "lamp", "boat", "tower")


def axes(text: str) -> Vector:
    words = text.lower().split()
    return [float(words.count(axis)) + 0.01 for axis in AXES]


class AxesModel:
    """A LocalModel that notes what it was asked together."""

    dimensions = len(AXES)
    max_tokens = None

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def embed_queries(self, texts: Sequence[str]) -> list[Vector]:
        self.calls.append(list(texts))
        if "fail" in texts:
            raise ProviderError("axes", "unavailable", "gone")
        return [axes(text) for text in texts]

    def embed_documents(self, texts: Sequence[str]) -> list[Vector]:
        return [axes(text) for text in texts]


def hybrid_config(**sections: Any) -> RuntimeConfig:
    return make_config(embedding=EMBEDDING, **sections)


@asynccontextmanager
async def opened(
    folder: Path, config: RuntimeConfig | None = None, model: AxesModel | None = None
) -> AsyncIterator[Collection]:
    async with open_collection(config or hybrid_config(), folder, model or AxesModel(), axes("red")) as made:
        yield made


async def put(collection: Collection, texts: dict[str, str], **metadata: Any) -> None:
    documents = [
        encoded(collection.analyzer, id_, [text], metadata=metadata, vectors=[axes(text)])
        for id_, text in texts.items()
    ]
    for done in [await collection.committer.submit(document) for document in documents]:
        await done


def ids(hits: Sequence[Any]) -> list[str]:
    return [hit.passage.document_id for hit in hits]


TEXTS = {"a": "red red lamp", "b": "blue boat", "c": "green tower tower", "d": "quay of the harbour"}


async def test_dense_search_ranks_by_cosine(tmp_path: Path) -> None:
    async with opened(tmp_path) as collection:
        await put(collection, TEXTS)
        hits = await search(collection, "tower", 2, mode="dense")
        assert ids(hits)[0] == "c"
        assert hits[0].score == pytest.approx(0.894, abs=0.01)


@pytest.mark.parametrize(
    "fusion",
    [
        {"method": "DBSF"},
        {"method": "RRF"},
        {"method": "RRF", "rrf": {"k": 1, "denseWeight": 3}},
        {"method": "Weighted"},
    ],
)
async def test_hybrid_search_finds_what_either_ranking_finds(tmp_path: Path, fusion: dict[str, Any]) -> None:
    async with opened(tmp_path, hybrid_config(retrieval={"fusion": fusion})) as collection:
        await put(collection, TEXTS)
        # "harbour" has no axis, "tower" has.
        assert set(ids(await search(collection, "harbour tower", 2, mode="hybrid"))) == {"c", "d"}


async def test_weighted_fusion_moves_from_one_ranking_to_the_other(tmp_path: Path) -> None:
    tops = {}
    for alpha in (0, 50, 100):
        config = hybrid_config(retrieval={"fusion": {"method": "Weighted", "alphaPercent": alpha}})
        async with opened(tmp_path / str(alpha), config) as collection:
            # By words "red boat" fits x best, by vector (given, not of its text) y does.
            x = encoded(collection.analyzer, "x", ["red boat"], vectors=[axes("tower tower red")])
            y = encoded(collection.analyzer, "y", ["red thing"], vectors=[axes("red boat")])
            for done in [await collection.committer.submit(one) for one in (x, y)]:
                await done
            hits = await search(collection, "red boat", 2, mode="hybrid")
            tops[alpha] = ids(hits)[0]
            scores = {hit.passage.document_id: hit.score for hit in hits}
            assert 0 < scores["x"] <= 1.0001
            assert 0 < scores["y"] <= 1.0001
            if alpha == 0:
                assert scores["x"] == pytest.approx(1, abs=1e-5)
            if alpha == 100:
                assert scores["y"] == pytest.approx(1, abs=1e-5)
    assert (tops[0], tops[100]) == ("x", "y")


async def test_a_filter_holds_in_both_rankings(tmp_path: Path) -> None:
    async with opened(tmp_path) as collection:
        await put(collection, {"in": "quay"}, team="in")
        await put(collection, {f"out-{n}": "red lamp boat" for n in range(20)}, team="out")
        hits = await search(collection, "red lamp boat", 5, parse_filter({"team": "in"}), mode="hybrid")
        assert ids(hits) == ["in"]


async def test_a_question_of_stop_words_is_searched_by_its_vector_alone(tmp_path: Path) -> None:
    async with opened(tmp_path) as collection:
        await put(collection, TEXTS)
        assert len(await search(collection, "of the", 3, mode="hybrid")) == 3
        assert await search(collection, "of the", 3, mode="sparse") == []


@pytest.mark.parametrize("mode", ["dense", "hybrid"])
async def test_equal_scores_are_in_the_order_of_ids(tmp_path: Path, mode: Mode) -> None:
    config = hybrid_config(retrieval={"fusion": {"method": "RRF"}})
    async with opened(tmp_path, config) as collection:
        names = [f"doc-{n:02}" for n in range(40)]
        random.Random(5).shuffle(names)
        await put(collection, dict.fromkeys(names, "red boat"))
        first = ids(await search(collection, "red boat", 5, mode=mode))
        if mode == "dense":
            assert first == [f"doc-{n:02}" for n in range(5)]
        for _ in range(5):
            assert ids(await search(collection, "red boat", 5, mode=mode)) == first


async def test_questions_that_come_together_are_embedded_together(tmp_path: Path) -> None:
    model = AxesModel()
    async with opened(tmp_path, model=model) as collection:
        await put(collection, TEXTS)
        questions = [f"tower {n}" for n in range(12)]
        found = await asyncio.gather(*(search(collection, q, 1, mode="hybrid") for q in questions))
        assert all(ids(hits) == ["c"] for hits in found)
        assert sorted(text for call in model.calls for text in call) == sorted(questions)
        assert len(model.calls) <= 3  # the first alone, the others as soon as it is done


async def test_a_failed_embedding_fails_its_own_search_only(tmp_path: Path) -> None:
    async with opened(tmp_path) as collection:
        await put(collection, TEXTS)
        failing = asyncio.create_task(search(collection, "fail", 1, mode="dense"))
        sparse = await search(collection, "tower", 1)
        assert ids(sparse) == ["c"]
        with pytest.raises(ProviderError, match="gone"):
            await failing
        assert ids(await search(collection, "tower", 1, mode="dense")) == ["c"]


async def test_a_search_whose_caller_went_away_leaves_the_others(tmp_path: Path) -> None:
    async with opened(tmp_path) as collection:
        await put(collection, TEXTS)
        tasks = [asyncio.create_task(search(collection, "tower", 1, mode="hybrid")) for _ in range(6)]
        await asyncio.sleep(0)
        tasks[2].cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(found[2], asyncio.CancelledError)
        assert all(ids(hits) == ["c"] for n, hits in enumerate(found) if n != 2)  # type: ignore[arg-type]


async def test_another_model_under_the_same_name_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path) as collection:
        await put(collection, TEXTS)
    with pytest.raises(StartError, match="isn't the one that the collection"):
        async with open_collection(hybrid_config(), tmp_path, AxesModel(), axes("blue boat")):
            pass
    with pytest.raises(StartError, match="has 3 dimensions, the index 6"):
        async with open_collection(hybrid_config(), tmp_path, AxesModel(), [1.0, 0.0, 0.0]):
            pass
    async with opened(tmp_path) as collection:
        assert ids(await search(collection, "tower", 1, mode="dense")) == ["c"]


async def test_another_embedding_is_refused_on_the_old_index(tmp_path: Path) -> None:
    async with opened(tmp_path) as collection:
        await put(collection, TEXTS)
    other = make_config(embedding={**EMBEDDING, "queryPrefix": "query: "})
    with pytest.raises(StartError, match="change the manifest back"):
        async with opened(tmp_path, other):
            pass


SMALL_INDEX = {"optimizer": {"indexingThresholdKilobytes": 1}}


def with_index(**index: Any) -> RuntimeConfig:
    return hybrid_config(vectorStore={"type": "Embedded", "index": {**SMALL_INDEX, **index}})


def many(start: int, count: int) -> dict[str, str]:
    source = random.Random(start)
    return {f"doc-{n:05}": " ".join(source.choices(AXES, k=6)) for n in range(start, start + count)}


def engine_folders(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*/engine*") if path.is_dir())


async def settle(collection: Collection) -> None:
    collection.maintenance.notice_change()
    await asyncio.wait_for(collection.maintenance.settled(), 60)


async def test_the_index_is_rebuilt_beside_searches_and_writes(tmp_path: Path) -> None:
    async with opened(tmp_path, with_index()) as collection:
        await put(collection, many(0, 1500))
        await put(collection, {"keep": "tower tower tower"})
        collection.maintenance.notice_change()
        running = asyncio.create_task(asyncio.wait_for(collection.maintenance.settled(), 90))
        rounds = 0
        while not running.done():
            rounds += 1
            await put(collection, {f"new-{rounds}": "lamp lamp boat", "keep": f"tower {rounds} tower"})
            await collection.delete([f"doc-{rounds:05}"])
            assert ids(await search(collection, "tower tower", 1, mode="dense"))[0]
            assert len(await search(collection, f"{rounds}", 3)) >= 1
            await asyncio.sleep(0.02)
            if rounds == 60:
                break
        await settle(collection)
        await running
        assert engine_folders(tmp_path) != ["engine"]
        totals = await collection.store.totals()
        assert await collection.engine.count() == totals.chunks
        assert ids(await search(collection, f"{rounds}", 1)) == ["keep"]
        names = {f"new-{n}" for n in range(1, rounds + 1)}
        kept = {passage.document_id for _, passage in (await collection.engine.scroll(None, 10_000))[0]}
        assert names <= kept
        assert not {f"doc-{n:05}" for n in range(1, rounds + 1)} & kept
    async with opened(tmp_path, with_index()) as collection:
        totals = await collection.store.totals()
        assert await collection.engine.count() == totals.chunks
        assert len(engine_folders(tmp_path)) == 1


async def test_a_change_of_the_graph_rebuilds_it_and_finds_the_same(tmp_path: Path) -> None:
    async with opened(tmp_path, with_index()) as collection:
        await put(collection, many(0, 600))
        await settle(collection)
        before = [hit.score for hit in await search(collection, "red boat", 5, mode="dense")]
        folders = engine_folders(tmp_path)
    changed = with_index(hnsw={"m": 32, "efConstruct": 64}, quantization={"type": "Scalar"})
    async with opened(tmp_path, changed) as collection:
        await settle(collection)
        assert engine_folders(tmp_path) != folders
        after = [hit.score for hit in await search(collection, "red boat", 5, mode="dense")]
        assert after == pytest.approx(before, abs=1e-3)
        folders = engine_folders(tmp_path)
    async with opened(tmp_path, changed) as collection:
        await settle(collection)
        assert engine_folders(tmp_path) == folders  # nothing to do: nothing is built


async def test_a_build_that_fails_leaves_the_old_index_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ragfleet_runtime.index.edge_build.sys.executable", "/bin/false")
    async with opened(tmp_path, with_index()) as collection:
        await put(collection, many(0, 600))
        with pytest.raises(Exception, match="building the index ended with code 1"):
            await collection.engine.put_in_order()
        assert engine_folders(tmp_path) == ["engine"]
        await put(collection, {"later": "tower tower tower"})
        assert "later" in ids(await search(collection, "tower", 3, mode="dense"))


async def test_what_an_interrupted_build_left_is_removed(tmp_path: Path) -> None:
    async with opened(tmp_path, with_index()) as collection:
        await put(collection, TEXTS)
    (tmp_path / hybrid_config().store.collection / "engine-2" / "segments").mkdir(parents=True)
    async with opened(tmp_path, with_index()) as collection:
        assert engine_folders(tmp_path) == ["engine"]
        assert ids(await search(collection, "tower", 1, mode="dense")) == ["c"]


async def test_indexes_on_metadata_are_made_and_dropped(tmp_path: Path) -> None:
    indexed = with_index(metadata=[{"key": "team", "type": "Keyword"}, {"key": "open", "type": "Bool"}])
    async with opened(tmp_path, indexed) as collection:
        await put(collection, {"a": "red boat"}, team="x", open=True)
        await put(collection, {"b": "red boat"}, team="y", open=False)
        assert ids(await search(collection, "boat", 5, parse_filter({"team": "x"}), mode="hybrid")) == ["a"]
        assert ids(await search(collection, "boat", 5, parse_filter({"open": False}), mode="hybrid")) == ["b"]
    async with opened(tmp_path, with_index(metadata=[{"key": "team", "type": "Number"}])) as collection:
        assert ids(await search(collection, "boat", 5, parse_filter({"team": "x"}), mode="hybrid")) == ["a"]


async def test_a_search_request_is_asked_by_its_own_vector(tmp_path: Path) -> None:
    async with opened(tmp_path) as collection:
        await put(collection, TEXTS)
        request = SearchRequest("nothing", "dense", 1)
        assert ids(await collection.reader.search(request, axes("blue boat"))) == ["b"]

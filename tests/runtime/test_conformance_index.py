"""The same behaviour of the index on both engines: the embedded one, and a Qdrant server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ragfleet_runtime.errors import EngineError, StorageError
from ragfleet_runtime.index.collection import Collection
from ragfleet_runtime.index.documents import DEFAULT_TENANT, Key, Leftover, Totals
from ragfleet_runtime.index.engine import Hit, point_id, point_ids
from ragfleet_runtime.index.filters import parse_filter
from ragfleet_runtime.index.qdrant import assembly
from ragfleet_runtime.index.qdrant.lengths import SharedMeanLength
from ragfleet_runtime.index.search import Mode, SearchRequest
from support.documents import encoded
from support.qdrant_opening import EMBEDDING, Opener, axes, put
from support.qdrant_server import running_qdrant
from support.searching import search

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["Embedded", "Qdrant"])
def opener(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Opener]:
    if request.param == "Embedded":
        yield Opener("Embedded", tmp_path / "data", None)
        return
    # Nobody waits five seconds for the other replicas of a test.
    monkeypatch.setattr(assembly, "SharedMeanLength", partial(SharedMeanLength, fresh_seconds=0.2))
    with running_qdrant(tmp_path / "qdrant") as server:
        yield Opener("Qdrant", tmp_path, server)


@pytest.fixture
async def collection(opener: Opener) -> AsyncIterator[Collection]:
    async with opener() as opened:
        yield opened


def found(hits: Sequence[Hit]) -> list[tuple[str, str]]:
    return [(hit.passage.document_id, hit.passage.text) for hit in hits]


def ids(hits: Sequence[Hit]) -> list[str]:
    return [hit.passage.document_id for hit in hits]


async def test_a_document_is_found_replaced_and_deleted(collection: Collection) -> None:
    await put(collection, encoded(collection.analyzer, "a", ["red lighthouse", "blue harbour"]))
    assert found(await search(collection, "lighthouse", 5)) == [("a", "red lighthouse")]
    await put(collection, encoded(collection.analyzer, "a", ["green lighthouse"]))
    assert found(await search(collection, "lighthouse", 5)) == [("a", "green lighthouse")]
    assert await collection.engine.count() == 1
    assert await collection.delete(["a", "never was"]) == 1
    assert await search(collection, "lighthouse", 5) == []
    assert await collection.engine.count() == 0


async def test_everything_is_there_after_closing_and_opening_again(opener: Opener) -> None:
    async with opener() as collection:
        await put(collection, encoded(collection.analyzer, "a", ["red lighthouse"], metadata={"n": 1}))
    async with opener() as collection:
        [hit] = await search(collection, "lighthouse", 5)
        assert hit.passage.metadata == {"n": 1}
        document = await collection.store.get(Key(DEFAULT_TENANT, "a"))
        assert document is not None
        assert (document.text, document.revision) == ("red lighthouse", hit.passage.revision)


async def test_no_search_sees_both_versions_or_neither(collection: Collection) -> None:
    versions = [[f"anchor version{v} part{p}" for p in range(4)] for v in range(2)]
    await put(collection, encoded(collection.analyzer, "a", versions[0]))
    stop = asyncio.Event()

    async def replace() -> None:
        for n in range(1, 30):
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
    assert searches > 10


async def test_two_versions_in_one_batch_leave_the_later_one(collection: Collection) -> None:
    await put(
        collection,
        encoded(collection.analyzer, "a", ["first quay"]),
        encoded(collection.analyzer, "b", ["other quay"]),
        encoded(collection.analyzer, "a", ["second quay"]),
    )
    assert sorted(found(await search(collection, "quay", 5))) == [("a", "second quay"), ("b", "other quay")]
    assert await collection.engine.count() == 2


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
    assert set(ids(await search(collection, "quay", 5))) == {"a", "b"}


async def test_pending_chunks_are_not_found(collection: Collection) -> None:
    await put(collection, encoded(collection.analyzer, "a", ["pier"]))
    staged = await collection.writer.stage([encoded(collection.analyzer, "a", ["pier one", "pier two"])])
    assert found(await search(collection, "pier", 5)) == [("a", "pier")]
    await collection.writer.commit(staged)
    assert sorted(found(await search(collection, "pier", 5))) == [("a", "pier one"), ("a", "pier two")]
    assert await collection.engine.count() == 2


FILTERS: list[tuple[dict[str, object], list[str]]] = [
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
    ({"owner.on": True}, ["b"]),
    ({"sp ace": "x"}, ["a"]),
    ({"missing": "x"}, []),
    ({"document_id": ["a", "c"]}, ["a", "c"]),
    ({"type": "ne", "key": "team", "value": "red"}, ["b", "c"]),
    ({"type": "ne", "key": "draft", "value": True}, ["b", "c"]),
    ({"type": "nin", "key": "team", "value": ["red", "blue"]}, ["c"]),
    ({"type": "nin", "key": "year", "value": [2024, 2025]}, ["c"]),
    ({"type": "in", "key": "team", "value": []}, []),
    ({"type": "in", "key": "team", "value": ["red", 7, True]}, ["a"]),
    ({"type": "nin", "key": "team", "value": []}, ["a", "b", "c"]),
    ({"type": "gt", "key": "year", "value": 2024}, ["b"]),
    ({"type": "gte", "key": "year", "value": 2024}, ["a", "b"]),
    ({"type": "lt", "key": "year", "value": 2024.5}, ["a"]),
    ({"type": "gt", "key": "at", "value": "2025-12-31T00:00:00Z"}, ["a"]),
    ({"type": "lte", "key": "at", "value": "2026-01-01"}, ["a"]),
    ({"type": "or", "filters": [{"team": "red"}, {"year": "2025"}]}, ["a", "c"]),
    ({"type": "and", "filters": [{"team": "red"}, {"draft": False}]}, []),
]
METADATA: dict[str, dict[str, Any]] = {
    "a": {
        "team": "red",
        "year": 2024,
        "draft": True,
        "tags": ["x", "y"],
        "at": "2026-01-01T00:00:00Z",
        "sp ace": "x",
    },
    "b": {"team": "blue", "year": 2025.0, "draft": False, "owner": {"name": "kim", "on": True}},
    "c": {"year": "2025", "owner.name": "lee"},
}
INDEXES = [
    {"key": "team", "type": "Keyword"},
    {"key": "year", "type": "Number"},
    {"key": "draft", "type": "Bool"},
    {"key": "owner.name", "type": "Keyword"},
    {"key": "at", "type": "Datetime"},
]


@pytest.mark.parametrize("indexes", [[], INDEXES], ids=["no-indexes", "indexes"])
async def test_filters_run_in_the_engine(opener: Opener, indexes: list[dict[str, str]]) -> None:
    async with opener(vectorStore={"index": {"metadata": indexes}}) as collection:
        await put(
            collection,
            *(encoded(collection.analyzer, id_, ["dock"], metadata=one) for id_, one in METADATA.items()),
        )
        for value, expected in FILTERS:
            hits = await search(collection, "dock", 10, parse_filter(value))
            assert ids(hits) == expected, value
        condition = parse_filter({"type": "gte", "key": "year", "value": 2024})
        assert condition is not None
        assert await collection.delete_matching(condition) == 2
        assert ids(await search(collection, "dock", 10)) == ["c"]


async def test_filters_hold_in_both_rankings(opener: Opener) -> None:
    async with opener(embedding=EMBEDDING, retrieval={"candidates": 2, "topK": 2}) as collection:
        # Without the filter, neither ranking's two candidates are the wanted ones.
        texts = {f"x{n}": "red red red lamp" for n in range(5)} | {"a": "lamp of the quay", "b": "red tower"}
        await put(
            collection,
            *(
                encoded(collection.analyzer, id_, [text], metadata={"in": id_ in "ab"}, vectors=[axes(text)])
                for id_, text in texts.items()
            ),
        )
        condition = parse_filter({"in": True})
        for mode in ("sparse", "dense", "hybrid"):
            hits = await search(collection, "red lamp", 2, condition, mode=mode, vector=axes("red lamp"))
            assert sorted(ids(hits)) == ["a", "b"], mode


async def test_grouping_shows_each_document_once_by_its_best_passage(collection: Collection) -> None:
    await put(
        collection,
        encoded(collection.analyzer, "a", ["mole and more words here", "mole", "mole mole"]),
        encoded(collection.analyzer, "b", ["mole with some words"]),
    )
    request = SearchRequest("mole", "sparse", 2, group_by_document=True)
    assert found(await collection.reader.search(request)) == [
        ("a", "mole mole"),
        ("b", "mole with some words"),
    ]


@pytest.mark.parametrize("mode", ["sparse", "dense", "hybrid"])
async def test_min_score_takes_what_equals_it(opener: Opener, mode: Mode) -> None:
    async with opener(embedding=EMBEDDING) as collection:
        texts = {"a": "red red lamp", "b": "red boat and more", "c": "blue lamp tower red", "d": "tower"}
        await put(
            collection,
            *(encoded(collection.analyzer, id_, [text], vectors=[axes(text)]) for id_, text in texts.items()),
        )
        everything = await search(collection, "red lamp", 10, mode=mode, vector=axes("red lamp"))
        assert len(everything) >= 3
        for number, hit in enumerate(everything):
            request = SearchRequest("red lamp", mode, 10, min_score=hit.score)
            some = await collection.reader.search(request, axes("red lamp"))
            assert [one.score for one in some] == pytest.approx([h.score for h in everything[: len(some)]])
            assert len(some) >= number + 1
            assert all(one.score >= hit.score for one in some)


FUSIONS: list[dict[str, Any]] = [
    {"method": "DBSF"},
    {"method": "RRF"},
    {"method": "RRF", "rrf": {"k": 2, "denseWeight": 3, "sparseWeight": 1}},
    {"method": "RRF", "rrf": {"denseWeight": 0}},
    {"method": "Weighted"},
    {"method": "Weighted", "alphaPercent": 20},
    {"method": "Weighted", "alphaPercent": 100},
]


def expected_fusion(
    fusion: dict[str, Any], dense: dict[str, float], sparse: dict[str, float]
) -> dict[str, float]:
    """Scores by the formulas in docs/manifest.md, over two rankings, best first."""
    names = set(dense) | set(sparse)
    if fusion["method"] == "Weighted":
        alpha = fusion.get("alphaPercent", 50) / 100
        shares = [(alpha, dense), (1 - alpha, sparse)]
        return {
            name: sum(w * scores.get(name, 0.0) / max(scores.values()) for w, scores in shares)
            for name in names
        }
    if fusion["method"] == "RRF":
        rrf = {"k": 60, "denseWeight": 1, "sparseWeight": 1} | fusion.get("rrf", {})
        total = dict.fromkeys(names, 0.0)
        for weight, scores in ((rrf["denseWeight"], dense), (rrf["sparseWeight"], sparse)):
            for rank, name in enumerate(scores, start=1):
                total[name] += 1 / (rank / weight + rrf["k"] - 1) if weight else 0.0
        return total
    total = dict.fromkeys(names, 0.0)
    for scores in (dense, sparse):
        mean = sum(scores.values()) / len(scores)
        deviation = (sum((s - mean) ** 2 for s in scores.values()) / (len(scores) - 1)) ** 0.5
        for name, score in scores.items():
            total[name] += (score - mean + 3 * deviation) / (6 * deviation)
    return total


@pytest.mark.parametrize("fusion", FUSIONS, ids=str)
async def test_fused_scores_are_those_of_the_formulas(opener: Opener, fusion: dict[str, Any]) -> None:
    async with opener(embedding=EMBEDDING, retrieval={"fusion": fusion}) as collection:
        texts = {
            "a": "red red lamp and",
            "b": "red boat with more words than",
            "c": "blue lamp tower tall",
            "d": "lamp lamp lamp of a harbour with red",
            "e": "quay",
        }
        await put(
            collection,
            *(encoded(collection.analyzer, id_, [text], vectors=[axes(text)]) for id_, text in texts.items()),
        )

        async def scores(mode: Mode) -> dict[str, float]:
            hits = await search(collection, "red lamp", 10, mode=mode, vector=axes("red red lamp blue"))
            return {hit.passage.document_id: hit.score for hit in hits}

        expected = expected_fusion(fusion, await scores("dense"), await scores("sparse"))
        assert await scores("hybrid") == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize(
    ("mode", "fusion"),
    [("sparse", "DBSF"), ("dense", "DBSF"), ("hybrid", "DBSF"), ("hybrid", "RRF"), ("hybrid", "Weighted")],
)
async def test_equal_scores_are_in_the_order_of_ids(opener: Opener, mode: Mode, fusion: str) -> None:
    async with opener(embedding=EMBEDDING, retrieval={"fusion": {"method": fusion}}) as collection:
        await put(
            collection,
            *(
                encoded(collection.analyzer, f"{n:03}", ["red words"], vectors=[axes("red words")])
                for n in range(120, 0, -1)
            ),
            encoded(collection.analyzer, "best", ["red red words"], vectors=[axes("red red red words")]),
        )
        is_ranked = fusion == "RRF"  # by rank alone equal scores differ, as the engine happened to order them
        for top_k in (1, 3, 10, 100):
            hits = await search(collection, "red words", top_k, mode=mode, vector=axes("red red"))
            assert len(hits) == top_k
            if not is_ranked:
                rest = [id_ for id_ in ids(hits) if id_ != "best"]
                assert rest == [f"{n:03}" for n in range(1, len(rest) + 1)]
            keys = [(-hit.score, hit.passage.document_id) for hit in hits]
            assert keys == sorted(keys)


async def test_a_question_of_stop_words_finds_nothing_by_terms(opener: Opener) -> None:
    async with opener(embedding=EMBEDDING) as collection:
        await put(collection, encoded(collection.analyzer, "a", ["red"], vectors=[axes("red")]))
        assert await search(collection, "of the", 5) == []
        assert ids(await search(collection, "of the", 5, mode="hybrid", vector=axes("red"))) == ["a"]


async def test_idf_is_the_engine_s(collection: Collection) -> None:
    await put(
        collection, *(encoded(collection.analyzer, str(n), ["tide " + "moon " * (n == 0)]) for n in range(9))
    )
    terms = {word: next(iter(collection.analyzer.counts(word))) for word in ("tide", "moon", "unknown")}
    idf = await collection.engine.inverse_document_frequencies(list(terms.values()))
    assert set(idf) == {terms["tide"], terms["moon"]}
    assert idf[terms["moon"]] > 5 * idf[terms["tide"]] > 0
    assert await collection.engine.inverse_document_frequencies([]) == {}


async def test_documents_are_listed_in_the_order_of_their_ids(collection: Collection) -> None:
    names = ["https://docs.example/guide/a", "https://docs.example/guide/b", "Z", "a", "ä", "a b", "😀", "~"]
    names += [f"https://docs.example/guide/pages/{n:03}" for n in range(40)]
    await put(collection, *(encoded(collection.analyzer, name, ["basin"]) for name in reversed(names)))

    async def listed(limit: int) -> list[str]:
        seen: list[str] = []
        while page := await collection.store.page(
            DEFAULT_TENANT, after=seen[-1] if seen else None, limit=limit
        ):
            assert len(page) <= limit
            seen.extend(summary.key.id for summary in page)
        return seen

    assert await listed(7) == sorted(names)
    await collection.delete(["Z", "https://docs.example/guide/pages/007"])
    await put(collection, encoded(collection.analyzer, "M", ["basin"], title="New", metadata={"x": [1]}))
    expected = sorted({*names, "M"} - {"Z", "https://docs.example/guide/pages/007"})
    assert await listed(1000) == expected
    assert await listed(3) == expected
    [page] = await collection.store.page(DEFAULT_TENANT, after="L", limit=1)
    assert (page.key.id, page.title, page.metadata, page.chunks) == ("M", "New", {"x": [1]}, 1)
    assert await collection.store.page("another tenant", after=None, limit=5) == []


async def test_totals_are_exact(collection: Collection) -> None:
    assert await collection.store.totals() == Totals()
    await put(collection, *(encoded(collection.analyzer, str(n), ["word"] * (n + 1)) for n in range(5)))
    await put(collection, encoded(collection.analyzer, "4", ["two words"]))
    assert await collection.store.totals() == Totals(documents=5, chunks=11, terms=12)
    assert await collection.store.stale("recipe") == 0
    assert await collection.store.stale("another") == 5
    await collection.delete(["0", "1"])
    assert await collection.store.totals() == Totals(documents=3, chunks=8, terms=9)


async def test_a_long_text_comes_back_as_it_was(collection: Collection) -> None:
    text = 'Kai\u0001\u2028"\\😀 ä\n' * 60_000
    document = encoded(collection.analyzer, "long", ["quay"])
    document = type(document)(
        **{**{name: getattr(document, name) for name in document.__slots__}, "text": "quay" + text}
    )
    await put(collection, document)
    stored = await collection.store.get(Key(DEFAULT_TENANT, "long"))
    assert stored is not None
    assert stored.text == "quay" + text
    await put(collection, encoded(collection.analyzer, "long", ["short"]))
    stored = await collection.store.get(Key(DEFAULT_TENANT, "long"))
    assert stored is not None
    assert stored.text == "short"


async def test_records_say_what_documents_were_made_from(collection: Collection) -> None:
    await put(collection, encoded(collection.analyzer, "a", ["sluice", "gate"], title="T"))
    first = await collection.store.get(Key(DEFAULT_TENANT, "a"))
    await put(collection, encoded(collection.analyzer, "a", ["sluice"]))
    keys = [Key(DEFAULT_TENANT, "a"), Key(DEFAULT_TENANT, "b")]
    document = await collection.store.get(keys[0])
    assert first is not None
    assert document is not None
    identities = await collection.store.identities(keys)
    assert {k: (i.content_hash, i.recipe, i.chunks) for k, i in identities.items()} == {
        keys[0]: ("hash of sluice", "recipe", 1)
    }
    assert await collection.store.current(keys) == {keys[0]: document.revision}
    assert await collection.store.get(keys[1]) is None
    assert document.created_at == first.created_at
    assert document.updated_at > first.updated_at
    assert (document.terms, document.kind, document.title) == (1, "prose", None)


async def test_settings_are_kept(opener: Opener) -> None:
    async with opener() as collection:
        assert await collection.store.get_setting("x") is None
        await collection.store.put_settings({"x": "1", "y": "ä"})
        await collection.store.put_settings({"x": "2"})
    async with opener() as collection:
        assert [await collection.store.get_setting(name) for name in "xyz"] == ["2", "ä", None]


async def test_points_are_scrolled_in_the_order_of_their_ids(collection: Collection) -> None:
    await put(collection, *(encoded(collection.analyzer, str(n), ["lock", "gate"]) for n in range(15)))
    seen = []
    after = None
    while True:
        page, after = await collection.engine.scroll(after, 7)
        seen.extend(page)
        if after is None:
            break
    assert len(seen) == 30
    assert [id_ for id_, _ in seen] == sorted(id_ for id_, _ in seen)
    assert all(id_ == point_id(passage.revision, passage.number) for id_, passage in seen)


async def test_new_weights_pass_over_points_that_are_gone(collection: Collection) -> None:
    await put(collection, encoded(collection.analyzer, "a", ["winch"]))
    [hit] = await search(collection, "winch", 1)
    [term] = collection.analyzer.counts("winch")
    there, gone = point_id(hit.passage.revision, 0), point_ids("f" * 24, 1)[0]
    await collection.engine.replace_vectors({there: {term: 4.0}, gone: {term: 1.0}})
    [again] = await search(collection, "winch", 1)
    assert again.score > 2 * hit.score
    assert await collection.engine.count() == 1
    await collection.engine.replace_vectors({gone: {term: 1.0}})


async def test_drifted_weights_are_renewed_in_the_background(opener: Opener) -> None:
    async with opener() as collection:
        await put(collection, encoded(collection.analyzer, "short", ["crane"]))
        assert await collection.store.get_setting("mean_terms") == "1.0"
        text = " ".join(f"word{n}" for n in range(200)) + " crane"
        await put(collection, *(encoded(collection.analyzer, f"long{n}", [text]) for n in range(5)))
        before = {hit.passage.document_id: hit.score for hit in await search(collection, "crane", 9)}
        collection.maintenance.notice_change()
        await asyncio.wait_for(collection.maintenance.settled(), 30)
        after = {hit.passage.document_id: hit.score for hit in await search(collection, "crane", 9)}
        assert after["long0"] > 10 * before["long0"]  # 200 times the mean length before, about it after
        assert float(await collection.store.get_setting("mean_terms") or 0) == pytest.approx(1006 / 6)
        assert await collection.store.get_setting("encoding") == "finished"

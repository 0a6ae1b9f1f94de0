"""What the measurements of a fleet make of what they have measured."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

pytest.importorskip("kopf")

from bench.fleet import page
from bench.fleet.creation import Cost, cost_bars, creation_bar, writes_bar
from bench.fleet.curve import Row
from bench.fleet.pipelines import percentile, places
from bench.fleet.seen import Place, Seen

from ragfleet_operator.kinds import PIPELINE, SERVICE

pytestmark = pytest.mark.anyio

_COST = Cost(
    count=100,
    seconds=10,
    ready=2,
    children=1000,
    writes=1200,
    refused=0,
    before=90,
    memory=190,
    peak=200,
    cpu=5,
)
_ROW = Row(10, 0.1, 2, 11, 0.05, 95, 97, 2.1, 2.2, 0.3, 0.4, 0.2, 0.1)


class _Watch:
    """Gives the events that a test puts in, as lines of a watch."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[bytes] = asyncio.Queue()

    def put(self, type_: str, name: str, version: int, uid: str = "1") -> None:
        metadata = {"name": name, "namespace": "n", "uid": uid, "resourceVersion": str(version)}
        self.events.put_nowait(orjson.dumps({"type": type_, "object": {"metadata": metadata}}))

    async def lines(self, _: str) -> AsyncIterator[bytes]:
        while True:
            yield await self.events.get()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_the_page_keeps_what_is_written_by_hand(tmp_path: Path) -> None:
    file = tmp_path / "fleet.md"
    file.write_text(f"before\n{page._BEGIN}\nold\n{page._END}\nafter\n")
    page.write(file, [_ROW])
    text = file.read_text()
    assert text.startswith("before\n")
    assert text.endswith(f"{page._END}\nafter\n")
    assert "old" not in text
    assert "| 10 | 0.100 |" in text
    page.write(file, [_ROW])
    assert file.read_text() == text


def test_a_page_without_marks_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "fleet.md"
    file.write_text("nothing\n")
    with pytest.raises(ValueError, match="no marks"):
        page.write(file, [_ROW])
    assert file.read_text() == "nothing\n"


def test_the_page_in_the_repository_has_the_marks() -> None:
    text = Path(__file__).parents[3].joinpath("docs", "fleet.md").read_text()
    assert text.count(page._BEGIN) == text.count(page._END) == 1


def test_a_large_fleet_is_held_to_the_small_ones_cost() -> None:
    dearer = replace(_COST, count=1000, seconds=130, writes=12000, memory=1090)
    time, writes, memory = cost_bars(dearer, [_COST, replace(_COST, seconds=30)])
    assert time.figure == pytest.approx(0.13 / 0.2)
    assert writes.figure == pytest.approx(1.0)
    assert memory.figure == pytest.approx(1.0)
    slow, *_ = cost_bars(dearer, [_COST])
    assert slow.figure == pytest.approx(1.3)
    assert not slow.is_reached


def test_the_best_of_the_turns_is_compared() -> None:
    assert creation_bar(200, [14, 13], [11, 10]).figure == pytest.approx(1.3)


def test_two_writes_more_than_children_are_allowed() -> None:
    assert writes_bar(_COST).is_reached
    assert not writes_bar(replace(_COST, writes=1201)).is_reached


def test_neighbours_share_a_namespace_and_a_fleet_grows_where_it_ended() -> None:
    first, more = places(60), places(60, 60)
    assert [place.namespace for place in first].count("fleet-000") == 50
    assert places(120) == [*first, *more]
    assert len({place.name for place in (*first, *more)}) == 120


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([1.0, float("inf")], 0.95) == float("inf")


async def test_a_moment_is_that_of_the_change_and_what_is_late_is_left_out() -> None:
    watch = _Watch()
    seen = Seen(watch, [SERVICE])  # type: ignore[arg-type]
    a, b = Place(SERVICE, "n", "a"), Place(SERVICE, "n", "b")
    async with seen.watching():
        watch.put("ADDED", "a", 1)
        found = await seen.moments([a, b], seen.__contains__, 0.2)
        assert found.keys() == {a}
        assert found[a] == pytest.approx(seen.changed[a], abs=0.05)
        watch.put("ADDED", "b", 2)
        assert await seen.all_so([a, b], seen.__contains__, "both", 5) >= seen.changed[b]
        watch.put("DELETED", "a", 3)
        watch.put("ADDED", "a", 4, uid="2")
        await seen.all_so([a], lambda place: seen.uid(place) == "2", "another", 5)
        assert seen.version(a) == 4
        with pytest.raises(TimeoutError, match="Service n/b"):
            await seen.all_so([b], lambda _: False, "what never comes", 0.05)


async def test_children_are_counted_without_their_pipelines() -> None:
    watch, pipelines = _Watch(), _Watch()

    class Both:
        def lines(self, path: str) -> AsyncIterator[bytes]:
            return (pipelines if PIPELINE.plural in path else watch).lines(path)

    seen = Seen(Both(), [PIPELINE, SERVICE])  # type: ignore[arg-type]
    async with seen.watching():
        for version, type_ in enumerate(("ADDED", "MODIFIED", "DELETED", "ADDED")):
            pipelines.put(type_, "p", version)
        watch.put("ADDED", "a", 1)
        assert await seen.children_reach(1, 5) > 0
        await seen.all_so([Place(PIPELINE, "n", "p")], lambda p: seen.version(p) == 3, "the pipeline", 5)
        assert seen.children_count == 1
        with pytest.raises(TimeoutError):
            await seen.children_reach(2, 0.05)


async def test_a_watch_that_breaks_ends_the_measurement() -> None:
    watch = _Watch()
    seen = Seen(watch, [SERVICE])  # type: ignore[arg-type]
    watch.events.put_nowait(orjson.dumps({"type": "ERROR", "object": {"message": "too old"}}))
    with pytest.raises(ExceptionGroup) as raised:
        async with seen.watching():
            await asyncio.sleep(5)
    assert "too old" in str(raised.value.exceptions[0])

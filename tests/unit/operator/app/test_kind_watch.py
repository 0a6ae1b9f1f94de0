"""kopf asks, and the objects in the answers are taken before it sees them; kopf is the real one here."""

from __future__ import annotations

import asyncio
import gc
import io
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog

from ragfleet_operator import watch
from ragfleet_operator.access import Access
from ragfleet_operator.engine.compose import Engine, make_engine
from ragfleet_operator.kinds import SERVICE, Kind
from ragfleet_operator.logs import configure_logs
from ragfleet_operator.model import Key, Object, Settings
from ragfleet_operator.names import PIPELINE_LABEL
from ragfleet_operator.settings import Timing
from ragfleet_operator.sources import Phase, Source, WatchState
from ragfleet_operator.watch import KindWatch, NotTakenError, Sinks
from support.fake_cluster import FakeCluster
from support.operator_process import tracebacks
from support.watch_server import WatchServer, error, event, service, watch_server

pytestmark = pytest.mark.anyio

# kopf decodes a bookmark a chunk; more than this are what it would have been shown of two thousand objects.
MANY = 2000


@dataclass
class World:
    """A server, an operator's memory, and one watch. told: what was taken, in order; "end" is a list's."""

    server: WatchServer
    engine: Engine
    states: Sequence[WatchState]
    told: list[tuple[str | None, str]] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    broken: bool = False

    def see(self, kind: Kind, type_: str | None, obj: Object) -> None:
        if self.broken:
            raise ValueError("canary")
        self.told.append((type_, obj["metadata"]["name"]))
        self.engine.remember(kind, type_, obj)

    def listed(self, source: Source, names: Any, version: str) -> None:
        self.told.append(("end", source.namespace or ""))
        self.engine.keep_only(source.kind, source.namespace, source.selector, names, version)

    def changed(self) -> None:
        self.phases.append(self.states[0].phase)

    def sinks(self) -> Sinks:
        return Sinks(self.see, self.listed, lambda _: None, self.changed, lambda: None)

    @property
    def known(self) -> set[str]:
        """The names of the Services that the operator knows of; each is of a pipeline of its name."""
        names = {obj["metadata"]["name"] for objects in self.server.objects.values() for obj in objects}
        names |= {name for _, name in self.told}
        places = [Key(namespace, name) for namespace in ("default", "a", "b") for name in names]
        return {ref.name for key in places for ref in self.engine.cache.children(key)}

    async def until(self, check: Callable[[], bool], seconds: float = 10) -> None:
        async with asyncio.timeout(seconds):
            while not check():  # noqa: ASYNC110 - a server and kopf are asked, in this loop
                await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    monkeypatch.setattr(watch, "_RETRY_SECONDS", 0.1)
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    output = io.StringIO()
    configure_logs("info", as_json=True, stream=output)
    yield output
    root.handlers = handlers
    root.setLevel(level)
    for name in ("ragfleet", "ragfleet_operator"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    structlog.reset_defaults()
    assert "kopf was shown" not in output.getvalue()


@asynccontextmanager
async def watching(
    *objects: dict[str, Any],
    namespaces: Sequence[str | None] = (None,),
    opened: Sequence[bytes] = (),
    refuses: int = 0,
) -> AsyncIterator[tuple[World, asyncio.Task[None]]]:
    async with watch_server() as server:
        server.refuses = refuses
        for obj in objects:
            server.objects.setdefault(obj["metadata"]["namespace"], []).append(obj)
        server.opened = list(opened)
        states = [WatchState(Source(SERVICE, place, PIPELINE_LABEL), 60) for place in namespaces]
        world = World(server, make_engine(FakeCluster(), Settings("image")), states)
        kind_watch = KindWatch(states, Access(server.configuration), world.sinks(), Timing())
        task = asyncio.create_task(kind_watch.run())
        try:
            yield world, task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_a_start_is_one_list_and_a_watch_from_its_version(log: io.StringIO) -> None:
    async with watching(service("one", 3), service("two", 5)) as (world, _):
        await world.until(lambda: world.states[0].synced)
        assert world.told == [(None, "one"), (None, "two"), ("end", "")]
        assert len(world.server.lists) == 1
        await world.until(lambda: len(world.server.watches) == 1)
        (path, query) = world.server.watches[0]
        assert (path, query["resourceVersion"]) == ("/api/v1/services", "100")
        assert query["labelSelector"] == PIPELINE_LABEL
        world.server.tell(event("ADDED", service("three", 101)), event("DELETED", service("one", 102)))
        await world.until(lambda: world.known == {"two", "three"})
        assert len(world.server.lists) == 1
    assert log.getvalue() == ""


async def test_a_deletion_never_overtakes_the_list_that_holds_the_object() -> None:
    objects = [service(f"s{number}", number + 1) for number in range(MANY)]
    gone = event(
        "DELETED", {**objects[-1], "metadata": {**objects[-1]["metadata"], "resourceVersion": "101"}}
    )
    async with watching(*objects, opened=[gone]) as (world, _):
        await world.until(lambda: ("DELETED", f"s{MANY - 1}") in world.told)
        await asyncio.sleep(0.3)
        types = [type_ for type_, _ in world.told]
        assert types == [None] * MANY + ["end", "DELETED"]
        assert len(world.known) == MANY - 1
        assert [query.get("continue", "") for _, query in world.server.lists] == [
            "", *(str(number) for number in range(250, MANY, 250))
        ]  # fmt: skip


async def test_a_watch_that_ends_goes_on_from_the_newest_event_without_a_list() -> None:
    async with watching(service("one", 3)) as (world, _):
        await world.until(lambda: len(world.server.watches) == 1)
        world.server.tell(event("MODIFIED", service("one", 150)) + event("ADDED", service("two", 151)))
        world.server.end()
        await world.until(lambda: len(world.server.watches) == 2)
        assert world.server.watches[1][1]["resourceVersion"] == "151"
        world.server.tell(event("BOOKMARK", {"metadata": {"resourceVersion": "170"}}))
        world.server.end()
        await world.until(lambda: len(world.server.watches) == 3)
        assert world.server.watches[2][1]["resourceVersion"] == "170"
        assert len(world.server.lists) == 1
        assert world.phases == [Phase.LISTENING]


async def test_an_expired_watch_lists_anew_and_what_vanished_is_taken_out() -> None:
    async with watching(service("kept", 3), service("gone", 4), opened=[error(410)]) as (world, _):
        await world.until(lambda: len(world.server.watches) == 1)
        del world.server.objects["default"][1]
        world.server.version = 200
        await world.until(lambda: len(world.server.watches) == 2)
        assert world.server.watches[1][1]["resourceVersion"] == "200"
        assert world.known == {"kept"}
        assert len(world.server.lists) == 2


async def test_a_list_of_one_namespace_takes_nothing_from_another() -> None:
    objects = (service("one", 3, "a"), service("gone", 4, "a"), service("two", 5, "b"))
    async with watching(*objects, namespaces=("a", "b")) as (world, _):
        await world.until(lambda: all(state.synced for state in world.states))
        assert world.known == {"one", "gone", "two"}
        assert sorted(path for path, _ in world.server.lists) == [
            "/api/v1/namespaces/a/services",
            "/api/v1/namespaces/b/services",
        ]
        await world.until(lambda: len(world.server.watches) == 2)
        del world.server.objects["a"][1]
        world.server.version = 200
        world.server.opened = [b""] * 2
        world.server.tell(error(410))
        await world.until(lambda: len(world.server.lists) == 4)
        await world.until(lambda: world.known == {"one", "two"})


@pytest.mark.parametrize(
    "line",
    [
        b"<html>\n",
        b'{"type":"ADDED","object":{"metadata":{"name":"x"}}}\n',
        event("ADDED", {"spec": {}}),
        error(500),
    ],
)
async def test_a_watch_that_cant_be_read_is_lost_and_starts_again(log: io.StringIO, line: bytes) -> None:
    async with watching(service("one", 3), opened=[event("ADDED", service("two", 101)) + line]) as (world, _):
        await world.until(lambda: len(world.server.watches) == 2)
        await world.until(lambda: world.states[0].phase is Phase.LISTENING)
        assert world.phases == [Phase.LISTENING, Phase.LOST, Phase.LISTENING]
        assert len(world.server.lists) == 2
        world.server.tell(event("ADDED", service("three", 201)))
        await world.until(lambda: ("ADDED", "three") in world.told)
    assert tracebacks(log.getvalue()) == []
    assert "html" not in log.getvalue()


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"metadata":{"resourceVersion":"7"},"items":[{}]}'])
async def test_a_list_that_cant_be_read_is_asked_for_again_and_nothing_is_taken_out(
    log: io.StringIO, body: bytes
) -> None:
    async with watching(service("one", 3), opened=[error(410)]) as (world, _):
        await world.until(lambda: world.states[0].synced)
        world.server.bodies = [body]
        await world.until(lambda: len(world.server.lists) == 2)
        assert world.known == {"one"}
        await world.until(lambda: len(world.server.watches) == 2)
        assert Phase.LOST in world.phases
        assert len(world.server.lists) == 3
        assert world.known == {"one"}
    assert tracebacks(log.getvalue()) == []


async def test_a_kopf_that_isnt_told_what_kinds_there_are_starts_again_without_a_word(
    log: io.StringIO,
) -> None:
    async with watching(service("one", 3), refuses=2) as (world, _):
        await world.until(lambda: world.states[0].synced)
        assert world.known == {"one"}
        assert world.server.refuses == 0
        assert world.phases == [Phase.LOST, Phase.LISTENING]
    gc.collect()  # of tasks that nobody asked for their end, asyncio tells then
    assert "kopf" not in log.getvalue()
    assert tracebacks(log.getvalue()) == []


async def test_an_object_larger_than_what_is_read_at_a_time_is_taken_whole() -> None:
    large = service("large", 101, annotations={"x": "y" * 3_000_000})
    async with watching(service("one", 3)) as (world, _):
        await world.until(lambda: len(world.server.watches) == 1)
        line = event("ADDED", large)
        world.server.tell(line[:1_000_000], line[1_000_000:] + event("ADDED", service("next", 102)))
        await world.until(lambda: world.known == {"one", "large", "next"})
        assert world.told[-2:] == [("ADDED", "large"), ("ADDED", "next")]


async def test_an_event_that_cant_be_taken_ends_the_watch_and_is_told(log: io.StringIO) -> None:
    async with watching(service("one", 3)) as (world, task):
        await world.until(lambda: len(world.server.watches) == 1)
        world.broken = True
        world.server.tell(event("MODIFIED", service("one", 101)))
        async with asyncio.timeout(10):
            with pytest.raises(NotTakenError, match="services: default/one: ValueError"):
                await task
    assert "can't be taken" in log.getvalue()
    assert "ValueError" in log.getvalue()


async def test_a_sign_of_life_is_any_line() -> None:
    async with watching(service("one", 3)) as (world, _):
        await world.until(lambda: len(world.server.watches) == 1)
        for line in (
            event("BOOKMARK", {"metadata": {"resourceVersion": "170"}}),
            event("ADDED", service("x", 171)),
        ):
            await asyncio.sleep(0.2)
            assert world.states[0].age > 0.15
            world.server.tell(line)
            await world.until(lambda: world.states[0].age < 0.1)

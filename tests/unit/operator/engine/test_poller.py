"""Asking services how they are: bounded, with their own token, and with few different words for silence."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from ragfleet_operator.engine.errors import Unavailable
from ragfleet_operator.engine.poll import Poller
from ragfleet_operator.kinds import SECRET
from ragfleet_operator.model import Key, Report
from support.fake_cluster import FakeCluster

pytestmark = pytest.mark.anyio

KEY = Key("default", "handbook")
GOOD = {
    "collection": "c",
    "engine": "Qdrant",
    "documents": 3,
    "chunks": 9,
    "staleDocuments": 1,
    "store": {"reachable": True, "message": ""},
    "ready": True,
    "version": "1",
}


class Service:
    """A service's admin port, that answers as told."""

    def __init__(self) -> None:
        self.answer: Any = GOOD
        self.status = 200
        self.delay = 0.0
        self.token = "first"
        self.asked = 0
        self.followed = False
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.asked += 1
        await asyncio.sleep(self.delay)
        if request.headers["Authorization"] != f"Bearer {self.token}":
            return web.json_response({}, status=401)
        if self.status == 302:
            raise web.HTTPFound("/elsewhere")
        if isinstance(self.answer, str):
            return web.Response(text=self.answer, status=self.status)
        return web.json_response(self.answer, status=self.status)

    async def elsewhere(self, request: web.Request) -> web.Response:
        self.followed = True
        return web.json_response(GOOD)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    playing = Service()
    app = web.Application()
    app.router.add_get("/status", playing.handle)
    app.router.add_get("/elsewhere", playing.elsewhere)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    playing.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield playing
    await runner.cleanup()


@pytest.fixture
def cluster() -> FakeCluster:
    fake = FakeCluster()
    put_token(fake, "first")
    return fake


@pytest.fixture
async def poller(cluster: FakeCluster, service: Service, changed: list[Key]) -> AsyncIterator[Poller]:
    polling = Poller(cluster, changed.append, address=lambda _: service.url, every=0.05, seconds=0.3)
    task = asyncio.create_task(polling.run())
    yield polling
    polling.close()
    await task


@pytest.fixture
def changed() -> list[Key]:
    """The pipelines that were told to have another report."""
    return []


def put_token(fake: FakeCluster, token: str) -> None:
    data = {"token": base64.b64encode(token.encode()).decode()}
    fake.put(SECRET, {"metadata": {"namespace": "default", "name": "handbook-admin"}, "data": data})


async def test_a_service_is_asked_again_and_again_and_only_news_are_told(
    poller: Poller, service: Service, changed: list[Key]
) -> None:
    poller.watch(KEY)
    assert poller.is_asking(KEY)
    await asyncio.sleep(0.3)
    assert service.asked >= 3
    assert changed == [KEY]
    assert poller.report(KEY) == Report(
        store_reachable=True, collection="c", documents=3, chunks=9, stale_documents=1
    )
    service.answer = {**GOOD, "documents": 4}
    await asyncio.sleep(0.2)
    assert changed == [KEY, KEY]


async def test_a_dropped_service_is_asked_no_more(poller: Poller, service: Service) -> None:
    poller.watch(KEY)
    await asyncio.sleep(0.1)
    poller.drop(KEY)
    asked = service.asked
    await asyncio.sleep(0.2)
    assert service.asked <= asked + 1
    assert poller.report(KEY) is None


async def test_a_new_token_is_read_when_the_old_one_is_refused(
    poller: Poller, service: Service, cluster: FakeCluster
) -> None:
    assert (await poller.ask(KEY)).error is None
    service.token = "second"
    put_token(cluster, "second")
    assert (await poller.ask(KEY)).error is None
    service.token = "third"
    report = await poller.ask(KEY)
    assert report.error == "the service doesn't accept the token of its admin port"
    assert "second" not in repr(report)


@pytest.mark.parametrize(
    ("status", "answer", "error"),
    [
        (503, {}, "the admin port answers 503"),
        (302, {}, "the admin port answers 302"),
        (200, "not json", "the admin port answers something that isn't a status"),
        (200, [1], "the admin port answers something that isn't a status"),
        (200, {"documents": -1}, "the admin port answers something that isn't a status"),
        (200, " " * 200_000 + "{}", "the admin port answers something that isn't a status"),
    ],
)
async def test_an_answer_that_is_none_is_said(
    poller: Poller, service: Service, status: int, answer: Any, error: str
) -> None:
    service.status, service.answer = status, answer
    assert (await poller.ask(KEY)).error == error
    assert not service.followed


async def test_silence_is_bounded_and_told_in_the_same_words_whatever_its_kind(
    poller: Poller, cluster: FakeCluster, service: Service
) -> None:
    service.delay = 2
    slow = await poller.ask(KEY)
    assert slow.error == "no connection, or nothing said within 0.3 s"
    nowhere = Poller(cluster, lambda _: None, address=lambda _: "http://127.0.0.1:1", seconds=0.3)
    # Or the status would be written at each change from the one to the other.
    assert await nowhere.ask(KEY) == slow
    nowhere.close()
    await nowhere.run()


async def test_without_a_token_nothing_is_asked(
    poller: Poller, service: Service, cluster: FakeCluster
) -> None:
    cluster.faults["get", SECRET] = Unavailable("x")
    assert (await poller.ask(KEY)).error == (
        "the token of the admin port can't be read: the API server can't be asked"
    )
    cluster.faults.clear()
    cluster.remove(SECRET, "default", "handbook-admin")
    assert "not found" in ((await poller.ask(KEY)).error or "")
    assert service.asked == 0


async def test_a_service_without_its_store_is_asked_often(cluster: FakeCluster, service: Service) -> None:
    service.answer = {**GOOD, "store": {"reachable": False, "message": "refused"}}
    polling = Poller(cluster, lambda _: None, address=lambda _: service.url, every=1.0, seconds=0.3)
    task = asyncio.create_task(polling.run())
    polling.watch(KEY)
    await asyncio.sleep(0.6)
    polling.close()
    await task
    assert service.asked >= 3

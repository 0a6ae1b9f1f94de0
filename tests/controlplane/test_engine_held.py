"""A change that the index does not fit is held back, until nothing is indexed or it is undone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from support.control_plane import ControlPlane
from support.engine_run import Bench, eventually, pipeline, running_engine

pytestmark = pytest.mark.anyio

GERMAN: dict[str, Any] = {"retrieval": {"mode": "Sparse", "bm25": {"language": "German"}}}
ENGLISH: dict[str, Any] = {"retrieval": {"mode": "Sparse", "bm25": {"language": "English"}}}
CONFIG = "ragfleet.dev/config"


class Service:
    """The admin port of a service with so many documents."""

    def __init__(self) -> None:
        self.documents = 5
        self.url = ""

    async def status(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "collection": "handbook",
                "engine": "Qdrant",
                "documents": self.documents,
                "chunks": self.documents,
                "staleDocuments": 0,
                "store": {"reachable": True, "message": ""},
                "ready": True,
                "version": "1",
            }
        )


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    found = Service()
    app = web.Application()
    app.router.add_get("/status", found.status)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


@pytest.fixture
def bench(control_plane: ControlPlane, namespace: str) -> Bench:
    return Bench(control_plane, namespace)


async def config_of(bench: Bench) -> str:
    found = await bench.get("deployment", "handbook")
    config: str = found["spec"]["template"]["metadata"]["annotations"][CONFIG]
    return config


async def test_a_change_of_the_index_is_held_until_it_is_undone(bench: Bench, service: Service) -> None:
    async with running_engine(bench.control_plane, bench.namespace, address=lambda _: service.url):
        await bench.apply(pipeline(**ENGLISH))
        await bench.reason("handbook", "Ready")
        before = await config_of(bench)
        await bench.apply(pipeline(**GERMAN))
        message = await bench.reason("handbook", "ReindexRequired")
        assert message
        assert (await bench.condition("handbook", "Stalled"))["status"] == "True"
        assert (await bench.condition("handbook", "IndexReady"))["status"] == "False"
        assert await config_of(bench) == before
        await bench.apply(pipeline(**ENGLISH))
        await bench.reason("handbook", "Ready")
        assert await config_of(bench) == before


async def test_a_change_of_an_empty_index_is_rolled_out(bench: Bench, service: Service) -> None:
    service.documents = 0
    async with running_engine(bench.control_plane, bench.namespace, address=lambda _: service.url):
        await bench.apply(pipeline(**ENGLISH))
        await bench.reason("handbook", "Ready")
        before = await config_of(bench)
        await bench.apply(pipeline(**GERMAN))

        async def is_rolled_out() -> bool:
            return await config_of(bench) != before

        await eventually(is_rolled_out, "the new configuration")
        await bench.reason("handbook", "Ready")

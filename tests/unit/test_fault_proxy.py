"""The fault proxy of the tests does to requests what its rules say, and nothing else."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import httpx
import orjson
import pytest
from aiohttp import web

from support.fault_proxy import FaultProxy
from support.fault_proxy_calls import WRITES, calls, read_call
from support.fault_proxy_rules import Answer, Cut, Delay, Expire, Rule, Rules, Stall

pytestmark = pytest.mark.anyio

PODS = "/api/v1/namespaces/team/pods"


class Upstream:
    """A server that counts what reaches it, and whose watches tell what is put into them."""

    def __init__(self) -> None:
        self.reached: list[str] = []
        self.events: asyncio.Queue[str] = asyncio.Queue()
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.reached.append(f"{request.method} {request.raw_path}")
        if "watch" not in request.query:
            body = await request.text()
            return web.json_response(
                {"sent": body, "token": request.headers.get("Authorization")}, status=201
            )
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write((await self.events.get()).encode() + b"\n")


@asynccontextmanager
async def running(seed: int = 0) -> AsyncIterator[tuple[Upstream, FaultProxy, httpx.AsyncClient]]:
    upstream = Upstream()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", upstream.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        with proxied(f"http://127.0.0.1:{runner.addresses[0][1]}", seed) as proxy:
            async with httpx.AsyncClient(base_url=proxy.url, timeout=5, trust_env=False) as client:
                yield upstream, proxy, client
    finally:
        await runner.cleanup()


@contextmanager
def proxied(url: str, seed: int) -> Iterator[FaultProxy]:
    proxy = FaultProxy(url, ssl.create_default_context(), seed)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()


async def test_what_meets_no_rule_passes_as_it_is() -> None:
    async with running() as (upstream, proxy, client):
        answer = await client.post(f"{PODS}?a=b%2Fc", content=b"{}", headers={"Authorization": "Bearer t"})
        assert answer.status_code == 201
        assert answer.json() == {"sent": "{}", "token": "Bearer t"}
        assert upstream.reached == [f"POST {PODS}?a=b%2Fc"]
        assert [(done.call.verb, done.fault, done.code) for done in proxy.log] == [("create", None, 201)]


async def test_an_event_of_a_watch_passes_at_once() -> None:
    async with running() as (upstream, _, client), client.stream("GET", f"{PODS}?watch=true") as answer:
        lines = answer.aiter_lines()
        for text in ("one", "two"):
            await upstream.events.put(text)
            assert await asyncio.wait_for(anext(lines), 2) == text


async def test_an_answer_is_a_status_and_the_server_isnt_asked() -> None:
    async with running() as (upstream, proxy, client):
        proxy.add(Answer(429, "later", retry_after=3), calls(verbs=WRITES), times=1)
        answer = await client.post(PODS, json={})
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")
        assert (answer.json()["kind"], answer.json()["reason"]) == ("Status", "TooManyRequests")
        assert upstream.reached == []
        assert (await client.post(PODS, json={})).status_code == 201


@pytest.mark.parametrize("forwarded", [False, True])
async def test_a_cut_loses_the_request_or_only_its_answer(forwarded: bool) -> None:
    async with running() as (upstream, proxy, client):
        seen: list[int] = []
        proxy.add(Cut(forwarded, lambda: seen.append(len(upstream.reached))), calls(), times=1)
        with pytest.raises(httpx.TransportError):
            await client.post(PODS, json={})
        assert len(upstream.reached) == int(forwarded)
        assert seen == [int(forwarded)]
        assert proxy.log[0].code == 0


async def test_a_delay_is_before_the_server_is_asked() -> None:
    async with running() as (upstream, proxy, client):
        proxy.add(Delay(0.3), calls())
        asked = asyncio.create_task(client.get(PODS))
        await asyncio.sleep(0.1)
        assert upstream.reached == []
        assert (await asked).status_code == 201


async def test_a_stalled_request_isnt_answered_and_a_stalled_watch_tells_nothing() -> None:
    async with running() as (upstream, proxy, client):
        proxy.add(Stall(), calls())
        with pytest.raises(httpx.ReadTimeout):
            await client.get(PODS, timeout=0.3)
        async with client.stream("GET", f"{PODS}?watch=1", timeout=0.3) as answer:
            assert answer.status_code == 200
            with pytest.raises(httpx.ReadTimeout):
                await anext(answer.aiter_lines())
        assert upstream.reached == []


async def test_an_expired_watch_says_so_and_ends() -> None:
    async with running() as (_, proxy, client):
        proxy.add(Expire(), calls(verbs={"watch"}))
        (line,) = (await client.get(f"{PODS}?watch=1")).text.splitlines()
        event = orjson.loads(line)
        assert (event["type"], event["object"]["code"], event["object"]["reason"]) == (
            "ERROR",
            410,
            "Expired",
        )


async def test_open_watches_can_be_silenced_and_cut() -> None:
    async with running() as (upstream, proxy, client):
        async with client.stream("GET", f"{PODS}?watch=1", timeout=0.4) as answer:
            lines = answer.aiter_lines()
            await upstream.events.put("heard")
            assert await anext(lines) == "heard"
            assert proxy.silence(calls(resources={"services"})) == 0
            assert proxy.silence() == 1
            await upstream.events.put("lost")
            with pytest.raises(httpx.ReadTimeout):
                await anext(lines)
        async with client.stream("GET", f"{PODS}?watch=1") as answer:
            await upstream.events.put("heard")
            lines = answer.aiter_lines()
            await anext(lines)
            assert proxy.cut() == 1
            with pytest.raises(httpx.TransportError):
                await asyncio.wait_for(anext(lines), 2)


async def test_a_partition_breaks_connections_off() -> None:
    async with running() as (upstream, proxy, client):
        async with client.stream("GET", f"{PODS}?watch=1") as answer:
            with proxy.partition():
                with pytest.raises(httpx.TransportError):
                    await asyncio.wait_for(anext(answer.aiter_lines()), 2)
                with pytest.raises(httpx.TransportError):
                    await client.get(PODS)
        assert upstream.reached == [f"GET {PODS}?watch=1"]
        assert (await client.get(PODS)).status_code == 201


async def test_a_partition_that_hangs_delivers_later() -> None:
    async with running() as (upstream, proxy, client), client.stream("GET", f"{PODS}?watch=1") as answer:
        lines = answer.aiter_lines()
        with proxy.partition(hangs=True):
            await asyncio.sleep(0.05)
            await upstream.events.put("late")
            heard = asyncio.ensure_future(anext(lines))
            asked = asyncio.create_task(client.get(PODS))
            await asyncio.sleep(0.2)
            assert not heard.done()
            assert not asked.done()
        assert await asyncio.wait_for(heard, 2) == "late"
        assert (await asked).status_code == 201


async def test_a_server_that_is_away_is_seen_as_that() -> None:
    with proxied("http://127.0.0.1:9", 0) as proxy:
        async with httpx.AsyncClient(base_url=proxy.url, trust_env=False) as client:
            with pytest.raises(httpx.TransportError):
                await client.get(PODS)


@pytest.mark.parametrize(
    ("method", "target", "type_", "body", "told"),
    [
        ("GET", PODS, "", b"", "list pods team"),
        ("GET", f"{PODS}?watch=1", "", b"", "watch pods team"),
        ("GET", f"{PODS}/a", "", b"", "get pods team/a"),
        ("POST", PODS, "application/json", b'{"metadata": {"name": "a"}}', "create pods team/a"),
        ("PATCH", f"{PODS}/a/status", "application/merge-patch+json", b"{}", "patch pods/status team/a"),
        ("PATCH", "/apis/apps/v1/namespaces/t/deployments/a", "application/apply-patch+yaml; charset=utf-8",
         b"", "apply deployments t/a"),
        ("DELETE", "/api/v1/namespaces/t", "", b"", "delete namespaces t"),
        ("PUT", "/api/v1/namespaces/t/finalize", "", b"", "update namespaces/finalize t"),
        ("GET", "/apis/apps/v1", "", b"", "get /apis/apps/v1"),
        ("GET", "/readyz", "", b"", "get /readyz"),
    ],
)  # fmt: skip
def test_a_request_is_read_as_kubernetes_means_it(
    method: str, target: str, type_: str, body: bytes, told: str
) -> None:
    url = httpx.URL(target)
    call = read_call(1, method, url.path, dict(url.params), type_, body)
    assert str(call) == told


def test_a_rule_meets_as_many_as_it_says_after_those_that_it_skips() -> None:
    rules = Rules(seed=0)
    rules.add(Rule(Cut(), calls(resources={"pods"}), times=2, skip=1))
    pod = read_call(1, "GET", PODS, {}, "", b"")
    other = read_call(1, "GET", "/api/v1/nodes", {}, "", b"")
    assert [rules.next(call) is not None for call in (pod, other, pod, pod, pod)] == [
        False, False, True, True, False,
    ]  # fmt: skip


def test_the_seed_says_which_requests_meet_what_is_left_to_chance() -> None:
    def drawn(seed: int) -> list[bool]:
        rules = Rules(seed)
        rules.add(Rule(Cut(), calls(), probability=0.5))
        return [rules.next(read_call(1, "GET", PODS, {}, "", b"")) is not None for _ in range(64)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert 16 < sum(drawn(1)) < 48

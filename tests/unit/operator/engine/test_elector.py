"""The elector with servers that refuse, hang, forget and lie."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration

from ragfleet_operator.engine.candidate import Terms
from ragfleet_operator.engine.client import KubernetesCluster
from ragfleet_operator.engine.elector import Elector, LeadershipLostError
from ragfleet_operator.engine.errors import ApiError, Conflict, NotFound, NotLeadingError, Unavailable
from ragfleet_operator.engine.fence import fence
from ragfleet_operator.engine.lease import KubernetesLeases
from ragfleet_operator.errors import OperatorError
from ragfleet_operator.kinds import SERVICE
from ragfleet_operator.leadership import Alone, Election, identity
from ragfleet_operator.model import Object

pytestmark = pytest.mark.anyio

TERMS = Terms(2, 0.9, 0.1, 0.3)
RELEASED = {"spec": {"holderIdentity": "", "leaseDurationSeconds": 1}}


class Memory:
    """Implements engine.lease.Leases. before: is awaited before each call, with its name."""

    def __init__(self, stored: Object | None = RELEASED) -> None:
        self.calls: list[str] = []
        self.before: Callable[[str], Awaitable[None]] | None = None
        self._versions = itertools.count(1)
        self.stored: dict[str, Any] | None = None
        if stored is not None:
            self.put(stored)

    def put(self, body: Object) -> dict[str, Any]:
        self.stored = {**body, "metadata": {"resourceVersion": str(next(self._versions))}}
        return self.stored

    @property
    def spec(self) -> dict[str, Any]:
        assert self.stored is not None
        spec: dict[str, Any] = self.stored["spec"]
        return spec

    async def get(self) -> Object:
        await self._called("get")
        if self.stored is None:
            raise NotFound("no such lease")
        return self.stored

    async def create(self, body: Object) -> Object:
        await self._called("create")
        if self.stored is not None:
            raise Conflict("there is one")
        return self.put(body)

    async def update(self, body: Object) -> Object:
        await self._called("update")
        if self.stored is None:
            raise NotFound("no such lease")
        if body["metadata"]["resourceVersion"] != self.stored["metadata"]["resourceVersion"]:
            raise Conflict("it has changed")
        return self.put(body)

    async def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.before is not None:
            await self.before(name)


def raising(error: Exception, *names: str) -> Callable[[str], Awaitable[None]]:
    async def before(name: str) -> None:
        if not names or name in names:
            raise error

    return before


async def hanging(_: str) -> None:
    await asyncio.sleep(3600)


@asynccontextmanager
async def running(elector: Elector) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(elector.run())
    try:
        yield task
    finally:
        elector.end()
        await asyncio.gather(task, return_exceptions=True)


async def gained(elector: Elector, seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        await elector.gained.wait()


async def test_it_leads_renews_and_gives_the_lease_back() -> None:
    leases = Memory()
    elector = Elector(leases, "a", TERMS)
    async with running(elector):
        await gained(elector)
        await asyncio.sleep(0.6)
        assert elector.leads()
        assert leases.calls[:2] == ["get", "update"]
        assert set(leases.calls[2:]) == {"update"}
        assert len(leases.calls) > 4
    assert elector.leads()
    await elector.release()
    assert not elector.leads()
    assert (leases.spec["holderIdentity"], leases.spec["leaseDurationSeconds"]) == ("", 1)


async def test_a_standby_that_ends_leaves_the_lease_alone() -> None:
    leases = Memory({"spec": {"holderIdentity": "b", "leaseDurationSeconds": 15}})
    elector = Elector(leases, "a", TERMS)
    async with running(elector):
        await asyncio.sleep(0.2)
    await elector.release()
    assert leases.spec["holderIdentity"] == "b"
    assert set(leases.calls) == {"get"}


@pytest.mark.parametrize(
    "error",
    [Unavailable("can't reach the API server"), ApiError("strange"), ConnectionRefusedError(), KeyError("x")],
    ids=lambda error: type(error).__name__,
)
async def test_whatever_a_call_raises_is_a_failed_renewal_and_the_end_comes_with_the_deadline(
    error: Exception,
) -> None:
    leases = Memory()
    elector = Elector(leases, "a", TERMS)
    async with running(elector) as task:
        await gained(elector)
        leases.before = raising(error)
        began = asyncio.get_running_loop().time()
        with pytest.raises(LeadershipLostError, match=r"wasn't renewed within 0.9 s \(last failure: "):
            await task
        assert 0.5 < asyncio.get_running_loop().time() - began < 2
        assert not elector.leads()
    assert leases.calls.count("get") >= 2


async def test_a_leader_outlives_a_failure_that_is_shorter_than_the_deadline() -> None:
    leases = Memory()
    elector = Elector(leases, "a", Terms(3, 2, 0.1, 0.8))
    async with running(elector):
        await gained(elector)
        leases.before = raising(Unavailable("away"))
        await asyncio.sleep(0.5)
        leases.before = None
        await asyncio.sleep(0.3)
        assert elector.leads()


@pytest.mark.parametrize("name", ["create", "get", "update"])
async def test_a_server_that_hangs_holds_no_leader_and_makes_none(name: str) -> None:
    leases = Memory(None if name == "create" else RELEASED)

    async def before(called: str) -> None:
        if called == name:
            await hanging(called)

    leases.before = before
    elector = Elector(leases, "a", TERMS)
    async with running(elector) as task:
        await asyncio.sleep(0.9)
        assert not elector.leads()
        assert not task.done()
        assert leases.calls.count(name) >= 2
        leases.before = None
        await gained(elector)
        leases.before = hanging
        with pytest.raises(LeadershipLostError):
            await asyncio.wait_for(task, 2)


async def test_creating_is_refused_until_it_isnt() -> None:
    leases = Memory(None)
    leases.before = raising(ApiError("leases.coordination.k8s.io is forbidden"), "create")
    elector = Elector(leases, "a", TERMS)
    async with running(elector):
        await asyncio.sleep(0.3)
        assert leases.stored is None
        leases.before = None
        await gained(elector)
    assert leases.spec["holderIdentity"] == "a"


async def test_conflicts_without_end_make_no_leader_and_no_storm() -> None:
    leases = Memory()
    leases.before = raising(Conflict("changed"), "update")
    elector = Elector(leases, "a", TERMS)
    async with running(elector):
        await asyncio.sleep(0.5)
        assert not elector.leads()
        assert len(leases.calls) < 60


async def test_a_paused_process_leads_no_more_and_its_first_look_ends_it() -> None:
    clock = SimpleNamespace(now=100.0)
    leases = Memory()
    elector = Elector(leases, "a", TERMS, clock=lambda: clock.now)
    async with running(elector) as task:
        await gained(elector)
        clock.now += 0.85
        assert elector.leads()
        clock.now += 0.1
        assert not elector.leads()
        count = len(leases.calls)
        with pytest.raises(LeadershipLostError):
            await asyncio.wait_for(task, 2)
        assert len(leases.calls) == count  # not even a renewal


@pytest.mark.parametrize("year", [1970, 2100])
async def test_a_step_of_the_clock_changes_nothing(year: int) -> None:
    today = SimpleNamespace(now=datetime(2026, 5, 1, tzinfo=UTC))
    leases = Memory()
    first = Elector(leases, "a", TERMS, today=lambda: today.now)
    second = Elector(leases, "b", TERMS, today=lambda: datetime(1999, 1, 1, tzinfo=UTC))
    async with running(first), running(second):
        gains = [asyncio.create_task(one.gained.wait()) for one in (first, second)]
        await asyncio.wait(gains, timeout=5, return_when=asyncio.FIRST_COMPLETED)
        for gain in gains:
            gain.cancel()
        leader, other = (first, second) if first.leads() else (second, first)
        today.now = datetime(year, 1, 1, tzinfo=UTC)
        await asyncio.sleep(0.5)
        assert leader.leads()
        assert not other.leads()


async def test_it_is_cancelled_cleanly_in_the_middle_of_a_call() -> None:
    leases = Memory()
    leases.before = hanging
    task = asyncio.create_task(Elector(leases, "a", TERMS).run())
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_lease_that_cant_be_given_back_is_given_up_soon() -> None:
    leases = Memory()
    elector = Elector(leases, "a", TERMS)
    async with running(elector):
        await gained(elector)
    leases.before = hanging
    async with asyncio.timeout(1):
        await elector.release()
    assert not elector.leads()


async def test_a_renewal_without_an_answer_doesnt_keep_the_lease_from_being_given_back() -> None:
    leases = Memory()
    elector = Elector(leases, "a", TERMS)
    async with running(elector):
        await gained(elector)
    leases.put({"spec": dict(leases.spec)})
    await elector.release()
    assert leases.spec["holderIdentity"] == ""


@asynccontextmanager
async def served(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        await web.SockSite(runner, listener).start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            await runner.cleanup()


async def test_the_client_writes_with_the_version_that_was_read_and_knows_refusals() -> None:
    seen: list[tuple[str, str, Any]] = []

    async def answer(request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        seen.append((request.method, request.path, body))
        if request.method == "PUT":
            return web.json_response({"message": "it has changed"}, status=409)
        if request.method == "GET":
            return web.json_response({"metadata": {"resourceVersion": "7"}})
        return web.Response(text="<html>", status=200)

    async with served(answer) as url, aiohttp.ClientSession() as session:
        leases = KubernetesLeases(session, url, "ns", "one", seconds=5)
        got = await leases.get()
        with pytest.raises(Conflict):
            await leases.update({**got, "spec": {}})
        with pytest.raises(ApiError):
            await leases.create({"spec": {}})
    path = "/apis/coordination.k8s.io/v1/namespaces/ns/leases"
    assert [(method, place) for method, place, _ in seen] == [
        ("GET", f"{path}/one"),
        ("PUT", f"{path}/one"),
        ("POST", path),
    ]
    assert seen[1][2]["metadata"] == {"resourceVersion": "7"}
    assert seen[2][2]["metadata"]["name"] == "one"


async def test_the_client_gives_up_on_a_server_that_hangs_and_on_one_that_isnt_there() -> None:
    async def answer(_: web.Request) -> web.Response:
        await asyncio.sleep(1)
        return web.Response()

    async with aiohttp.ClientSession() as session:
        async with served(answer) as url:
            with pytest.raises(Unavailable, match=r"no answer from the API server within 0.1 s"):
                await KubernetesLeases(session, url, "ns", "one", seconds=0.1).get()
        with pytest.raises(Unavailable, match="can't reach the API server"):
            await KubernetesLeases(session, url, "ns", "one", seconds=1).get()


async def test_a_write_that_has_waited_for_its_connection_asks_once_more() -> None:
    received: list[str] = []
    leads = SimpleNamespace(now=True)

    async def answer(request: web.Request) -> web.Response:
        received.append(request.method)
        return web.json_response({"metadata": {"name": "x", "namespace": "n", "resourceVersion": "1"}})

    async with served(answer) as url:
        configuration = Configuration(host=url)
        fence(configuration, lambda: leads.now)
        cluster = KubernetesCluster(configuration)
        try:
            await cluster.create(SERVICE, "n", {"metadata": {"name": "x"}})
            leads.now = False
            for _ in range(2):  # on the connection that there is, and on a new one
                with pytest.raises(NotLeadingError):
                    await cluster.apply(SERVICE, "n", {"metadata": {"name": "x"}})
            await cluster.get(SERVICE, "n", "x")
        finally:
            await cluster.close()
    assert received == ["POST", "GET"]


@pytest.mark.parametrize("looks", range(3))
async def test_a_write_that_is_on_its_way_asks_until_it_is_sent(looks: int) -> None:
    """looks: how many questions are answered with yes before the answer is no."""
    received: list[str] = []
    answers = iter([True] * looks)

    async def answer(request: web.Request) -> web.Response:
        received.append(request.method)
        return web.json_response({"metadata": {"name": "x", "namespace": "n", "resourceVersion": "1"}})

    async with served(answer) as url:
        configuration = Configuration(host=url)
        fence(configuration, lambda: next(answers, False))
        cluster = KubernetesCluster(configuration)
        try:
            if looks < 2:  # one for the connection, one for the bytes
                with pytest.raises(NotLeadingError, match="this operator isn't the one that writes"):
                    await cluster.create(SERVICE, "n", {"metadata": {"name": "x"}})
            else:
                await cluster.create(SERVICE, "n", {"metadata": {"name": "x"}})
            await cluster.get(SERVICE, "n", "x")
        finally:
            await cluster.close()
    assert received == (["GET"] if looks < 2 else ["POST", "GET"])


@pytest.mark.parametrize(
    ("election", "own", "enabled", "namespace"),
    [
        (Election(), "", False, ""),
        (Election(), "system", True, "system"),
        (Election(enabled=False), "system", False, "system"),
        (Election(enabled=True, namespace="there"), "", True, "there"),
        (Election(namespace="there"), "system", True, "there"),
    ],
)
def test_there_is_an_election_in_a_pod_or_where_it_is_asked_for(
    election: Election, own: str, enabled: bool, namespace: str
) -> None:
    resolved = election.resolved(own)
    assert (resolved.enabled, resolved.namespace) == (enabled, namespace)


def test_what_cant_be_elected_is_refused() -> None:
    with pytest.raises(OperatorError, match="set --lease-namespace"):
        Election(enabled=True).resolved("")
    with pytest.raises(OperatorError, match="--lease-seconds is 2; it can be from 3 to 300"):
        Election(seconds=2).resolved("system")


def test_each_start_has_a_name_of_its_own_with_the_pods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POD_NAME", "operator-7d9-abc")
    assert identity().startswith("operator-7d9-abc_")
    assert identity() != identity()
    monkeypatch.delenv("POD_NAME")
    assert identity().startswith(socket.gethostname())


async def test_one_that_is_alone_leads_until_its_end() -> None:
    alone = Alone()
    assert alone.gained.is_set()
    assert alone.leads()
    alone.end()
    await alone.run()
    await alone.release()
    assert not alone.leads()
    assert alone.notes() == []

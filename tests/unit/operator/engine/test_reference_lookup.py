"""References are looked up often while something is missing, seldom afterwards, never where watched."""

from __future__ import annotations

from typing import Any

import pytest

from ragfleet_operator.engine.errors import Forbidden
from ragfleet_operator.engine.references import References
from ragfleet_operator.engine.watched import Watched
from ragfleet_operator.kinds import PVC, SECRET
from ragfleet_operator.model import Fault, Key, Missing
from ragfleet_operator.render import Reference
from support.fake_cluster import FakeCluster

pytestmark = pytest.mark.anyio

KEY = Key("default", "handbook")
PATH = "spec.generation.openAI.apiKeySecretRef"
WANTED = (Reference("Secret", "llm", frozenset({"token"}), PATH, rolls=False),)


class World:
    """References on a fake cluster, and a clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.cluster = FakeCluster()
        self.watched = Watched()
        self.references = References(self.cluster, self.watched, monotonic=lambda: self.now)

    def put(self, **data: str) -> dict[str, Any]:
        metadata = {"namespace": "default", "name": "llm"}
        return self.cluster.put(SECRET, {"metadata": metadata, "data": data})

    async def missing(self) -> tuple[Missing, ...]:
        return (await self.references.resolve(KEY, WANTED)).missing

    @property
    def reads(self) -> int:
        return self.cluster.calls["get", "Secret"]


@pytest.fixture
def world() -> World:
    return World()


async def test_a_missing_secret_and_a_missing_or_empty_key_are_told_apart(world: World) -> None:
    assert await world.missing() == (Missing("Secret", "llm", "", PATH),)
    world.put(token="")
    world.now = 3
    assert await world.missing() == (Missing("Secret", "llm", "token", PATH),)
    world.put(token="eA==")
    world.now = 6
    assert await world.missing() == ()


async def test_what_is_missing_is_read_every_three_seconds_and_the_rest_every_five_minutes(
    world: World,
) -> None:
    await world.missing()
    world.now = 1
    await world.missing()
    assert world.reads == 1
    world.put(token="eA==")
    world.now = 3
    assert await world.missing() == ()
    assert world.reads == 2
    world.now = 260
    await world.missing()
    assert world.reads == 2
    world.now = 264
    await world.missing()
    assert world.reads == 3


async def test_what_is_watched_is_not_read(world: World) -> None:
    await world.missing()
    keys = world.watched.see(SECRET, "ADDED", world.put(token="eA=="))
    assert keys == {KEY}
    assert await world.missing() == ()
    assert world.reads == 1
    world.watched.see(SECRET, "MODIFIED", world.put(token=""))
    assert await world.missing() == (Missing("Secret", "llm", "token", PATH),)
    assert world.reads == 1


async def test_what_may_not_be_read_is_a_fault_and_not_missing(world: World) -> None:
    world.cluster.faults["get", SECRET] = Forbidden('secrets "llm" is forbidden')
    resolved = await world.references.resolve(KEY, WANTED)
    assert resolved.missing == ()
    assert [fault.fault for fault in resolved.faults] == [Fault.FORBIDDEN]
    world.cluster.faults.clear()
    assert len(await world.missing()) == 1


async def test_claims_need_no_entries_and_what_pods_do_not_need_is_not_looked_for(world: World) -> None:
    metadata = {"namespace": "default", "name": "models"}
    world.cluster.put(PVC, {"metadata": metadata, "spec": {}})
    wanted = (
        Reference("PersistentVolumeClaim", "models", frozenset(), "spec.runtime.models", rolls=False),
        Reference("Secret", "tls", frozenset(), "spec.exposure", is_needed=False, rolls=False),
    )
    assert (await world.references.resolve(KEY, wanted)).missing == ()
    assert world.reads == 0


async def test_no_value_is_kept(world: World) -> None:
    world.put(token="Y2FuYXJ5")
    await world.missing()
    assert "Y2FuYXJ5" not in repr(vars(world.references)["_memory"])

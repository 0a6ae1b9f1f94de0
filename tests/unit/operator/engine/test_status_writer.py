"""The status is written at once where it matters, seldom where it doesn't, and never over a newer object."""

from __future__ import annotations

from typing import Any

import pytest

from ragfleet_operator.engine.cache import Cache
from ragfleet_operator.engine.errors import Conflict, Forbidden
from ragfleet_operator.engine.status_writer import StatusWriter
from ragfleet_operator.engine.writes import Writes
from ragfleet_operator.kinds import PIPELINE
from ragfleet_operator.model import Key
from support.fake_cluster import FakeCluster

pytestmark = pytest.mark.anyio

KEY = Key("default", "handbook")


def status(ready: str = "True", message: str = "well", **more: Any) -> dict[str, Any]:
    reason = {"True": "Ready", "False": "Progressing"}[ready]
    condition = {
        "type": "Ready",
        "status": ready,
        "reason": reason,
        "message": message,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": 1,
    }
    return {"observedGeneration": 1, "conditions": [condition], **more}


class World:
    def __init__(self) -> None:
        self.now = 100.0
        self.busy = False
        self.cluster = FakeCluster()
        self.cache = Cache()
        self.writer = StatusWriter(
            Writes(self.cluster, self.cache),
            self.cache,
            is_busy=lambda: self.busy,
            monotonic=lambda: self.now,
        )
        self.stored = self.cluster.put(
            PIPELINE, {"metadata": {"namespace": "default", "name": "handbook"}, "spec": {"x": 1}}
        )
        self.cache.see(PIPELINE, "ADDED", self.stored)

    async def write(self, value: dict[str, Any], generation: int = 1) -> float | None:
        return await self.writer.write(KEY, self.stored["metadata"]["uid"], generation, value)

    @property
    def writes(self) -> int:
        return self.cluster.calls["status", "RAGPipeline"]


@pytest.fixture
def world() -> World:
    return World()


async def test_what_is_there_already_is_not_written(world: World) -> None:
    assert await world.write(status()) is None
    assert await world.write(status()) is None
    assert world.writes == 1


async def test_a_text_or_a_number_waits_and_a_condition_does_not(world: World) -> None:
    await world.write(status())
    world.now += 20
    assert await world.write(status(message="other")) == 40
    assert world.writes == 1
    await world.write(status("False"))
    assert world.writes == 2
    world.now += 29
    assert await world.write(status("False", message="1 of 2")) == 1
    world.now += 1
    assert await world.write(status("False", message="1 of 2")) is None
    assert world.writes == 3


async def test_a_field_that_is_no_longer_told_is_taken_away(world: World) -> None:
    await world.write(status(endpoint="http://x"))
    await world.write(status())
    assert "endpoint" not in world.cluster.objects[PIPELINE, *KEY]["status"]


async def test_a_status_of_an_older_spec_or_another_object_is_not_written(world: World) -> None:
    assert await world.write(status(), generation=0) == 0.2
    assert await world.writer.write(KEY, "other", 1, status()) is None
    world.cluster.put(PIPELINE, world.stored)  # changed, and not seen yet
    assert await world.write(status()) == 0.2
    assert world.cluster.objects[PIPELINE, *KEY].get("status") is None


async def test_an_event_is_posted_for_a_condition_and_its_refusal_is_no_harm(world: World) -> None:
    await world.write(status("False"))
    await world.write(status())
    (event,) = world.cluster.events
    assert (event["reason"], event["type"], event["regarding"]["name"]) == ("Ready", "Normal", "handbook")
    world.cluster.faults["event", PIPELINE] = Forbidden("events is forbidden")
    await world.write(status("False"))
    assert world.cluster.objects[PIPELINE, *KEY]["status"]["conditions"][0]["status"] == "False"


async def test_where_many_come_at_once_the_first_news_gives_way_for_a_while(world: World) -> None:
    world.busy = True
    assert await world.write(status("False")) == 3
    world.now += 14
    assert await world.write(status("False")) == 3
    world.now += 1
    assert await world.write(status("False")) is None
    assert world.writes == 1


async def test_good_news_never_gives_way(world: World) -> None:
    world.busy = True
    assert await world.write(status()) is None
    assert world.writes == 1


async def test_a_pipeline_that_changes_again_and_again_is_not_raced(world: World) -> None:
    world.cluster.faults["status", PIPELINE] = Conflict("changed")
    pauses = [await world.write(status()) for _ in range(12)]
    assert pauses[:4] == [0.2, 0.4, 0.8, 1.6]
    assert pauses[-1] == 30
    world.cluster.faults.clear()
    assert await world.write(status()) is None
    world.cluster.faults["status", PIPELINE] = Conflict("changed")
    assert await world.write(status("False")) == 0.2


async def test_which_revisions_count_is_told_at_once(world: World) -> None:
    await world.write(status("False"))
    assert await world.write(status("False", replicas=1)) == 30  # progress can wait
    assert await world.write(status("False", revisions={"current": "aa"})) is None
    assert await world.write(status("False", revisions={"current": "aa", "lastGood": "aa"})) is None
    assert world.writes == 3

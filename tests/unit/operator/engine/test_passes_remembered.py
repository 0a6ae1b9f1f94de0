"""An operator that remembers what it rendered writes what one does that renders in each pass."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragfleet_operator.engine.parse import read_pipeline
from ragfleet_operator.kinds import CHILDREN, DEPLOYMENT, HTTP_ROUTE, PIPELINE, SECRET, SERVICE_MONITOR
from ragfleet_operator.names import MANAGED_BY_LABEL, PIN_ANNOTATION, REVISION_LABEL
from support.engine_run import pipeline
from support.engine_world import KEY, World

Event = Callable[[World], object]

EVERYWHERE: dict[str, Any] = {
    "exposure": {"type": "HTTPRoute", "httpRoute": {"parentRefs": [{"name": "gateway"}]}},
    "monitoring": {"serviceMonitor": {}},
}
SPECS: list[dict[str, Any]] = [
    {},
    {"retrieval": {"topK": 9}},
    {"replicas": 3, "networkPolicy": {"clients": []}},
    {"autoscaling": {"minReplicas": 2, "maxReplicas": 5}},
    {"runtime": {"image": "registry.example/ragfleet:crash"}},
    {"runtime": {"upgradePolicy": "WithOperator", "labels": {"team": "docs"}}},
    {"auth": {"required": False}, "monitoring": {"serviceMonitor": {"labels": {"a": "b"}}}},
    {"exposure": {"type": "Ingress", "ingress": {"host": "docs.example"}}},
    EVERYWHERE,
    {"vectorStore": {"type": "Embedded"}},
    {"suspend": True},
    # Of another query fingerprint: held back where something may be indexed.
    {"retrieval": {"bm25": {"language": "German"}}, "upgrade": {"rollback": "Never"}},
]


def _edit(number: int) -> Event:
    """Somebody replaces the specification."""

    def event(world: World) -> None:
        place = (PIPELINE, *KEY)
        world.cluster._store(
            place, {**world.cluster.objects[place], "spec": pipeline(**SPECS[number])["spec"]}
        )

    return event


def _delete(position: int) -> Event:
    def event(world: World) -> None:
        found = _children(world)
        if found:
            world.cluster.remove(*found[position % len(found)])

    return event


def _spoil(position: int, field: str) -> Event:
    """Somebody changes a child: its labels, one of ours or one of theirs, or what it holds."""

    def event(world: World) -> None:
        found = _children(world)
        if not found:
            return
        place = found[position % len(found)]
        obj = copy.deepcopy(world.cluster.objects[place])
        if field == "spec":
            for name in obj.get("spec", {}):
                obj["spec"][name] = 77
                break
        else:
            obj["metadata"]["labels"][field] = "somebody"
        world.cluster.objects.pop(place)
        obj["metadata"].pop("resourceVersion")
        world.cluster.put(place[0], obj)

    return event


def _roll_out(world: World) -> None:
    if (DEPLOYMENT, *KEY) in world.cluster.objects:
        world.roll_out()


def _fail(world: World) -> None:
    deployment = world.cluster.objects.get((DEPLOYMENT, *KEY))
    if deployment is not None:
        world.is_overdue(deployment["spec"]["template"]["metadata"]["labels"].get(REVISION_LABEL, ""))


def _pin(world: World) -> None:
    found = [name for kind, _, name in world.cluster.objects if kind.kind == "ControllerRevision"]
    if found:
        pipeline = copy.deepcopy(world.cluster.objects[PIPELINE, *KEY])
        pipeline["metadata"]["annotations"] = {PIN_ANNOTATION: min(found).rpartition("-")[2]}
        world.cluster.put(PIPELINE, pipeline)


def _kinds(*present: Any) -> Event:
    return lambda world: setattr(world.cluster, "present", frozenset(present))


def _children(world: World) -> list[Any]:
    return sorted(place for place in world.cluster.objects if place[0] in CHILDREN)


EVENTS = st.one_of(
    st.integers(0, len(SPECS) - 1).map(_edit),
    st.integers(0, 11).map(_delete),
    st.builds(_spoil, st.integers(0, 11), st.sampled_from(["spec", MANAGED_BY_LABEL, "theirs"])),
    st.sampled_from(
        [_roll_out, _fail, _pin, _kinds(SERVICE_MONITOR, HTTP_ROUTE), _kinds(SERVICE_MONITOR), _kinds()]
    ),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(EVENTS, min_size=3, max_size=10))
def test_both_make_the_same_writes_whatever_happens(events: list[Event]) -> None:
    asyncio.run(_compare(events))


async def _compare(events: list[Event]) -> None:
    remembers, renders = World(), World()
    try:
        for world in (remembers, renders):
            world.edit(**EVERYWHERE)
        for event in (lambda _: None, *events):
            for world in (remembers, renders):
                event(world)
                for _ in range(2):
                    if world is renders:
                        world.engine.reconciler._renders.forget(KEY)
                    await world.look()
            # The versions too: neither has written once more or less than the other.
            assert _state(remembers) == _state(renders)
    finally:
        await remembers.end()
        await renders.end()


def _state(world: World) -> dict[Any, Any]:
    """All objects, but for what is random and what the clock says."""
    found = {}
    for place, obj in world.cluster.objects.items():
        shown = copy.deepcopy(obj)
        if place[0] == SECRET:
            shown["data"] = sorted(shown.get("data", {}))
        for condition in shown.get("status", {}).get("conditions", []):
            condition.pop("lastTransitionTime", None)
        found[place] = shown
    return found


def test_the_specifications_that_are_tried_are_valid_and_make_each_kind_of_child() -> None:
    async def run() -> set[Any]:
        world, made = World(), set()
        world.cluster.present = frozenset({SERVICE_MONITOR, HTTP_ROUTE})
        world.edit()
        for number in range(len(SPECS)):
            _edit(number)(world)
            assert read_pipeline(world.cluster.objects[PIPELINE, *KEY])
            await world.look()
            made |= {kind for kind, _, _ in world.cluster.objects}
        await world.end()
        return made

    assert asyncio.run(run()) >= {*CHILDREN}

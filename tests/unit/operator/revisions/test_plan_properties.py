"""What holds of plans whatever happens, in whichever order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragfleet_operator.revisions import Plan, as_json, is_rolled_back, state_of
from ragfleet_operator.revisions.pin import pin_of
from support.rendering import SETTINGS
from support.revision_world import AWAY, OTHER_IMAGE, REACHABLE, World, with_top_k

Event = Callable[[World], object]


def _edit(number: int, replicas: int, policy: str, rollback: str) -> Event:
    more: dict[str, Any] = {"runtime": {"upgradePolicy": policy}, "upgrade": {"rollback": rollback}}
    return lambda world: world.edit(with_top_k(number, replicas=replicas, **more))


def _ready(world: World) -> None:
    if world.deployment is not None:
        world.becomes_ready()


def _fail(word: str, old: int) -> Event:
    def event(world: World) -> None:
        if world.deployment is not None:
            world.fails(word, old=old)

    return event


def _pin(position: int, *, always: bool) -> Event:
    def event(world: World) -> None:
        ids = [*sorted(name.rpartition("-")[2] for name in world.kept), "0123456789"]
        world.pin(ids[position % len(ids)], always=always)

    return event


def _delete(position: int) -> Event:
    def event(world: World) -> None:
        if world.kept:
            world.kept.pop(sorted(world.kept)[position % len(world.kept)])

    return event


def _set(**fields: Any) -> Event:
    def event(world: World) -> None:
        for name, value in fields.items():
            setattr(world, name, value)

    return event


EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        _edit,
        st.integers(1, 3),
        st.integers(0, 2),
        st.sampled_from(["Pinned", "Pinned", "WithOperator"]),
        st.sampled_from(["Automatic", "Automatic", "Automatic", "Never"]),
    ),
    st.just(_ready),
    st.just(World.step),
    st.builds(
        _fail, st.sampled_from(["CrashLoopBackOff", "ErrImagePull", "Unschedulable", ""]), st.integers(0, 2)
    ),
    st.builds(_pin, st.integers(0, 9), always=st.booleans()),
    st.just(World.unpin),
    st.builds(_delete, st.integers(0, 9)),
    st.sampled_from(
        [
            _set(settings=SETTINGS),
            _set(settings=OTHER_IMAGE),
            _set(report=AWAY),
            _set(report=REACHABLE),
            _set(report=None),
            _set(status={}),
            _set(deployment=None),
        ]
    ),
)


def check(world: World, made: Plan) -> None:
    state, revision = made.state, made.revision
    assert world.plan() == made, "the same input gives the same plan"
    assert state_of({"revisions": as_json(state)}) == replace(state, unknown_pin="")
    rejected = state.rejected
    if rejected is not None and not made.stays and revision.id == rejected.revision:
        assert pin_of(world.pipeline) not in ("", rejected.pin), "a rejected one runs only by another pin"
    if rejected is not None:
        assert world.changes.get("upgrade", {}).get("rollback") != "Never"
    if is_rolled_back(state) and state.last_good in world.known and not state.unknown_pin:
        assert revision.id == state.last_good
    assert state.pinned in ("", *world.known)
    if not made.stays:
        assert state.current == revision.id
    kept = {ref.name for ref in made.keep}
    assert {f"handbook-{one}" for one in (revision.id, state.last_good, state.pinned) if one} <= kept | {
        f"handbook-{revision.id}"
    }


def carry_out(world: World) -> None:
    """Make a pass; the next one finds nothing to do."""
    world.step()
    after, deployment = world.plan(), world.deployment
    world.step()
    assert world.plan() == after, "what was carried out is not planned again"
    assert world.deployment == deployment


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(EVENTS, max_size=25))
def test_whatever_happens_a_rejected_revision_does_not_run(events: list[Event]) -> None:
    world = World()
    for event in events:
        event(world)
        check(world, world.plan())


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(EVENTS, max_size=20))
def test_passes_come_to_an_end(events: list[Event]) -> None:
    world = World()
    for event in events:
        event(world)
    world.step()
    world.step()
    carry_out(world)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(EVENTS, max_size=20), st.integers(1, 3))
def test_a_correct_specification_runs_in_the_end(events: list[Event], number: int) -> None:
    world = World()
    for event in events:
        event(world)
    world.unpin()
    world.report = REACHABLE
    world.edit(with_top_k(number + 10))
    world.settle()
    made = world.plan()
    assert (made.state.rejected, made.state.last_good) == (None, made.revision.id)
    assert made.revision.spec["retrieval"] == {"topK": number + 10}
    assert world.running == made.revision.id


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(EVENTS, max_size=20))
def test_a_bad_edit_ends_with_what_was_good(events: list[Event]) -> None:
    world = World()
    for event in events:
        event(world)
    world.unpin()
    world.report = REACHABLE
    world.edit(with_top_k(11))
    world.settle()
    good = world.running
    world.edit(with_top_k(12))
    bad = world.step().revision.id
    world.settle(bad=frozenset({bad}))
    made = world.plan()
    assert made.state.rejected is not None
    assert (made.revision.id, world.running, made.state.rejected.revision) == (good, good, bad)

"""When the program should be started again, and when it isn't ready."""

from __future__ import annotations

import asyncio
import time

import pytest

from ragfleet_operator.health import LAG_SECONDS, STUCK_SECONDS, LoopLag, limits, sick, unready
from ragfleet_operator.kinds import PIPELINE, SECRET
from ragfleet_operator.sources import Phase, Source, WatchState


class Clock:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _states(clock: Clock) -> tuple[WatchState, WatchState]:
    return (WatchState(Source(PIPELINE, None), 60, clock), WatchState(Source(SECRET, "a", "x"), 60, clock))


def test_a_watch_that_hears_something_is_well(clock: Clock) -> None:
    for state in (states := _states(clock)):
        state.enter(Phase.LISTENING)
        state.synced = True
    clock.now = 50
    for state in states:
        state.alive()
    clock.now = 100
    assert sick(states, 0, 0) == []


def test_a_watch_without_a_sign_of_life_is_named(clock: Clock) -> None:
    pipelines, secrets = _states(clock)
    pipelines.synced = True
    pipelines.enter(Phase.LISTENING)
    secrets.enter(Phase.LOST, "can't reach the API server")
    clock.now = 61
    assert sick([pipelines, secrets], 0, 0) == [
        "watch of ragpipelines: nothing heard for 61 s",
        "watch of secrets in a: not listed for 61 s (can't reach the API server)",
    ]


@pytest.mark.parametrize("phase", [Phase.FORBIDDEN, Phase.ABSENT])
def test_what_the_server_refuses_is_no_reason_to_start_again(clock: Clock, phase: Phase) -> None:
    states = _states(clock)
    for state in states:
        state.enter(phase)
    clock.now = 1000
    assert sick(states, 0, 0) == []


def test_a_stuck_worker_and_a_late_loop_are_named() -> None:
    assert sick([], STUCK_SECONDS, LAG_SECONDS) == []
    assert sick([], STUCK_SECONDS + 1, LAG_SECONDS + 1) == [
        "a worker is stuck: its pass takes 91 s",
        "the event loop is 6.0 s late",
    ]


def test_it_is_ready_when_all_is_listed_or_refused_and_pipelines_are_there(clock: Clock) -> None:
    pipelines, secrets = states = _states(clock)
    assert len(unready(states, settled=False)) == 3
    secrets.enter(Phase.FORBIDDEN, "secrets is forbidden")
    pipelines.enter(Phase.ABSENT, "the cluster doesn't know the kind")
    assert unready(states, settled=True) == [
        "watch of ragpipelines: absent (the cluster doesn't know the kind)"
    ]
    pipelines.enter(Phase.LISTENING)
    pipelines.synced = True
    assert unready(states, settled=True) == []
    assert limits(states) == ["watch of secrets in a: (secrets is forbidden)"]


def test_what_is_refused_later_isnt_synced_any_more(clock: Clock) -> None:
    state, _ = _states(clock)
    state.synced = True
    assert state.enter(Phase.ABSENT)
    assert not state.enter(Phase.ABSENT)
    assert not state.synced
    assert state.settled


def test_a_loop_that_is_held_up_is_measured() -> None:
    async def hold_up() -> float:
        lag = LoopLag()
        measuring = asyncio.create_task(lag.run())
        await asyncio.sleep(0.01)
        time.sleep(0.9)  # noqa: ASYNC251 - that is what is measured
        now = lag.seconds
        await asyncio.sleep(0.05)
        measuring.cancel()
        return min(now, lag.seconds)

    assert 0.3 < asyncio.run(hold_up()) < 3

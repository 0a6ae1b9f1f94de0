"""Whether the program works, and whether it is ready: functions of what it knows of itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from ragfleet_operator.kinds import PIPELINE
from ragfleet_operator.sources import Phase, WatchState

STUCK_SECONDS = 90.0
LAG_SECONDS = 5.0
_REMEMBERED_SECONDS = 30.0
_BEAT_SECONDS = 0.5


class LoopLag:
    """How late the event loop is: the most in the last half minute."""

    def __init__(self) -> None:
        self._lags: list[tuple[float, float]] = []
        self._last = time.monotonic()

    async def run(self) -> None:
        """Measure until cancelled."""
        self._last = time.monotonic()
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            now = time.monotonic()
            lag = max(now - self._last - _BEAT_SECONDS, 0.0)
            self._lags = [(at, late) for at, late in self._lags if now - at < _REMEMBERED_SECONDS]
            self._lags.append((now, lag))
            self._last = now

    @property
    def seconds(self) -> float:
        """The lag, that of a beat that is due now included."""
        late = max(time.monotonic() - self._last - _BEAT_SECONDS, 0.0)
        return max([late, *(lag for _, lag in self._lags)])


def sick(states: Iterable[WatchState], longest_pass: float, lag: float) -> list[str]:
    """Why the process should be started again; empty where it works. longest_pass, lag: in seconds.

    A kind that the server says isn't there, or may not be read, is no reason: another process would hear
    the same.
    """
    reasons = []
    for state in states:
        if state.phase in {Phase.FORBIDDEN, Phase.ABSENT} or state.age <= state.silence:
            continue
        what = "nothing heard" if state.synced else "not listed"
        reasons.append(f"watch of {state.source}: {what} for {state.age:.0f} s {_detail(state)}".rstrip())
    if longest_pass > STUCK_SECONDS:
        reasons.append(f"a worker is stuck: its pass takes {longest_pass:.0f} s")
    if lag > LAG_SECONDS:
        reasons.append(f"the event loop is {lag:.1f} s late")
    return reasons


def unready(states: Iterable[WatchState], *, settled: bool) -> list[str]:
    """Why pipelines can't be reconciled; empty where they are, or would be if this operator led.

    settled: whether the cache has held what there is, at least once.
    """
    every = tuple(states)
    pipelines = [state for state in every if state.source.kind is PIPELINE]
    reasons = [
        f"watch of {state.source}: {state.phase} {_detail(state)}".rstrip()
        for state in every
        if not state.settled or (state in pipelines and not state.synced)
    ]
    if not settled:
        reasons.append("pipelines aren't reconciled yet")
    return reasons


def limits(states: Iterable[WatchState]) -> list[str]:
    """What a ready program can't do for now: kinds that it may not read."""
    return [
        f"watch of {state.source}: {_detail(state)}" for state in states if state.phase is Phase.FORBIDDEN
    ]


def _detail(state: WatchState) -> str:
    return f"({state.message})" if state.message else ""

"""The queue of pipelines: one pass at a time for each, nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragfleet_operator.engine.queue import KeyQueue
from ragfleet_operator.model import Key

pytestmark = pytest.mark.anyio

A, B = Key("default", "a"), Key("default", "b")
Work = Callable[[Key], Awaitable[float | None]]


class Told:
    """What an observer was told."""

    def __init__(self) -> None:
        self.results: list[tuple[Key, str]] = []
        self.waits: list[float] = []

    def waited(self, seconds: float) -> None:
        self.waits.append(seconds)

    def finished(self, key: Key, seconds: float, result: str) -> None:
        self.results.append((key, result))


@asynccontextmanager
async def working(queue: KeyQueue, work: Work, workers: int = 4) -> Any:
    task = asyncio.create_task(queue.run(work, workers))
    try:
        yield
    finally:
        queue.close()
        await task


async def test_a_key_added_many_times_gets_one_pass() -> None:
    seen: list[Key] = []

    async def work(key: Key) -> None:
        seen.append(key)

    queue = KeyQueue(debounce=0.02)
    async with working(queue, work):
        for _ in range(5):
            queue.add(A)
            await asyncio.sleep(0)
        await asyncio.sleep(0.1)
    assert seen == [A]


async def test_a_key_added_during_its_pass_gets_another_one_after_it() -> None:
    running, most, passes = 0, 0, 0

    async def work(key: Key) -> None:
        nonlocal running, most, passes
        running += 1
        most = max(most, running)
        if passes == 0:
            queue.add(key)
        await asyncio.sleep(0.05)
        passes += 1
        running -= 1

    queue = KeyQueue(debounce=0.001)
    async with working(queue, work):
        queue.add(A)
        await asyncio.sleep(0.2)
    assert (passes, most) == (2, 1)


async def test_other_keys_do_not_wait_for_one_that_takes_long() -> None:
    seen: list[Key] = []

    async def work(key: Key) -> None:
        if key == A:
            await asyncio.sleep(0.2)
        seen.append(key)

    queue = KeyQueue(debounce=0.001)
    async with working(queue, work, workers=2):
        queue.add(A)
        await asyncio.sleep(0.02)
        queue.add(A)  # due, and can't start: it is in the way of nobody
        queue.add(B)
        await asyncio.sleep(0.05)
        assert seen == [B]


async def test_keys_are_taken_in_the_order_in_which_they_are_due() -> None:
    seen: list[Key] = []

    async def work(key: Key) -> None:
        seen.append(key)

    queue = KeyQueue(debounce=0.0)
    keys = [Key("default", str(number)) for number in range(20)]
    for key in keys:
        queue.add(key)
    async with working(queue, work, workers=1):
        await asyncio.sleep(0.05)
    assert seen == keys


async def test_the_earlier_time_wins() -> None:
    times: list[float] = []

    async def work(key: Key) -> None:
        times.append(time.monotonic() - start)

    queue = KeyQueue(debounce=0.0)
    start = time.monotonic()
    async with working(queue, work):
        queue.add(A, 30.0)
        queue.add(A, 0.05)
        queue.add(A, 40.0)
        await asyncio.sleep(0.15)
    assert len(times) == 1
    assert times[0] >= 0.05
    assert queue.depth == 0


async def test_a_pass_comes_back_when_it_says() -> None:
    passes = 0

    async def work(key: Key) -> float | None:
        nonlocal passes
        passes += 1
        return 0.02 if passes < 3 else None

    queue = KeyQueue(debounce=0.0)
    async with working(queue, work):
        queue.add(A)
        await asyncio.sleep(0.2)
    assert passes == 3


async def test_failures_come_back_later_and_later_until_one_succeeds() -> None:
    times: list[float] = []

    async def work(key: Key) -> None:
        times.append(time.monotonic())
        if len(times) < 4:
            raise RuntimeError("no")

    told = Told()
    queue = KeyQueue(debounce=0.0, first_backoff=0.04, max_backoff=0.08, observer=told)
    async with working(queue, work):
        queue.add(A)
        await asyncio.sleep(0.4)
    pauses = [after - before for before, after in itertools.pairwise(times)]
    assert len(times) == 4
    assert 0.02 <= pauses[0] < 0.06
    assert 0.04 <= pauses[1] < 0.1
    assert [result for _, result in told.results] == ["error"] * 3 + ["success"]


async def test_a_stuck_pass_is_cancelled_and_counted() -> None:
    async def work(key: Key) -> None:
        if key == A:
            await asyncio.Event().wait()

    told = Told()
    queue = KeyQueue(debounce=0.0, timeout=0.05, first_backoff=10, observer=told)
    async with working(queue, work, workers=1):
        queue.add(A)
        await asyncio.sleep(0.02)
        assert 0 < queue.longest < 1
        queue.add(B)
        await asyncio.sleep(0.01)
        assert queue.depth == 1
        assert queue.oldest > 0
        await asyncio.sleep(0.1)
    assert told.results == [(A, "timeout"), (B, "success")]


async def test_closing_finishes_what_runs_and_starts_nothing() -> None:
    finished: list[Key] = []

    async def work(key: Key) -> None:
        await asyncio.sleep(0.05)
        finished.append(key)

    queue = KeyQueue(debounce=0.0)
    task = asyncio.create_task(queue.run(work, 1))
    queue.add(A)
    queue.add(B)
    await asyncio.sleep(0.02)
    queue.close()
    queue.add(Key("default", "c"))
    await asyncio.wait_for(task, 1)
    assert finished == [A]


async def test_a_forgotten_key_gets_no_pass() -> None:
    seen: list[Key] = []

    async def work(key: Key) -> None:
        seen.append(key)

    queue = KeyQueue(debounce=0.01)
    async with working(queue, work):
        queue.add(A)
        queue.forget(A)
        await asyncio.sleep(0.05)
    assert seen == []


STEPS = st.lists(
    st.tuples(st.sampled_from("abc"), st.floats(0, 0.01), st.sampled_from(["well", "fails", "again"])),
    max_size=25,
)


@given(steps=STEPS, workers=st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_whatever_is_added_gets_a_pass_after_it_and_never_two_at_once(
    steps: list[tuple[str, float, str]], workers: int
) -> None:
    asyncio.run(_check(steps, workers))


async def _check(steps: list[tuple[str, float, str]], workers: int) -> None:
    running: Counter[Key] = Counter()
    unseen: set[Key] = set()
    plan: dict[Key, list[str]] = {}

    async def work(key: Key) -> float | None:
        running[key] += 1
        assert running[key] == 1
        assert sum(running.values()) <= workers
        unseen.discard(key)
        await asyncio.sleep(0.001)
        running[key] -= 1
        outcome = plan[key].pop() if plan.get(key) else "well"
        if outcome == "fails":
            raise RuntimeError("no")
        return 0.001 if outcome == "again" else None

    queue = KeyQueue(debounce=0.0005, first_backoff=0.001, max_backoff=0.002)
    async with working(queue, work, workers):
        for name, delay, outcome in steps:
            key = Key("default", name)
            plan.setdefault(key, []).append(outcome)
            unseen.add(key)
            queue.add(key, delay)
            await asyncio.sleep(delay / 4)
        for _ in range(200):
            if not unseen and not running.total():
                break
            await asyncio.sleep(0.005)
    assert not unseen

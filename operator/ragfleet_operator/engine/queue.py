"""A queue of pipelines to look at: one pass at a time for each, soon, and later again where one failed."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

import structlog

from ragfleet_operator.model import Key

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

Work = Callable[[Key], Awaitable[float | None]]
_GRACE_SECONDS = 10.0


class Observer(Protocol):
    """Is told what the queue does."""

    def waited(self, seconds: float) -> None:
        """How long a key was due before its pass began."""

    def finished(self, key: Key, seconds: float, result: str) -> None:
        """A pass has ended. result: success, error or timeout."""


class Unobserved:
    """Is told, and does nothing."""

    def waited(self, seconds: float) -> None:
        """Do nothing."""

    def finished(self, key: Key, seconds: float, result: str) -> None:
        """Do nothing."""


class KeyQueue:
    """Keys by the time when they are due; those due are taken in the order of that time.

    A key is there once, at its earliest time, and never in two passes at once: one that is added during its
    pass comes again after it. debounce: seconds that any key waits, so that what happens together is seen
    together. After a failure a key comes back after first_backoff seconds, then twice as many, up to
    max_backoff, shortened at random by up to a half. timeout: seconds after which a pass is cancelled.
    """

    def __init__(
        self,
        *,
        debounce: float = 0.03,
        first_backoff: float = 0.2,
        max_backoff: float = 60.0,
        timeout: float = 60.0,
        observer: Observer | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._debounce = debounce
        self._first_backoff = first_backoff
        self._max_backoff = max_backoff
        self._timeout = timeout
        self._observer = observer or Unobserved()
        self._clock = clock
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._order = itertools.count()
        self._failures: dict[Key, int] = {}
        self._running: dict[Key, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._closed = False

    def add(self, key: Key, delay: float = 0.0) -> None:
        """Have a key looked at in ``delay`` seconds, or when it already would be, if that is earlier."""
        if self._closed:
            return
        due = self._clock() + max(delay, self._debounce)
        if due < self._due.get(key, float("inf")):
            self._due[key] = due
            heapq.heappush(self._heap, (due, next(self._order), key))
            self._wake.set()

    def forget(self, key: Key) -> None:
        """Take a key out; a pass that runs goes on."""
        self._due.pop(key, None)
        self._failures.pop(key, None)

    @property
    def depth(self) -> int:
        """How many keys are due and wait for a worker."""
        now = self._clock()
        return sum(due <= now for due in self._due.values())

    @property
    def oldest(self) -> float:
        """For how many seconds the key that is due longest has been due; 0 where none is."""
        waiting = [due for key, due in self._due.items() if key not in self._running]
        return max(0.0, self._clock() - min(waiting)) if waiting else 0.0

    @property
    def longest(self) -> float:
        """For how many seconds the longest of the running passes runs; 0 where none does."""
        return self._clock() - min(self._running.values()) if self._running else 0.0

    async def run(self, work: Work, workers: int = 16) -> None:
        """Give keys to ``work`` until closed; it returns after how many seconds it wants the key again.

        After close() what runs has ten seconds to finish.
        """
        try:
            while not self._closed:
                self._wake.clear()
                pause = self._start_due(work, workers)
                try:
                    async with asyncio.timeout(pause):
                        await self._wake.wait()
                except TimeoutError:
                    continue
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=_GRACE_SECONDS)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def close(self) -> None:
        """Take nothing new, and start nothing that waits."""
        self._closed = True
        self._wake.set()

    def _start_due(self, work: Work, workers: int) -> float | None:
        """Start passes for what is due; seconds until more is, None where only an event can tell."""
        held_back = []
        pause = None
        while self._heap and len(self._tasks) < workers:
            due, order, key = self._heap[0]
            if self._due.get(key) != due:
                heapq.heappop(self._heap)  # an earlier time took its place, or it was forgotten
                continue
            if (pause := due - self._clock()) > 0:
                break
            pause = None
            heapq.heappop(self._heap)
            if key in self._running:
                held_back.append((due, order, key))
                continue
            self._start(work, key, due)
        for item in held_back:
            heapq.heappush(self._heap, item)
        return pause

    def _start(self, work: Work, key: Key, due: float) -> None:
        del self._due[key]
        now = self._clock()
        self._running[key] = now
        self._observer.waited(max(0.0, now - due))
        task = asyncio.create_task(self._pass(work, key))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def _pass(self, work: Work, key: Key) -> None:
        result = "error"
        again: float | None = None
        try:
            async with asyncio.timeout(self._timeout) as limit:
                again = await work(key)
            result = "success"
            self._failures.pop(key, None)
        except Exception as error:
            if limit.expired():
                result = "timeout"
            again = self._backoff(key)
            log.warning(
                "reconcile_failed", key="/".join(key), retry_seconds=round(again, 1), error=describe(error)
            )
        finally:
            started = self._running.pop(key)
            self._observer.finished(key, self._clock() - started, result)
            if again is not None:
                self.add(key, again)

    def _ended(self, task: asyncio.Task[None]) -> None:
        # Only now a worker is free: to wake before would be too early, and nobody would wake again.
        self._tasks.discard(task)
        self._wake.set()

    def _backoff(self, key: Key) -> float:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        seconds = min(self._first_backoff * 2.0 ** min(failures - 1, 30), self._max_backoff)
        return seconds * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries


def describe(error: Exception) -> str:
    """What happened, on one line. Only of our own errors the text is known to hold nothing secret."""
    name = type(error).__name__
    if type(error).__module__.startswith("ragfleet_operator."):
        return f"{name}: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "ragfleet_operator" in frame.filename] or frames
    place = f" at {Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
    return name + place

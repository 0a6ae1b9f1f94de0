"""Threads for work that would block the event loop: a bounded lane for each kind of work."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Lane:
    """A named thread pool that coroutines call into; with one thread, calls run one by one."""

    def __init__(self, name: str, threads: int) -> None:
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix=name)

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run ``function`` in the lane and wait for its result without blocking the loop."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, partial(function, *args, **kwargs))

    def start(self, function: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """Run ``function``, which tells its end itself, in the lane."""
        self._pool.submit(function, *args, **kwargs)

    def close(self) -> None:
        """Wait for the running calls and end the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)


class Together(Generic[T, R]):
    """Calls that come while the lane is busy are made as one, when it is free.

    function: makes of several items as many results, each of which may be an exception for its caller. It
    runs in the lane, with at most ``most`` items.
    """

    def __init__(
        self, lane: Lane, function: Callable[[Sequence[T]], Sequence[R | Exception]], most: int
    ) -> None:
        self._lane = lane
        self._function = function
        self._most = most
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._is_busy = False

    async def run(self, item: T) -> R:
        """The result of one item."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[R] = loop.create_future()
        self._waiting.append((item, done))
        if not self._is_busy:
            self._next(loop)
        return await done

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        batch: list[tuple[T, asyncio.Future[R]]] = []
        while self._waiting and len(batch) < self._most:
            waiting = self._waiting.popleft()
            if not waiting[1].done():  # as it is when its caller has gone
                batch.append(waiting)
        self._is_busy = bool(batch)
        if batch:
            self._lane.start(self._work, loop, batch)

    def _work(self, loop: asyncio.AbstractEventLoop, batch: Sequence[tuple[T, asyncio.Future[R]]]) -> None:
        results: Sequence[R | Exception]
        try:
            results = self._function([item for item, _ in batch])
        except Exception as error:
            results = [error] * len(batch)
        # Straight to the loop: a future of the pool between would cost another turn of it.
        loop.call_soon_threadsafe(self._deliver, loop, batch, results)

    def _deliver(
        self,
        loop: asyncio.AbstractEventLoop,
        batch: Sequence[tuple[T, asyncio.Future[R]]],
        results: Sequence[R | Exception],
    ) -> None:
        self._next(loop)
        for (_, done), result in zip(batch, results, strict=True):
            if done.done():
                continue
            if isinstance(result, Exception):
                done.set_exception(result)
            else:
                done.set_result(result)

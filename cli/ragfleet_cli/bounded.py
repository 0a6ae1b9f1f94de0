"""Doing many things, a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def for_each(function: Callable[[T], Awaitable[None]], items: Iterable[T], limit: int) -> None:
    """Await ``function(item)`` for every item, ``limit`` at a time. The first error cancels the rest.

    Items are taken when there is room for them, so that an iterator's are made no sooner than needed.
    """
    pending = iter(items)

    async def work() -> None:
        for item in pending:
            await function(item)

    workers = [asyncio.create_task(work()) for _ in range(limit)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


async def finished(work: Coroutine[Any, Any, None]) -> None:
    """Await the work; where this is cancelled meanwhile, the work goes on and ends first."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # seen here, or the loop would complain
        raise

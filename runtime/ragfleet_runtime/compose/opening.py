"""Opening what may not be there yet: a server, a model's provider. Tried again until it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TypeVar

import structlog

from ragfleet_runtime.errors import NotOpenYetError, ProviderError

_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 10.0

T = TypeVar("T")

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def open_when_possible(
    stack: AsyncExitStack,
    attempt: Callable[[], AbstractAsyncContextManager[T]],
    tell: Callable[[str], None],
) -> T:
    """Enter what ``attempt`` gives into the stack, again with growing waits while it can't be opened.

    tell: gets the reason of each failure. Errors other than NotOpenYetError and ProviderError are raised.
    """
    wait = _FIRST_WAIT_SECONDS
    told = ""
    while True:
        try:
            async with AsyncExitStack() as trial:
                opened = await trial.enter_async_context(attempt())
                stack.push_async_exit(trial.pop_all())
                return opened
        except (NotOpenYetError, ProviderError) as error:
            if str(error) != told:
                told = str(error)
                log.warning("not ready, and tried again until it is", reason=told)
            tell(told)
        await asyncio.sleep(wait)
        wait = min(wait * 2, _LONGEST_WAIT_SECONDS)

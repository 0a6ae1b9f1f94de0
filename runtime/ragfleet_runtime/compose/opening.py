"""Opening what may not be there yet: a server, a model's provider. Tried again until it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Final, TypeVar

import structlog

from ragfleet_runtime.errors import NotOpenYetError, ProviderError, StartError
from ragfleet_runtime.secrets import MissingSecretError

_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 10.0

# What may get better by itself; and what somebody has to put right first, which a pod waits for too.
PASSING: Final = (NotOpenYetError, ProviderError)
MENDABLE: Final = (*PASSING, StartError, MissingSecretError)

T = TypeVar("T")

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def open_when_possible(
    stack: AsyncExitStack,
    attempt: Callable[[], AbstractAsyncContextManager[T]],
    tell: Callable[[Exception], None],
    waited_for: tuple[type[Exception], ...] = PASSING,
) -> T:
    """Enter what ``attempt`` gives into the stack, again with growing waits while it can't be opened.

    tell: gets each failure. Errors that aren't ``waited_for`` are raised.
    """
    wait = _FIRST_WAIT_SECONDS
    told = ""
    while True:
        try:
            async with AsyncExitStack() as trial:
                opened = await trial.enter_async_context(attempt())
                stack.push_async_exit(trial.pop_all())
                return opened
        except waited_for as error:
            if str(error) != told:
                told = str(error)
                log.warning("not ready, and tried again until it is", reason=told)
            tell(error)
        await asyncio.sleep(wait)
        wait = min(wait * 2, _LONGEST_WAIT_SECONDS)

"""A call to a provider, tried again where it may succeed later, within its time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import stamina

from ragfleet_runtime.deadline import Deadline
from ragfleet_runtime.errors import ProviderError

# Not bad_response: a service that doesn't speak the protocol, or has other dimensions, goes on so.
_TRANSIENT = ("rate_limited", "overloaded", "unavailable", "timeout")

_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 8.0

T = TypeVar("T")


class _Pauses:
    """How long to wait after each failure; False where there is no sense, or no time, in trying again.

    What the provider asks for is kept to. Without it the pause doubles, less up to a quarter by chance, so
    that clients that failed together don't come back together.
    """

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._next = _FIRST_PAUSE

    def __call__(self, error: Exception) -> bool | float:
        if not (isinstance(error, ProviderError) and error.fault in _TRANSIENT):
            return False
        pause = error.retry_after
        if pause is None:
            pause = self._next * random.uniform(0.75, 1.0)  # noqa: S311 (nothing to guess)
            self._next = min(2 * self._next, _LONGEST_PAUSE)
        return pause if pause < self._deadline.remaining() else False


async def attempts(
    call: Callable[[], Awaitable[T]], *, provider: str, retries: int, seconds: float, deadline: Deadline
) -> T:
    """The call's result.

    retries: tries after the first. seconds: the longest that one try takes, from connecting to the last byte.
    Raises the last ProviderError, without waiting where the deadline would come first.
    """
    async for attempt in stamina.retry_context(on=_Pauses(deadline), attempts=retries + 1, timeout=None):
        with attempt:
            return await _within(call, provider, min(seconds, deadline.remaining()))
    raise AssertionError("an attempt returns or raises")


async def _within(call: Callable[[], Awaitable[T]], provider: str, seconds: float) -> T:
    timeout = asyncio.timeout(seconds)
    try:
        async with timeout:
            return await call()
    except TimeoutError:
        if not timeout.expired():
            raise
        raise ProviderError(provider, "timeout", f"no whole answer within {seconds:.3g} s") from None

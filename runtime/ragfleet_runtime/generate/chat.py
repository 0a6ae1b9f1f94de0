"""A language model behind some API, and how often it is asked."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from ragfleet_runtime.deadline import Deadline
from ragfleet_runtime.errors import ProviderError
from ragfleet_runtime.generate.model import Usage
from ragfleet_runtime.generate.prompt import Prompt

_ATTEMPTS = 3
_FIRST_PAUSE = 0.25
# A pause takes at most this share of the time left, and a shorter one where another generator can be asked.
_PAUSE_SHARE = 0.25
_PAUSE_BEFORE_FALLBACK = 2.0


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a model's reply. is_cut: it reached the longest that it may be."""

    model: str
    usage: Usage
    is_cut: bool = False


Reply = AsyncGenerator[str | Ended, None]


class ChatModel(Protocol):
    """A language model. Cancelling a reply closes its connection."""

    @property
    def name(self) -> str:
        """By which ``degraded``, errors and the metrics call it."""

    def reply(self, prompt: Prompt, max_tokens: int, deadline: Deadline) -> Reply:
        """The model's text in pieces as they come, then Ended as the last item. Raises ProviderError."""

    async def aclose(self) -> None:
        """Close the connections."""


async def persistent(ask: Callable[[], Reply], deadline: Deadline, *, has_fallback: bool) -> Reply:
    """The reply of a model that is asked again where it was too busy to begin, three times in all.

    It waits as long as the provider asks for (``Retry-After``), else a quarter of a second and then half a
    second, if a quarter of the time left allows for that; at most 2 s where another generator can be asked.
    """
    for attempt in range(_ATTEMPTS):
        has_begun = False
        try:
            async with aclosing(ask()) as reply:
                async for item in reply:
                    has_begun = True
                    yield item
                return
        except ProviderError as error:
            pause = _pause(error, attempt)
            longest = deadline.remaining() * _PAUSE_SHARE
            if has_fallback:
                longest = min(longest, _PAUSE_BEFORE_FALLBACK)
            if has_begun or pause is None or pause > longest:
                raise
        await asyncio.sleep(pause)


def _pause(error: ProviderError, attempt: int) -> float | None:
    """Seconds until the next attempt; None where there is none."""
    if attempt + 1 >= _ATTEMPTS or error.fault not in ("rate_limited", "overloaded", "unavailable"):
        return None
    if error.retry_after is not None:
        return error.retry_after
    jitter = 0.75 + random.random() / 2  # noqa: S311 (spreads callers, hides nothing)
    return float(_FIRST_PAUSE * 2**attempt) * jitter

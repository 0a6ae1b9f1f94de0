"""One deadline for a request: every call on its behalf gets what is left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from ragfleet_runtime.errors import DeadlineError


class Deadline:
    """A moment on the monotonic clock by which something must be done."""

    __slots__ = ("_at", "_seconds")

    def __init__(self, seconds: float) -> None:
        """A deadline that many seconds from now."""
        self._seconds = seconds
        self._at = time.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left; 0 where it has passed."""
        return max(0.0, self._at - time.monotonic())

    def at_most(self, seconds: float) -> Self:
        """The same deadline, or one that many seconds from now if that is sooner."""
        return self if self.remaining() <= seconds else type(self)(seconds)

    def require(self, doing: str) -> None:
        """Raise DeadlineError, which says what was to be done, where the deadline has passed."""
        if time.monotonic() > self._at:
            raise self._error(doing)

    @asynccontextmanager
    async def enforced(self, doing: str) -> AsyncIterator[None]:
        """Cancel the block when the deadline passes; then DeadlineError says what it was doing."""
        timeout = asyncio.timeout(self.remaining())
        try:
            async with timeout:
                yield
        except TimeoutError as error:
            if not timeout.expired():
                raise  # somebody else's
            raise self._error(doing) from error

    def _error(self, doing: str) -> DeadlineError:
        return DeadlineError(f"no answer within {self._seconds:g} s: the time ran out {doing}")

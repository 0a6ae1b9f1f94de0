"""When a pipeline is looked at again though nothing happens."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ragfleet_operator.model import Key

_RESYNC_SECONDS: Final = 300.0
_MISSING_SECONDS: Final = 3.0
_PROGRESS_SECONDS: Final = 3.0
_SLOW_PROGRESS_SECONDS: Final = 10.0
_PATIENCE_SECONDS: Final = 60.0
_FIRST_FAULT_SECONDS: Final = 1.0


@dataclass(slots=True)
class _Course:
    faults: int = 0
    unsettled_since: float | None = None


class Comeback:
    """What has been going on with each pipeline, for how long."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._courses: dict[Key, _Course] = {}

    def forget(self, key: Key) -> None:
        """Drop what is remembered of a pipeline."""
        self._courses.pop(key, None)

    def unsettled(self, key: Key, is_unsettled: bool) -> float:
        """Tell whether pods are on their way; for how many seconds they are."""
        course = self._courses.setdefault(key, _Course())
        if not is_unsettled:
            course.unsettled_since = None
            return 0.0
        if course.unsettled_since is None:
            course.unsettled_since = self._monotonic()
        return self.for_how_long(key)

    def for_how_long(self, key: Key) -> float:
        """For how many seconds pods are on their way, as last told."""
        course = self._courses.get(key)
        since = None if course is None else course.unsettled_since
        return 0.0 if since is None else self._monotonic() - since

    def seconds(self, key: Key, *, is_faulty: bool, is_missing: bool, waits: bool) -> float:
        """After how many seconds to come back.

        Faults: 1, 2, 4 … up to the resync. What is missing, and what waits: 3, then 10 for what takes long.
        """
        course = self._courses.setdefault(key, _Course())
        course.faults = course.faults + 1 if is_faulty else 0
        times = [_RESYNC_SECONDS * random.uniform(0.9, 1.1)]  # noqa: S311 - spreads passes
        if is_faulty:
            times.append(_FIRST_FAULT_SECONDS * 2.0 ** min(course.faults - 1, 10))
        if is_missing:
            times.append(_MISSING_SECONDS)
        if waits:
            since = course.unsettled_since
            is_slow = since is not None and self._monotonic() - since > _PATIENCE_SECONDS
            times.append(_SLOW_PROGRESS_SECONDS if is_slow else _PROGRESS_SECONDS)
        return min(times)

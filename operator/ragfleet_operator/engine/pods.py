"""The pods of a pipeline, read on demand: they are too many and change too often to be watched."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from ragfleet_operator.engine.cluster import Cluster
from ragfleet_operator.engine.errors import Forbidden
from ragfleet_operator.kinds import POD
from ragfleet_operator.model import Key, PodTrouble
from ragfleet_operator.names import selector, selector_text
from ragfleet_operator.status import ready_pods, troubles

# A little less than the three seconds after which a pass comes back.
_SECONDS: Final = 2.5


class PodsSeen(NamedTuple):
    """What pods tell: what keeps some from being ready, and how many are of each revision."""

    troubles: tuple[PodTrouble, ...]
    ready: Mapping[str, int]


class _Told(NamedTuple):
    at: float
    seen: PodsSeen


class Pods:
    """Lists the pods of a pipeline, every three seconds at most."""

    def __init__(self, cluster: Cluster, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._cluster = cluster
        self._monotonic = monotonic
        self._told: dict[Key, _Told] = {}

    def forget(self, key: Key) -> None:
        """Drop what was told of a pipeline's pods."""
        self._told.pop(key, None)

    async def look(self, key: Key) -> PodsSeen | None:
        """What a pipeline's pods tell; None where the operator may not list pods. Raises Unavailable."""
        now = self._monotonic()
        told = self._told.get(key)
        if told is None or now - told.at >= _SECONDS:
            try:
                pods = await self._cluster.list(POD, key.namespace, selector_text(selector(key.name)))
            except Forbidden:
                return None
            seen = PodsSeen(troubles(pods.objects), ready_pods(pods.objects))
            told = self._told[key] = _Told(now, seen)
        return told.seen

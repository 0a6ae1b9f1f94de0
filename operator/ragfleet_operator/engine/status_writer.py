"""Writes the status of pipelines: what matters at once, the rest seldom, nothing twice."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from ragfleet_operator.engine.cache import Cache
from ragfleet_operator.engine.errors import ApiError, Conflict, NotFound
from ragfleet_operator.engine.writes import Writes
from ragfleet_operator.kinds import PIPELINE
from ragfleet_operator.model import Key, Object
from ragfleet_operator.names import FIELD_MANAGER
from ragfleet_operator.status import Transition, Urgency, is_settled, patch, transitions, urgency

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_PROGRESS_SECONDS: Final = 30.0
_SETTLED_SECONDS: Final = 60.0
_SOON: Final = 0.2
_MOST_PATIENCE_SECONDS: Final = 30.0
_GIVEN_WAY_SECONDS: Final = 3.0
_MOST_UNTOLD_SECONDS: Final = 15.0
_MOST_NOTE: Final = 1000


class StatusWriter:
    """Keeps the stored status as it was assessed. is_busy: whether more pipelines wait than are worked on."""

    def __init__(
        self,
        writes: Writes,
        cache: Cache,
        *,
        is_busy: Callable[[], bool] = lambda: False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._writes = writes
        self._cache = cache
        self._is_busy = is_busy
        self._monotonic = monotonic
        self._conflicts: dict[Key, int] = {}
        self._written: dict[Key, float] = {}
        self._untold: dict[Key, float] = {}

    def forget(self, key: Key) -> None:
        """Drop what is remembered of a pipeline."""
        self._conflicts.pop(key, None)
        self._written.pop(key, None)
        self._untold.pop(key, None)

    async def write(self, key: Key, uid: str, generation: int, status: Object) -> float | None:
        """Write a status that was assessed of that generation, and post Events for what it changes.

        Gives the seconds after which to come back, where it isn't written though it differs. Raises ApiError.
        """
        stored = self._cache.pipeline(key)
        if stored is None or stored["metadata"]["uid"] != uid:
            return None
        if stored["metadata"]["generation"] != generation:
            return _SOON  # the spec has changed during the pass
        old: Object = stored.get("status") or {}
        how = urgency(old, status)
        pause = self._pause(key, status)
        if how is Urgency.NONE or (how is Urgency.LATER and pause > 0):
            return None if how is Urgency.NONE else pause
        if self._gives_way(key, old, status):
            return _GIVEN_WAY_SECONDS
        version = stored["metadata"]["resourceVersion"]
        try:
            await self._writes.patch_status(key, patch(old, status), uid=uid, version=version)
        except (Conflict, NotFound):
            # It has changed, or gone, since we saw it; where it goes on changing it isn't raced.
            conflicts = self._conflicts[key] = self._conflicts.get(key, 0) + 1
            return min(_SOON * 2.0 ** min(conflicts - 1, 20), _MOST_PATIENCE_SECONDS)
        self._conflicts.pop(key, None)
        self._written[key] = self._monotonic()
        for transition in transitions(old, status):
            await self._post(key, uid, version, transition)
        return None

    def _gives_way(self, key: Key, old: Object, status: Object) -> bool:
        """Whether the news that work has begun waits for pipelines whose work hasn't, where many come."""
        if "conditions" in old or is_settled(status) or not self._is_busy():
            return False
        now = self._monotonic()
        return now - self._untold.setdefault(key, now) < _MOST_UNTOLD_SECONDS

    def _pause(self, key: Key, status: Object) -> float:
        """For how many seconds what isn't urgent waits."""
        written = self._written.get(key)
        if written is None:
            return 0.0
        pause = _SETTLED_SECONDS if is_settled(status) else _PROGRESS_SECONDS
        return max(0.0, written + pause - self._monotonic())

    async def _post(self, key: Key, uid: str, version: str, transition: Transition) -> None:
        event = _event(key, uid, version, transition, datetime.now(UTC))
        try:
            await self._writes.post_event(key.namespace, event)
        except ApiError as error:
            # An Event is news, not state: the status says the same.
            log.debug("event_not_posted", key="/".join(key), reason=transition.reason, error=str(error))


def _event(key: Key, uid: str, version: str, transition: Transition, now: datetime) -> dict[str, Any]:
    """An Event of events.k8s.io/v1.

    https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
    """
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{key.name}.{secrets.token_hex(8)}", "namespace": key.namespace},
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": "ragfleet.dev/operator",
        "reportingInstance": FIELD_MANAGER,
        "action": "Reconcile",
        "reason": transition.reason,
        "type": transition.type,
        "note": transition.message[:_MOST_NOTE],
        "regarding": {
            "apiVersion": PIPELINE.api_version,
            "kind": PIPELINE.kind,
            "namespace": key.namespace,
            "name": key.name,
            "uid": uid,
            "resourceVersion": version,
        },
    }

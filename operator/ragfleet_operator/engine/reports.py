"""Which services are asked how they are, and how long their first word is waited for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ragfleet_operator.engine.poll import Poller
from ragfleet_operator.kinds import DEPLOYMENT, SECRET, SERVICE
from ragfleet_operator.model import Key, Object, Pipeline, Ref, Report, own
from ragfleet_operator.names import admin_secret, admin_service
from ragfleet_operator.status.conditions import READY, is_true

_OVERDUE_SECONDS: Final = 10.0
# For how long the news that a service is ready waits for what it says of its index: one write, not two.
FIRST_REPORT_SECONDS: Final = 3.0


class Reports:
    """Has the services asked that can answer. monotonic: seconds."""

    def __init__(self, poller: Poller, *, monotonic: Callable[[], float]) -> None:
        self._poller = poller
        self._monotonic = monotonic
        self._unreported_since: dict[Key, float] = {}

    def forget(self, key: Key) -> None:
        """Ask a pipeline's service no more."""
        self._unreported_since.pop(key, None)
        self._poller.drop(key)

    def report(
        self, pipeline: Pipeline, children: Mapping[Ref, Object], unsettled_seconds: float
    ) -> Report | None:
        """What the service last said. unsettled_seconds: for how long its pods have been on their way."""
        key = pipeline.key
        # Its token goes to no Service and comes from no Secret that somebody else made.
        is_ours = all(
            own(children, ref, pipeline.uid) is not None
            for ref in (Ref(SERVICE, admin_service(key.name)), Ref(SECRET, admin_secret(key.name)))
        )
        deployment = own(children, Ref(DEPLOYMENT, key.name), pipeline.uid)
        if is_ours and deployment is not None and _may_answer(deployment, unsettled_seconds):
            self._poller.watch(key)
        else:
            self._poller.drop(key)
        return self._poller.report(key)

    def is_awaited(self, pipeline: Pipeline, status: Object) -> bool:
        """Whether the end of a rollout isn't told yet, because the service was only just asked how it is."""
        key = pipeline.key
        is_news = is_true(status, READY) and not is_true(pipeline.status, READY)
        if not is_news or not self._poller.is_asking(key):
            self._unreported_since.pop(key, None)
            return False
        now = self._monotonic()
        return now - self._unreported_since.setdefault(key, now) < FIRST_REPORT_SECONDS


def _may_answer(deployment: Object, unsettled_seconds: float) -> bool:
    """Whether a service is ready, or overdue: one that refuses its collection never is, and says why."""
    status = deployment.get("status") or {}
    is_overdue = unsettled_seconds >= _OVERDUE_SECONDS
    return bool(status.get("availableReplicas") or (is_overdue and status.get("replicas")))

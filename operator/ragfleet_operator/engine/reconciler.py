"""One pass: look at a pipeline, bring its children to what they should be, and tell."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, NamedTuple

from ragfleet_operator.engine.cache import Cache
from ragfleet_operator.engine.child import Keeper, Whose
from ragfleet_operator.engine.children import Children, Outcome
from ragfleet_operator.engine.cluster import Cluster
from ragfleet_operator.engine.comeback import Comeback
from ragfleet_operator.engine.errors import NamespaceTerminating, TooManyRequests
from ragfleet_operator.engine.faults import unserved
from ragfleet_operator.engine.held import held_fingerprint
from ragfleet_operator.engine.ownership import is_deleting, is_owned
from ragfleet_operator.engine.parse import InvalidPipelineError, read_pipeline
from ragfleet_operator.engine.pods import Pods
from ragfleet_operator.engine.poll import Poller
from ragfleet_operator.engine.references import References, Resolved
from ragfleet_operator.engine.rollout import is_rolled_out
from ragfleet_operator.engine.status_writer import StatusWriter
from ragfleet_operator.engine.watched import Watched
from ragfleet_operator.engine.writes import Writes
from ragfleet_operator.kinds import CHILDREN, DEPLOYMENT, OPTIONAL, SECRET, SERVICE, Kind
from ragfleet_operator.model import Key, Object, Observation, Pipeline, PodTrouble, Ref, Settings
from ragfleet_operator.names import admin_secret, admin_service
from ragfleet_operator.render import references, render, without_workload
from ragfleet_operator.status import assess, assess_invalid, assess_suspended, is_settled, is_stalled
from ragfleet_operator.status.conditions import READY, is_true

# Pods that need longer than this to be ready are asked what keeps them.
_PATIENCE_SECONDS: Final = 2.5
_OVERDUE_SECONDS: Final = 10.0
# For how long the news that a service is ready waits for what it says of its index: one write, not two.
_FIRST_REPORT_SECONDS: Final = 3.0
_TERMINATING_SECONDS: Final = 30.0


class _Look(NamedTuple):
    """What a pass has seen and done."""

    seen: Observation
    waits: bool


class Reconciler:
    """Passes over pipelines, one at a time for each key.

    is_busy: see StatusWriter. now: the time of day. monotonic: seconds.
    """

    def __init__(
        self,
        cluster: Cluster,
        cache: Cache,
        watched: Watched,
        writes: Writes,
        poller: Poller,
        settings: Settings,
        *,
        is_busy: Callable[[], bool] = lambda: False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._cache = cache
        self._poller = poller
        self._settings = settings
        self._now = now
        self._monotonic = monotonic
        self._keeper = Keeper(cluster, writes, cache, monotonic=monotonic, now=now)
        self._children = Children(writes, cache, self._keeper)
        self._references = References(cluster, watched, monotonic=monotonic)
        self._pods = Pods(cluster, monotonic=monotonic)
        self._status = StatusWriter(writes, cache, is_busy=is_busy, monotonic=monotonic)
        self._comeback = Comeback(monotonic=monotonic)
        self._uids: dict[Key, str] = {}
        self._unreported_since: dict[Key, float] = {}

    async def reconcile(self, key: Key) -> float | None:
        """Make one pass; after how many seconds to come back, None where the pipeline is gone.

        Raises Unavailable, NotLeadingError, and ApiError where the status can't be written.
        """
        obj = self._cache.pipeline(key)
        if obj is None or is_deleting(obj):
            self.forget(key)
            return None
        uid = obj["metadata"]["uid"]
        if self._uids.get(key, uid) != uid:
            self.forget(key)  # another pipeline has its name
        self._uids[key] = uid
        try:
            return await self._pass(obj)
        except NamespaceTerminating:
            return _TERMINATING_SECONDS
        except TooManyRequests as error:
            return error.retry_after

    def forget(self, key: Key) -> None:
        """Drop all that is remembered of a pipeline."""
        self._uids.pop(key, None)
        self._unreported_since.pop(key, None)
        self._poller.drop(key)
        for memory in (self._keeper, self._references, self._pods, self._status, self._comeback):
            memory.forget(key)

    async def _pass(self, obj: Object) -> float:
        try:
            pipeline = read_pipeline(obj)
        except InvalidPipelineError as error:
            return await self._tell_invalid(obj, str(error))
        if pipeline.spec.suspend:
            seen = self._seen(pipeline, Observation(kinds=await self._kinds()))
            status = assess_suspended(pipeline, seen, self._now())
            return await self._tell(pipeline, status, _Look(seen, waits=False))
        look = await self._bring(pipeline)
        return await self._tell(pipeline, assess(pipeline, look.seen, self._now()), look)

    async def _bring(self, pipeline: Pipeline) -> _Look:
        """Resolve, render, apply, prune; what is seen then."""
        key, settings = pipeline.key, self._settings
        resolved = await self._references.resolve(key, references(pipeline, settings))
        seen = Observation(
            children=self._cache.children(key), kinds=await self._kinds(), missing=resolved.missing
        )
        desired = render(pipeline, settings, seen, new_secret=_new_secret)
        held = await held_fingerprint(pipeline, seen, desired, self._poller)
        seen = replace(seen, held_fingerprint=held)
        workload_stays = bool(resolved.missing) or held is not None
        if workload_stays:
            desired = without_workload(desired, seen)
        outcome = await self._children.bring(
            Whose(key, pipeline.uid), desired, seen.kinds, workload_stays=workload_stays
        )
        return await self._after(pipeline, seen, resolved, outcome)

    async def _after(
        self, pipeline: Pipeline, before: Observation, resolved: Resolved, outcome: Outcome
    ) -> _Look:
        seen = self._seen(pipeline, before)
        deployment = self._own(pipeline, seen, Ref(DEPLOYMENT, pipeline.key.name))
        on_the_way = deployment is not None and not is_rolled_out(deployment)
        troubles: tuple[PodTrouble, ...] = ()
        on_the_way_for = self._comeback.unsettled(pipeline.key, on_the_way)
        # What was told of pods that fail is looked at anew, so that it doesn't go and come back.
        if on_the_way and (on_the_way_for >= _PATIENCE_SECONDS or is_stalled(pipeline.status)):
            troubles = await self._pods.troubles(pipeline.key)
        faults = (*resolved.faults, *outcome.faults, *unserved(pipeline, seen.kinds))
        return _Look(replace(seen, faults=faults, troubles=troubles), outcome.waits or on_the_way)

    def _seen(self, pipeline: Pipeline, before: Observation) -> Observation:
        """What the cache holds now, and what the service says once it runs."""
        key = pipeline.key
        seen = replace(before, children=self._cache.children(key))
        deployment = self._own(pipeline, seen, Ref(DEPLOYMENT, key.name))
        # Its token goes to no Service and comes from no Secret that somebody else made.
        is_ours = all(
            self._own(pipeline, seen, ref) is not None
            for ref in (Ref(SERVICE, admin_service(key.name)), Ref(SECRET, admin_secret(key.name)))
        )
        if is_ours and deployment is not None and self._may_answer(key, deployment):
            self._poller.watch(key)
        else:
            self._poller.drop(key)
        return replace(seen, report=self._poller.report(key))

    def _may_answer(self, key: Key, deployment: Object) -> bool:
        """Whether a service is ready, or overdue: one that refuses its collection never is, and says why."""
        status = deployment.get("status") or {}
        is_overdue = self._comeback.for_how_long(key) >= _OVERDUE_SECONDS
        return bool(status.get("availableReplicas") or (is_overdue and status.get("replicas")))

    async def _kinds(self) -> frozenset[Kind]:
        """The kinds of children that the cluster has."""
        return frozenset(CHILDREN) - OPTIONAL | await self._cluster.kinds_present()

    async def _tell(self, pipeline: Pipeline, status: Object, look: _Look) -> float:
        """Write the status where it says something new; when to come back."""
        key, seen = pipeline.key, look.seen
        again = self._comeback.seconds(
            key,
            is_faulty=bool(seen.faults),
            is_missing=bool(seen.missing),
            waits=look.waits or not is_settled(status),
        )
        if self._awaits_report(pipeline, status):
            return min(again, _FIRST_REPORT_SECONDS)
        later = await self._status.write(key, pipeline.uid, pipeline.generation, status)
        return again if later is None else min(again, later)

    def _awaits_report(self, pipeline: Pipeline, status: Object) -> bool:
        """Whether the end of a rollout isn't told yet, because the service was only just asked how it is."""
        key = pipeline.key
        is_news = is_true(status, READY) and not is_true(pipeline.status, READY)
        if not is_news or not self._poller.is_asking(key):
            self._unreported_since.pop(key, None)
            return False
        now = self._monotonic()
        return now - self._unreported_since.setdefault(key, now) < _FIRST_REPORT_SECONDS

    async def _tell_invalid(self, obj: Object, message: str) -> float:
        metadata = obj["metadata"]
        key, generation = Key(metadata["namespace"], metadata["name"]), metadata["generation"]
        status = assess_invalid(key, generation, obj.get("status") or {}, message, self._now())
        await self._status.write(key, metadata["uid"], generation, status)
        return self._comeback.seconds(key, is_faulty=False, is_missing=False, waits=False)

    @staticmethod
    def _own(pipeline: Pipeline, seen: Observation, ref: Ref) -> Object | None:
        found = seen.children.get(ref)
        return found if found is not None and is_owned(found, pipeline.uid) else None


def _new_secret() -> str:
    """A new key (256 bits), in the form that the service gives to those that it makes itself."""
    return f"rf_{secrets.token_urlsafe(32)}"

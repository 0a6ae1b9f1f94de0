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
from ragfleet_operator.engine.decide import decide
from ragfleet_operator.engine.errors import NamespaceTerminating, TooManyRequests
from ragfleet_operator.engine.faults import unserved
from ragfleet_operator.engine.held import held_fingerprint
from ragfleet_operator.engine.ownership import is_deleting
from ragfleet_operator.engine.parse import InvalidPipelineError, read_pipeline
from ragfleet_operator.engine.pods import Pods
from ragfleet_operator.engine.poll import Poller
from ragfleet_operator.engine.references import References, Resolved
from ragfleet_operator.engine.renders import Renders
from ragfleet_operator.engine.reports import FIRST_REPORT_SECONDS, Reports
from ragfleet_operator.engine.rotation import rotation
from ragfleet_operator.engine.status_writer import StatusWriter
from ragfleet_operator.engine.watched import Watched
from ragfleet_operator.engine.writes import Writes
from ragfleet_operator.kinds import CHILDREN, DEPLOYMENT, OPTIONAL, SECRET, Kind
from ragfleet_operator.model import Key, Object, Observation, Pipeline, Ref, Settings, own
from ragfleet_operator.names import admin_secret
from ragfleet_operator.render import inputs_of, references
from ragfleet_operator.revisions import Plan, is_rolled_out, needs_pods, plan
from ragfleet_operator.status import assess, assess_invalid, assess_suspended, is_settled, is_stalled

# Pods that need longer than this to be ready are asked what keeps them.
_PATIENCE_SECONDS: Final = 2.5
_TERMINATING_SECONDS: Final = 30.0
_SOON_SECONDS: Final = 0.1


class _Look(NamedTuple):
    """What a pass has seen and done. again: after how many seconds it wants to come back by itself."""

    seen: Observation
    waits: bool
    again: float | None = None


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
        self._keeper = Keeper(cluster, writes, cache, monotonic=monotonic, now=now)
        self._children = Children(writes, cache, self._keeper)
        self._renders = Renders()
        self._references = References(cluster, watched, monotonic=monotonic)
        self._pods = Pods(cluster, monotonic=monotonic)
        self._status = StatusWriter(writes, cache, is_busy=is_busy, monotonic=monotonic)
        self._comeback = Comeback(monotonic=monotonic)
        self._reports = Reports(poller, monotonic=monotonic)
        self._uids: dict[Key, str] = {}

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
        for memory in (
            self._reports,
            self._keeper,
            self._renders,
            self._references,
            self._pods,
            self._status,
            self._comeback,
        ):
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
        seen = await self._look(pipeline)
        planned = plan(pipeline, self._settings, seen)
        look = await self._bring(planned, seen)
        return await self._tell(planned.pipeline, assess(planned.pipeline, look.seen, self._now()), look)

    async def _look(self, pipeline: Pipeline) -> Observation:
        """What is there before anything is done."""
        key = pipeline.key
        seen = Observation(
            children=self._cache.children(key), kinds=await self._kinds(), report=self._poller.report(key)
        )
        return await self._with_pods(pipeline, seen) if needs_pods(pipeline, seen) else seen

    async def _bring(self, planned: Plan, seen: Observation) -> _Look:
        """Resolve, render, apply, prune; what is seen then."""
        pipeline, settings = planned.pipeline, self._settings
        key = pipeline.key
        admin = own(seen.children, Ref(SECRET, admin_secret(key.name)), pipeline.uid)
        resolved = await self._references.resolve(key, references(pipeline, settings), admin)
        deployment = own(seen.children, Ref(DEPLOYMENT, key.name), pipeline.uid)
        turn = rotation(deployment, resolved.digest, self._now(), revision=planned.revision.id)
        inputs = inputs_of(pipeline, settings, seen.kinds, planned.revision, turn.digest, turn.rotated_at)
        desired = self._renders.children(inputs, seen.children, _new_secret)
        held = None
        if planned.revision.id != planned.state.last_good:  # which the index fits
            held = await held_fingerprint(pipeline, seen, desired, self._poller)
        decision = decide(planned, seen, resolved, desired, held, is_deployed=deployment is not None)
        outcome = await self._children.bring(
            Whose(key, pipeline.uid),
            decision.desired,
            seen.kinds,
            keep=planned.keep,
            workload_stays=decision.stays,
        )
        look = await self._after(pipeline, decision.seen, resolved, outcome)
        # What stands in the way of the key is a fault, which has its own time.
        key_is_there = own(look.seen.children, Ref(SECRET, admin_secret(key.name)), pipeline.uid) is not None
        is_soon = decision.is_soon and (key_is_there or not resolved.awaits_key)
        return look._replace(again=_SOON_SECONDS if is_soon else turn.wait_seconds)

    async def _after(
        self, pipeline: Pipeline, before: Observation, resolved: Resolved, outcome: Outcome
    ) -> _Look:
        seen = self._seen(pipeline, before)
        deployment = own(seen.children, Ref(DEPLOYMENT, pipeline.key.name), pipeline.uid)
        on_the_way = deployment is not None and not is_rolled_out(deployment)
        on_the_way_for = self._comeback.unsettled(pipeline.key, on_the_way)
        # What was told of pods that fail is looked at anew, so that it doesn't go and come back.
        if on_the_way and (on_the_way_for >= _PATIENCE_SECONDS or is_stalled(pipeline.status)):
            seen = await self._with_pods(pipeline, seen)
        faults = (*resolved.faults, *outcome.faults, *unserved(pipeline, seen.kinds))
        return _Look(replace(seen, faults=faults), outcome.waits or on_the_way)

    async def _with_pods(self, pipeline: Pipeline, seen: Observation) -> Observation:
        pods = await self._pods.look(pipeline.key)
        return seen if pods is None else replace(seen, troubles=pods.troubles, ready_pods=pods.ready)

    def _seen(self, pipeline: Pipeline, before: Observation) -> Observation:
        """What the cache holds now, and what the service says once it runs."""
        children = self._cache.children(pipeline.key)
        unsettled = self._comeback.for_how_long(pipeline.key)
        return replace(before, children=children, report=self._reports.report(pipeline, children, unsettled))

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
        again = again if look.again is None else min(again, look.again)
        if self._reports.is_awaited(pipeline, status):
            return min(again, FIRST_REPORT_SECONDS)
        later = await self._status.write(key, pipeline.uid, pipeline.generation, status)
        # A fault has its own time: the status that it kept from being written is written then.
        return again if later is None or seen.faults else min(again, later)

    async def _tell_invalid(self, obj: Object, message: str) -> float:
        metadata = obj["metadata"]
        key, generation = Key(metadata["namespace"], metadata["name"]), metadata["generation"]
        status = assess_invalid(key, generation, obj.get("status") or {}, message, self._now())
        await self._status.write(key, metadata["uid"], generation, status)
        return self._comeback.seconds(key, is_faulty=False, is_missing=False, waits=False)


def _new_secret() -> str:
    """A new key (256 bits), in the form that the service gives to those that it makes itself."""
    return f"rf_{secrets.token_urlsafe(32)}"

"""Keeps one child as it was rendered."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ragfleet_operator.engine import faults
from ragfleet_operator.engine.cache import Cache
from ragfleet_operator.engine.cluster import Cluster
from ragfleet_operator.engine.conflicts import ConflictMemory
from ragfleet_operator.engine.drift import digest, holds, mark_of, marked, projection
from ragfleet_operator.engine.errors import (
    ApiError,
    Conflict,
    NamespaceTerminating,
    NotFound,
    Unavailable,
)
from ragfleet_operator.engine.handover import hand_over, lets_go
from ragfleet_operator.engine.ownership import is_deleting, is_ours
from ragfleet_operator.engine.writes import Writes
from ragfleet_operator.kinds import DEPLOYMENT, OPTIONAL
from ragfleet_operator.model import Child, ChildFault, Fault, Key, Object, Ref, Way
from ragfleet_operator.names import PIPELINE_LABEL

# No object was ever in this state: an apply that names it makes an object or is refused, and changes none.
_NO_VERSION = "1"
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Whose:
    """The pipeline that a child is for."""

    key: Key
    uid: str


class Kept(NamedTuple):
    """How a child is. is_there: it exists and is the pipeline's. waits: it will change by itself soon."""

    ref: Ref
    is_there: bool
    fault: ChildFault | None = None
    waits: bool = False


class _Applied(NamedTuple):
    """What was last found to be as it should. version: of the object then; projected: see projection."""

    mark: str
    version: str
    projected: str


class Keeper:
    """Applies and ensures children, and remembers what the API server made of them.

    monotonic: seconds; now: the time of day.
    """

    def __init__(
        self,
        cluster: Cluster,
        writes: Writes,
        cache: Cache,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._cluster = cluster
        self._writes = writes
        self._cache = cache
        self._conflicts = ConflictMemory()
        self._monotonic = monotonic
        self._now = now
        self._applied: dict[Key, dict[Ref, _Applied]] = {}

    def forget(self, key: Key) -> None:
        """Drop what is remembered of a pipeline's children."""
        self._applied.pop(key, None)
        self._conflicts.forget(key)

    async def keep(self, whose: Whose, child: Child, live: Object | None, *, force: bool = False) -> Kept:
        """Make a child as it should be. live: as last seen. force: take fields from whoever holds them.

        What is wrong with this child alone is in the result. Raises Unavailable, NamespaceTerminating,
        NotLeadingError: then nothing can be done about any.
        """
        ref = child.ref
        try:
            for _ in range(_TRIES):
                if live is not None and not is_ours(ref.kind, live, whose.key.name, whose.uid):
                    return Kept(ref, False, faults.foreign(ref, live))
                if live is not None and is_deleting(live):
                    fault = faults.stuck(ref, live) if faults.is_stuck(live, self._now()) else None
                    return Kept(ref, True, fault, waits=True)
                try:
                    return await self._keep(whose, child, live, force)
                except Conflict:
                    live = await self._read(whose.key, ref)
        except (Unavailable, NamespaceTerminating):
            raise
        except NotFound as error:
            if ref.kind in OPTIONAL:
                return Kept(ref, False)  # its kind was taken away a moment ago
            raise NamespaceTerminating(str(error)) from None
        except ApiError as error:
            return Kept(ref, live is not None, faults.refused(ref, error))
        message = f'{ref.kind.kind} "{ref.name}" changes faster than it can be written; it is tried again'
        return Kept(ref, live is not None, ChildFault(ref, Fault.UNAVAILABLE, message))

    async def _keep(self, whose: Whose, child: Child, live: Object | None, force: bool) -> Kept:
        if child.way is Way.ENSURED:
            await self._ensure(whose, child, live)
            return Kept(child.ref, True)
        desired = marked(child.manifest)
        ref, now = child.ref, self._monotonic()
        if live is None:
            self._remember(whose.key, ref, desired, await self._make(whose.key, ref, desired))
        elif self._differs(whose.key, ref, live, desired):
            # A quarrel over what was there doesn't hold up what is new.
            if mark_of(live) == mark_of(desired) and self._conflicts.pauses(whose.key, ref, now):
                return Kept(ref, True, self._conflicts.fault(whose.key, ref, now))
            if ref.kind == DEPLOYMENT and lets_go(live, desired):
                live = await hand_over(self._cluster, self._writes, live, whose.uid)
            answer = await self._change(whose.key, ref, desired, live, force)
            self._remember(whose.key, ref, desired, answer)
        return Kept(ref, True, self._conflicts.fault(whose.key, ref, now))

    def _differs(self, key: Key, ref: Ref, live: Object, desired: Object) -> bool:
        if mark_of(live) != mark_of(desired):
            return True
        known = self._applied.get(key, {}).get(ref)
        if known is not None and known.mark == mark_of(desired):
            if known.version == live["metadata"]["resourceVersion"]:
                return False
            differs = known.projected != digest(projection(live, desired))
        else:
            differs = not holds(live, desired)
        if not differs:
            self._remember(key, ref, desired, live)
        return differs

    def _remember(self, key: Key, ref: Ref, desired: Object, live: Object) -> None:
        version = live["metadata"]["resourceVersion"]
        applied = _Applied(mark_of(desired) or "", version, digest(projection(live, desired)))
        self._applied.setdefault(key, {})[ref] = applied

    async def _make(self, key: Key, ref: Ref, desired: Object) -> Object:
        return await self._writes.apply(
            ref.kind, key.namespace, _with_metadata(desired, resourceVersion=_NO_VERSION)
        )

    async def _change(self, key: Key, ref: Ref, desired: Object, live: Object, force: bool) -> Object:
        manifest = _with_metadata(desired, uid=live["metadata"]["uid"])
        try:
            return await self._writes.apply(ref.kind, key.namespace, manifest, force=force)
        except Conflict as conflict:
            if not conflict.held:
                raise
            self._conflicts.note(key, ref, conflict.held, self._monotonic())
        return await self._writes.apply(ref.kind, key.namespace, manifest, force=True)

    async def _ensure(self, whose: Whose, child: Child, live: Object | None) -> None:
        if live is None:
            await self._writes.create(child.kind, whose.key.namespace, child.manifest)
        elif (live["metadata"].get("labels") or {}).get(PIPELINE_LABEL) != whose.key.name:
            # Somebody took the label that it is watched by. What it holds is never written again.
            parts = {name: child.manifest[name] for name in ("apiVersion", "kind", "metadata")}
            manifest = _with_metadata(parts, uid=live["metadata"]["uid"])
            await self._writes.apply(child.kind, whose.key.namespace, manifest, force=True)

    async def _read(self, key: Key, ref: Ref) -> Object | None:
        try:
            found = await self._cluster.get(ref.kind, key.namespace, ref.name)
        except NotFound:
            self._cache.forget(ref.kind, key.namespace, ref.name)
            return None
        self._cache.expect(ref.kind, found)
        return found


def _with_metadata(manifest: Object, **fields: str) -> dict[str, Any]:
    return {**manifest, "metadata": {**manifest["metadata"], **fields}}

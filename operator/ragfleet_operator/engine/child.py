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
from ragfleet_operator.engine.drift import content, digest, holds, mark_of, projection, with_mark
from ragfleet_operator.engine.errors import (
    ApiError,
    Conflict,
    NamespaceTerminating,
    NotFound,
    Unavailable,
)
from ragfleet_operator.engine.handover import hand_over, lets_go
from ragfleet_operator.engine.ownership import is_deleting, is_ours
from ragfleet_operator.engine.wanted import IDENTITY, Wanted
from ragfleet_operator.engine.writes import Writes
from ragfleet_operator.kinds import DEPLOYMENT, OPTIONAL
from ragfleet_operator.model import ChildFault, Fault, Key, Object, Ref, Way
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
    """What was last found to be as it should. version: of the object then; the rest: digests of it."""

    mark: str
    version: str
    content: bytes
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

    def look(self, whose: Whose, child: Wanted, live: Object | None) -> Kept | None:
        """How a child is where nothing is to be written; None where something is. live: as last seen."""
        ref = child.ref
        if live is None:
            return None
        if not is_ours(ref.kind, live, whose.key.name, whose.uid):
            return Kept(ref, False, faults.foreign(ref, live))
        if is_deleting(live):
            fault = faults.stuck(ref, live) if faults.is_stuck(live, self._now()) else None
            return Kept(ref, True, fault, waits=True)
        if child.way is Way.ENSURED:
            return Kept(ref, True) if _is_labelled(live, whose) else None
        now = self._monotonic()
        # A quarrel over what was there doesn't hold up what is new.
        if not self._differs(whose.key, child, live) or (
            mark_of(live) == child.mark and self._conflicts.pauses(whose.key, ref, now)
        ):
            return Kept(ref, True, self._conflicts.fault(whose.key, ref, now))
        return None

    async def keep(self, whose: Whose, child: Wanted, live: Object | None, *, force: bool = False) -> Kept:
        """Make a child as it should be, where ``look`` says that it isn't.

        live: as it was looked at. force: take fields from whoever holds them. What is wrong with this child
        alone is in the result. Raises Unavailable, NamespaceTerminating, NotLeadingError: then nothing can be
        done about any.
        """
        ref = child.ref
        try:
            for _ in range(_TRIES):
                try:
                    return await self._write(whose, child, live, force)
                except Conflict:
                    live = await self._read(whose.key, ref)
                kept = self.look(whose, child, live)
                if kept is not None:
                    return kept
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

    async def _write(self, whose: Whose, child: Wanted, live: Object | None, force: bool) -> Kept:
        if child.way is Way.ENSURED:
            return await self._ensure(whose, child, live)
        ref, desired = child.ref, with_mark(child.manifest, child.mark)
        if live is None:
            answer = await self._make(whose.key, ref, desired)
        else:
            if ref.kind == DEPLOYMENT and lets_go(live, desired):
                live = await hand_over(self._cluster, self._writes, live, whose.uid)
            # To learn who has edited it takes a request that is refused: not for the first time.
            is_drift = mark_of(live) == child.mark
            force = force or (is_drift and self._conflicts.restoring(whose.key, ref, self._monotonic()))
            answer = await self._change(whose.key, ref, desired, live, force)
        self._remember(whose.key, child, answer, content(answer), digest(projection(answer, desired)))
        return Kept(ref, True, self._conflicts.fault(whose.key, ref, self._monotonic()))

    def _differs(self, key: Key, child: Wanted, live: Object) -> bool:
        if mark_of(live) != child.mark:
            return True
        known = self._applied.get(key, {}).get(child.ref)
        if known is not None and known.mark != child.mark:
            known = None
        if known is not None and known.version == live["metadata"]["resourceVersion"]:
            return False
        found = content(live)
        if known is not None and known.content == found:
            projected, differs = known.projected, False
        else:
            desired = with_mark(child.manifest, child.mark)
            projected = digest(projection(live, desired))
            differs = not holds(live, desired) if known is None else known.projected != projected
        if not differs:
            self._remember(key, child, live, found, projected)
        return differs

    def _remember(self, key: Key, child: Wanted, live: Object, found: bytes, projected: str) -> None:
        applied = _Applied(child.mark, live["metadata"]["resourceVersion"], found, projected)
        self._applied.setdefault(key, {})[child.ref] = applied

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

    async def _ensure(self, whose: Whose, child: Wanted, live: Object | None) -> Kept:
        manifest = child.manifest
        if live is not None:
            # Somebody took the label that it is watched by. What it holds is never written again.
            parts = {name: manifest[name] for name in IDENTITY}
            named = _with_metadata(parts, uid=live["metadata"]["uid"])
            await self._writes.apply(child.kind, whose.key.namespace, named, force=True)
        elif not child.can_be_made:
            return Kept(child.ref, False, waits=True)  # gone since it was looked for
        else:
            await self._writes.create(child.kind, whose.key.namespace, manifest)
        return Kept(child.ref, True)

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


def _is_labelled(live: Object, whose: Whose) -> bool:
    return bool((live["metadata"].get("labels") or {}).get(PIPELINE_LABEL) == whose.key.name)

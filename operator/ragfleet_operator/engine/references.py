"""Whether what a spec refers to is there, and changes: Secrets and ConfigMaps, claims and accounts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ragfleet_operator.engine import faults
from ragfleet_operator.engine.cluster import Cluster
from ragfleet_operator.engine.digests import DigestKey, Sums
from ragfleet_operator.engine.errors import Forbidden, NotFound
from ragfleet_operator.engine.trim import entries
from ragfleet_operator.engine.watched import Watched
from ragfleet_operator.kinds import CONFIG_MAP, PVC, SECRET, SERVICE_ACCOUNT, Kind
from ragfleet_operator.model import ChildFault, Key, Missing, Object, Ref
from ragfleet_operator.render import Reference

_KINDS: Final[Mapping[str, Kind]] = {
    "Secret": SECRET,
    "ConfigMap": CONFIG_MAP,
    "PersistentVolumeClaim": PVC,
    "ServiceAccount": SERVICE_ACCOUNT,
}
# What isn't right is looked at again when a pass asks that comes three seconds later; the rest, slowly.
_UNRESOLVED_SECONDS: Final = 2.5
_RESOLVED_SECONDS: Final = 260.0  # less than the shortest time between two passes in which nothing happens


@dataclass(frozen=True, slots=True)
class Resolved:
    """What isn't as it must be, and what can't be looked at.

    digest: of what pods read only once, "" where that is nothing, None where it can't be told at the moment.
    awaits_key: it can't be told because the Secret with the key, that of the admin port, isn't there yet.
    """

    missing: tuple[Missing, ...] = ()
    faults: tuple[ChildFault, ...] = ()
    digest: str | None = ""
    awaits_key: bool = False


class _Read(NamedTuple):
    """What a GET has told. names: of the entries, None where there is no such object.

    sums: digests of the values, where they were asked for. mark: see Watched.
    """

    at: float
    names: frozenset[str] | None
    fault: ChildFault | None = None
    sums: Sums | None = None
    mark: bytes = b""


@dataclass(slots=True)
class _Memory:
    """key_of: uid and version of the Secret that the key was read from, whether it held one or not."""

    reads: dict[Ref, _Read] = field(default_factory=dict)
    unresolved: frozenset[Ref] = frozenset()
    key: DigestKey | None = None
    key_of: tuple[str, str] | None = None


class References:
    """Looks references up: in what is watched, else by a GET now and then. Values are never kept."""

    def __init__(
        self, cluster: Cluster, watched: Watched, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._cluster = cluster
        self._watched = watched
        self._monotonic = monotonic
        self._memory: dict[Key, _Memory] = {}

    def forget(self, key: Key) -> None:
        """Drop what is remembered for a pipeline."""
        self._memory.pop(key, None)
        self._watched.use(key, ())

    async def resolve(
        self, key: Key, references: Sequence[Reference], admin: Object | None = None
    ) -> Resolved:
        """What is missing of the references that pods need, and the digest of what they read once.

        admin: the pipeline's own Secret with the token of its admin port, values aside; None where there is
        none. Raises Unavailable.
        """
        needed = [(_ref(reference), reference) for reference in references if reference.is_needed]
        refs = {ref for ref, _ in needed}
        self._watched.use(key, refs)
        memory = self._memory.setdefault(key, _Memory())
        memory.reads = {ref: read for ref, read in memory.reads.items() if ref in refs}
        hashed = {ref for ref, reference in needed if reference.rolls}
        key_fault = await self._read_key(key, admin, memory) if hashed else None
        reads = {ref: await self._look(key, ref, memory, is_hashed=ref in hashed) for ref in sorted(refs)}
        missing = tuple(dict.fromkeys(_missing(needed, reads)))
        found_faults = [read.fault for read in reads.values()]
        bad = {(item.what, item.name) for item in missing}
        memory.unresolved = frozenset(ref for ref in refs if (ref.kind.kind, ref.name) in bad)
        return Resolved(
            missing,
            tuple(fault for fault in (*found_faults, key_fault) if fault is not None),
            _digest(needed, reads, memory.key) if hashed else "",
            awaits_key=bool(hashed) and key_fault is None and memory.key_of is None,
        )

    async def _read_key(self, key: Key, admin: Object | None, memory: _Memory) -> ChildFault | None:
        """Read the pipeline's key where its Secret has changed; what is wrong where it may not be read."""
        if admin is None:
            memory.key, memory.key_of = None, None
            return None
        metadata = admin["metadata"]
        version = (metadata["uid"], metadata["resourceVersion"])
        if memory.key_of == version:
            return None
        memory.key, memory.key_of = None, None
        memory.reads = {ref: read._replace(sums=None) for ref, read in memory.reads.items()}
        try:
            found = await self._cluster.get(SECRET, key.namespace, metadata["name"])
        except NotFound:
            return None  # its event is on the way
        except Forbidden as error:
            return faults.refused(Ref(SECRET, metadata["name"]), error)
        if found["metadata"]["uid"] == metadata["uid"]:  # and nobody else's that has its name by now
            memory.key, memory.key_of = DigestKey.of(found), version
        return None

    async def _look(self, key: Key, ref: Ref, memory: _Memory, *, is_hashed: bool) -> _Read:
        now = self._monotonic()
        digest_key = memory.key if is_hashed else None
        names = self._watched.entries(key.namespace, ref)
        if names is not None and digest_key is None:
            memory.reads.pop(ref, None)
            return _Read(now, names)
        known = memory.reads.get(ref)
        if known is None or known.fault is not None or (digest_key is not None and known.sums is None):
            is_fresh = False
        elif names is not None:
            is_fresh = self._watched.is_current(key.namespace, ref, known.mark)
        else:
            patience = _UNRESOLVED_SECONDS if ref in memory.unresolved else _RESOLVED_SECONDS
            is_fresh = now - known.at < patience
        if known is None or not is_fresh:
            known = await self._read(key, ref, now, digest_key)
        # What is watched counts for as long as it is, and not a moment longer.
        memory.reads[ref] = known if names is None else known._replace(at=-math.inf)
        return known

    async def _read(self, key: Key, ref: Ref, now: float, digest_key: DigestKey | None) -> _Read:
        try:
            obj = await self._cluster.get(ref.kind, key.namespace, ref.name)
        except NotFound:
            return _Read(now, None, sums={})
        except Forbidden as error:
            # Whether it is there isn't known; pods will tell.
            return _Read(now, None, faults.refused(ref, error))
        names = entries(ref.kind, obj)
        if digest_key is None:
            return _Read(now, names)
        return _Read(now, names, sums=digest_key.sums(ref.kind, obj), mark=self._watched.mark(ref.kind, obj))


def _digest(
    needed: Iterable[tuple[Ref, Reference]], reads: Mapping[Ref, _Read], key: DigestKey | None
) -> str | None:
    """The digest of what pods read once; None where some of it isn't there or isn't known."""
    if key is None:
        return None
    parts = {}
    for ref, reference in needed:
        if not reference.rolls:
            continue
        sums = reads[ref].sums or {}
        wanted = reference.keys or sums.keys()
        if not wanted or not wanted <= sums.keys():
            return None
        parts.update({(ref, entry): sums[entry] for entry in wanted})
    return key.digest((ref, entry, value) for (ref, entry), value in parts.items())


def _missing(needed: Iterable[tuple[Ref, Reference]], reads: Mapping[Ref, _Read]) -> Iterable[Missing]:
    for ref, reference in needed:
        read = reads[ref]
        if read.fault is not None:
            continue
        holds_entries = ref.kind in (SECRET, CONFIG_MAP)
        if read.names is None or (holds_entries and not reference.keys and not read.names):
            yield Missing(reference.what, reference.name, "", reference.used_by)
            continue
        for name in sorted(reference.keys - read.names):
            yield Missing(reference.what, reference.name, name, reference.used_by)


def _ref(reference: Reference) -> Ref:
    return Ref(_KINDS[reference.what], reference.name)

"""Whether what a spec refers to is there: Secrets and ConfigMaps with their entries, claims and accounts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ragfleet_operator.engine import faults
from ragfleet_operator.engine.cluster import Cluster
from ragfleet_operator.engine.errors import Forbidden, NotFound
from ragfleet_operator.engine.trim import entries
from ragfleet_operator.engine.watched import Watched
from ragfleet_operator.kinds import CONFIG_MAP, PVC, SECRET, SERVICE_ACCOUNT, Kind
from ragfleet_operator.model import ChildFault, Key, Missing, Ref
from ragfleet_operator.render import Reference

_KINDS: Final[Mapping[str, Kind]] = {
    "Secret": SECRET,
    "ConfigMap": CONFIG_MAP,
    "PersistentVolumeClaim": PVC,
    "ServiceAccount": SERVICE_ACCOUNT,
}
# What isn't right is looked at again when a pass asks that comes three seconds later; the rest, slowly.
_UNRESOLVED_SECONDS: Final = 2.5
_RESOLVED_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class Resolved:
    """What isn't as it must be, and what can't be looked at."""

    missing: tuple[Missing, ...] = ()
    faults: tuple[ChildFault, ...] = ()


class _Read(NamedTuple):
    """What a GET has told. names: of the entries, None where there is no such object."""

    at: float
    names: frozenset[str] | None
    fault: ChildFault | None = None


@dataclass(slots=True)
class _Memory:
    reads: dict[Ref, _Read] = field(default_factory=dict)
    unresolved: frozenset[Ref] = frozenset()


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

    async def resolve(self, key: Key, references: Sequence[Reference]) -> Resolved:
        """What is missing of the references that pods need. Raises Unavailable."""
        needed = [(_ref(reference), reference) for reference in references if reference.is_needed]
        refs = {ref for ref, _ in needed}
        self._watched.use(key, refs)
        memory = self._memory.setdefault(key, _Memory())
        memory.reads = {ref: read for ref, read in memory.reads.items() if ref in refs}
        reads = {ref: await self._look(key, ref, memory) for ref in sorted(refs)}
        missing = tuple(dict.fromkeys(_missing(needed, reads)))
        found_faults = tuple(read.fault for read in reads.values() if read.fault is not None)
        bad = {(item.what, item.name) for item in missing}
        memory.unresolved = frozenset(ref for ref in refs if (ref.kind.kind, ref.name) in bad)
        return Resolved(missing, found_faults)

    async def _look(self, key: Key, ref: Ref, memory: _Memory) -> _Read:
        now = self._monotonic()
        names = self._watched.entries(key.namespace, ref)
        if names is not None:
            memory.reads.pop(ref, None)
            return _Read(now, names)
        known = memory.reads.get(ref)
        patience = _UNRESOLVED_SECONDS if ref in memory.unresolved else _RESOLVED_SECONDS
        if known is None or known.fault is not None or now - known.at >= patience:
            known = memory.reads[ref] = await self._read(key, ref, now)
        return known

    async def _read(self, key: Key, ref: Ref, now: float) -> _Read:
        try:
            obj = await self._cluster.get(ref.kind, key.namespace, ref.name)
        except NotFound:
            return _Read(now, None)
        except Forbidden as error:
            # Whether it is there isn't known; pods will tell.
            return _Read(now, None, faults.refused(ref, error))
        return _Read(now, entries(ref.kind, obj))


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

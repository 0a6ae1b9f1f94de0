"""Secrets and ConfigMaps that people want watched: their entries, their changes, and who uses them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Set
from typing import NamedTuple

from ragfleet_operator.engine.digests import Marker
from ragfleet_operator.engine.trim import entries
from ragfleet_operator.kinds import Kind
from ragfleet_operator.model import Key, Object, Ref


class _Seen(NamedTuple):
    version: str
    names: frozenset[str]
    mark: bytes


class Watched:
    """Of watched objects, the names of entries that hold something, and a mark. Values are never kept."""

    def __init__(self) -> None:
        self._marker = Marker()
        self._seen: dict[tuple[str, Ref], _Seen] = {}
        self._users: dict[tuple[str, Ref], set[Key]] = {}
        self._uses: dict[Key, set[tuple[str, Ref]]] = {}
        self.last_event: dict[Kind, float] = {}

    def see(self, kind: Kind, type_: str | None, obj: Object) -> set[Key]:
        """Take a watch event; the pipelines that use the object, none where it tells nothing new."""
        self.last_event[kind] = time.monotonic()
        metadata = obj["metadata"]
        place = (metadata["namespace"], Ref(kind, metadata["name"]))
        known = self._seen.get(place)
        if type_ == "DELETED":
            self._seen.pop(place, None)
        else:
            if known is not None and known.version == metadata["resourceVersion"]:
                return set()
            mark = self._marker.mark(kind, obj)
            self._seen[place] = _Seen(metadata["resourceVersion"], entries(kind, obj), mark)
            if known is not None and known.mark == mark:
                return set()  # who keeps a Secret up to date often writes only when it did so
        return set(self._users.get(place, ()))

    def replace(self, kind: Kind, namespace: str | None, objects: Iterable[Object]) -> set[Key]:
        """Take a list of all watched objects of a kind; the pipelines that use what is new or gone."""
        keys: set[Key] = set()
        listed = set()
        for obj in objects:
            listed.add((obj["metadata"]["namespace"], obj["metadata"]["name"]))
            keys |= self.see(kind, None, obj)
        return keys | self.keep_only(kind, namespace, listed)

    def keep_only(self, kind: Kind, namespace: str | None, names: Set[tuple[str, str]]) -> set[Key]:
        """Take out what a list didn't hold; the pipelines that use it. names: see Cache.keep_only."""
        keys: set[Key] = set()
        for place in [place for place in self._seen if place[1].kind == kind]:
            if namespace in (None, place[0]) and (place[0], place[1].name) not in names:
                del self._seen[place]
                keys |= self._users.get(place, set())
        return keys

    def entries(self, namespace: str, ref: Ref) -> frozenset[str] | None:
        """The names of a watched object's entries; None where it isn't watched."""
        seen = self._seen.get((namespace, ref))
        return None if seen is None else seen.names

    def is_current(self, namespace: str, ref: Ref, mark: bytes) -> bool:
        """Whether a watched object holds what it held when its mark was taken."""
        seen = self._seen.get((namespace, ref))
        return seen is not None and seen.mark == mark

    def mark(self, kind: Kind, obj: Object) -> bytes:
        """The mark of an object that was read."""
        return self._marker.mark(kind, obj)

    def use(self, key: Key, refs: Iterable[Ref]) -> None:
        """Tell what a pipeline refers to, instead of what was told before."""
        places = {(key.namespace, ref) for ref in refs}
        for place in self._uses.get(key, set()) - places:
            users = self._users[place]
            users.discard(key)
            if not users:
                del self._users[place]
        for place in places:
            self._users.setdefault(place, set()).add(key)
        if places:
            self._uses[key] = places
        else:
            self._uses.pop(key, None)

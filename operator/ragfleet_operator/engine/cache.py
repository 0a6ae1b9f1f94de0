"""What the watches have shown: pipelines, their children, and the Secrets and ConfigMaps that are watched."""

from __future__ import annotations

import time
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Set
from typing import Final, NamedTuple

import orjson

from ragfleet_operator.engine.ownership import pipeline_of
from ragfleet_operator.engine.trim import STATUS_UNREAD, exact, trimmed
from ragfleet_operator.kinds import CONTROLLER_REVISION, PIPELINE, Kind
from ragfleet_operator.model import Key, Object, Ref
from ragfleet_operator.names import PIPELINE_LABEL

# The children of some dozens of pipelines; a decoded object takes ten times the memory.
_MOST_DECODED: Final = 512
# Deletions that are remembered: many more than there are calls on their way at any time.
_MOST_GONE: Final = 4096
# Large, many, and never changed: a fifth of the memory for a little work at each look.
_COMPRESSED: Final = frozenset({CONTROLLER_REVISION})


class _Entry(NamedTuple):
    """An object as JSON, of some kinds compressed: a tenth of the memory that the same takes as Python's."""

    uid: str
    version: str
    key: Key
    data: bytes


class _Place(NamedTuple):
    kind: Kind
    namespace: str
    name: str


class Cache:
    """Objects by place, children by pipeline. Not for more than one event loop.

    An object is as new as its resourceVersion, whatever came in which order: our own writes are put in as
    they are answered, and their events, which come later, are known already.
    """

    def __init__(self) -> None:
        self._objects: dict[_Place, _Entry] = {}
        self._children: dict[Key, set[_Place]] = {}
        self._read: OrderedDict[_Place, tuple[str, Object]] = OrderedDict()
        self._gone: OrderedDict[_Place, str] = OrderedDict()
        self.last_event: dict[Kind, float] = {}

    def see(self, kind: Kind, type_: str | None, obj: Object) -> Key | None:
        """Take a watch event; the pipeline to look at, None where the event tells nothing new.

        type_: ADDED, MODIFIED, DELETED, or None in a first list.
        """
        self.last_event[kind] = time.monotonic()
        place = _place(kind, obj)
        known = self._objects.get(place)
        if type_ == "DELETED":
            return self._see_deleted(place, known, obj)
        metadata = obj["metadata"]
        if known is not None and not _is_newer(metadata["resourceVersion"], known.version):
            return None
        is_known = known is not None and kind in STATUS_UNREAD
        before = self._decoded(place) if is_known else {}
        key = self._put(place, obj) or (known.key if known else None)
        # Controllers write many a status that tells us nothing.
        return None if is_known and place in self._objects and self._is_same(place, before) else key

    def replace(
        self, kind: Kind, namespace: str | None, objects: Iterable[Object], version: str = ""
    ) -> set[Key]:
        """Take a list of all objects of a kind, in a namespace or in all; the pipelines to look at.

        version: of the list; what we have that is newer than it is kept.
        """
        keys: set[Key | None] = set()
        listed = set()
        for obj in objects:
            place = _place(kind, obj)
            listed.add((place.namespace, place.name))
            keys.add(self.see(kind, None, obj))
        keys |= self.keep_only(kind, namespace, listed, version)
        return {key for key in keys if key is not None}

    def keep_only(
        self, kind: Kind, namespace: str | None, names: Set[tuple[str, str]], version: str = ""
    ) -> set[Key]:
        """Take out what a list didn't hold, all of which was seen; the pipelines to look at. See replace().

        names: namespace and name of each object that it held.
        """
        self.last_event[kind] = time.monotonic()
        keys: set[Key | None] = set()
        for place in [place for place in self._objects if place.kind == kind]:
            if namespace not in (None, place.namespace) or (place.namespace, place.name) in names:
                continue
            if not version or _is_newer(version, self._objects[place].version):
                keys.add(self._drop(place))
        return {key for key in keys if key is not None}

    def expect(self, kind: Kind, obj: Object) -> None:
        """Take the answer to a write or a read of our own: its event will tell nothing new.

        An answer that comes later than the event of the object's deletion tells nothing either.
        """
        place, version = _place(kind, obj), obj["metadata"]["resourceVersion"]
        known = self._objects.get(place)
        if known is None and place in self._gone and not _is_newer(version, self._gone[place]):
            return
        if known is None or _is_newer(version, known.version):
            self._put(place, obj)

    def forget(self, kind: Kind, namespace: str, name: str) -> None:
        """Take an object out that the API server says isn't there."""
        self._drop(_Place(kind, namespace, name))

    def pipeline(self, key: Key) -> Object | None:
        """The pipeline as last seen. What is given out by this and by children() mustn't be changed."""
        place = _Place(PIPELINE, *key)
        return self._decoded(place) if place in self._objects else None

    def pipelines(self) -> list[Key]:
        """Where there are pipelines."""
        return [entry.key for place, entry in self._objects.items() if place.kind == PIPELINE]

    def children(self, key: Key) -> Mapping[Ref, Object]:
        """The objects that the pipeline owns, or that carry its label and no pipeline owns."""
        places = self._children.get(key, ())
        return {Ref(place.kind, place.name): self._decoded(place) for place in places}

    def __len__(self) -> int:
        return len(self._objects)

    def _decoded(self, place: _Place) -> Object:
        """The object; those of the passes that run are decoded once, not at each look."""
        entry = self._objects[place]
        version, obj = self._read.pop(place, ("", {}))
        if version != entry.version:
            data = zlib.decompress(entry.data) if place.kind in _COMPRESSED else entry.data
            obj = orjson.loads(data)
        self._read[place] = (entry.version, obj)
        if len(self._read) > _MOST_DECODED:
            self._read.popitem(last=False)
        return obj

    def _is_same(self, place: _Place, before: Object) -> bool:
        """Whether of what is kept of an object nothing has changed but its version."""
        now = self._decoded(place)
        metadata = {**now["metadata"], "resourceVersion": before["metadata"]["resourceVersion"]}
        return {**now, "metadata": metadata} == before

    def _see_deleted(self, place: _Place, known: _Entry | None, obj: Object) -> Key | None:
        self._gone.pop(place, None)  # the latest are last
        self._gone[place] = obj["metadata"]["resourceVersion"]
        if len(self._gone) > _MOST_GONE:
            self._gone.popitem(last=False)
        if known is None:
            return _key(place, obj)
        metadata = obj["metadata"]
        # The deletion of an earlier object of that name, told after its successor was seen.
        if known.uid != metadata["uid"] and not _is_newer(metadata["resourceVersion"], known.version):
            return None
        return self._drop(place)

    def _put(self, place: _Place, obj: Object) -> Key | None:
        key = _key(place, obj)
        if key is None:
            self._drop(place)  # its label was taken away: it isn't selected any more
            return None
        known = self._objects.get(place)
        if known is not None and known.key != key:
            self._drop(place)
        metadata = obj["metadata"]
        data = orjson.dumps(trimmed(place.kind, obj))
        data = zlib.compress(data) if place.kind in _COMPRESSED else exact(data)
        self._objects[place] = _Entry(metadata["uid"], metadata["resourceVersion"], key, data)
        if place.kind != PIPELINE:
            self._children.setdefault(key, set()).add(place)
        return key

    def _drop(self, place: _Place) -> Key | None:
        entry = self._objects.pop(place, None)
        self._read.pop(place, None)
        if entry is None:
            return None
        siblings = self._children.get(entry.key)
        if siblings is not None:
            siblings.discard(place)
            if not siblings:
                del self._children[entry.key]
        return entry.key


def _place(kind: Kind, obj: Object) -> _Place:
    metadata = obj["metadata"]
    return _Place(kind, metadata["namespace"], metadata["name"])


def _key(place: _Place, obj: Object) -> Key | None:
    if place.kind == PIPELINE:
        return Key(place.namespace, place.name)
    # By its owner, where a pipeline owns it: another label is an edit that this pipeline has to undo.
    name = pipeline_of(obj) or (obj["metadata"].get("labels") or {}).get(PIPELINE_LABEL)
    return Key(place.namespace, name) if name else None


def _is_newer(version: str, known: str) -> bool:
    """Versions of one kind grow (Kubernetes, KEP-5504); what isn't a number only differs."""
    if version.isdecimal() and known.isdecimal():
        return int(version) > int(known)
    return version != known

"""A cluster in memory: objects with uids and versions, scripted conflicts, faults on demand.

It isn't server-side apply: an apply merges maps and replaces lists. What depends on the real one is tested on
the real API server.
"""

from __future__ import annotations

import copy
import itertools
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ragfleet_operator.engine.cluster import Listing
from ragfleet_operator.engine.errors import ApiError, Conflict, Held, NotFound
from ragfleet_operator.kinds import PIPELINE, Kind
from ragfleet_operator.model import Key, Object
from ragfleet_operator.names import FIELD_MANAGER

Place = tuple[Kind, str, str]


class FakeCluster:
    """Implements engine.cluster.Cluster. calls: how often each verb was used on each kind.

    faults: by verb and kind, what a call raises until it is taken out. held: by place, who holds fields,
    until an apply takes them by force. present: the optional kinds that there are.
    """

    def __init__(self, present: frozenset[Kind] = frozenset()) -> None:
        self.objects: dict[Place, dict[str, Any]] = {}
        self.calls: Counter[tuple[str, str]] = Counter()
        self.faults: dict[tuple[str, Kind], ApiError] = {}
        self.held: dict[Place, list[Held]] = {}
        self.events: list[Object] = []
        self.present = present
        self._versions = itertools.count(100)

    @property
    def writes(self) -> int:
        """Writes to pipelines and children."""
        return sum(
            count
            for (verb, _), count in self.calls.items()
            if verb in ("apply", "create", "delete", "status")
        )

    def put(self, kind: Kind, obj: Mapping[str, Any], **status: Any) -> dict[str, Any]:
        """Somebody else writes an object; what is stored."""
        metadata = obj["metadata"]
        place = (kind, metadata["namespace"], metadata["name"])
        merged = _merged(self.objects.get(place, {}), obj)
        if status:
            merged["status"] = _merged(merged.get("status", {}), status)
        return self._store(place, merged)

    def remove(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        """Somebody else deletes an object; as it was last."""
        gone = self.objects.pop((kind, namespace, name))
        gone["metadata"]["resourceVersion"] = str(next(self._versions))
        return gone

    async def apply(
        self,
        kind: Kind,
        namespace: str,
        manifest: Object,
        *,
        manager: str = FIELD_MANAGER,
        force: bool = False,
    ) -> Object:
        self._called("apply", kind)
        place = (kind, namespace, manifest["metadata"]["name"])
        live = self.objects.get(place)
        self._check(live, manifest["metadata"].get("uid"), manifest["metadata"].get("resourceVersion"))
        if not force and self.held.get(place):
            raise Conflict("conflicts", self.held[place])
        self.held.pop(place, None)
        desired = copy.deepcopy(dict(manifest))
        for name in ("uid", "resourceVersion"):
            desired["metadata"].pop(name, None)
        merged = _merged(live or {}, desired)
        same = live is not None and {**merged, "metadata": {**merged["metadata"]}} == live
        return copy.deepcopy(live) if same and live is not None else self._store(place, merged)

    async def create(self, kind: Kind, namespace: str, manifest: Object) -> Object:
        self._called("create", kind)
        place = (kind, namespace, manifest["metadata"]["name"])
        if place in self.objects:
            raise Conflict("there is one already")
        desired = copy.deepcopy(dict(manifest))
        if "stringData" in desired:
            values = desired.pop("stringData")
            desired["data"] = {name: b64encode(value.encode()).decode() for name, value in values.items()}
        return self._store(place, desired)

    async def get(self, kind: Kind, namespace: str, name: str) -> Object:
        self._called("get", kind)
        if (kind, namespace, name) not in self.objects:
            raise NotFound(f'{kind.plural} "{name}" not found')
        return copy.deepcopy(self.objects[kind, namespace, name])

    async def list(self, kind: Kind, namespace: str | None, selector: str = "") -> Listing:
        self._called("list", kind)
        found = [
            copy.deepcopy(obj)
            for place, obj in self.objects.items()
            if place[0] == kind and namespace in (None, place[1]) and _selected(obj, selector)
        ]
        return Listing(found, str(next(self._versions)))

    async def delete(
        self, kind: Kind, namespace: str, name: str, *, uid: str, version: str | None = None
    ) -> None:
        self._called("delete", kind)
        live = self.objects.get((kind, namespace, name))
        if live is None:
            raise NotFound("gone")
        self._check(live, uid, version)
        del self.objects[kind, namespace, name]

    async def patch_status(self, key: Key, patch: Object, *, uid: str, version: str) -> Object:
        self._called("status", PIPELINE)
        live = self.objects.get((PIPELINE, *key))
        if live is None:
            raise NotFound("gone")
        self._check(live, uid, version)
        return self._store((PIPELINE, *key), {**live, "status": _patched(live.get("status", {}), patch)})

    async def post_event(self, namespace: str, event: Object) -> None:
        self._called("event", PIPELINE)
        self.events.append(event)

    async def kinds_present(self) -> frozenset[Kind]:
        return self.present

    def _called(self, verb: str, kind: Kind) -> None:
        self.calls[verb, kind.kind] += 1
        if (verb, kind) in self.faults:
            raise self.faults[verb, kind]

    @staticmethod
    def _check(live: Object | None, uid: str | None, version: str | None) -> None:
        metadata = {} if live is None else live["metadata"]
        if uid is not None and metadata.get("uid") != uid:
            raise Conflict("another uid")
        if live is not None and version is not None and metadata["resourceVersion"] != version:
            raise Conflict("another version")

    def _store(self, place: Place, obj: Mapping[str, Any]) -> dict[str, Any]:
        version = str(next(self._versions))
        before = self.objects.get(place, {})
        metadata = {
            "uid": before.get("metadata", {}).get("uid", f"uid-{version}"),
            **obj["metadata"],
            "namespace": place[1],
            "resourceVersion": version,
        }
        changed = before.get("spec") != obj.get("spec")
        metadata["generation"] = before.get("metadata", {}).get("generation", 0) + changed
        self.objects[place] = {**copy.deepcopy(dict(obj)), "metadata": metadata}
        return copy.deepcopy(self.objects[place])


def _merged(live: Mapping[str, Any], desired: Mapping[str, Any]) -> dict[str, Any]:
    merged = copy.deepcopy(dict(live))
    for name, value in desired.items():
        is_map = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = _merged(merged[name], value) if is_map else copy.deepcopy(value)
    return merged


def _patched(live: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON merge patch (RFC 7386)."""
    patched = {name: value for name, value in live.items() if name not in patch}
    for name, value in patch.items():
        if isinstance(value, Mapping):
            before = live.get(name)
            patched[name] = _patched(before if isinstance(before, Mapping) else {}, value)
        elif value is not None:
            patched[name] = value
    return patched


def _selected(obj: Object, selector: str) -> bool:
    labels = obj["metadata"].get("labels") or {}
    pairs: Sequence[str] = selector.split(",") if selector else ()
    return all(
        labels.get(name) == value if equals else name in labels
        for name, equals, value in (pair.partition("=") for pair in pairs)
    )

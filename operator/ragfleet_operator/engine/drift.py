"""Whether a live object still holds what was applied."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import orjson

from ragfleet_operator.model import Object
from ragfleet_operator.names import APPLIED_ANNOTATION
from ragfleet_operator.render.quantity import amount

# Lists whose items have a name of their own, so that others may add theirs (x-kubernetes-list-map-keys of
# the API's schema). Every other list is one value.
_POD_LISTS: Final = {
    "containers": ("name",),
    "initContainers": ("name",),
    "volumes": ("name",),
    "imagePullSecrets": ("name",),
    "env": ("name",),
    "volumeMounts": ("mountPath",),
    "ports": ("containerPort", "protocol"),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
}
_NAMED_LISTS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "Deployment": _POD_LISTS,
    "Service": {"ports": ("port", "protocol")},
    "ServiceAccount": {"imagePullSecrets": ("name",), "secrets": ("name",)},
}
_ALL_KINDS: Final = {"ownerReferences": ("uid",)}
_DEFAULTS: Final = {"protocol": "TCP"}
# Maps that are one value (x-kubernetes-map-type: atomic): an entry that somebody adds changes their meaning.
_WHOLE_MAPS: Final = frozenset(
    {"selector", "labelSelector", "podSelector", "namespaceSelector", "nodeSelector", "matchLabels"}
)
_QUANTITIES: Final = frozenset({"limits", "requests"})
# Of the object's own, what says which it is and not what it holds.
_IDENTITY: Final = ("apiVersion", "kind", "status")
# Of its metadata, what changes with every write of anybody's and is never desired.
_OTHERS: Final = ("resourceVersion", "managedFields", "generation")


def digest(value: object) -> str:
    """Identity of a JSON value (32 hex digits)."""
    return digest_of(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))


def digest_of(text: bytes) -> str:
    """Identity of a JSON value that is written with sorted keys and no spaces (32 hex digits)."""
    return hashlib.sha256(text).hexdigest()[:32]


def marked(manifest: Object) -> dict[str, Any]:
    """The manifest with its own hash as an annotation."""
    return with_mark(manifest, digest(manifest))


def with_mark(manifest: Object, mark: str) -> dict[str, Any]:
    """The manifest with a hash as an annotation. mark: its own ``digest``."""
    metadata = manifest["metadata"]
    annotations = {**(metadata.get("annotations") or {}), APPLIED_ANNOTATION: mark}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def mark_of(obj: Object) -> str | None:
    """The hash that an object carries of what was last applied."""
    found: str | None = (obj["metadata"].get("annotations") or {}).get(APPLIED_ANNOTATION)
    return found


def content(live: Object) -> bytes:
    """Identity of all that ``projection`` can look at: where it is the same, so is every projection.

    A controller that writes a status changes the object's version, and not this.
    """
    metadata = {name: value for name, value in live["metadata"].items() if name not in _OTHERS}
    rest = {name: value for name, value in live.items() if name not in _IDENTITY}
    text = orjson.dumps({**rest, "metadata": metadata}, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).digest()[:16]


def projection(live: Object, desired: Object) -> dict[str, Any]:
    """Of a live object, the part that the desired one speaks of."""
    shape = {name: value for name, value in desired.items() if name not in _IDENTITY}
    found = _project(live, shape, _lists_of(desired))
    return found if isinstance(found, dict) else {}


def holds(live: Object, desired: Object) -> bool:
    """Whether a live object has every value that the desired one names.

    False where it can't be told: a default that the server fills into a list, another spelling.
    """
    lists = _lists_of(desired)
    return all(
        _holds(live.get(name), value, name, lists) for name, value in desired.items() if name not in _IDENTITY
    )


def _lists_of(desired: Object) -> Mapping[str, tuple[str, ...]]:
    return {**_ALL_KINDS, **_NAMED_LISTS.get(str(desired.get("kind")), {})}


def _project(live: Any, desired: Any, lists: Mapping[str, tuple[str, ...]], name: str = "") -> Any:
    if isinstance(desired, dict) and isinstance(live, dict) and name not in _WHOLE_MAPS:
        return {
            field: _project(live[field], value, lists, field)
            for field, value in desired.items()
            if field in live
        }
    if name in lists and isinstance(desired, list) and isinstance(live, list):
        there = _by_key(live, lists[name])
        items = ((there.get(identity), item) for identity, item in _by_key(desired, lists[name]).items())
        return [_project(found, item, lists) for found, item in items if found is not None]
    return live


def _holds(live: Any, desired: Any, name: str, lists: Mapping[str, tuple[str, ...]]) -> bool:
    if isinstance(desired, dict):
        return _map_holds(live, desired, name, lists)
    if isinstance(desired, list):
        return _list_holds(live, desired, name, lists)
    return bool(live == desired)


def _map_holds(
    live: Any, desired: Mapping[str, Any], name: str, lists: Mapping[str, tuple[str, ...]]
) -> bool:
    if live is None:
        return not desired
    if not isinstance(live, dict) or (name in _WHOLE_MAPS and set(live) != set(desired)):
        return False
    if name in _QUANTITIES:
        return all(_same_amount(live.get(field), value) for field, value in desired.items())
    return all(_holds(live.get(field), value, field, lists) for field, value in desired.items())


def _list_holds(live: Any, desired: list[Any], name: str, lists: Mapping[str, tuple[str, ...]]) -> bool:
    if not isinstance(live, list):
        return live is None and not desired
    if name in lists:
        there = _by_key(live, lists[name])
        pairs = _by_key(desired, lists[name])
        return all(_holds(there.get(identity), item, "", lists) for identity, item in pairs.items())
    return len(live) == len(desired) and all(
        _holds(found, item, "", lists) for found, item in zip(live, desired, strict=True)
    )


def _by_key(items: list[Any], fields: tuple[str, ...]) -> dict[tuple[Any, ...], Any]:
    return {
        tuple(item.get(field, _DEFAULTS.get(field)) for field in fields): item
        for item in items
        if isinstance(item, dict)
    }


def _same_amount(one: Any, other: Any) -> bool:
    return bool(one == other or _quantity(one) == _quantity(other))


def _quantity(value: Any) -> Any:
    """A quantity as a number: the server writes 1000m as 1."""
    try:
        return amount(str(value))
    except (ValueError, KeyError):
        return value

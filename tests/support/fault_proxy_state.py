"""What is left of a pipeline at the end, so that two of them can be compared object by object."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import httpx

from ragfleet_operator.kinds import (
    CHILDREN,
    CONFIG_MAP,
    CONTROLLER_REVISION,
    OPTIONAL,
    PIPELINE,
    SECRET,
    Kind,
)
from ragfleet_operator.names import (
    APPLIED_ANNOTATION,
    CONFIG_ANNOTATION,
    INPUT_ANNOTATION,
    PIPELINE_LABEL,
    REVISION_LABEL,
    ROTATED_ANNOTATION,
    SECRETS_ANNOTATION,
)

KINDS: Final = (PIPELINE, *(kind for kind in CHILDREN if kind not in OPTIONAL))
# What the server, the time or chance decides.
_NOT_OURS: Final = frozenset(
    {"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink"}
)
_CHANCE: Final = frozenset({"clusterIP", "clusterIPs", "volumeName", "nodePort"})
# Hashes of what holds a uid or a key: that they are there counts.
_HASHES: Final = frozenset({APPLIED_ANNOTATION, INPUT_ANNOTATION, ROTATED_ANNOTATION, SECRETS_ANNOTATION})
_SET_BY_KUBECTL: Final = "kubectl.kubernetes.io/last-applied-configuration"

Object = Mapping[str, Any]


def objects_of(client: httpx.Client, namespace: str) -> list[tuple[Kind, Object]]:
    """Every pipeline and child of a namespace."""
    found: list[tuple[Kind, Object]] = []
    for kind in KINDS:
        query = {} if kind == PIPELINE else {"labelSelector": PIPELINE_LABEL}
        items = client.get(kind.path(namespace), params=query).raise_for_status().json()["items"]
        found += [(kind, item) for item in items]
    return found


def end_state(objects: Iterable[tuple[Kind, Object]], name: str) -> dict[str, Any]:
    """The objects of a pipeline by "Kind/name", in words that don't depend on its name, uid, keys or time.

    ``ragfleet`` among the values of an object: which fields the operator's managers hold.
    """
    own = [(kind, item) for kind, item in objects if _is_of(kind, item, name)]
    words = dict(_words(own, name))
    state: dict[str, Any] = {}
    for kind, item in own:
        text = json.dumps(_shown(kind, item), sort_keys=True)
        place = f"{kind.kind}/{item['metadata']['name']}"
        for word, meaning in words.items():
            text, place = text.replace(word, meaning), place.replace(word, meaning)
        state[place] = json.loads(text)
    return state


def differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Where two states differ: the path and both values."""
    return list(_differences(found, wanted, ""))


def _is_of(kind: Kind, item: Object, name: str) -> bool:
    metadata = item["metadata"]
    if kind == PIPELINE:
        return bool(metadata["name"] == name)
    return (metadata.get("labels") or {}).get(PIPELINE_LABEL) == name


def _words(own: Iterable[tuple[Kind, Object]], name: str) -> Iterator[tuple[str, str]]:
    """What to say in the place of what differs; the longer before what it holds."""
    for kind, item in own:
        metadata = item["metadata"]
        if kind == PIPELINE:
            yield metadata["uid"], "UID"
        elif kind == CONTROLLER_REVISION:
            yield metadata["labels"][REVISION_LABEL], f"REVISION{item['revision']}"
            template = item["data"]["template"]["metadata"]["annotations"]
            yield template[CONFIG_ANNOTATION], _config(item, item["data"]["config"], name)
        elif kind == CONFIG_MAP:
            (config,) = item["data"].values()
            yield metadata["name"].rpartition("-")[2], _config(item, config, name)
    yield name, "NAME"


def _config(item: Object, config: str, name: str) -> str:
    """Which configuration it is, whoever's."""
    for owner in item["metadata"].get("ownerReferences") or ():
        config = config.replace(owner["uid"], "UID")
    return f"CONFIG{hashlib.sha256(config.replace(name, 'NAME').encode()).hexdigest()[:6]}"


def _shown(kind: Kind, item: Object) -> dict[str, Any]:
    shown = {field: _clean(value) for field, value in item.items() if field not in {"metadata", "status"}}
    metadata = {name: value for name, value in item["metadata"].items() if name not in _NOT_OURS}
    annotations = {
        name: "" if name in _HASHES else value
        for name, value in (metadata.get("annotations") or {}).items()
        if name != _SET_BY_KUBECTL
    }
    shown["metadata"] = {**metadata, "annotations": annotations}
    shown["ragfleet"] = _held(item)
    if kind == SECRET:
        shown["data"] = dict.fromkeys(item.get("data") or {}, "")
    if kind == PIPELINE:
        shown["status"] = _status(item.get("status") or {})
    return shown


def _clean(value: Any) -> Any:
    """Without what chance decides; hashes within a pod template too."""
    if isinstance(value, Mapping):
        return {
            name: "" if name in _HASHES else _clean(inner)
            for name, inner in value.items()
            if name not in _CHANCE
        }
    return [_clean(inner) for inner in value] if isinstance(value, list) else value


def _status(status: Object) -> dict[str, Any]:
    """What is told of a pipeline: without counts, which are told late, or texts, which name pods."""
    conditions = {
        item["type"]: [item["status"], item["reason"], item.get("observedGeneration")]
        for item in status.get("conditions") or ()
    }
    revisions = dict(status.get("revisions") or {})
    if "rejected" in revisions:
        told = revisions["rejected"].items()
        revisions["rejected"] = {name: value for name, value in told if name != "message"}
    kept = ("observedGeneration", "endpoint", "selector")
    shown = {name: status[name] for name in kept if name in status}
    return {"conditions": conditions, "revisions": revisions, **shown}


def _held(item: Object) -> dict[str, Any]:
    """The fields that each of the operator's managers holds."""
    entries = item["metadata"].get("managedFields") or ()
    return {
        f"{entry['manager']} {entry['operation']} {entry.get('subresource', '')}".strip(): entry["fieldsV1"]
        for entry in entries
        if re.match("ragfleet", entry["manager"])
    }


def _differences(found: Any, wanted: Any, path: str) -> Iterator[str]:
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        for name in sorted({*found, *wanted}):
            where = f"{path}.{name}" if path else name
            if name not in found:
                yield f"{where} is missing"
            elif name not in wanted:
                yield f"{where} is too much: {found[name]!r:.300}"
            else:
                yield from _differences(found[name], wanted[name], where)
    elif found != wanted:
        yield f"{path} is {found!r:.300}, not {wanted!r:.300}"

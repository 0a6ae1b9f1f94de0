"""What the operator keeps of an object: what it compares and reports, without what is large or secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ragfleet_operator.kinds import CHILDREN, CONFIG_MAP, DEPLOYMENT, PVC, SECRET, Kind
from ragfleet_operator.model import Object

STATUS_UNREAD: Final = frozenset(CHILDREN) - {DEPLOYMENT, PVC, SECRET, CONFIG_MAP}
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


def trimmed(kind: Kind, obj: Object) -> dict[str, Any]:
    """The object without others' fields, without a status that nobody reads, and a Secret without values."""
    metadata = {name: value for name, value in obj["metadata"].items() if name != "managedFields"}
    if _LAST_APPLIED in (metadata.get("annotations") or {}):
        metadata["annotations"] = {
            name: value for name, value in metadata["annotations"].items() if name != _LAST_APPLIED
        }
    if kind == DEPLOYMENT:
        metadata["managedFields"] = replicas_fields(obj["metadata"].get("managedFields") or ())
    kept = {"apiVersion": kind.api_version, "kind": kind.kind, **obj, "metadata": metadata}
    if kind in STATUS_UNREAD:
        kept.pop("status", None)
    if kind == SECRET:
        return without_values(kept)
    return kept


def exact(text: bytes) -> bytes:
    """The same with no more room than it needs, to be kept: orjson's (3.13) have four times as much."""
    return bytes(memoryview(text))


def without_values(secret: Object) -> dict[str, Any]:
    """A Secret whose entries have their names, and nothing else."""
    kept = {name: value for name, value in secret.items() if name != "stringData"}
    return {**kept, "data": dict.fromkeys(sorted(secret.get("data") or {}), "")}


def entries(kind: Kind, obj: Object) -> frozenset[str]:
    """The names of the entries of a Secret or ConfigMap that hold something; of other kinds, none."""
    return frozenset(name for _, name, _ in contents(kind, obj))


def contents(kind: Kind, obj: Object) -> Iterator[tuple[str, str, str]]:
    """The entries of a Secret or ConfigMap that hold something: field, name, and value as the API gives it.

    For hashing on the spot: what is given out here is never kept.
    """
    if kind not in (SECRET, CONFIG_MAP):
        return
    for field in ("data", "binaryData"):
        data: Mapping[str, str] = obj.get(field) or {}
        yield from ((field, name, data[name]) for name in sorted(data) if data[name])


def replicas_fields(managed: Any) -> list[dict[str, Any]]:
    """Of ``metadata.managedFields``, who holds ``spec.replicas``: all that the hand-over asks."""
    found = []
    for entry in managed:
        fields = (entry.get("fieldsV1") or {}).get("f:spec") or {}
        if "f:replicas" in fields:
            kept = {name: entry[name] for name in ("manager", "operation", "subresource") if name in entry}
            found.append({**kept, "fieldsV1": {"f:spec": {"f:replicas": {}}}})
    return found

"""What all children have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ragfleet_operator import names
from ragfleet_operator.kinds import PIPELINE, Kind
from ragfleet_operator.model import Child, Object, Pipeline, Way


def child(
    kind: Kind,
    pipeline: Pipeline,
    body: Object,
    *,
    name: str | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    way: Way = Way.APPLIED,
    owned: bool = True,
) -> Child:
    """A child with its metadata. name: by default the pipeline's. labels: more of them; they override none.

    body: what stands beside the metadata.
    """
    metadata: dict[str, Any] = {
        "name": name or pipeline.key.name,
        "namespace": pipeline.key.namespace,
        "labels": {**(labels or {}), **names.labels(pipeline.key.name)},
        **some(annotations=dict(annotations or {})),
    }
    # A pipeline that is in no cluster has no UID, and there a reference would lead nowhere.
    if owned and pipeline.uid:
        metadata["ownerReferences"] = [_owner(pipeline)]
    manifest = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **body}
    return Child(kind, manifest, way, owned)


def some(**fields: Any) -> dict[str, Any]:
    """The fields that say something: the API server doesn't store what is None or empty."""
    return {name: value for name, value in fields.items() if value not in (None, "", {}, [])}


def _owner(pipeline: Pipeline) -> dict[str, Any]:
    return {
        "apiVersion": PIPELINE.api_version,
        "kind": PIPELINE.kind,
        "name": pipeline.key.name,
        "uid": pipeline.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }

"""Whose an object is. Nothing that isn't the pipeline's is ever changed or deleted."""

from __future__ import annotations

from ragfleet_operator.kinds import PIPELINE, PVC, Kind
from ragfleet_operator.model import Object, is_owned
from ragfleet_operator.names import MANAGED_BY, MANAGED_BY_LABEL, PIPELINE_LABEL


def pipeline_of(obj: Object) -> str:
    """The name of the pipeline that owns an object, "" where none does."""
    owners = obj["metadata"].get("ownerReferences") or ()
    found = (
        owner.get("name", "")
        for owner in owners
        if owner.get("kind") == PIPELINE.kind
        and str(owner.get("apiVersion")).startswith(f"{PIPELINE.group}/")
    )
    return next(found, "")


def is_ours(kind: Kind, obj: Object, pipeline: str, uid: str) -> bool:
    """Whether the pipeline may change it: its own, or the claim that an earlier one of its name left."""
    return is_owned(obj, uid) or (kind == PVC and _is_retained(obj, pipeline))


def owner_of(obj: Object) -> str:
    """Whose it is, for people: ``Deployment "web"``; "" where nobody owns it."""
    owners = obj["metadata"].get("ownerReferences") or ()
    first = next((owner for owner in owners if owner.get("controller")), next(iter(owners), None))
    return f'{first.get("kind")} "{first.get("name")}"' if first else ""


def is_deleting(obj: Object) -> bool:
    """Whether it was deleted and waits for its finalizers."""
    return "deletionTimestamp" in obj["metadata"]


def _is_retained(obj: Object, pipeline: str) -> bool:
    metadata = obj["metadata"]
    labels = metadata.get("labels") or {}
    marked = labels.get(PIPELINE_LABEL) == pipeline and labels.get(MANAGED_BY_LABEL) == MANAGED_BY
    return marked and not metadata.get("ownerReferences")

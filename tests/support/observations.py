"""What an operator sees of a pipeline, for tests of its status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ragfleet_operator.kinds import DEPLOYMENT, PVC, SERVICE, Kind
from ragfleet_operator.model import Key, Observation, Pipeline, Ref, Report
from support.rendering import UID, make_pipeline

START: Final = datetime(2025, 1, 31, 12, 0, 0, tzinfo=UTC)
KEY: Final = Key("team-a", "handbook")
QDRANT: Final = {"vectorStore": {"type": "Qdrant", "qdrant": {"url": "https://qdrant.data:6333"}}}
SCALED: Final = {**QDRANT, "autoscaling": {"minReplicas": 2, "maxReplicas": 10}}
ANSWER: Final = Report(
    store_reachable=True, collection="team-a-handbook-3f9a12cd", documents=14, chunks=52, stale_documents=0
)
LATE: Final = {
    "type": "Progressing",
    "status": "False",
    "reason": "ProgressDeadlineExceeded",
    "message": "late",
}

Json = dict[str, Any]


def at(seconds: float) -> datetime:
    """A moment of the test."""
    return START + timedelta(seconds=seconds)


def pipeline(
    changes: Mapping[str, Any] | None = None, *, generation: int = 1, status: Mapping[str, Any] | None = None
) -> Pipeline:
    """The smallest pipeline with settings changed, of a generation, with a stored status."""
    return replace(make_pipeline(changes), generation=generation, status=status or {})


def of_replicas(count: int) -> Json:
    """Changes for a pipeline with so many replicas."""
    return {**QDRANT, "replicas": count}


def deployment(
    desired: int = 1,
    *,
    replicas: int | None = None,
    updated: int | None = None,
    available: int | None = None,
    generation: int = 1,
    observed: int | None = None,
    conditions: Sequence[Mapping[str, Any]] = (),
    uid: str = UID,
    going: bool = False,
) -> Json:
    """A Deployment, complete unless told otherwise."""
    replicas = desired if replicas is None else replicas
    available = replicas if available is None else available
    counts = {
        "replicas": replicas,
        "updatedReplicas": replicas if updated is None else updated,
        "readyReplicas": available,
        "availableReplicas": available,
        "unavailableReplicas": max(replicas - available, 0),
    }
    container = {"name": "ragfleet", "image": "registry.example/ragfleet:1.2.3"}
    return {
        "metadata": {
            "name": KEY.name,
            "generation": generation,
            "ownerReferences": [{"uid": uid, "name": KEY.name}],
            **({"deletionTimestamp": "2025-01-31T12:00:00Z"} if going else {}),
        },
        "spec": {"replicas": desired, "template": {"spec": {"containers": [container]}}},
        "status": {
            "observedGeneration": generation if observed is None else observed,
            "conditions": list(conditions),
            # The API server leaves out what is 0.
            **{name: count for name, count in counts.items() if count},
        },
    }


def service(uid: str = UID) -> Json:
    """The public Service."""
    return {"metadata": {"name": KEY.name, "ownerReferences": [{"uid": uid, "name": KEY.name}]}}


def seen(deployed: Json | None = None, *, phase: str = "Bound", **fields: Any) -> Observation:
    """An observation in which all references are there, the Service too, and the claim has that phase."""
    children: dict[Ref, Any] = {
        Ref(SERVICE, KEY.name): service(),
        Ref(PVC, f"{KEY.name}-data"): {"metadata": {"name": f"{KEY.name}-data"}, "status": {"phase": phase}},
    }
    if deployed is not None:
        children[Ref(DEPLOYMENT, KEY.name)] = deployed
    return Observation(**{"children": children, "missing": (), **fields})


def without(observation: Observation, kind: Kind) -> Observation:
    """The same without the children of a kind."""
    return replace(
        observation, children={ref: obj for ref, obj in observation.children.items() if ref.kind != kind}
    )


def conditions(status: Mapping[str, Any]) -> dict[str, Json]:
    """The conditions of a status, by type."""
    return {condition["type"]: condition for condition in status["conditions"]}


def essence(status: Mapping[str, Any], type_: str) -> str | None:
    """A condition as "False Progressing", None where it isn't there."""
    found = conditions(status).get(type_)
    return None if found is None else f"{found['status']} {found['reason']}"

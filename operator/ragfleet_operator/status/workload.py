"""The Deployment as it is, and whether it is as it should be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ragfleet_api.spec.pipeline import RAGPipelineSpec
from ragfleet_operator import model, names
from ragfleet_operator.kinds import DEPLOYMENT, PVC, SERVICE, Kind
from ragfleet_operator.model import Object, Observation, Pipeline, Ref
from ragfleet_operator.render.autoscaler import bounds
from ragfleet_operator.revisions import Rollout
from ragfleet_operator.status.conditions import READY, conditions_of


@dataclass(frozen=True, slots=True)
class Workload(Rollout):
    """What counts of a Deployment. conditions: its own, by type."""

    image: str
    conditions: Mapping[str, Mapping[str, Any]]

    def condition(self, type_: str, status: str) -> Mapping[str, Any] | None:
        """Its condition of that type, where it has that status."""
        found = self.conditions.get(type_)
        return found if found is not None and found.get("status") == status else None


def workload_of(pipeline: Pipeline, seen: Observation) -> Workload | None:
    """The pipeline's own Deployment, None where there is none."""
    found = own(pipeline, seen, DEPLOYMENT)
    if found is None:
        return None
    image, conditions = _image(found.get("spec") or {}), conditions_of(found.get("status") or {})
    return Workload.of(found, image=image, conditions=conditions)


def is_complete(pipeline: Pipeline, workload: Workload) -> bool:
    """Whether the newest version alone runs, with as many replicas as it should.

    Without an autoscaler that is what ``kubectl rollout status`` asks, to the number. With one, the numbers
    move under load, and that isn't a change to wait for: every pod is of the newest version and at least the
    fewest replicas are available. Each step of an autoscaler makes a version of the Deployment that its
    controller takes up some milliseconds later; a pipeline that was ready stays so meanwhile.
    """
    wanted, fewest = wanted_replicas(pipeline.spec), fewest_replicas(pipeline.spec)
    if workload.is_going:
        return False
    if wanted is None:
        is_observed = workload.is_observed or _was_ready(pipeline)
        return is_observed and workload.is_enough(fewest)
    is_exact = workload.is_exact and workload.desired == wanted
    return workload.is_observed and is_exact and workload.unavailable == 0


def wanted_replicas(spec: RAGPipelineSpec) -> int | None:
    """How many replicas the spec asks for, None where an autoscaler says."""
    if spec.autoscaling is not None:
        return None
    return 1 if spec.replicas is None else spec.replicas


def fewest_replicas(spec: RAGPipelineSpec) -> int:
    """The fewest replicas that should be there."""
    if spec.autoscaling is not None:
        return bounds(spec.autoscaling)[0]
    return 1 if spec.replicas is None else spec.replicas


def has_service(pipeline: Pipeline, seen: Observation) -> bool:
    """Whether the pipeline's own Service is there."""
    found = own(pipeline, seen, SERVICE)
    return found is not None and "deletionTimestamp" not in found["metadata"]


def has_lost_volume(pipeline: Pipeline, seen: Observation) -> bool:
    """Whether the embedded engine's claim has lost its volume. The claim may be owned by nobody."""
    if pipeline.spec.vector_store.type != "Embedded":
        return False
    claim = seen.children.get(Ref(PVC, names.data_claim(pipeline.key.name)))
    return claim is not None and (claim.get("status") or {}).get("phase") == "Lost"


def own(pipeline: Pipeline, seen: Observation, kind: Kind) -> Object | None:
    """The child of that kind with the pipeline's name, None where it is missing or somebody else's."""
    return model.own(seen.children, Ref(kind, pipeline.key.name), pipeline.uid)


def _was_ready(pipeline: Pipeline) -> bool:
    ready = conditions_of(pipeline.status).get(READY, {})
    return ready.get("status") == "True" and ready.get("observedGeneration") == pipeline.generation


def _image(spec: Mapping[str, Any]) -> str:
    containers = ((spec.get("template") or {}).get("spec") or {}).get("containers") or ()
    image: str = containers[0].get("image", "") if containers else ""
    return image

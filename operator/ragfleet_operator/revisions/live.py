"""What the Deployment that is there says of its revision and its rollout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ragfleet_operator.kinds import DEPLOYMENT
from ragfleet_operator.model import Object, Observation, Pipeline, Ref, own
from ragfleet_operator.names import REVISION_LABEL
from ragfleet_operator.revisions.rollout import Rollout

_OVERDUE: Final = "ProgressDeadlineExceeded"


def deployment_of(pipeline: Pipeline, seen: Observation) -> Object | None:
    """The pipeline's own Deployment, None where there is none or it is somebody else's."""
    return own(seen.children, Ref(DEPLOYMENT, pipeline.key.name), pipeline.uid)


def running(pipeline: Pipeline, seen: Observation) -> str:
    """The revision that the Deployment is told to run; "" where there is none, or it doesn't say."""
    deployment = deployment_of(pipeline, seen)
    if deployment is None:
        return ""
    template = (deployment.get("spec") or {}).get("template") or {}
    revision: str = ((template.get("metadata") or {}).get("labels") or {}).get(REVISION_LABEL, "")
    return revision


def is_overdue(deployment: Object) -> bool:
    """Whether its controller says that its newest version made no progress within its deadline."""
    found = _condition(deployment, "Progressing")
    is_observed = Rollout.of(deployment).is_observed
    return is_observed and found.get("status") == "False" and found.get("reason") == _OVERDUE


def is_refused(deployment: Object) -> bool:
    """Whether the API server refuses its pods, by a quota or a policy."""
    return _condition(deployment, "ReplicaFailure").get("status") == "True"


def _condition(deployment: Object, type_: str) -> Mapping[str, Any]:
    conditions = (deployment.get("status") or {}).get("conditions") or ()
    return next((found for found in conditions if found.get("type") == type_), {})

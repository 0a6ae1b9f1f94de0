"""RuntimeAvailable, and what keeps pods from running."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from ragfleet_operator.model import Fault, Observation, Pipeline
from ragfleet_operator.status import pods
from ragfleet_operator.status import reasons as r
from ragfleet_operator.status.conditions import RUNTIME_AVAILABLE, Verdict
from ragfleet_operator.status.reasons import Reason
from ragfleet_operator.status.workload import Workload

# The name in it is of a pod that never came to be: another one at each attempt.
_REFUSED_POD: Final = re.compile(r'^pods? "[^"]*" is (?:forbidden|invalid): ', re.IGNORECASE)
_QUOTA: Final = "exceeded quota"


class Hindrance(NamedTuple):
    """What keeps the Deployment from its replicas."""

    reason: Reason
    message: str


def hindrance_of(pipeline: Pipeline, seen: Observation, workload: Workload) -> Hindrance | None:
    """What keeps the newest version from running, None where nothing is known to.

    Nothing before the Deployment's controller has taken that version up: what it tells is of another one.
    """
    if not workload.is_observed:
        return None
    refused = workload.condition("ReplicaFailure", "True")
    if refused is not None:
        return _refused(str(refused.get("message") or "no reason given"))
    found = pods.worst(seen.troubles)
    told = None if found is None else pods.told(*found, pipeline.key, workload.image)
    late = workload.condition("Progressing", "False")
    is_late = late is not None and late.get("reason") == "ProgressDeadlineExceeded"
    if is_late and (found is None or not found[0].needs_person):
        why = told or "see the pods' log and events"
        return Hindrance(r.DEADLINE_EXCEEDED, f"the rollout made no progress within its deadline: {why}")
    return None if found is None or told is None else Hindrance(found[0], told)


def runtime_available(pipeline: Pipeline, seen: Observation, workload: Workload | None) -> Verdict:
    """Whether the service can serve now, in whichever version."""
    if workload is None:
        if any(fault.fault is Fault.UNAVAILABLE for fault in seen.faults):
            return Verdict(
                RUNTIME_AVAILABLE, "Unknown", r.API_UNAVAILABLE, "the API server couldn't be asked"
            )
        return Verdict(RUNTIME_AVAILABLE, "False", r.NOT_DEPLOYED, "there is no Deployment; Ready tells why")
    if workload.available > 0:
        return Verdict(RUNTIME_AVAILABLE, "True", r.AVAILABLE, "the service serves")
    if workload.desired == 0:
        message = "no replica runs: raise spec.replicas to serve"
        return Verdict(RUNTIME_AVAILABLE, "False", r.SCALED_TO_ZERO, message)
    hindrance = hindrance_of(pipeline, seen, workload)
    if hindrance is not None:
        return Verdict(RUNTIME_AVAILABLE, "False", hindrance.reason, hindrance.message)
    return Verdict(RUNTIME_AVAILABLE, "False", r.PROGRESSING, "no replica is available yet")


def _refused(message: str) -> Hindrance:
    why = _REFUSED_POD.sub("", message)
    if _QUOTA in why:
        advice = "raise the quota, or lower replicas or spec.runtime.resources"
        return Hindrance(
            r.QUOTA_EXCEEDED, f"the namespace's quota has no room for the pods ({why}): {advice}"
        )
    return Hindrance(r.PODS_REFUSED, f"the API server refuses the pods: {why}")

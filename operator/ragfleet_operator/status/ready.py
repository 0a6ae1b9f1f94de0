"""Ready: one condition that sums up the others, with the reason that helps most."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from ragfleet_operator.model import Observation, Pipeline
from ragfleet_operator.names import PIN_ANNOTATION
from ragfleet_operator.revisions import is_rolled_back
from ragfleet_operator.status import reasons as r
from ragfleet_operator.status.availability import hindrance_of
from ragfleet_operator.status.conditions import (
    CHILDREN_APPLIED,
    INDEX_READY,
    READY,
    SECRETS_RESOLVED,
    VECTOR_STORE_REACHABLE,
    Status,
    Verdict,
)
from ragfleet_operator.status.reasons import Reason
from ragfleet_operator.status.workload import (
    Workload,
    has_lost_volume,
    has_service,
    is_complete,
    wanted_replicas,
)


@dataclass(frozen=True, slots=True)
class Findings:
    """What Ready is a function of; ``told``: the conditions that it sums up, by type."""

    pipeline: Pipeline
    seen: Observation
    workload: Workload | None
    told: Mapping[str, Verdict]


def ready(findings: Findings) -> Verdict:
    """Whether everything agrees; else the first of what is in the way."""
    for check in _CHECKS:
        if (verdict := check(findings)) is not None:
            return verdict
    if wanted_replicas(findings.pipeline.spec) == 0:
        message = "no replica runs, as spec.replicas: 0 says"
        return Verdict(READY, "True", r.SCALED_TO_ZERO, message)
    revisions = findings.seen.revisions
    if revisions is not None and revisions.pinned:
        message = f"revision {revisions.pinned} runs, as the annotation {PIN_ANNOTATION} says"
        return Verdict(READY, "True", r.PINNED, message)
    return Verdict(READY, "True", r.READY, _all_well(findings))


def _fault(findings: Findings) -> Verdict | None:
    return _unless(findings, CHILDREN_APPLIED, "False", besides=r.WORKLOAD_WAITS)


def _missing(findings: Findings) -> Verdict | None:
    return _unless(findings, SECRETS_RESOLVED, "False")


def _held(findings: Findings) -> Verdict | None:
    return None if findings.seen.held_fingerprint is None else _unless(findings, INDEX_READY, "False")


def _revision(findings: Findings) -> Verdict | None:
    """Why the specification can't be followed, where no revision can be made or found."""
    seen = findings.seen
    if seen.refusal:
        return Verdict(READY, "False", r.IMAGE_OUTDATED, seen.refusal)
    if seen.revisions is None or not seen.revisions.unknown_pin:
        return None
    message = (
        f"the annotation {PIN_ANNOTATION} names {seen.revisions.unknown_pin}, and no such revision is kept: "
        f"name one that ragfleet rollback {findings.pipeline.key.name} --list shows, or take the annotation "
        "away"
    )
    return Verdict(READY, "False", r.REVISION_NOT_FOUND, message)


def _unread(findings: Findings) -> Verdict | None:
    return _unless(findings, CHILDREN_APPLIED, "Unknown")


def _unchecked(findings: Findings) -> Verdict | None:
    return _unless(findings, SECRETS_RESOLVED, "Unknown")


def _volume(findings: Findings) -> Verdict | None:
    if not has_lost_volume(findings.pipeline, findings.seen):
        return None
    message = "the volume of the data's claim is gone: restore it, or delete the claim and ingest again"
    return Verdict(READY, "False", r.VOLUME_LOST, message)


def _rolled_back(findings: Findings) -> Verdict | None:
    revisions = findings.seen.revisions
    if revisions is None or revisions.rejected is None or not is_rolled_back(revisions):
        return None
    rejected = revisions.rejected
    message = (
        f"generation {rejected.generation} was rolled back, as its revision {rejected.revision} failed "
        f"({rejected.reason}: {rejected.message}); revision {revisions.current} serves: correct the "
        f"specification, or try it again: ragfleet rollback {findings.pipeline.key.name} "
        f"--to-revision {rejected.revision}"
    )
    return Verdict(READY, "False", r.ROLLED_BACK, message)


def _pods(findings: Findings) -> Verdict | None:
    workload = findings.workload
    if workload is None or is_complete(findings.pipeline, workload):
        return None
    hindrance = hindrance_of(findings.pipeline, findings.seen, workload)
    return None if hindrance is None else Verdict(READY, "False", hindrance.reason, hindrance.message)


def _index(findings: Findings) -> Verdict | None:
    return _unless(findings, INDEX_READY, "False")


def _store(findings: Findings) -> Verdict | None:
    return _unless(findings, VECTOR_STORE_REACHABLE, "False")


def _deployment(findings: Findings) -> Verdict | None:
    if findings.workload is not None:
        return None
    return Verdict(READY, "False", r.NOT_DEPLOYED, "there is no Deployment yet; it is made")


def _progress(findings: Findings) -> Verdict | None:
    workload, pipeline = findings.workload, findings.pipeline
    if workload is not None and not is_complete(pipeline, workload):
        reason = r.ROLLOUT_IN_PROGRESS if workload.available else r.PROGRESSING
        return Verdict(READY, "False", reason, _how_far(findings, workload))
    if has_service(pipeline, findings.seen):
        return None
    return Verdict(READY, "False", r.PROGRESSING, "there is no Service yet; it is made")


# The order tells which of several reasons is the useful one: what a person must do before anything else can
# go on, then what isn't known, then what keeps pods from running, then what only takes its time.
_CHECKS: Final[tuple[Callable[[Findings], Verdict | None], ...]] = (
    _fault,
    _missing,
    _held,
    _revision,
    _unread,
    _unchecked,
    _volume,
    _rolled_back,
    _pods,
    _index,
    _store,
    _deployment,
    _progress,
)


def _unless(findings: Findings, type_: str, status: Status, besides: Reason | None = None) -> Verdict | None:
    """Ready as that condition says, where it has that status."""
    told = findings.told[type_]
    if told.status != status or told.reason is besides:
        return None
    return Verdict(READY, status, told.reason, told.message)


def _how_far(findings: Findings, workload: Workload) -> str:
    if workload.is_going:
        return "the Deployment is being deleted; it is made again once it is gone"
    if not workload.is_observed:
        return "the change is applied and not taken up yet"
    if workload.desired == 0 and findings.pipeline.spec.autoscaling is not None:
        return (
            "an autoscaler leaves a Deployment of 0 replicas alone: scale it to 1, and it goes on from there"
        )
    counts = (
        f"{workload.updated} of {workload.desired} replicas are up to date, {workload.available} available"
    )
    report = findings.seen.report
    if workload.available or report is None or report.error is not None or not report.store_message:
        return counts
    return f"{counts}; the service says: {report.store_message}"


def _all_well(findings: Findings) -> str:
    """The usual message, or why an autoscaler doesn't get all the pods that it wants."""
    workload = findings.workload
    if workload is not None and workload.available < workload.desired:
        hindrance = hindrance_of(findings.pipeline, findings.seen, workload)
        if hindrance is not None:
            return f"the service serves with fewer replicas than its autoscaler wants: {hindrance.message}"
    return "the service is as the specification says"

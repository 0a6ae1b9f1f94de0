"""Whose fault it is that a revision doesn't get ready.

A revision is rolled back for a fault of its own alone. In doubt it isn't: older pods serve in either case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from ragfleet_operator.model import Object, Observation, Pipeline, PodTrouble
from ragfleet_operator.revisions.live import deployment_of, is_overdue, is_refused, running
from ragfleet_operator.revisions.rollout import Rollout
from ragfleet_operator.text import one_line

IMAGE: Final = "ImagePullBackOff"
CRASH: Final = "CrashLoopBackOff"
CONTAINER: Final = "CreateContainerConfigError"
LATE: Final = "DeadlineExceeded"
# Kubernetes' words for troubles that what a pod is made of can bring about, as status.pods sums them up.
OWN: Final[Mapping[str, frozenset[str]]] = {
    IMAGE: frozenset(
        {
            "ImagePullBackOff",
            "ErrImagePull",
            "InvalidImageName",
            "ErrImageNeverPull",
            "ImageInspectError",
            "RegistryUnavailable",
            "SignatureValidationFailed",
        }
    ),
    CRASH: frozenset(
        {
            "CrashLoopBackOff",
            "Error",
            "OOMKilled",
            "Completed",
            "ContainerCannotRun",
            "RunContainerError",
            "StartError",
            "ContainerStatusUnknown",
            "PostStartHookError",
        }
    ),
    CONTAINER: frozenset({"CreateContainerConfigError", "CreateContainerError", "PreCreateHookError"}),
}
NO_ROOM: Final = frozenset({"Unschedulable", "SchedulingGated"})
_MAX_DETAIL: Final = 400


class OwnFault(NamedTuple):
    """Why a revision is rejected. reason: a word of status.reasons; message: one line for people."""

    reason: str
    message: str


def own_fault(pipeline: Pipeline, seen: Observation, revision: str, good: str = "") -> OwnFault | None:
    """The revision's own fault for which its rollout is past its deadline, None where there is none.

    good: the last good revision, whose pods tell of an outage where they have the same trouble.
    """
    deployment = deployment_of(pipeline, seen)
    if deployment is None or running(pipeline, seen) != revision or not is_overdue(deployment):
        return None
    if is_refused(deployment) or seen.ready_pods is None or _is_store_away(seen):
        return None
    others_ready = any(ready for other, ready in seen.ready_pods.items() if other != revision)
    if _has_others(deployment) and not others_ready:
        return None
    ready = seen.ready_pods.get(revision, 0)
    its_own = [trouble for trouble in seen.troubles if trouble.revision == revision]
    named = _worst(its_own)
    if named is None:
        return None if ready or _lacks_room(its_own) else _late(deployment, seen, others_ready=others_ready)
    reason, trouble = named
    # One that is ready shows that the image can be had, and the container made: it is the other's node.
    if _is_shared(reason, seen.troubles, good) or (ready and reason != CRASH):
        return None
    return OwnFault(reason, _told(reason, trouble))


def _is_store_away(seen: Observation) -> bool:
    """Whether the service says that it can't reach its store: new pods don't get ready, old ones stay so."""
    return seen.report is not None and seen.report.error is None and seen.report.store_reachable is False


def _has_others(deployment: Object) -> bool:
    """Whether there are pods of another version: none where they go before the new ones come."""
    rollout = Rollout.of(deployment)
    return rollout.replicas > rollout.updated


def _worst(troubles: Sequence[PodTrouble]) -> tuple[str, PodTrouble] | None:
    for reason, words in OWN.items():
        found = [trouble for trouble in troubles if trouble.reason in words]
        if found:
            return reason, min(found, key=lambda trouble: trouble.pod)
    return None


def _is_shared(reason: str, troubles: Sequence[PodTrouble], good: str) -> bool:
    return bool(good) and any(it.revision == good and it.reason in OWN[reason] for it in troubles)


def _lacks_room(troubles: Sequence[PodTrouble]) -> bool:
    return any(trouble.reason in NO_ROOM for trouble in troubles)


def _late(deployment: Object, seen: Observation, *, others_ready: bool) -> OwnFault | None:
    """Never ready, and nothing named: others are, or where there are none the store is well."""
    # Until its controller has made a pod of it, the deadline that is over is another's.
    if not Rollout.of(deployment).updated or seen.report is None:
        return None
    is_store_well = seen.report.error is None and seen.report.store_reachable is True
    if not others_ready and not is_store_well:
        return None
    seconds = (deployment.get("spec") or {}).get("progressDeadlineSeconds", 0)
    why = "while pods of the version before are" if others_ready else "though the service reaches its store"
    return OwnFault(LATE, f"none of its pods got ready within {seconds} s, {why}: see their log and events")


def _told(reason: str, trouble: PodTrouble) -> str:
    # What a registry answers to a pull may hold an address with credentials.
    detail = "" if reason == IMAGE else one_line(trouble.message, _MAX_DETAIL)
    texts = {
        IMAGE: (
            f"pod {trouble.pod} couldn't pull an image: check spec.runtime.image, imagePullSecrets and models"
        ),
        CRASH: f"pod {trouble.pod} started and failed again and again",
        CONTAINER: f"a node couldn't make the container of pod {trouble.pod}",
    }
    return one_line(texts[reason] + (f" ({detail})" if detail else ""))

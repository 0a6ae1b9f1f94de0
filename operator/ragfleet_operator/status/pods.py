"""What is wrong with pods, in words that don't change from look to look."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from ragfleet_operator.model import Key, Object, PodTrouble
from ragfleet_operator.names import REVISION_LABEL
from ragfleet_operator.revisions.fault import CONTAINER, CRASH, IMAGE, NO_ROOM, OWN
from ragfleet_operator.status import reasons as r
from ragfleet_operator.status.reasons import Reason
from ragfleet_operator.text import one_line

# Kubernetes' words for the same trouble take turns while it lasts. The first that applies is told.
_WORDS: Final[Sequence[tuple[Reason, frozenset[str]]]] = (
    (r.IMAGE_PULL_BACK_OFF, OWN[IMAGE]),
    (r.CRASH_LOOP_BACK_OFF, OWN[CRASH]),
    (r.CONTAINER_CONFIG_ERROR, OWN[CONTAINER]),
    (r.UNSCHEDULABLE, NO_ROOM),
)
_STARTING: Final = frozenset({"ContainerCreating", "PodInitializing"})
_BETWEEN_CRASHES: Final = frozenset({None, *_STARTING})
# The kubelet starts again at once after the first failure, and forgets failures after ten minutes of running.
_MIN_RESTARTS: Final = 2
_STABLE_SECONDS: Final = 600.0
# How long the kubelet waits grows from crash to crash.
_BACK_OFF: Final = re.compile(r"back-off \S+ restarting", re.IGNORECASE)
# What the scheduler tried beyond the reason changes with every other pod of the cluster.
_PREEMPTION: Final = re.compile(r"\.? *preemption: .*", re.IGNORECASE | re.DOTALL)
_MAX_DETAIL: Final = 400


def troubles(pods: Iterable[Object]) -> tuple[PodTrouble, ...]:
    """What keeps pods from being ready, by the pods' names; nothing of those that end or just start."""
    found = (trouble_of(pod) for pod in pods)
    return tuple(sorted((trouble for trouble in found if trouble is not None), key=lambda it: it.pod))


def trouble_of(pod: Object) -> PodTrouble | None:
    """What keeps a pod from being ready, None where nothing does or where it only takes its time."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    conditions = {condition["type"]: condition for condition in status.get("conditions") or ()}
    if "deletionTimestamp" in metadata or status.get("phase") in ("Succeeded", "Failed"):
        return None
    if _is_ready(pod):
        return None
    revision = revision_of(pod)
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        if (trouble := _of_container(metadata["name"], container)) is not None:
            return replace(trouble, revision=revision)
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False" and scheduled.get("reason"):
        message = one_line(scheduled.get("message") or "")
        return PodTrouble(metadata["name"], scheduled["reason"], message, revision=revision)
    return None


def ready_pods(pods: Iterable[Object]) -> dict[str, int]:
    """How many pods are ready of each revision, without those that end."""
    found = Counter(revision_of(pod) for pod in pods if _is_ready(pod))
    return dict(found)


def revision_of(pod: Object) -> str:
    """The revision that a pod was made of, "" where it doesn't say."""
    revision: str = (pod["metadata"].get("labels") or {}).get(REVISION_LABEL, "")
    return revision


def worst(found: Iterable[PodTrouble]) -> tuple[Reason, PodTrouble] | None:
    """The trouble to tell of: by the order of reasons, then of the pods' names; None where none is known."""
    ranked = ((rank, trouble) for trouble in found for rank in _ranks(trouble.reason))
    first = min(ranked, key=lambda it: (it[0], it[1].pod, it[1].reason, it[1].message), default=None)
    return None if first is None else (_WORDS[first[0]][0], first[1])


def told(reason: Reason, trouble: PodTrouble, key: Key, image: str) -> str:
    """One sentence on a trouble, and what to do."""
    pod, place = trouble.pod, f"{trouble.pod} --namespace {key.namespace}"
    if reason is r.IMAGE_PULL_BACK_OFF:
        return (
            f"pod {pod} can't pull an image: check spec.runtime.image ({image or 'not set'}), "
            f"imagePullSecrets and models; kubectl describe pod {place} tells why"
        )
    if reason is r.CRASH_LOOP_BACK_OFF:
        return (
            f"pod {pod} starts and fails again and again{_detail(trouble)}: read kubectl logs --previous "
            f"{place}; after OOMKilled raise spec.runtime.resources.limits.memory"
        )
    if reason is r.UNSCHEDULABLE:
        return (
            f"no node takes pod {pod}{_detail(trouble)}: add nodes, or lower spec.runtime.resources, "
            "nodeSelector or replicas"
        )
    detail = _detail(trouble)
    return f"a node can't make the container of pod {pod}{detail}: see kubectl describe pod {place}"


def _is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    is_going = "deletionTimestamp" in pod["metadata"]
    return not is_going and any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _ranks(word: str) -> Iterator[int]:
    return (rank for rank, (_, words) in enumerate(_WORDS) if word in words)


def _detail(trouble: PodTrouble) -> str:
    if _BACK_OFF.search(trouble.message):
        return ""
    text = one_line(_PREEMPTION.sub("", trouble.message), _MAX_DETAIL).rstrip(". ")
    return f" ({text})" if text else ""


def _of_container(pod: str, container: Mapping[str, Any]) -> PodTrouble | None:
    waiting = ((container.get("state") or {}).get("waiting") or {}).get("reason")
    restarts = container.get("restartCount", 0)
    if waiting == "CrashLoopBackOff" or (waiting in _BETWEEN_CRASHES and _crashes(container, restarts)):
        return PodTrouble(pod, "CrashLoopBackOff", _exit(container), restarts)
    if waiting is None or waiting in _STARTING:
        return None
    return PodTrouble(pod, waiting, one_line(container["state"]["waiting"].get("message") or ""), restarts)


def _crashes(container: Mapping[str, Any], restarts: int) -> bool:
    """Whether a container that isn't ready fails soon after each start: it is running again for a moment."""
    if container.get("ready") or restarts < _MIN_RESTARTS:
        return False
    end = _last_end(container)
    return bool(end) and _seconds(end.get("startedAt"), end.get("finishedAt")) < _STABLE_SECONDS


def _exit(container: Mapping[str, Any]) -> str:
    end = _last_end(container)
    return f"exit code {end.get('exitCode', 'unknown')}, {end.get('reason') or 'Error'}" if end else ""


def _last_end(container: Mapping[str, Any]) -> Mapping[str, Any]:
    """How it ended last; {} where it never did."""
    state, before = container.get("state") or {}, container.get("lastState") or {}
    return state.get("terminated") or before.get("terminated") or {}


def _seconds(start: str | None, end: str | None) -> float:
    if not start or not end:
        return 0.0
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()

"""What is read from pods, and that it stays the same while the trouble does."""

from __future__ import annotations

from typing import Any

import pytest

from ragfleet_operator.model import PodTrouble
from ragfleet_operator.status import assess, troubles
from support.observations import at, conditions, deployment, pipeline, seen

CRASHED = {
    "exitCode": 137,
    "reason": "OOMKilled",
    "startedAt": "2025-01-31T12:00:00Z",
    "finishedAt": "2025-01-31T12:00:05Z",
}
LONG_RUN = {**CRASHED, "finishedAt": "2025-01-31T13:00:00Z"}


def pod(
    name: str = "a",
    state: dict[str, Any] | None = None,
    *,
    last: dict[str, Any] | None = None,
    restarts: int = 0,
    ready: bool = False,
    **status: Any,
) -> dict[str, Any]:
    container = {
        "name": "ragfleet",
        "ready": ready,
        "restartCount": restarts,
        "state": state or {},
        "lastState": {} if last is None else {"terminated": last},
    }
    found = [{"type": "Ready", "status": str(ready)}]
    return {
        "metadata": {"name": name},
        "status": {"phase": "Running", "conditions": found, "containerStatuses": [container], **status},
    }


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


RUNNING = {"running": {"startedAt": "2025-01-31T12:00:06Z"}}
UNSCHEDULABLE = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available.",
}


@pytest.mark.parametrize(
    "healthy",
    [
        pod(state=RUNNING, ready=True, restarts=9, last=CRASHED),
        pod(state=RUNNING),
        pod(state=RUNNING, restarts=1, last=CRASHED),
        pod(state=RUNNING, restarts=9, last=LONG_RUN),
        pod(state=waiting("ContainerCreating")),
        pod(state=waiting("PodInitializing")),
        {**pod(state=waiting("ErrImagePull")), "metadata": {"name": "a", "deletionTimestamp": "2025"}},
        pod(state={"terminated": CRASHED}, phase="Failed"),
        {"metadata": {"name": "a"}},
        {"metadata": {"name": "a"}, "status": {"phase": "Pending"}},
    ],
)
def test_a_pod_that_is_well_or_starts_or_ends_has_no_trouble(healthy: dict[str, Any]) -> None:
    assert troubles([healthy]) == ()


@pytest.mark.parametrize(
    ("sick", "expected"),
    [
        (
            pod(state=waiting("CrashLoopBackOff", "back-off 10s restarting"), restarts=1, last=CRASHED),
            PodTrouble("a", "CrashLoopBackOff", "exit code 137, OOMKilled", 1),
        ),
        (
            pod(state=RUNNING, restarts=3, last=CRASHED),
            PodTrouble("a", "CrashLoopBackOff", "exit code 137, OOMKilled", 3),
        ),
        (
            pod(state={"terminated": CRASHED}, restarts=3),
            PodTrouble("a", "CrashLoopBackOff", "exit code 137, OOMKilled", 3),
        ),
        (pod(state=waiting("ErrImagePull", "no\nsuch")), PodTrouble("a", "ErrImagePull", "no such", 0)),
        (
            pod(state={}, containerStatuses=[], conditions=[UNSCHEDULABLE]),
            PodTrouble("a", "Unschedulable", UNSCHEDULABLE["message"], 0),
        ),
        (
            pod(
                state=waiting("PodInitializing"),
                initContainerStatuses=[{"name": "i", "state": waiting("CreateContainerConfigError", "no x")}],
            ),
            PodTrouble("a", "CreateContainerConfigError", "no x", 0),
        ),
    ],
)
def test_a_trouble_is_read(sick: dict[str, Any], expected: PodTrouble) -> None:
    assert troubles([sick]) == (expected,)


def test_troubles_come_by_the_pods_names() -> None:
    found = troubles(
        [pod("b", waiting("ErrImagePull")), pod("c", RUNNING), pod("a", waiting("ErrImagePull"))]
    )
    assert [trouble.pod for trouble in found] == ["a", "b"]


def ready_of(*pods: dict[str, Any]) -> dict[str, Any]:
    observation = seen(deployment(available=0), troubles=troubles(pods))
    return conditions(assess(pipeline(), observation, at(0)))["Ready"]


def test_a_crash_loop_is_told_alike_in_each_of_its_moments() -> None:
    moments = [
        pod(
            state=waiting("CrashLoopBackOff", "back-off 10s restarting failed container"),
            restarts=2,
            last=CRASHED,
        ),
        pod(state=RUNNING, restarts=3, last=CRASHED),
        pod(state={"terminated": CRASHED}, restarts=3, last=CRASHED),
        pod(
            state=waiting("CrashLoopBackOff", "back-off 5m0s restarting failed container"),
            restarts=9,
            last=CRASHED,
        ),
    ]
    told = [ready_of(moment) for moment in moments]
    assert told == [told[0]] * 4
    assert told[0]["reason"] == "CrashLoopBackOff"
    assert "(exit code 137, OOMKilled)" in told[0]["message"]


def test_a_failed_pull_is_told_alike_in_each_of_its_moments() -> None:
    told = [
        ready_of(pod(state=waiting("ErrImagePull", "rpc error: code = NotFound"))),
        ready_of(pod(state=waiting("ImagePullBackOff", 'Back-off pulling image "x"'))),
    ]
    assert told[0] == told[1]
    assert told[0]["reason"] == "ImagePullBackOff"


def test_the_kubelet_s_own_words_for_a_back_off_are_left_out() -> None:
    trouble = PodTrouble("a", "CrashLoopBackOff", "back-off 40s restarting failed container=ragfleet", 2)
    observation = seen(deployment(available=0), troubles=[trouble])
    message = conditions(assess(pipeline(), observation, at(0)))["Ready"]["message"]
    assert message.startswith("pod a starts and fails again and again: read kubectl logs --previous a")


def test_what_the_scheduler_tried_beyond_the_reason_is_left_out() -> None:
    told = ready_of(pod(state={}, containerStatuses=[], conditions=[UNSCHEDULABLE]))
    assert "(0/1 nodes are available: 1 Insufficient cpu)" in told["message"]
    assert "preemption" not in told["message"]

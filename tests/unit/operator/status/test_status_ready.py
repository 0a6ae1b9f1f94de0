"""Each state of a pipeline, and what Ready, RuntimeAvailable and the summary say of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from ragfleet_api.status import RAGPipelineStatus
from ragfleet_operator.kinds import CONFIG_MAP, DEPLOYMENT, SERVICE, SERVICE_MONITOR
from ragfleet_operator.model import ChildFault, Fault, Missing, Observation, PodTrouble, Ref, Report
from ragfleet_operator.status import assess, is_settled
from support.observations import (
    ANSWER,
    LATE,
    QDRANT,
    SCALED,
    at,
    conditions,
    deployment,
    essence,
    of_replicas,
    pipeline,
    seen,
    without,
)

STUCK = deployment(available=0)
CRASHES = [PodTrouble("b", "CrashLoopBackOff", "", 4)]
SURPLUS = deployment()
SURPLUS["status"]["unavailableReplicas"] = 1
KEY_MISSING = Missing("Secret", "llm", "token", "spec.generation.openAI.apiKeySecretRef")


def refused(message: str) -> dict[str, str]:
    return {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}


def fault(kind: Fault) -> ChildFault:
    return ChildFault(Ref(SERVICE, "handbook"), kind, "do this")


@dataclass(frozen=True)
class State:
    """A state. stalled: whether it needs a person, None where nothing is under way."""

    name: str
    seen: Observation
    ready: str
    runtime: str
    stalled: bool | None
    spec: dict[str, Any] = field(default_factory=dict)
    says: str = ""


STATES = [
    State("ready", seen(deployment()), "True Ready", "True Available", None),
    State("ready with two", seen(deployment(2)), "True Ready", "True Available", None, of_replicas(2)),
    State("ready and asked", seen(deployment(), report=ANSWER), "True Ready", "True Available", None),
    State(
        "no answer",
        seen(deployment(), report=Report(error="timed out")),
        "True Ready",
        "True Available",
        None,
    ),
    State("at zero", seen(deployment(0)), "True ScaledToZero", "False ScaledToZero", None, {"replicas": 0}),
    State(
        "going to zero",
        seen(deployment(0, replicas=1)),
        "False RolloutInProgress",
        "True Available",
        False,
        {"replicas": 0},
    ),
    State("nothing seen", Observation(), "Unknown NotChecked", "False NotDeployed", False),
    State("no Deployment", seen(), "False NotDeployed", "False NotDeployed", False),
    State(
        "another's Deployment",
        seen(deployment(uid="other"), faults=[fault(Fault.FOREIGN)]),
        "False OwnedByAnother",
        "False NotDeployed",
        True,
    ),
    State(
        "Deployment that goes",
        seen(deployment(going=True)),
        "False RolloutInProgress",
        "True Available",
        False,
        says="being deleted",
    ),
    State("no Service", without(seen(deployment()), SERVICE), "False Progressing", "True Available", False),
    State("just applied", seen(deployment(observed=0)), "False RolloutInProgress", "True Available", False),
    State("starting", seen(deployment(replicas=0)), "False Progressing", "False Progressing", False),
    State("started, not ready", seen(STUCK), "False Progressing", "False Progressing", False),
    State(
        "a start that the service explains",
        seen(STUCK, report=Report(store_message="the model's folder /models/x isn't there")),
        "False Progressing",
        "False Progressing",
        False,
        says="the model's folder /models/x isn't there",
    ),
    State(
        "one of two",
        seen(deployment(2, available=1)),
        "False RolloutInProgress",
        "True Available",
        False,
        of_replicas(2),
        says="2 of 2 replicas are up to date, 1 available",
    ),
    State(
        "old version serves",
        seen(deployment(2, replicas=3, updated=1, available=2)),
        "False RolloutInProgress",
        "True Available",
        False,
        of_replicas(2),
    ),
    State(
        "scaled by hand",
        seen(deployment(3)),
        "False RolloutInProgress",
        "True Available",
        False,
        of_replicas(2),
    ),
    State(
        "old pods still end",
        seen(deployment(2, replicas=3)),
        "False RolloutInProgress",
        "True Available",
        False,
        of_replicas(2),
    ),
    State(
        "crashes",
        seen(STUCK, troubles=[PodTrouble("b", "CrashLoopBackOff", "exit code 1, Error", 4)]),
        "False CrashLoopBackOff",
        "False CrashLoopBackOff",
        True,
        says="(exit code 1, Error)",
    ),
    State(
        "the new version crashes, the old serves",
        seen(
            deployment(2, replicas=3, updated=1, available=2),
            troubles=[PodTrouble("b", "CrashLoopBackOff", "", 4)],
        ),
        "False CrashLoopBackOff",
        "True Available",
        True,
        of_replicas(2),
    ),
    State(
        "no image",
        seen(STUCK, troubles=[PodTrouble("b", "ErrImagePull", "rpc error", 0)]),
        "False ImagePullBackOff",
        "False ImagePullBackOff",
        True,
        says="registry.example/ragfleet:1.2.3",
    ),
    State(
        "no container",
        seen(STUCK, troubles=[PodTrouble("b", "CreateContainerConfigError", 'secret "x" not found', 0)]),
        "False CreateContainerConfigError",
        "False CreateContainerConfigError",
        True,
        says='(secret "x" not found)',
    ),
    State(
        "no room",
        seen(STUCK, troubles=[PodTrouble("b", "Unschedulable", "0/1 nodes: Insufficient cpu.", 0)]),
        "False Unschedulable",
        "False Unschedulable",
        False,
        says="(0/1 nodes: Insufficient cpu)",
    ),
    State(
        "an unknown trouble",
        seen(STUCK, troubles=[PodTrouble("b", "FailedMount", "", 0)]),
        "False Progressing",
        "False Progressing",
        False,
    ),
    State(
        "quota",
        seen(
            deployment(
                replicas=0, conditions=[refused('pods "handbook-x1" is forbidden: exceeded quota: cpu')]
            )
        ),
        "False QuotaExceeded",
        "False QuotaExceeded",
        True,
        says="(exceeded quota: cpu)",
    ),
    State(
        "pods refused",
        seen(
            deployment(replicas=0, conditions=[refused('pods "handbook-x1" is forbidden: violates policy')])
        ),
        "False PodsRefused",
        "False PodsRefused",
        True,
        says="refuses the pods: violates policy",
    ),
    State(
        "too late",
        seen(deployment(available=0, conditions=[LATE])),
        "False DeadlineExceeded",
        "False DeadlineExceeded",
        True,
    ),
    State(
        "too late for want of room",
        seen(
            deployment(available=0, conditions=[LATE]), troubles=[PodTrouble("b", "Unschedulable", "full", 0)]
        ),
        "False DeadlineExceeded",
        "False DeadlineExceeded",
        True,
        says="no node takes pod b (full)",
    ),
    State(
        "too late because of a crash",
        seen(
            deployment(available=0, conditions=[LATE]), troubles=[PodTrouble("b", "CrashLoopBackOff", "", 9)]
        ),
        "False CrashLoopBackOff",
        "False CrashLoopBackOff",
        True,
    ),
    State(
        "what is told of the version before",
        seen(
            deployment(available=0, generation=3, observed=2, conditions=[LATE, refused("exceeded quota")]),
            troubles=[PodTrouble("b", "CrashLoopBackOff", "", 9)],
        ),
        "False Progressing",
        "False Progressing",
        False,
    ),
    State("volume lost", seen(deployment(), phase="Lost"), "False VolumeLost", "True Available", True),
    State(
        "another's lost volume",
        seen(deployment(), phase="Lost"),
        "True Ready",
        "True Available",
        None,
        QDRANT,
    ),
    State(
        "key missing",
        seen(missing=[KEY_MISSING]),
        "False SecretKeyMissing",
        "False NotDeployed",
        False,
        says='entry "token" of Secret "llm" (spec.generation.openAI.apiKeySecretRef)',
    ),
    State(
        "held",
        seen(deployment(), held_fingerprint="0badcafe"),
        "False ReindexRequired",
        "True Available",
        True,
        says="another name",
    ),
    State(
        "what is held before what couldn't be read, and before a crash",
        seen(STUCK, held_fingerprint="0badcafe", faults=[fault(Fault.UNAVAILABLE)], troubles=CRASHES),
        "False ReindexRequired",
        "False CrashLoopBackOff",
        True,
    ),
    State(
        "a surplus pod that isn't available",
        seen(SURPLUS),
        "False RolloutInProgress",
        "True Available",
        False,
    ),
    State(
        "a fault before what is missing",
        seen(missing=[KEY_MISSING], faults=[fault(Fault.FORBIDDEN)]),
        "False Forbidden",
        "False NotDeployed",
        True,
    ),
    State(
        "what is missing before what is held",
        seen(deployment(), missing=[KEY_MISSING], held_fingerprint="0badcafe"),
        "False SecretKeyMissing",
        "True Available",
        False,
    ),
    State(
        "the API server is away",
        seen(deployment(), faults=[fault(Fault.UNAVAILABLE)]),
        "Unknown APIUnavailable",
        "True Available",
        False,
    ),
    State(
        "the API server is away and nothing is known",
        seen(faults=[fault(Fault.UNAVAILABLE)]),
        "Unknown APIUnavailable",
        "Unknown APIUnavailable",
        False,
    ),
    State(
        "store away",
        seen(deployment(), report=Report(store_reachable=False, store_message="refused")),
        "False VectorStoreUnreachable",
        "True Available",
        False,
        says="refused",
    ),
    State(
        "another's collection",
        seen(STUCK, report=Report(store_message="the collection c belongs to a/b, not to c/d: choose")),
        "False CollectionOwnedByAnother",
        "False Progressing",
        True,
        says="belongs to a/b",
    ),
    State(
        "autoscaled, growing",
        seen(deployment(5, available=2)),
        "True Ready",
        "True Available",
        None,
        SCALED,
    ),
    State(
        "autoscaled, too few",
        seen(deployment(2, available=1)),
        "False RolloutInProgress",
        "True Available",
        False,
        SCALED,
    ),
    State(
        "autoscaled, not raised to the fewest yet",
        seen(deployment(1)),
        "False RolloutInProgress",
        "True Available",
        False,
        SCALED,
    ),
    State(
        "autoscaled, in a rollout",
        seen(deployment(5, replicas=6, updated=1, available=5)),
        "False RolloutInProgress",
        "True Available",
        False,
        SCALED,
    ),
    State(
        "autoscaled, just applied",
        seen(deployment(2, generation=2, observed=1)),
        "False RolloutInProgress",
        "True Available",
        False,
        SCALED,
    ),
    State(
        "autoscaled, no room for more",
        seen(deployment(5, available=2), troubles=[PodTrouble("b", "Unschedulable", "full", 0)]),
        "True Ready",
        "True Available",
        None,
        SCALED,
        says="no node takes pod b (full)",
    ),
    State(
        "autoscaled, set to 0 by hand",
        seen(deployment(0)),
        "False Progressing",
        "False ScaledToZero",
        False,
        SCALED,
        says="scale it to 1",
    ),
]


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_a_state_is_told_with_its_reason(state: State) -> None:
    status = assess(pipeline(state.spec), state.seen, at(0))
    RAGPipelineStatus.model_validate(status, by_name=False)
    found = conditions(status)
    assert essence(status, "Ready") == state.ready
    assert essence(status, "RuntimeAvailable") == state.runtime
    assert state.says in found["Ready"]["message"]
    assert ("Stalled" in found, "Reconciling" in found) == (state.stalled is True, state.stalled is False)
    assert is_settled(status) == (state.stalled is not False)
    summary = found.get("Stalled") or found.get("Reconciling")
    if summary is not None:
        assert (summary["reason"], summary["message"]) == (
            found["Ready"]["reason"],
            found["Ready"]["message"],
        )


@pytest.mark.parametrize("kind", Fault)
def test_each_fault_is_told_by_its_own_word(kind: Fault) -> None:
    status = assess(pipeline(), seen(deployment(), faults=[fault(kind)]), at(0))
    is_unknown = kind is Fault.UNAVAILABLE
    assert essence(status, "ChildrenApplied") == f"{'Unknown' if is_unknown else 'False'} {kind.value}"
    assert conditions(status)["Ready"]["reason"] == kind.value
    assert conditions(status)["Ready"]["message"] == "do this"
    assert ("Stalled" in conditions(status)) != is_unknown


def test_of_several_faults_the_gravest_is_the_reason_and_the_first_few_are_named() -> None:
    faults = [
        ChildFault(Ref(DEPLOYMENT, "handbook"), Fault.UNAVAILABLE, "four"),
        ChildFault(Ref(SERVICE_MONITOR, "handbook"), Fault.FORBIDDEN, "two"),
        fault(Fault.CONFLICT),
        ChildFault(Ref(CONFIG_MAP, "handbook"), Fault.FORBIDDEN, "one"),
    ]
    for order in (faults, faults[::-1]):
        ready = conditions(assess(pipeline(), seen(faults=order), at(0)))["Ready"]
        assert ready["reason"] == "Forbidden"
        assert ready["message"] == "one; two; do this; and 1 more"


@pytest.mark.parametrize(
    ("what", "key", "reason"),
    [
        ("Secret", "", "SecretMissing"),
        ("Secret", "token", "SecretKeyMissing"),
        ("ConfigMap", "", "ConfigMapMissing"),
        ("ConfigMap", "ca.crt", "ConfigMapKeyMissing"),
        ("PersistentVolumeClaim", "", "ClaimMissing"),
        ("ServiceAccount", "", "ServiceAccountMissing"),
        ("PriorityClass", "", "ReferenceMissing"),
    ],
)
def test_each_kind_of_reference_has_its_reason(what: str, key: str, reason: str) -> None:
    status = assess(pipeline(), seen(missing=[Missing(what, "it", key, "spec.there")]), at(0))
    assert essence(status, "SecretsResolved") == f"False {reason}"
    assert essence(status, "Ready") == f"False {reason}"
    assert essence(status, "ChildrenApplied") == "False WorkloadWaits"
    assert f'{what} "it" (spec.there)' in conditions(status)["SecretsResolved"]["message"]


def test_what_is_missing_is_listed_in_one_order_and_no_longer_than_a_few() -> None:
    missing = [Missing("Secret", f"s{number}", "", f"spec.env[{number}]") for number in range(20)]
    messages = {
        conditions(assess(pipeline(), seen(missing=order), at(0)))["SecretsResolved"]["message"]
        for order in (missing, missing[::-1])
    }
    assert len(messages) == 1
    assert messages.pop().endswith('Secret "s14" (spec.env[14]); Secret "s15" (spec.env[15]); and 12 more')


def test_the_pod_that_is_named_is_the_first_by_name_of_the_first_reason() -> None:
    troubles = [
        PodTrouble("c", "CrashLoopBackOff", "", 3),
        PodTrouble("a", "Unschedulable", "", 0),
        PodTrouble("b", "CrashLoopBackOff", "", 1),
    ]
    for order in (troubles, troubles[::-1]):
        message = conditions(assess(pipeline(), seen(STUCK, troubles=order), at(0)))["Ready"]["message"]
        assert message.startswith("pod b starts and fails")


@pytest.mark.parametrize(
    ("scaling", "fewest"),
    [({}, 2), ({"maxReplicas": 1}, 1), ({"minReplicas": 3}, 3), ({"minReplicas": 1, "maxReplicas": 4}, 1)],
)
def test_with_an_autoscaler_the_fewest_replicas_must_be_available(
    scaling: dict[str, int], fewest: int
) -> None:
    spec = {**QDRANT, "autoscaling": scaling}
    enough = assess(pipeline(spec), seen(deployment(fewest)), at(0))
    assert essence(enough, "Ready") == "True Ready"
    few = assess(pipeline(spec), seen(deployment(fewest, available=fewest - 1)), at(0))
    assert essence(few, "Ready") in ("False RolloutInProgress", "False Progressing")


def test_another_deployment_of_the_pipeline_counts_for_nothing() -> None:
    stray = Observation(children={Ref(DEPLOYMENT, "handbook-old"): deployment()}, missing=())
    assert essence(assess(pipeline(), stray, at(0)), "Ready") == "False NotDeployed"

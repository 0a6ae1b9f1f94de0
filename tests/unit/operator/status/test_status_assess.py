"""The whole status: its fields, its times, what stays of the stored one; suspended and invalid objects."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any

import pytest

from ragfleet_api.status import RAGPipelineStatus
from ragfleet_operator.kinds import DEPLOYMENT, SERVICE
from ragfleet_operator.model import Missing, Observation, PodTrouble, Ref
from ragfleet_operator.status import assess, assess_invalid, assess_suspended, is_settled
from support.observations import (
    ANSWER,
    KEY,
    QDRANT,
    at,
    conditions,
    deployment,
    essence,
    of_replicas,
    pipeline,
    seen,
    without,
)
from support.rendering import EXAMPLE_NAMES, UID, children_of, example
from support.sections import GENERATORS

OTHERS: dict[str, Any] = {
    "type": "example.com/Audited",
    "status": "True",
    "observedGeneration": 1,
    "lastTransitionTime": "2024-01-01T00:00:00Z",
    "reason": "Audited",
    "message": "",
}


def test_a_ready_pipeline_has_every_field() -> None:
    status = assess(pipeline(of_replicas(2), generation=4), seen(deployment(2), report=ANSWER), at(0))
    found = status.pop("conditions")
    assert status == {
        "observedGeneration": 4,
        "endpoint": "http://handbook.team-a.svc:8080",
        "model": "Extractive",
        "runtime": {"replicas": "2/2", "image": "registry.example/ragfleet:1.2.3"},
        "index": {
            "collection": "team-a-handbook-3f9a12cd",
            "documents": 14,
            "chunks": 52,
            "staleDocuments": 0,
        },
        "replicas": 2,
        "readyReplicas": 2,
        "selector": (
            "app.kubernetes.io/component=runtime,app.kubernetes.io/instance=handbook,"
            "app.kubernetes.io/name=ragfleet"
        ),
    }
    assert [f"{condition['type']} {condition['status']} {condition['reason']}" for condition in found] == [
        "Ready True Ready",
        "ChildrenApplied True Applied",
        "SecretsResolved True Resolved",
        "RuntimeAvailable True Available",
        "VectorStoreReachable True Reachable",
        "IndexReady True Serving",
    ]
    assert {condition["observedGeneration"] for condition in found} == {4}
    assert {condition["lastTransitionTime"] for condition in found} == {"2025-01-31T12:00:00Z"}


def test_before_there_is_anything_the_fields_say_so() -> None:
    status = assess(pipeline(of_replicas(3)), Observation(), at(0))
    assert status["runtime"] == {"replicas": "0/3"}
    assert (status["replicas"], status["readyReplicas"]) == (0, 0)
    assert "endpoint" not in status
    assert "index" not in status


def test_a_service_of_somebody_else_is_no_endpoint() -> None:
    theirs = {"metadata": {"name": KEY.name, "ownerReferences": [{"uid": "other"}]}}
    observation = without(seen(deployment()), SERVICE)
    observation = Observation(children={**observation.children, Ref(SERVICE, KEY.name): theirs}, missing=())
    assert "endpoint" not in assess(pipeline(), observation, at(0))


@pytest.mark.parametrize(("type_", "model"), [("OpenAI", "model-c"), ("Anthropic", "model-d")])
def test_the_model_is_the_one_that_writes_the_answers(type_: str, model: str) -> None:
    changes = {"generation": {**GENERATORS[type_], "fallbacks": [{"name": "x", "type": "Extractive"}]}}
    assert assess(pipeline(changes), seen(deployment()), at(0))["model"] == model


@pytest.mark.parametrize("name", EXAMPLE_NAMES)
def test_every_example_is_ready_when_its_rendered_deployment_is(name: str) -> None:
    subject = example(name)
    children: dict[Ref, Any] = {child.ref: dict(child.manifest) for child in children_of(subject)}
    deployed = children[Ref(DEPLOYMENT, subject.key.name)]
    count = deployed["spec"].get("replicas", 2)
    children[Ref(DEPLOYMENT, subject.key.name)] = {
        **deployed,
        "metadata": {**deployed["metadata"], "generation": 1},
        "spec": {**deployed["spec"], "replicas": count},
        "status": {
            "observedGeneration": 1,
            **dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), count),
        },
    }
    status = assess(subject, Observation(children=children, missing=()), at(0))
    assert essence(status, "Ready") == "True Ready"
    assert status["endpoint"] == f"http://{subject.key.name}.default.svc:8080"
    assert status["runtime"]["image"]


def test_a_time_changes_with_the_status_alone() -> None:
    first = assess(pipeline(), seen(deployment(replicas=0)), at(0))
    second = assess(pipeline(status=first), seen(deployment(available=0)), at(10))
    ready = assess(pipeline(status=second), seen(deployment()), at(20))
    again = assess(pipeline(status=ready), seen(deployment()), at(30))
    times = [conditions(status)["Ready"]["lastTransitionTime"] for status in (first, second, ready, again)]
    assert times == [
        "2025-01-31T12:00:00Z",
        "2025-01-31T12:00:00Z",
        "2025-01-31T12:00:20Z",
        "2025-01-31T12:00:20Z",
    ]
    assert conditions(again)["SecretsResolved"]["lastTransitionTime"] == "2025-01-31T12:00:00Z"
    assert again == ready


def test_a_time_stays_when_only_the_reason_changes() -> None:
    first = assess(pipeline(), seen(deployment(available=0)), at(0))
    crash = [PodTrouble("a", "CrashLoopBackOff", "", 3)]
    second = assess(pipeline(status=first), seen(deployment(available=0), troubles=crash), at(10))
    for type_ in ("Ready", "RuntimeAvailable"):
        assert conditions(second)[type_]["reason"] == "CrashLoopBackOff"
        assert conditions(second)[type_]["lastTransitionTime"] == "2025-01-31T12:00:00Z"
    assert conditions(second)["Stalled"]["lastTransitionTime"] == "2025-01-31T12:00:10Z"


def test_a_time_is_in_utc() -> None:
    now = at(0).astimezone(timezone(timedelta(hours=5, minutes=30)))
    status = assess(pipeline(), seen(deployment()), now)
    assert conditions(status)["Ready"]["lastTransitionTime"] == "2025-01-31T12:00:00Z"


def test_what_others_wrote_stays() -> None:
    stored = {"observedGeneration": 1, "conditions": [OTHERS], "backup": {"sizeBytes": 5}}
    for status in (
        assess(pipeline(status=stored), seen(deployment()), at(0)),
        assess_suspended(pipeline(status=stored), seen(deployment()), at(0)),
        assess_invalid(KEY, 2, stored, "bad", at(0)),
    ):
        assert status["conditions"][-1] == OTHERS
        assert status["backup"] == {"sizeBytes": 5}


def test_a_suspended_pipeline_is_neither_ready_nor_stalled_and_tells_what_runs() -> None:
    ready = assess(pipeline(), seen(deployment(), report=ANSWER), at(0))
    edited = pipeline(generation=2, status=ready)
    status = assess_suspended(edited, seen(deployment(), missing=None), at(10))
    RAGPipelineStatus.model_validate(status, by_name=False)
    assert status["observedGeneration"] == 2
    assert essence(status, "Ready") == "Unknown Suspended"
    assert essence(status, "Suspended") == "True Suspended"
    assert essence(status, "RuntimeAvailable") == "True Available"
    assert essence(status, "SecretsResolved") == "Unknown Suspended"
    assert essence(status, "ChildrenApplied") == "Unknown Suspended"
    assert essence(status, "Reconciling") is essence(status, "Stalled") is None
    assert status["index"] == ready["index"]
    assert is_settled(status)
    resumed = assess(pipeline(generation=3, status=status), seen(deployment()), at(20))
    assert essence(resumed, "Suspended") is None
    assert essence(resumed, "Ready") == "True Ready"


def test_an_object_that_is_not_valid_is_stalled_and_keeps_what_was_told_of_the_service() -> None:
    ready = assess(pipeline(QDRANT), seen(deployment(), report=ANSWER), at(0))
    status = assess_invalid(KEY, 2, ready, "spec.generation.foo: there is\nno such field", at(10))
    RAGPipelineStatus.model_validate(status, by_name=False)
    found = conditions(status)
    assert essence(status, "Ready") == "False InvalidSpec"
    assert essence(status, "Stalled") == "True InvalidSpec"
    assert found["Ready"]["message"] == (
        "spec.generation.foo: there is no such field; correct it: "
        "kubectl edit ragpipelines.ragfleet.dev handbook --namespace team-a"
    )
    assert found["Ready"]["lastTransitionTime"] == "2025-01-31T12:00:10Z"
    assert found["RuntimeAvailable"] == conditions(ready)["RuntimeAvailable"]
    assert status["observedGeneration"] == 2
    assert status["endpoint"] == ready["endpoint"]
    assert is_settled(status)
    assert assess_invalid(KEY, 2, status, "spec.generation.foo: there is\nno such field", at(20)) == status


def test_an_object_that_was_never_valid_has_the_summary_alone() -> None:
    status = assess_invalid(KEY, 1, {"observedGeneration": -1}, "bad", at(0))
    assert [condition["type"] for condition in status["conditions"]] == ["Ready", "Stalled"]


def test_an_invalid_object_that_was_at_work_is_at_work_no_more() -> None:
    working = assess(pipeline(), seen(missing=[Missing("Secret", "a", "", "spec.b")]), at(0))
    assert essence(working, "Reconciling") == "True SecretMissing"
    assert essence(assess_invalid(KEY, 2, working, "bad", at(1)), "Reconciling") is None


def test_a_message_is_one_line_of_bounded_length() -> None:
    long = Missing("Secret", "a", "", "spec.x\n\t\x00\u2028" + "y" * 3000)
    message = conditions(assess(pipeline(), seen(missing=[long]), at(0)))["Ready"]["message"]
    assert len(message) == 1000
    assert message.endswith("y…")
    assert message.isprintable()


def test_an_owner_is_told_by_its_uid_not_its_name() -> None:
    status = assess(pipeline(), seen(deployment(uid=f"{UID[:-1]}0")), at(0))
    assert essence(status, "Ready") == "False NotDeployed"

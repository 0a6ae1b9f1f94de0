"""The object as the API server stores it, and its status."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from pydantic import ValidationError

from ragfleet_api.resource import RAGPipeline
from ragfleet_api.status import Condition, RAGPipelineStatus
from ragfleet_api.version import API_VERSION, GROUP, KIND, VERSION
from support.rule_cases import MINIMAL

READY: dict[str, Any] = {
    "type": "Ready",
    "status": "Unknown",
    "observedGeneration": 1,
    "lastTransitionTime": "2025-01-31T12:00:00Z",
    "reason": "Reconciling",
    "message": "",
}


def test_an_object_from_the_server_is_read_whole() -> None:
    stored = copy.deepcopy(MINIMAL)
    stored["metadata"] |= {
        "namespace": "team-a",
        "uid": "0b6f4a3e",
        "generation": 3,
        "resourceVersion": "17",
        "creationTimestamp": "2025-01-31T12:00:00Z",
        "managedFields": [{"manager": "kubectl"}],
        "finalizers": [],
    }
    stored["status"] = {
        "observedGeneration": 3,
        "conditions": [READY],
        "endpoint": "http://handbook.team-a.svc:8080",
        "model": "qwen3-32b",
        "replicas": 1,
        "readyReplicas": 1,
        "selector": "app.kubernetes.io/instance=handbook",
        "runtime": {"replicas": "1/2", "image": "registry.example/ragfleet:1"},
        "index": {"collection": "team-a-handbook", "documents": 2**31, "chunks": 0, "staleDocuments": 0},
        "revisions": {
            "current": "0123456789",
            "lastGood": "0123456789",
            "pinned": "0123456789",
            "rejected": {
                "revision": "abcdef0123",
                "generation": 2,
                "reason": "CrashLoopBackOff",
                "message": "a pod of it: back-off 40s restarting",
                "pin": "abcdef0123@2",
            },
        },
    }
    pipeline = RAGPipeline.model_validate(stored)
    assert pipeline.metadata.namespace == "team-a"
    assert pipeline.status is not None
    assert pipeline.status.model_dump(by_alias=True, exclude_none=True) == stored["status"]


def test_an_object_holds_only_what_its_author_wrote() -> None:
    dumped = RAGPipeline.model_validate(MINIMAL).model_dump(by_alias=True, exclude_unset=True)
    assert dumped == MINIMAL


def test_the_api_version_is_the_group_and_the_version() -> None:
    pipeline = RAGPipeline.model_validate(MINIMAL)
    assert pipeline.api_version == API_VERSION == f"{GROUP}/{VERSION}"
    assert pipeline.kind == KIND


def test_a_status_may_be_of_no_generation_but_not_less() -> None:
    assert RAGPipelineStatus.model_validate({"observedGeneration": -1}).observed_generation == -1
    with pytest.raises(ValidationError):
        RAGPipelineStatus.model_validate({"observedGeneration": -2})


@pytest.mark.parametrize(
    "change",
    [
        {"replicas": -1},
        {"replicas": "1/2"},
        {"runtime": {"replicas": 1}},
        {"runtime": {"ready": "1/2"}},
        {"index": {"documents": -1}},
        {"index": {"chunks": 1.5}},
        {"model": "a" * 257},
        {"revisions": {"current": ""}},
        {"revisions": {"lastGood": "a" * 64}},
        {"revisions": {"rejected": {"revision": "a", "generation": 1, "reason": "NotReady"}}},
        {"revisions": {"rejected": {"revision": "a", "generation": -1, "reason": "a", "message": ""}}},
        {"revisions": {"rejected": {"revision": "a", "generation": 1, "reason": "", "message": ""}}},
        {"revisions": {"rejected": {"revision": "a", "generation": 1, "reason": "a", "message": "a" * 4097}}},
    ],
)
def test_a_status_that_says_nothing_sensible(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RAGPipelineStatus.model_validate(change)


def test_a_status_has_one_condition_of_a_type() -> None:
    other = {**READY, "type": "IndexReady"}
    assert RAGPipelineStatus.model_validate({"conditions": [READY, other]}).conditions
    with pytest.raises(ValidationError, match='type "Ready" is that of an item above'):
        RAGPipelineStatus.model_validate({"conditions": [READY, other, READY]})


@pytest.mark.parametrize("name", ["Ready", "example.com/Ready", "a.b-c/Ready.Now"])
def test_types_of_conditions(name: str) -> None:
    assert Condition.model_validate({**READY, "type": name}).type == name


@pytest.mark.parametrize(
    "change",
    [
        {"type": ""},
        {"type": "Example.com/Ready"},
        {"type": "a" * 317},
        {"status": "true"},
        {"status": True},
        {"reason": ""},
        {"reason": "not one word"},
        {"reason": "a" * 1025},
        {"message": "a" * 32769},
        {"observedGeneration": -1},
        {"phase": "Running"},
    ],
)
def test_a_condition_that_kubernetes_would_refuse(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Condition.model_validate({**READY, **change})

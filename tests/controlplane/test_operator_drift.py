"""What people do to children is put right; what isn't the pipeline's is left alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from support.cluster_pipelines import Place, pipeline
from support.control_plane import ControlPlane
from support.operator_process import OperatorProcess, operator_process

SPEC: dict[str, Any] = {
    "runtime": {"image": "registry.example/ragfleet:v1"},
    "replicas": None,
    "autoscaling": {"minReplicas": 2, "maxReplicas": 4},
    "exposure": {"type": "Ingress", "ingress": {"host": "handbook.example"}},
}
APPLIED = {
    "serviceaccount/handbook": '{"automountServiceAccountToken": true}',
    "networkpolicy/handbook": '{"spec": {"policyTypes": ["Egress"]}}',
    "service/handbook": '{"spec": {"ports": [{"name": "http", "port": 8080, "targetPort": 9999}]}}',
    "deployment/handbook": '{"spec": {"minReadySeconds": 77}}',
    "hpa/handbook": '{"spec": {"maxReplicas": 9}}',
    "pdb/handbook": '{"spec": {"maxUnavailable": 0}}',
    "ingress/handbook": '{"spec": {"rules": [{"host": "other.example"}]}}',
}
ENSURED = ("secret/handbook-api-keys", "secret/handbook-admin")


@pytest.fixture(scope="module")
def operator(control_plane: ControlPlane) -> Iterator[OperatorProcess]:
    with operator_process(control_plane) as process:
        yield process


@pytest.fixture
def place(control_plane: ControlPlane, namespace: str, operator: OperatorProcess) -> Place:
    found = Place(control_plane, namespace)
    found.apply(pipeline(**SPEC))
    found.wait_until(lambda: found.get("hpa/handbook"), "the autoscaler")
    found.wait_ready()
    return found


def test_each_kind_of_child_that_is_deleted_by_hand_comes_back(place: Place) -> None:
    config = place.kubectl("get", "configmap", "-l", "ragfleet.dev/pipeline", "-o", "name").stdout.strip()
    before = {child: place.uid(child) for child in (*APPLIED, *ENSURED, config)}
    place.kubectl("delete", *before, "--wait=false")
    for child, uid in before.items():
        place.wait_until(partial(_is_another, place, child, uid), f"another {child}", 10)
    place.wait_ready()


def test_each_kind_of_child_that_is_edited_by_hand_is_restored(place: Place) -> None:
    before = {child: _settings(place.get(child) or {}) for child in APPLIED}
    for child, patch in APPLIED.items():
        place.kubectl("patch", child, "--type=merge", f"--patch={patch}", "--field-manager=kubectl-edit")
    for child, wanted in before.items():
        place.wait_until(partial(_is_as_before, place, child, wanted), f"{child} to be restored", 10)


def test_a_generated_key_is_never_written_over(place: Place) -> None:
    place.kubectl(
        "patch", "secret/handbook-api-keys", "--type=merge", '--patch={"stringData": {"mine": "m"}}'
    )
    keys = (place.get("secret/handbook-api-keys") or {})["data"]
    place.apply(pipeline(**{**SPEC, "autoscaling": {"minReplicas": 2, "maxReplicas": 5}}))
    place.wait_until(
        lambda: (place.get("hpa/handbook") or {})["spec"]["maxReplicas"] == 5, "the edit to be applied"
    )
    assert (place.get("secret/handbook-api-keys") or {})["data"] == keys


def test_an_object_of_the_same_name_that_is_somebody_elses_is_said_and_left_alone(
    control_plane: ControlPlane, namespace: str, operator: OperatorProcess
) -> None:
    place = Place(control_plane, namespace)
    place.kubectl("create", "service", "clusterip", "handbook", "--tcp=1234:1234")
    theirs = (place.get("service/handbook") or {})["spec"]
    place.apply(pipeline())
    place.wait_until(
        lambda: "OwnedByAnother" in json.dumps(place.get("ragp/handbook") or {}), "it to be said", 20
    )
    assert place.condition("Ready")["status"] == "False"
    assert (place.get("service/handbook") or {})["spec"] == theirs
    assert place.get("networkpolicy/handbook") is not None
    place.kubectl("delete", "service/handbook")
    place.wait_ready()


def _is_another(place: Place, child: str, uid: str) -> bool:
    return place.uid(child) not in {"", uid}


def _is_as_before(place: Place, child: str, wanted: str) -> bool:
    return _settings(place.get(child) or {}) == wanted


def _settings(obj: dict[str, Any]) -> str:
    """What an edit changes: neither status nor bookkeeping."""
    kept = {name: value for name, value in obj.items() if name not in {"metadata", "status"}}
    return json.dumps(kept, sort_keys=True)

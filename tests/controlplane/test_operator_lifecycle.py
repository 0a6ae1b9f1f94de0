"""A pipeline from its creation to its deletion, as its owner does it with kubectl."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from support.cluster_pipelines import CHILDREN, Place, pipeline
from support.control_plane import ControlPlane
from support.operator_process import OperatorProcess, operator_process


@pytest.fixture(scope="module")
def operator(control_plane: ControlPlane) -> Iterator[OperatorProcess]:
    with operator_process(control_plane) as process:
        yield process


@pytest.fixture
def place(control_plane: ControlPlane, namespace: str, operator: OperatorProcess) -> Place:
    return Place(control_plane, namespace)


def test_a_pipeline_becomes_ready_with_its_pods_and_all_its_children(place: Place) -> None:
    place.apply(pipeline())
    place.wait_ready()
    for child in CHILDREN:
        found = place.get(child)
        assert found is not None, child
        assert found["metadata"]["labels"]["ragfleet.dev/pipeline"] == "handbook"
    ready = [pod for pod in place.list("pods") if _is_ready(pod)]
    assert len(ready) == 2


def test_the_columns_say_what_people_ask_first(place: Place) -> None:
    place.apply(pipeline())
    place.wait_ready()
    heading, line = place.kubectl("get", "ragp").stdout.splitlines()
    assert heading.split() == ["NAME", "READY", "REASON", "REPLICAS", "MODEL", "ENDPOINT", "AGE"]
    assert line.split()[:6] == [
        "handbook", "True", "Ready", "2/2", "Extractive", f"http://handbook.{place.namespace}.svc:8080",
    ]  # fmt: skip
    assert "MESSAGE" in place.kubectl("get", "ragp", "-o", "wide").stdout


def test_ready_is_never_early_in_a_rollout(place: Place) -> None:
    place.apply(pipeline(runtime={"image": "registry.example/ragfleet:v1"}))
    place.wait_ready()
    place.apply(pipeline(runtime={"image": "registry.example/ragfleet:slow-3"}))
    place.wait_until(lambda: place.condition("Ready").get("status") != "True", "the rollout to begin", 5)
    place.wait_ready()
    deployment = place.get("deployment/handbook") or {}
    assert deployment["status"]["updatedReplicas"] == deployment["status"]["availableReplicas"] == 2
    assert deployment["status"]["replicas"] == 2
    images = {pod["spec"]["containers"][0]["image"] for pod in place.list("pods") if _is_ready(pod)}
    assert images == {"registry.example/ragfleet:slow-3"}


def test_a_ready_of_the_new_generation_always_has_all_new_replicas(place: Place) -> None:
    place.apply(pipeline())
    place.wait_ready()
    early: list[str] = []
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            found = place.get("ragp/handbook") or {}
            generation = found["metadata"]["generation"]
            ready = next(c for c in found["status"]["conditions"] if c["type"] == "Ready")
            if ready["status"] == "True" and ready["observedGeneration"] == generation == 2:
                deployment = place.get("deployment/handbook") or {}
                if deployment["status"].get("updatedReplicas") != 2:
                    early.append(json.dumps(deployment["status"]))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        place.apply(pipeline(runtime={"image": "registry.example/ragfleet:slow-1"}))
        place.wait_until(
            lambda: (
                place.condition("Ready").get("observedGeneration") == 2
                and place.condition("Ready").get("status") == "True"
            ),
            "the new generation to be ready",
        )
    finally:
        over.set()
        looking.join()
    assert early == []


def test_kubectl_scale_changes_the_replicas(place: Place) -> None:
    place.apply(pipeline())
    place.wait_ready()
    place.kubectl("scale", "ragp/handbook", "--replicas=3")
    place.wait_until(
        lambda: (place.get("ragp/handbook") or {})["status"].get("readyReplicas") == 3, "3 replicas"
    )
    assert (place.get("deployment/handbook") or {})["spec"]["replicas"] == 3


def test_suspended_is_shown_and_nothing_is_changed_until_it_is_resumed(place: Place) -> None:
    place.apply(pipeline())
    place.wait_ready()
    place.apply(pipeline(suspend=True))
    place.wait_for("Suspended", seconds=10)
    place.kubectl("delete", "service/handbook")
    place.apply(pipeline(suspend=True, replicas=3))
    place.wait_until(
        lambda: place.condition("Suspended").get("observedGeneration") == 3, "generation 3 to be seen"
    )
    time.sleep(1)
    assert place.get("service/handbook") is None
    assert (place.get("deployment/handbook") or {})["spec"]["replicas"] == 2
    place.apply(pipeline(replicas=3))
    place.wait_until(lambda: place.get("service/handbook"), "the service to come back")
    place.wait_until(lambda: not place.condition("Suspended"), "Suspended to go")
    place.wait_ready()


def test_a_suspended_pipeline_can_be_deleted(place: Place) -> None:
    place.apply(pipeline(suspend=True))
    place.wait_for("Suspended", seconds=10)
    place.kubectl("delete", "ragp/handbook", "--timeout=10s")


def test_deletion_takes_the_children_and_leaves_the_data(place: Place) -> None:
    embedded = {"type": "Embedded", "embedded": {"storage": {"size": "1Gi"}}}
    place.apply(pipeline(vectorStore=embedded, replicas=None))
    place.wait_ready()
    assert place.get("pvc/handbook-data") is not None
    place.kubectl("delete", "ragp/handbook", "--timeout=10s")
    for child in CHILDREN:
        place.wait_until(partial(place.is_gone, child), f"{child} to go")
    assert (place.get("pvc/handbook-data") or {})["metadata"].get("deletionTimestamp") is None


def test_the_condition_metric_goes_with_the_pipeline(place: Place, operator: OperatorProcess) -> None:
    place.apply(pipeline())
    place.wait_ready()
    labels = f'name="handbook",namespace="{place.namespace}",status="True",type="Ready"'
    line = f"ragfleet_pipeline_condition{{{labels}}} 1.0"
    place.wait_until(lambda: line in operator.get("/metrics").text, "the metric")
    place.kubectl("delete", "ragp/handbook")
    place.wait_until(lambda: place.namespace not in operator.get("/metrics").text, "the metric to go", 5)


def test_a_namespace_can_be_deleted_with_what_is_in_it(place: Place, operator: OperatorProcess) -> None:
    place.apply(pipeline())
    place.wait_ready()
    place.control_plane.kubectl("delete", "namespace", place.namespace, "--timeout=60s")
    place.wait_until(lambda: place.namespace not in operator.get("/metrics").text, "it to be forgotten", 5)
    assert '"level":"error"' not in operator.log


def _is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)

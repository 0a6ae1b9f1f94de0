"""What keeps a pipeline from being ready is said, and goes by itself when its reason does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from support.cluster_pipelines import Place, pipeline
from support.control_plane import ControlPlane
from support.operator_process import OperatorProcess, operator_process

OPENAI = {
    "type": "OpenAI",
    "openAI": {
        "baseURL": "http://llm.example:8000/v1",
        "model": "small",
        "apiKeySecretRef": {"name": "llm", "key": "token"},
    },
}


@pytest.fixture(scope="module")
def operator(control_plane: ControlPlane) -> Iterator[OperatorProcess]:
    with operator_process(control_plane) as process:
        yield process


@pytest.fixture
def place(control_plane: ControlPlane, namespace: str, operator: OperatorProcess) -> Place:
    return Place(control_plane, namespace)


@pytest.mark.parametrize("watched", [False, True], ids=["polled", "watched"])
def test_a_missing_secret_is_said_and_its_coming_is_noticed_within_five_seconds(
    place: Place, watched: bool
) -> None:
    place.apply(pipeline(generation=OPENAI))
    place.wait_for("SecretsResolved=False", seconds=20)
    message = place.condition("SecretsResolved")["message"]
    assert "llm" in message
    assert place.get("deployment/handbook") is None
    labels = {"ragfleet.dev/watch": "true"} if watched else {}
    place.apply(_secret({"other": "x"}, labels))
    place.wait_until(lambda: "token" in place.condition("SecretsResolved")["message"], "the key to be named")
    place.apply(_secret({"token": "s"}, labels))
    begun = time.monotonic()
    place.wait_for("SecretsResolved", seconds=10)
    assert time.monotonic() - begun < 5
    place.wait_ready()


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [("crash", "CrashLoopBackOff"), ("pull-failure", "ImagePullBackOff"), ("unready", "")],
)
def test_pods_that_dont_come_up_are_shown(place: Place, behaviour: str, reason: str) -> None:
    place.apply(pipeline(runtime={"image": f"registry.example/ragfleet:{behaviour}"}))
    place.wait_for("RuntimeAvailable=False", seconds=20)
    place.wait_until(
        lambda: reason in str(place.condition("RuntimeAvailable")), f"{reason or 'it'} to be shown", 30
    )
    assert place.condition("Ready")["status"] != "True"
    place.apply(pipeline())
    place.wait_ready()


def test_a_quota_is_said(place: Place) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}}
    place.apply({**quota, "spec": {"hard": {"services": "0"}}})
    place.apply(pipeline())
    place.wait_until(lambda: "QuotaExceeded" in str(place.get("ragp/handbook")), "the quota to be said")
    assert place.get("networkpolicy/handbook") is not None


def _secret(data: dict[str, str], labels: dict[str, str]) -> dict[str, Any]:
    metadata = {"name": "llm", "labels": labels}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data}

"""Whatever the schema allows comes to rest, and what it no longer allows harms nobody."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.cluster_pipelines import Place, pipeline
from support.control_plane import ControlPlane
from support.drawn_specs import drawn_specs
from support.operator_process import OperatorProcess, operator_process

KINDS = "ragpipelines,deployments,services,configmaps,secrets,networkpolicies,hpa,pdb,ingresses,pvc"
CRD = Path(__file__).parents[2] / "crds" / "ragpipelines.yaml"
STRATEGY = (
    "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/chunking/properties/strategy/enum"
)
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def operator(control_plane: ControlPlane) -> Iterator[OperatorProcess]:
    with operator_process(control_plane) as process:
        yield process


@pytest.fixture
def place(control_plane: ControlPlane, namespace: str, operator: OperatorProcess) -> Place:
    return Place(control_plane, namespace)


def create(client: httpx.Client, namespace: str, spec: dict[str, Any]) -> str | None:
    """The name of a new pipeline, None where the API server refuses it with a reason."""
    name = f"any-{next(NUMBERS)}"
    path = f"/apis/ragfleet.dev/v1alpha1/namespaces/{namespace}/ragpipelines"
    reply = client.post(path, json={**pipeline(name), "spec": spec})
    if reply.status_code == 422:
        assert reply.json()["message"]
        return None
    reply.raise_for_status()
    return name


def has_been_seen(found: dict[str, Any]) -> bool:
    """Whether a status tells of the newest spec, with a reason for what it says of Ready."""
    status = found.get("status", {})
    ready = [one for one in status.get("conditions", []) if one["type"] == "Ready"]
    is_newest = status.get("observedGeneration") == found["metadata"]["generation"]
    return is_newest and bool(ready) and bool(ready[0]["reason"] and ready[0]["message"])


def versions(place: Place) -> dict[str, str]:
    return {
        f"{one['kind']}/{one['metadata']['name']}": one["metadata"]["resourceVersion"]
        for one in place.list(KINDS)
    }


def wait_for_rest(place: Place, names: set[str], seconds: float = 90) -> None:
    """Wait until every pipeline is told of, and nothing changes for four seconds."""
    deadline = time.monotonic() + seconds
    before: dict[str, str] = {}
    while True:
        found = [one for one in place.list("ragpipelines") if one["metadata"]["name"] in names]
        now = versions(place)
        if len(found) == len(names) and all(map(has_been_seen, found)) and now == before:
            return
        unseen = [one["metadata"]["name"] for one in found if not has_been_seen(one)]
        moving = [name for name in now if now[name] != before.get(name)]
        assert time.monotonic() < deadline, f"not told of: {unseen}; still changing: {moving}"
        before = now
        time.sleep(4)


@settings(
    max_examples=2, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(drawn_specs(), min_size=15, max_size=15))
def test_whatever_the_schema_allows_comes_to_rest(
    place: Place, operator: OperatorProcess, specs: list[dict[str, Any]]
) -> None:
    with place.control_plane.client() as client:
        created = {create(client, place.namespace, spec) for spec in specs} - {None}
    names = {name for name in created if name is not None}
    assert names
    wait_for_rest(place, names)
    assert operator.get("/healthz").is_success
    assert "reconcile_failed" not in operator.log
    assert operator.tracebacks == []
    place.kubectl("delete", "ragpipelines", *names, "--wait=false")


def test_a_stored_object_that_is_no_longer_allowed_is_told_and_the_others_go_on(place: Place) -> None:
    remove = json.dumps([{"op": "remove", "path": STRATEGY}])
    patch = ("patch", "crd/ragpipelines.ragfleet.dev", "--type=json", "-p", remove)
    place.control_plane.kubectl(*patch)
    try:
        deadline = time.monotonic() + 20
        old = json.dumps(pipeline("old", chunking={"strategy": "ByMoon"}))
        while place.kubectl("create", "-f", "-", stdin=old, check=False).code:
            assert time.monotonic() < deadline, "the definition isn't taken up"
            time.sleep(0.3)
    finally:
        place.control_plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(CRD))
    place.wait_for("Stalled", "old", 30)
    told = place.condition("Ready", "old")
    assert (told["status"], told["reason"]) == ("False", "InvalidSpec")
    assert "chunking.strategy" in told["message"]
    assert place.is_gone("deployment/old")
    place.apply(pipeline("new"))
    place.wait_ready("new")

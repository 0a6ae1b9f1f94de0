"""The operator on a cluster that doesn't know pipelines yet, or not any more."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.cluster_pipelines import Place, pipeline
from support.control_plane import ControlPlane, control_plane
from support.control_plane_binaries import MissingProgramsError, find_programs
from support.operator_process import operator_process

# As much of the Gateway API's definition as a server needs to take objects of it.
ROUTES = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {
        "name": "httproutes.gateway.networking.k8s.io",
        "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},
    },
    "spec": {
        "group": "gateway.networking.k8s.io",
        "names": {"kind": "HTTPRoute", "plural": "httproutes", "singular": "httproute"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
                        },
                    }
                },
            }
        ],
    },
}
DEFINITION = Path(__file__).parents[2] / "crds" / "ragpipelines.yaml"


@pytest.fixture(scope="module", name="bare")
def bare_control_plane() -> Iterator[ControlPlane]:
    """A control plane of these tests alone: they take the definition away."""
    try:
        find_programs()
    except MissingProgramsError as error:
        pytest.skip(str(error))
    with control_plane() as cluster:
        yield cluster


@pytest.mark.parametrize("namespaces", [(), ("default",)], ids=["cluster", "namespaced"])
def test_it_waits_for_the_definition_and_goes_on_by_itself(
    bare: ControlPlane, namespaces: tuple[str, ...]
) -> None:
    bare.kubectl("delete", "--ignore-not-found", "-f", str(DEFINITION))
    with operator_process(bare, namespaces=namespaces, ready=False) as operator:
        operator.wait_until(lambda: "ragfleet crd" in operator.log, "it to say what to do")
        answer = operator.get("/readyz")
        assert answer.status_code == 503
        assert "watch of ragpipelines" in answer.text
        assert "absent" in answer.text
        assert operator.get("/healthz").is_success
        _define(bare)
        place = Place(bare, "default")
        place.apply(pipeline())
        place.wait_ready()
        operator.wait_ready()
        assert operator.log.count("ragfleet crd") == 1

        bare.kubectl("delete", "-f", str(DEFINITION))
        operator.wait_until(lambda: operator.log.count("ragfleet crd") == 2, "it to be said again", 60)
        _define(bare)
        place.apply(pipeline())
        place.wait_ready()
        assert operator.tracebacks == []
        assert operator.terminate() == 0


def test_a_kind_that_the_cluster_gets_later_is_noticed(bare: ControlPlane) -> None:
    _define(bare)
    place = Place(bare, "default")
    route = {"type": "HTTPRoute", "httpRoute": {"parentRefs": [{"name": "front"}]}}
    with operator_process(bare) as operator:
        place.apply(pipeline("routed", exposure=route))
        place.wait_until(
            lambda: "HTTPRoute" in str(place.condition("ChildrenApplied", "routed")), "it to be said"
        )
        bare.kubectl("apply", "-f", "-", stdin=json.dumps(ROUTES))
        place.wait_until(lambda: place.get("httproutes/routed"), "the route to be made", 60)
        place.kubectl("delete", "httproutes/routed")
        place.wait_until(lambda: place.get("httproutes/routed"), "the route to come back", 20)
        assert "can be watched now" in operator.log


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "ragfleet: name the service's image with --image, or in the variable RAGFLEET_IMAGE"),
        (
            ["--image", "i", "--kubeconfig", "/nowhere/config"],
            "ragfleet: there is no file /nowhere/config; name a kubeconfig",
        ),
    ],
)
def test_what_is_missing_at_the_start_is_one_line(arguments: list[str], told: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ragfleet_cli", "operator", "--health-port", "0", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": ""},
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(told)
    assert len(done.stderr.splitlines()) == 1


def test_a_port_that_is_taken_is_one_line(bare: ControlPlane) -> None:
    with operator_process(bare, ready=False) as first:
        port = first.url.rpartition(":")[2]
        with operator_process(bare, "--health-port", port, ready=False) as second:
            assert second.process.wait(30) == 2
            assert second.log.startswith("ragfleet: can't listen on 127.0.0.1:")
            assert len(second.log.splitlines()) == 1


def _define(cluster: ControlPlane) -> None:
    cluster.kubectl("apply", "--server-side", "-f", str(DEFINITION))
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(DEFINITION))

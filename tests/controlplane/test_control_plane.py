"""The control plane itself: what the tests of the operator stand on."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.control_plane import Completed, ControlPlane

Table = list[dict[str, str]]


def deployment(tag: str = "1", *, replicas: int = 1, claim: str | None = None) -> str:
    """A Deployment named web, as JSON."""
    container: dict[str, Any] = {"name": "web", "image": f"registry.example/web:{tag}"}
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}] if claim else []
    return json.dumps(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web"},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [container], "volumes": volumes},
                },
            },
        }
    )


def table(done: Completed) -> Table:
    """What kubectl printed as columns: a line's cells by the column's name."""
    head, *lines = done.stdout.splitlines()
    names = head.split()
    starts = [head.index(name) for name in names]
    ends = [*starts[1:], None]
    return [
        {name: line[start:end].strip() for name, start, end in zip(names, starts, ends, strict=True)}
        for line in lines
    ]


class Cluster:
    """kubectl in the test's namespace, and waiting for what it shows."""

    def __init__(self, control_plane: ControlPlane, namespace: str) -> None:
        self._control_plane = control_plane
        self._namespace = namespace

    def __call__(self, *arguments: str, stdin: str | None = None, check: bool = True) -> Completed:
        return self._control_plane.kubectl(*arguments, stdin=stdin, check=check, namespace=self._namespace)

    def pods(self, until: Callable[[Table], bool], seconds: float = 15) -> Table:
        """The lines of ``kubectl get pods`` as soon as they are as expected."""
        deadline = time.monotonic() + seconds
        while True:
            done = self("get", "pods")
            shown = table(done) if done.stdout else []
            if until(shown):
                return shown
            assert time.monotonic() < deadline, shown
            time.sleep(0.1)


@pytest.fixture
def kubectl(control_plane: ControlPlane, namespace: str) -> Cluster:
    return Cluster(control_plane, namespace)


@pytest.mark.skipif("KUBEBUILDER_ASSETS" in os.environ, reason="KUBEBUILDER_ASSETS has a version of its own")
def test_kubectl_and_the_server_say_the_version_that_was_built(kubectl: Cluster) -> None:
    module = (Path(__file__).parents[2] / "tools" / "go.mod").read_text()
    built = re.findall(r"^\s*k8s\.io/kubernetes (v\S+)", module, re.MULTILINE)
    version = json.loads(kubectl("version", "--output=json").stdout)
    assert [version["clientVersion"]["gitVersion"]] == built
    assert [version["serverVersion"]["gitVersion"]] == built


def test_a_deployment_becomes_available(kubectl: Cluster) -> None:
    kubectl("apply", "-f", "-", stdin=deployment(replicas=3))
    kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    pods = kubectl.pods(lambda shown: len(shown) == 3)
    assert {(pod["READY"], pod["STATUS"], pod["RESTARTS"]) for pod in pods} == {("1/1", "Running", "0")}
    (line,) = table(kubectl("get", "deployments"))
    assert (line["READY"], line["AVAILABLE"]) == ("3/3", "3")


def test_a_service_gets_the_addresses_of_the_pods_that_are_ready(kubectl: Cluster) -> None:
    kubectl("apply", "-f", "-", stdin=deployment(replicas=2))
    kubectl("expose", "deployment/web", "--port=8080")
    kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    path = "jsonpath={.items[0].endpoints[*].addresses[0]}"
    kubectl("wait", "--for=jsonpath={.endpoints[1].conditions.ready}=true", "endpointslices", "--timeout=20s",
            "--selector=kubernetes.io/service-name=web")  # fmt: skip
    addresses = kubectl("get", "endpointslices", "--output", path).stdout.split()
    assert len(set(addresses)) == 2


def test_a_pod_that_crashes_is_started_again_and_again(kubectl: Cluster) -> None:
    kubectl("apply", "-f", "-", stdin=deployment("crash"))
    (pod,) = kubectl.pods(lambda shown: any(line["RESTARTS"].startswith("2 (") for line in shown))
    assert (pod["READY"], pod["STATUS"]) == ("0/1", "CrashLoopBackOff")
    last = "jsonpath={.items[0].status.containerStatuses[0].lastState.terminated.exitCode}"
    assert kubectl("get", "pods", "--output", last).stdout == "1"
    assert "Back-off restarting failed container" in kubectl("events").stdout


def test_a_pod_that_is_never_ready_runs(kubectl: Cluster) -> None:
    kubectl("apply", "-f", "-", stdin=deployment("unready"))
    (pod,) = kubectl.pods(lambda shown: any(line["STATUS"] == "Running" for line in shown))
    assert (pod["READY"], pod["RESTARTS"]) == ("0/1", "0")
    done = kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=2s", check=False)
    assert done.code == 1


def test_a_pod_whose_image_is_missing_waits_for_it(kubectl: Cluster) -> None:
    kubectl("apply", "-f", "-", stdin=deployment("pull-failure"))
    (pod,) = kubectl.pods(lambda shown: any(line["STATUS"] == "ImagePullBackOff" for line in shown))
    assert (pod["READY"], pod["RESTARTS"]) == ("0/1", "0")


def test_a_slow_pod_is_ready_after_its_time(kubectl: Cluster) -> None:
    kubectl("apply", "-f", "-", stdin=deployment("slow-2"))
    (pod,) = kubectl.pods(lambda shown: any(line["STATUS"] == "Running" for line in shown))
    assert pod["READY"] == "0/1"
    began = time.monotonic()
    kubectl.pods(lambda shown: shown[0]["READY"] == "1/1")
    assert 1 < time.monotonic() - began < 5


def test_a_running_pod_follows_its_annotation(kubectl: Cluster) -> None:
    kubectl("apply", "-f", "-", stdin=deployment())
    kubectl.pods(lambda shown: any(line["READY"] == "1/1" for line in shown))
    kubectl("annotate", "pods", "--all", "ragfleet.test/behaviour=unready")
    kubectl.pods(lambda shown: shown[0]["READY"] == "0/1")
    kubectl("annotate", "pods", "--all", "ragfleet.test/behaviour-")
    kubectl.pods(lambda shown: shown[0]["READY"] == "1/1")


def test_a_job_completes_and_a_failing_one_does_not(kubectl: Cluster) -> None:
    for tag in ("1", "crash"):
        kubectl("create", "job", f"job-{tag}", f"--image=registry.example/job:{tag}")
    kubectl("wait", "--for=condition=Complete", "job/job-1", "--timeout=20s")
    pods = kubectl.pods(lambda shown: sorted(line["STATUS"] for line in shown)[1:] == ["Error"])
    assert sorted(line["STATUS"] for line in pods) == ["Completed", "Error"]


def test_a_deleted_pod_goes_at_once_and_a_stubborn_one_after_its_grace_period(kubectl: Cluster) -> None:
    for tag in ("1", "stubborn"):
        kubectl("run", f"pod-{tag}", f"--image=registry.example/web:{tag}")
    kubectl("wait", "--for=condition=Ready", "pods", "--all", "--timeout=20s")
    began = time.monotonic()
    kubectl("delete", "pod", "pod-1", "--timeout=20s")
    assert time.monotonic() - began < 5
    kubectl("delete", "pod", "pod-stubborn", "--grace-period=3", "--wait=false")
    time.sleep(1)
    assert [line["STATUS"] for line in table(kubectl("get", "pods"))] == ["Terminating"]
    kubectl("wait", "--for=delete", "pod/pod-stubborn", "--timeout=20s")


def test_a_claim_of_the_default_class_is_bound_when_a_pod_needs_it(kubectl: Cluster) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "5Gi"}}},
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(claim))
    assert table(kubectl("get", "pvc"))[0]["STATUS"] == "Pending"
    kubectl("apply", "-f", "-", stdin=deployment(claim="data"))
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    assert table(kubectl("get", "pvc"))[0]["STATUS"] == "Bound"


def test_what_an_object_owns_goes_with_it(kubectl: Cluster) -> None:
    kubectl("create", "configmap", "owner")
    uid = kubectl("get", "configmap", "owner", "--output=jsonpath={.metadata.uid}").stdout
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}
    child = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "child", "ownerReferences": [owner]},
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(child))
    kubectl("delete", "configmap", "owner")
    kubectl("wait", "--for=delete", "configmap/child", "--timeout=20s")

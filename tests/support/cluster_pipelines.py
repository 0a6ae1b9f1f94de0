"""Pipelines in one namespace of a control plane, as tests apply and look at them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from support.control_plane import Completed, ControlPlane

Object = Mapping[str, Any]

SPEC: Object = {
    "vectorStore": {"type": "Qdrant", "qdrant": {"url": "http://qdrant.data:6333"}},
    "retrieval": {"mode": "Sparse"},
    "generation": {"type": "Extractive"},
    "replicas": 2,
}
# What the operator makes of SPEC, by kubectl's names.
CHILDREN = (
    "serviceaccount/handbook",
    "secret/handbook-api-keys",
    "secret/handbook-admin",
    "networkpolicy/handbook",
    "service/handbook",
    "service/handbook-admin",
    "deployment/handbook",
    "poddisruptionbudget/handbook",
)


def pipeline(name: str = "handbook", **spec: Any) -> dict[str, Any]:
    """A manifest: SPEC with other fields; None leaves one out."""
    changed = {**SPEC, **spec}
    return {
        "apiVersion": "ragfleet.dev/v1alpha1",
        "kind": "RAGPipeline",
        "metadata": {"name": name},
        "spec": {field: value for field, value in changed.items() if value is not None},
    }


class Place:
    """A namespace, through kubectl."""

    def __init__(self, control_plane: ControlPlane, namespace: str) -> None:
        self.control_plane = control_plane
        self.namespace = namespace

    def kubectl(self, *arguments: str, check: bool = True, stdin: str | None = None) -> Completed:
        """See ControlPlane.kubectl."""
        return self.control_plane.kubectl(*arguments, check=check, stdin=stdin, namespace=self.namespace)

    def apply(self, *manifests: Object) -> None:
        """kubectl apply."""
        items = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        self.kubectl("apply", "-f", "-", stdin=json.dumps(items))

    def get(self, what: str) -> dict[str, Any] | None:
        """An object as in "secret/name"; None where it isn't there."""
        done = self.kubectl("get", what, "-o", "json", "--ignore-not-found")
        found: dict[str, Any] | None = json.loads(done.stdout) if done.stdout.strip() else None
        return found

    def is_gone(self, what: str) -> bool:
        """Whether an object isn't there."""
        return self.get(what) is None

    def uid(self, what: str) -> str:
        """The uid of an object; "" where it isn't there."""
        return str((self.get(what) or {"metadata": {"uid": ""}})["metadata"]["uid"])

    def list(self, kinds: str) -> list[dict[str, Any]]:
        """Objects of some kinds, as in "secrets,services"."""
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", kinds, "-o", "json").stdout)["items"]
        return found

    def wait_ready(self, name: str = "handbook", seconds: int = 60) -> None:
        """kubectl wait for Ready."""
        self.wait_for("Ready", name, seconds)

    def wait_for(self, condition: str, name: str = "handbook", seconds: int = 60) -> None:
        """kubectl wait for a condition, as in "Ready" or "Ready=False"."""
        self.kubectl("wait", f"--for=condition={condition}", f"ragp/{name}", f"--timeout={seconds}s")

    def condition(self, type_: str, name: str = "handbook") -> dict[str, Any]:
        """A condition of a pipeline; {} where it has none."""
        found = self.get(f"ragp/{name}") or {}
        conditions = found.get("status", {}).get("conditions", [])
        return next((condition for condition in conditions if condition["type"] == type_), {})

    def wait_until(self, check: Callable[[], object], what: str, seconds: float = 30) -> None:
        """Wait until something is true. Raises AssertionError."""
        deadline = time.monotonic() + seconds
        while not check():
            state = self.kubectl("get", "ragp", "-o", "yaml", check=False).stdout
            assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}\n{state[-4000:]}"
            time.sleep(0.1)

    def versions(self) -> dict[str, str]:
        """The resourceVersion of every pipeline and child."""
        kinds = "ragp,sa,secret,configmap,pvc,netpol,svc,controllerrevisions,deploy,hpa,pdb,ingress"
        labelled = self.kubectl("get", kinds, "-o", "json", "-l", "ragfleet.dev/pipeline").stdout
        objects = [*json.loads(labelled)["items"], *self.list("ragp")]
        return {
            f"{obj['kind']}/{obj['metadata']['name']}": obj["metadata"]["resourceVersion"] for obj in objects
        }

"""A real API server takes what is rendered, stores it as it is, and takes it again without a change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from ragfleet_operator.engine.client import as_yaml
from ragfleet_operator.kinds import DEPLOYMENT, OPTIONAL, SECRET
from ragfleet_operator.model import Child, Observation, Pipeline
from ragfleet_operator.names import FIELD_MANAGER
from ragfleet_operator.render.quantity import amount
from support.case import MINIMAL
from support.control_plane import ControlPlane
from support.drawn_specs import drawn_specs
from support.rendering import EXAMPLE_NAMES, children_of, example, make_pipeline, one, pipeline_of
from support.sections import QDRANT, Json

# The kinds of others aren't there.
BUILT_IN = Observation()
# What fails isn't made smaller: each try asks the server for ten objects.
any_spec = settings(
    max_examples=40,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),
)
_EVERY_KIND_HERE = {
    "vectorStore": QDRANT,
    "auth": {"required": True},
    "autoscaling": {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}}},
    "exposure": {"type": "Ingress", "ingress": {"host": "handbook.example", "className": "nginx"}},
    "networkPolicy": {"clients": [{"namespaceLabels": {}}], "egress": [{"cidr": "10.0.0.0/8"}]},
}


@dataclass(frozen=True, slots=True)
class Server:
    """The API server, as server-side apply reaches it, in one namespace."""

    client: httpx.Client
    namespace: str

    def apply(self, child: Child, *, dry_run: bool = False) -> Json:
        """The object as it is stored. Fails with the server's words where it refuses or warns."""
        params = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        answer = self.client.patch(
            self.path(child),
            params={**params, **({"dryRun": "All"} if dry_run else {})},
            headers={"Content-Type": "application/apply-patch+yaml"},
            content=as_yaml(child.manifest),
        )
        assert answer.is_success, f"{child.ref}: {answer.text}"
        assert "Warning" not in answer.headers, f"{child.ref}: {answer.headers['Warning']}"
        stored: Json = answer.json()
        return stored

    def owned(self, pipeline: Pipeline) -> Pipeline:
        """The pipeline as one that is there: what nobody owns, the garbage collector takes away."""
        path = f"/apis/ragfleet.dev/v1alpha1/namespaces/{self.namespace}/ragpipelines"
        manifest = {**MINIMAL, "metadata": {"name": pipeline.key.name}}
        made = self.client.post(path, json=manifest).raise_for_status().json()
        return replace(pipeline, uid=made["metadata"]["uid"])

    def is_settled(self, child: Child) -> bool:
        """Whether applying it again leaves its version as it is; a controller may write in between."""
        before = self.client.get(self.path(child)).raise_for_status().json()
        return bool(before["metadata"]["resourceVersion"] == self.apply(child)["metadata"]["resourceVersion"])

    def path(self, child: Child) -> str:
        """Where a child is."""
        return child.kind.path(self.namespace, child.name)


@pytest.fixture
def server(control_plane: ControlPlane, namespace: str) -> Iterator[Server]:
    """The API server in the test's namespace."""
    with control_plane.client() as client:
        yield Server(client, namespace)


@pytest.fixture(scope="module")
def shared(control_plane: ControlPlane) -> Iterator[Server]:
    """The API server in a namespace for all that isn't kept."""
    control_plane.kubectl("create", "namespace", "rendered")
    with control_plane.client() as client:
        yield Server(client, "rendered")
    control_plane.kubectl("delete", "namespace", "rendered", "--wait=false")


def children(pipeline: Pipeline) -> tuple[Child, ...]:
    return children_of(pipeline, seen=BUILT_IN)


def lost(applied: Any, stored: Any, path: str = "") -> list[str]:
    """Where what is stored isn't what was applied; what the server adds doesn't count."""
    if isinstance(applied, Mapping):
        if not isinstance(stored, Mapping):
            return [path]
        return [
            found for name in applied for found in lost(applied[name], stored.get(name), f"{path}.{name}")
        ]
    if isinstance(applied, list):
        if not isinstance(stored, list) or len(applied) != len(stored):
            return [path]
        pairs = zip(applied, stored, strict=True)
        return [found for number, (a, b) in enumerate(pairs) for found in lost(a, b, f"{path}[{number}]")]
    return [] if applied == stored or same_amount(applied, stored) else [path]


def same_amount(applied: Any, stored: Any) -> bool:
    """Whether both are one quantity: 0.5 is stored as 500m."""
    try:
        return bool(amount(applied) == amount(stored))
    except (AttributeError, ValueError, KeyError):
        return False


@pytest.mark.parametrize("name", EXAMPLE_NAMES)
def test_an_example_is_stored_as_it_is_and_a_second_time_changes_nothing(server: Server, name: str) -> None:
    made = children(server.owned(example(name, namespace=server.namespace)))
    stored = {child.ref: server.apply(child) for child in made}
    for child in made:
        if child.kind != SECRET:  # made once; its stringData is only ever written
            assert lost(dict(child.manifest), stored[child.ref]) == []
            assert any(server.is_settled(child) for _ in range(20))


def test_every_kind_of_the_cluster_is_taken(server: Server) -> None:
    made = children(server.owned(make_pipeline(_EVERY_KIND_HERE, namespace=server.namespace)))
    assert len({child.kind for child in made}) == 10
    for child in made:
        server.apply(child)


@any_spec
@given(spec=drawn_specs())
def test_what_is_rendered_of_any_pipeline_is_taken_and_stored_as_it_is(shared: Server, spec: Json) -> None:
    for child in children(pipeline_of(spec, name="p" * 52, namespace=shared.namespace)):
        if child.kind != SECRET:
            assert lost(dict(child.manifest), shared.apply(child, dry_run=True)) == []
        else:
            shared.apply(child, dry_run=True)


@any_spec
@given(spec=drawn_specs())
def test_pods_pass_the_restricted_profile(shared: Server, spec: Json) -> None:
    namespaces = "/api/v1/namespaces"
    label = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    merge = {"Content-Type": "application/merge-patch+json"}
    shared.client.patch(f"{namespaces}/{shared.namespace}", json=label, headers=merge).raise_for_status()
    pipeline = pipeline_of(spec, namespace=shared.namespace)
    template = one(children(pipeline), DEPLOYMENT)["spec"]["template"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**template["metadata"], "name": "one"},
        "spec": without_names(template["spec"]),
    }
    answer = shared.client.post(f"{namespaces}/{shared.namespace}/pods", params={"dryRun": "All"}, json=pod)
    assert answer.is_success, answer.text


def without_names(spec: Json) -> Json:
    """A pod without the account and the priority class, which aren't there."""
    return {
        key: value for key, value in spec.items() if key not in ("serviceAccountName", "priorityClassName")
    }


@pytest.mark.parametrize("first", ["Embedded", "Qdrant"])
def test_the_engine_of_a_deployment_can_change(server: Server, first: str) -> None:
    embedded = make_pipeline(namespace=server.namespace)
    remote = make_pipeline({"vectorStore": QDRANT, "replicas": 2}, namespace=server.namespace)
    before, after = (embedded, remote) if first == "Embedded" else (remote, embedded)
    for pipeline in (before, after):
        (deployment,) = [child for child in children(pipeline) if child.kind == DEPLOYMENT]
        stored = server.apply(deployment)
        assert lost(dict(deployment.manifest), stored) == []


def test_optional_kinds_are_those_that_this_cluster_lacks(shared: Server) -> None:
    for kind in OPTIONAL:
        assert shared.client.get(f"/apis/{kind.group}").status_code == 404

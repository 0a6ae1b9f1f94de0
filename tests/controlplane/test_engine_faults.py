"""What the engine does where a child can't be as it should, on a real API server."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from support.control_plane import ControlPlane
from support.engine_run import Bench, eventually, pipeline, running_engine

pytestmark = pytest.mark.anyio

RULES: list[dict[str, Any]] = [
    {"apiGroups": ["ragfleet.dev"], "resources": ["ragpipelines"], "verbs": ["get", "list", "watch"]},
    {
        "apiGroups": ["ragfleet.dev"],
        "resources": ["ragpipelines/status", "ragpipelines/finalizers"],
        "verbs": ["update", "patch"],
    },
    {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"]},
    {
        "apiGroups": ["", "apps", "autoscaling"],
        "resources": [
            "configmaps",
            "secrets",
            "services",
            "serviceaccounts",
            "persistentvolumeclaims",
            "pods",
            "controllerrevisions",
            "deployments",
            "horizontalpodautoscalers",
        ],
        "verbs": ["get", "list", "watch", "create", "patch", "delete"],
    },
]


@pytest.fixture
def bench(control_plane: ControlPlane, namespace: str) -> Bench:
    return Bench(control_plane, namespace)


async def test_an_object_of_somebody_else_is_never_changed(bench: Bench) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "handbook", "labels": {"team": "web"}},
        "spec": {"ports": [{"port": 80}], "selector": {"app": "web"}},
    }
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "handbook"}}
    # Our label on it makes it no more ours.
    account["metadata"]["labels"] = {"ragfleet.dev/pipeline": "handbook"}  # type: ignore[index]
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "handbook-api-keys"}}
    await bench.apply(service, account, {**secret, "stringData": {"default.query": "mine"}})
    before = [await bench.get(*place) for place in _FOREIGN]
    async with running_engine(bench.control_plane, bench.namespace):
        await bench.apply(pipeline())
        message = await bench.reason("handbook", "OwnedByAnother")
        assert 'Service "handbook"' in message or 'ServiceAccount "handbook"' in message
        await asyncio.sleep(1)
        assert [await bench.get(*place) for place in _FOREIGN] == before
        for kind, name in _FOREIGN:
            await bench.kubectl("delete", kind, name)
        await bench.reason("handbook", "Ready")
    keys = (await bench.get("secret", "handbook-api-keys"))["data"]
    assert b"mine" not in {base64.b64decode(value) for value in keys.values()}


_FOREIGN = (("service", "handbook"), ("serviceaccount", "handbook"), ("secret", "handbook-api-keys"))


async def test_a_manager_that_takes_a_field_back_again_and_again_is_named(bench: Bench) -> None:
    async with running_engine(bench.control_plane, bench.namespace) as run:
        await bench.apply(pipeline(replicas=1))
        await bench.reason("handbook", "Ready")
        theirs = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "handbook", "labels": {"app.kubernetes.io/name": "theirs"}},
        }

        async def restored() -> bool:
            labels = (await bench.get("svc", "handbook"))["metadata"]["labels"]
            return bool(labels["app.kubernetes.io/name"] == "ragfleet")

        for _ in range(4):  # after the first, which is restored without a question, three
            await bench.kubectl(
                "apply",
                "--server-side",
                "--force-conflicts",
                "--field-manager=helm",
                "-f",
                "-",
                stdin=json.dumps(theirs),
            )
            await eventually(restored, "the label")
        message = await bench.reason("handbook", "FieldConflict")
        assert '"helm"' in message
        assert '"ragfleet"' in message
        writes = run.written.counts["apply", "Service"]
        await bench.kubectl(
            "apply",
            "--server-side",
            "--force-conflicts",
            "--field-manager=helm",
            "-f",
            "-",
            stdin=json.dumps(theirs),
        )
        await asyncio.sleep(3)
        assert run.written.counts["apply", "Service"] == writes
        assert not await restored()


async def test_a_field_that_cannot_change_is_said_with_the_way_out(bench: Bench) -> None:
    def embedded(size: str) -> dict[str, Any]:
        return pipeline(vectorStore={"type": "Embedded", "embedded": {"storage": {"size": size}}})

    async with running_engine(bench.control_plane, bench.namespace):
        await bench.apply(embedded("5Gi"))
        await bench.reason("handbook", "Ready")
        await bench.apply(embedded("4Gi"))
        message = await bench.reason("handbook", "ImmutableField")
        assert 'PersistentVolumeClaim "handbook-data"' in message
        assert "can only grow" in message
        await bench.apply(embedded("5Gi"))
        await bench.reason("handbook", "Ready")


async def test_a_child_that_is_stuck_in_deletion_is_made_again_once_it_is_gone(bench: Bench) -> None:
    async with running_engine(bench.control_plane, bench.namespace):
        await bench.apply(pipeline())
        await bench.reason("handbook", "Ready")
        await bench.kubectl(
            "patch", "svc/handbook", "--type=merge", "-p", '{"metadata":{"finalizers":["example.com/wait"]}}'
        )
        uid = (await bench.get("svc", "handbook"))["metadata"]["uid"]
        await bench.kubectl("delete", "svc/handbook", "--wait=false")
        await asyncio.sleep(1)
        assert (await bench.get("svc", "handbook"))["metadata"]["uid"] == uid
        await bench.kubectl("patch", "svc/handbook", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')

        async def made() -> bool:
            return bool((await bench.get("svc", "handbook")).get("metadata", {}).get("uid", uid) != uid)

        await eventually(made, "a new Service")


async def test_a_missing_permission_is_said_and_the_rest_goes_on(bench: Bench) -> None:
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "operator"},
        "rules": RULES,
    }
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "operator"}}
    await bench.apply(account, role, _binding())
    kubeconfig = await asyncio.to_thread(bench.control_plane.kubeconfig_for, "operator", bench.namespace)
    async with running_engine(bench.control_plane, bench.namespace, kubeconfig=kubeconfig) as run:
        assert "networkpolicies" in {kind.plural for kind in run.engine.unlisted}
        await bench.apply(pipeline())
        message = await bench.reason("handbook", "Forbidden")
        assert "networkpolicies" in message
        assert (await bench.get("deploy", "handbook"))["metadata"]["name"] == "handbook"
        more = {
            "apiGroups": ["networking.k8s.io", "policy"],
            "resources": ["networkpolicies", "poddisruptionbudgets", "ingresses"],
            "verbs": ["get", "list", "create", "patch", "delete"],
        }
        await bench.apply({**role, "rules": [*RULES, more]})
        await bench.reason("handbook", "Ready", seconds=40)


async def test_a_quota_that_is_used_up_is_said(bench: Bench) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small"},
        "spec": {"hard": {"services": "1"}},
    }
    await bench.apply(quota)

    async def counted() -> bool:
        return "used" in (await bench.get("resourcequota", "small")).get("status", {})

    await eventually(counted, "the quota")
    async with running_engine(bench.control_plane, bench.namespace):
        await bench.apply(pipeline())
        assert "exceeded quota: small" in await bench.reason("handbook", "QuotaExceeded")
        await bench.kubectl("delete", "resourcequota/small")
        await bench.reason("handbook", "Ready", seconds=40)


async def test_a_secret_that_is_missing_holds_the_workload_until_it_is_there(bench: Bench) -> None:
    spec: dict[str, Any] = {
        "generation": {
            "type": "OpenAI",
            "openAI": {
                "baseURL": "http://llm:8000/v1",
                "model": "m",
                "apiKeySecretRef": {"name": "llm", "key": "token"},
            },
        }
    }
    async with running_engine(bench.control_plane, bench.namespace):
        await bench.apply(pipeline(**spec))
        await bench.reason("handbook", "SecretMissing")
        assert not await bench.get("deploy", "handbook")
        assert await bench.get("svc", "handbook")
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "llm"},
            "stringData": {"other": "x"},
        }
        await bench.apply(secret)
        await bench.reason("handbook", "SecretKeyMissing", seconds=6)
        await bench.apply({**secret, "stringData": {"token": "canary-value"}})
        await bench.reason("handbook", "Resolved", "SecretsResolved", seconds=5)
        await bench.reason("handbook", "Ready")
        assert "canary-value" not in json.dumps(await bench.items("ragpipelines,deploy,cm,events"))


async def test_a_namespace_that_goes_takes_its_pipeline_with_it(bench: Bench) -> None:
    async with running_engine(bench.control_plane, bench.namespace) as run:
        await bench.apply(pipeline())
        await bench.reason("handbook", "Ready")
        await bench.kubectl("delete", "namespace", bench.namespace, "--wait=true", "--timeout=60s")
        await asyncio.sleep(0.5)
        assert run.engine.cache.pipelines() == []
        assert run.engine.queue.oldest < 1


async def test_an_operator_that_may_not_write_writes_nothing(bench: Bench) -> None:
    leads = [False]
    async with running_engine(bench.control_plane, bench.namespace, may_write=lambda: leads[0]) as run:
        await bench.apply(pipeline())
        await asyncio.sleep(1)
        assert run.written.counts.total() == 0
        leads[0] = True
        await bench.reason("handbook", "Ready")


def _binding() -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "operator"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "operator"},
        "subjects": [{"kind": "ServiceAccount", "name": "operator"}],
    }

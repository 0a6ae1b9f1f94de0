"""The engine keeps the children of pipelines on a real API server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from support.control_plane import ControlPlane
from support.engine_run import Bench, eventually, pipeline, running_engine

pytestmark = pytest.mark.anyio

EMBEDDED: dict[str, Any] = {"vectorStore": {"type": "Embedded", "embedded": {"storage": {"size": "5Gi"}}}}
AUTOSCALED: dict[str, Any] = {
    "autoscaling": {"minReplicas": 2, "maxReplicas": 4},
    "runtime": {"resources": {"requests": {"cpu": "1000m", "memory": "1Gi"}}},
}


@pytest.fixture
def bench(control_plane: ControlPlane, namespace: str) -> Bench:
    return Bench(control_plane, namespace)


@pytest.mark.parametrize("spec", [{}, {"replicas": 2}, EMBEDDED], ids=["one", "two", "embedded"])
async def test_a_new_pipeline_costs_one_write_for_each_child_and_two_for_its_status(
    bench: Bench, spec: dict[str, Any]
) -> None:
    async with running_engine(bench.control_plane, bench.namespace) as run:
        await bench.apply(pipeline(**spec))
        await bench.reason("handbook", "Ready")
        children = sum("ragfleet.dev/pipeline" in _labels(item) for item in await _children(bench))
        assert children >= 8
        assert run.written.total == children + 2, run.written.counts


@pytest.mark.parametrize("spec", [{}, EMBEDDED, AUTOSCALED], ids=["one", "embedded", "scaled"])
async def test_a_restart_of_the_operator_writes_nothing(bench: Bench, spec: dict[str, Any]) -> None:
    async with running_engine(bench.control_plane, bench.namespace):
        await bench.apply(pipeline(**spec))
        await bench.reason("handbook", "Ready")
    before = await bench.versions()
    async with running_engine(bench.control_plane, bench.namespace) as run:
        await asyncio.sleep(4)
        assert run.written.total == 0, run.written.counts
    assert await bench.versions() == before


async def test_texts_of_any_language_are_applied(bench: Bench) -> None:
    texts = "Grüße 你好 😀 \u2028 end"
    async with running_engine(bench.control_plane, bench.namespace):
        await bench.apply(pipeline(runtime={"annotations": {"note": texts}}))
        await bench.reason("handbook", "Ready")
        found = await bench.get("deployment", "handbook")
    assert found["spec"]["template"]["metadata"]["annotations"]["note"] == texts


async def test_a_kind_that_the_cluster_lacks_is_told(bench: Bench) -> None:
    route = {"type": "HTTPRoute", "httpRoute": {"parentRefs": [{"name": "public"}]}}
    async with running_engine(bench.control_plane, bench.namespace):
        await bench.apply(pipeline(exposure=route))
        assert "Gateway API" in await bench.reason("handbook", "KindNotServed")
        assert await bench.get("deployment", "handbook")


async def test_deleted_children_are_made_again(bench: Bench) -> None:
    async with running_engine(bench.control_plane, bench.namespace):
        await bench.apply(pipeline(replicas=2))
        await bench.reason("handbook", "Ready")
        before = {(item["kind"], item["metadata"]["name"]) for item in await _children(bench)}
        await bench.kubectl(
            "delete", "deploy,svc,cm,sa,secret,pdb,netpol", "-l", "ragfleet.dev/pipeline=handbook"
        )

        async def restored() -> bool:
            return {(item["kind"], item["metadata"]["name"]) for item in await _children(bench)} >= before

        await eventually(restored, "the children")
        await bench.reason("handbook", "Ready")


async def test_what_was_edited_by_hand_is_restored(bench: Bench) -> None:
    async with running_engine(bench.control_plane, bench.namespace):
        await bench.apply(pipeline(replicas=2))
        await bench.reason("handbook", "Ready")
        await bench.kubectl("scale", "deploy/handbook", "--replicas=5")
        await bench.kubectl(
            "label", "svc/handbook", "ragfleet.dev/pipeline-", "app.kubernetes.io/name=x", "--overwrite"
        )
        await bench.kubectl("patch", "netpol/handbook", "--type=merge", "-p", '{"spec":{"ingress":[{}]}}')
        await bench.kubectl("set", "image", "deploy/handbook", "ragfleet=registry.example/other:1")

        async def restored() -> bool:
            deployment = await bench.get("deploy", "handbook")
            template = deployment["spec"]["template"]["spec"]["containers"][0]
            policy = await bench.get("netpol", "handbook")
            labels = _labels(await bench.get("svc", "handbook"))
            return (
                deployment["spec"]["replicas"] == 2
                and template["image"] == "registry.example/ragfleet:1"
                and policy["spec"]["ingress"] != [{}]
                and labels.get("ragfleet.dev/pipeline") == "handbook"
                and labels["app.kubernetes.io/name"] == "ragfleet"
            )

        await eventually(restored, "what was edited")
        await bench.reason("handbook", "Ready")


async def test_what_others_add_is_left_to_them(bench: Bench) -> None:
    async with running_engine(bench.control_plane, bench.namespace) as run:
        await bench.apply(pipeline())
        await bench.reason("handbook", "Ready")
        before = run.written.total
        await bench.kubectl("annotate", "svc/handbook", "team=search")
        await asyncio.sleep(1)
        assert run.written.total == before
        assert (await bench.get("svc", "handbook"))["metadata"]["annotations"]["team"] == "search"


async def test_generated_keys_are_never_written_again(bench: Bench) -> None:
    async with running_engine(bench.control_plane, bench.namespace):
        await bench.apply(pipeline())
        await bench.reason("handbook", "Ready")
        before = (await bench.get("secret", "handbook-api-keys"))["data"]
        await bench.kubectl("label", "secret/handbook-api-keys", "ragfleet.dev/pipeline-")

        async def restored() -> bool:
            return "ragfleet.dev/pipeline" in _labels(await bench.get("secret", "handbook-api-keys"))

        await eventually(restored, "the label")
        assert (await bench.get("secret", "handbook-api-keys"))["data"] == before


async def test_what_is_no_longer_wanted_goes_and_a_configuration_only_when_no_pod_uses_it(
    bench: Bench,
) -> None:
    async with running_engine(bench.control_plane, bench.namespace):
        await bench.apply(pipeline(replicas=2))
        await bench.reason("handbook", "Ready")
        first = await _configs(bench)
        assert await bench.get("pdb", "handbook")
        slow = {"image": "registry.example/ragfleet:slow-4"}
        await bench.apply(pipeline(replicas=1, runtime=slow, retrieval={"topK": 3}))
        await bench.reason("handbook", "RolloutInProgress")
        assert len(await _configs(bench)) == 2
        await bench.reason("handbook", "Ready")

        async def pruned() -> bool:
            return len(await _configs(bench)) == 1 and not await bench.get("pdb", "handbook")

        await eventually(pruned, "what is left over to go")
        assert await _configs(bench) != first


async def test_children_that_were_deleted_while_nobody_looked_are_made_again_after_a_list(
    bench: Bench,
) -> None:
    async with running_engine(bench.control_plane, bench.namespace, watched=False) as run:
        await bench.apply(pipeline())
        await run.engine.fill([bench.namespace])

        async def made() -> bool:
            return bool(await bench.get("deploy", "handbook"))

        await eventually(made, "the Deployment")
        await bench.kubectl("delete", "svc/handbook")
        await run.engine.fill([bench.namespace])

        async def restored() -> bool:
            return bool(await bench.get("svc", "handbook"))

        await eventually(restored, "the Service")


async def test_a_retained_claim_is_taken_up_by_a_pipeline_of_the_same_name(bench: Bench) -> None:
    async with running_engine(bench.control_plane, bench.namespace):
        await bench.apply(pipeline(**EMBEDDED))
        await bench.reason("handbook", "Ready")
        claim = (await bench.get("pvc", "handbook-data"))["metadata"]["uid"]
        await bench.kubectl("delete", "ragpipeline/handbook")

        async def gone() -> bool:
            return not await bench.get("deploy", "handbook") and not await bench.items("pods")

        await eventually(gone, "the Deployment to go")
        await bench.apply(pipeline(**EMBEDDED))
        await bench.reason("handbook", "Ready")
        assert (await bench.get("pvc", "handbook-data"))["metadata"]["uid"] == claim


async def test_a_suspended_pipeline_is_left_alone(bench: Bench) -> None:
    async with running_engine(bench.control_plane, bench.namespace) as run:
        await bench.apply(pipeline(replicas=1))
        await bench.reason("handbook", "Ready")
        await bench.apply(pipeline(replicas=1, suspend=True))
        await bench.reason("handbook", "Suspended")
        await bench.kubectl("delete", "svc/handbook")
        await asyncio.sleep(1)
        assert run.written.counts["apply", "Service"] == 2
        assert not await bench.get("svc", "handbook")
        await bench.apply(pipeline(replicas=1))
        await bench.reason("handbook", "Ready")
        assert await bench.get("svc", "handbook")


def _labels(item: dict[str, Any]) -> dict[str, str]:
    return item["metadata"].get("labels") or {}


async def _children(bench: Bench) -> list[dict[str, Any]]:
    found = await bench.items("sa,secret,cm,pvc,netpol,svc,controllerrevisions,deploy,hpa,pdb")
    return [item for item in found if "ragfleet.dev/pipeline" in _labels(item)]


async def _configs(bench: Bench) -> list[str]:
    return [item["metadata"]["name"] for item in await _children(bench) if item["kind"] == "ConfigMap"]

"""Replicas pass from the pipeline to an autoscaler and back, on a real API server, without a dip."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from ragfleet_operator.engine.cache import Cache
from ragfleet_operator.engine.client import KubernetesCluster
from ragfleet_operator.engine.handover import hand_over, lets_go
from ragfleet_operator.engine.writes import Writes
from ragfleet_operator.kinds import DEPLOYMENT
from support.control_plane import ControlPlane
from support.engine_run import Bench, eventually, pipeline, running_engine

pytestmark = pytest.mark.anyio

SCALED: dict[str, Any] = {
    "autoscaling": {"minReplicas": 2, "maxReplicas": 6},
    "runtime": {"resources": {"requests": {"cpu": "1"}}},
}
FIXED: dict[str, Any] = {"replicas": 4, "runtime": SCALED["runtime"]}


@pytest.fixture
def bench(control_plane: ControlPlane, namespace: str) -> Bench:
    return Bench(control_plane, namespace)


async def test_an_autoscaler_takes_over_the_replicas_that_are_there(bench: Bench) -> None:
    async with running_engine(bench.control_plane, bench.namespace), _counted(bench) as counts:
        await bench.apply(pipeline(**FIXED))
        await bench.reason("handbook", "Ready")
        assert counts
        counts.clear()
        await bench.apply(pipeline(**SCALED))
        await eventually(lambda: _has(bench, "hpa"), "the autoscaler")
        await asyncio.sleep(2)
        assert set(counts) <= {4}
        assert (await bench.get("deploy", "handbook"))["spec"]["replicas"] == 4
        await bench.kubectl("scale", "deploy/handbook", "--replicas=3")
        await asyncio.sleep(1)
        assert (await bench.get("deploy", "handbook"))["spec"]["replicas"] == 3


async def test_the_replicas_come_back_to_the_pipeline(bench: Bench) -> None:
    async with running_engine(bench.control_plane, bench.namespace), _counted(bench) as counts:
        await bench.apply(pipeline(**SCALED))
        await eventually(lambda: _has(bench, "hpa"), "the autoscaler")
        await bench.reason("handbook", "Ready")
        await bench.kubectl("scale", "deploy/handbook", "--replicas=4")
        await asyncio.sleep(1)
        assert counts
        counts.clear()
        await bench.apply(pipeline(**FIXED))

        async def gone() -> bool:
            return not await bench.get("hpa", "handbook")

        await eventually(gone, "the autoscaler to go")
        await bench.reason("handbook", "Ready")
        assert set(counts) <= {4}
        await bench.kubectl("scale", "deploy/handbook", "--replicas=1")
        await eventually(lambda: _replicas(bench, 4), "four replicas again")


async def test_a_scaling_during_the_hand_over_is_not_undone(bench: Bench) -> None:
    async with running_engine(bench.control_plane, bench.namespace):
        await bench.apply(pipeline(**FIXED))
        await bench.reason("handbook", "Ready")
    cluster = await KubernetesCluster.connect(bench.control_plane.kubeconfig)
    try:
        live = await cluster.get(DEPLOYMENT, bench.namespace, "handbook")
        assert lets_go(live, {"spec": {}})
        await bench.kubectl("scale", "deploy/handbook", "--replicas=5")
        after = await hand_over(
            cluster, Writes(cluster, Cache()), live, live["metadata"]["ownerReferences"][0]["uid"]
        )
        assert after["spec"]["replicas"] == 5
    finally:
        await cluster.close()


async def _has(bench: Bench, kind: str) -> bool:
    return bool(await bench.get(kind, "handbook"))


async def _replicas(bench: Bench, count: int) -> bool:
    return bool((await bench.get("deploy", "handbook"))["spec"]["replicas"] == count)


@asynccontextmanager
async def _counted(bench: Bench) -> AsyncIterator[list[int]]:
    """Every spec.replicas that the Deployment ever has, by a watch."""
    counts: list[int] = []
    path = f"/apis/apps/v1/namespaces/{bench.namespace}/deployments"

    async def watch() -> None:
        async with (
            httpx.AsyncClient(
                base_url=bench.control_plane.url,
                verify=ssl.create_default_context(cafile=str(bench.control_plane.certificate)),
                headers={"Authorization": f"Bearer {bench.control_plane.token}"},
                timeout=None,
                trust_env=False,
            ) as client,
            client.stream("GET", path, params={"watch": "true"}) as answer,
        ):
            async for line in answer.aiter_lines():
                event: dict[str, Any] = json.loads(line)
                counts.append(event["object"]["spec"]["replicas"])

    task = asyncio.create_task(watch())
    try:
        yield counts
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

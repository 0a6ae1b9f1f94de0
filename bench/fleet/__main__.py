"""Measure the operator: ``make bench-operator``. Exit code 1 where a bar is missed."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from bench.fleet.api import API, Seen, open_api
from bench.fleet.bare import apply_all
from bench.fleet.pipelines import SETTINGS, names
from bench.fleet.rounds import (
    Fleet,
    create_all,
    deleted,
    edited,
    respecified,
    steady,
    writes_of_creation,
)
from bench.table import Bar, show
from ragfleet_operator.kinds import CHILDREN, OPTIONAL, PIPELINE, SERVICE_ACCOUNT
from ragfleet_operator.model import Ref
from support.control_plane import ControlPlane, control_plane
from support.control_plane_audit import AUDITED_NAMESPACE
from support.operator_process import OperatorProcess, operator_process

_ROOT = Path(__file__).parents[2]
_KINDS = (PIPELINE, *(kind for kind in CHILDREN if kind not in OPTIONAL))
_ROUNDS = 2

Running = Callable[[], AbstractContextManager[OperatorProcess]]


def main() -> int:
    """Measure, show the table, and tell whether every bar is reached."""
    parser = argparse.ArgumentParser(prog="bench.fleet")
    parser.add_argument("--pipelines", type=int, default=200)
    parser.add_argument("--steady-seconds", type=float, default=300)
    chosen = parser.parse_args()
    with control_plane() as cluster:
        for file in ("crds/ragpipelines.yaml", "deploy/cluster.yaml"):
            cluster.kubectl("apply", "--server-side", "-f", str(_ROOT / file))
        cluster.kubectl("wait", "--for=condition=Established", f"crd/{PIPELINE.plural}.{PIPELINE.group}")
        kubeconfig = cluster.kubeconfig_for("ragfleet-operator", AUDITED_NAMESPACE)

        @contextmanager
        def running() -> Iterator[OperatorProcess]:
            options = ("--cluster", SETTINGS.cluster)
            with operator_process(cluster, *options, kubeconfig=kubeconfig, image=SETTINGS.image) as operator:
                yield operator

        bars = asyncio.run(_measure(cluster, running, chosen.pipelines, chosen.steady_seconds))
    return 0 if show(bars, []) else 1


async def _measure(cluster: ControlPlane, running: Running, count: int, seconds: float) -> list[Bar]:
    """All bars; loop and operator in turn, so that the machine's moods meet both."""
    loops: list[float] = []
    operators: list[float] = []
    async with open_api(cluster) as api:
        for number in range(_ROUNDS):
            await _namespace(api, f"bare-{number}")
            loops.append(await apply_all(api, cluster, f"bare-{number}", count))
            await _empty(api, f"bare-{number}")
            if number < _ROUNDS - 1:
                operators.append((await _with_operator(api, cluster, running, number, count))[0])
        took, bars = await _with_operator(api, cluster, running, _ROUNDS - 1, count, seconds=seconds)
    operators.append(took)
    ratio = min(operators) / min(loops)
    told = f"{_seconds(operators)} s, the bare loop {_seconds(loops)} s"
    return [Bar(f"{count} pipelines until all children exist / bare loop", ratio, "<=", 1.3, "", told), *bars]


async def _with_operator(
    api: API,
    cluster: ControlPlane,
    running: Running,
    number: int,
    count: int,
    *,
    seconds: float | None = None,
) -> tuple[float, list[Bar]]:
    """Seconds of a creation, and the other bars where ``seconds`` of a steady state are wanted."""
    namespace = f"fleet-{number}"
    await _namespace(api, namespace)
    bars: list[Bar] = []
    with running():
        seen = Seen(api, namespace, _KINDS)
        async with seen.watching():
            start = cluster.audit_log.stat().st_size
            took = await create_all(api, seen, namespace, count)
            fleet = Fleet(api, cluster, namespace, names(count), seen)
            begun = time.monotonic()
            ready = await seen.wait_for(fleet.are_ready, "every pipeline to be ready") - begun
            if seconds is not None:
                await asyncio.sleep(10)  # what is late would count as steady
                bars += writes_of_creation(fleet, start)
                print(f"ready {ready:.1f} s after the children", file=sys.stderr)
                bars += await steady(fleet, seconds)
                bars += await deleted(fleet, count)
                bars += await edited(fleet, count)
                bars += await respecified(fleet, min(count, 100))
    await _empty(api, namespace)
    return took, bars


async def _namespace(api: API, name: str) -> None:
    """A new namespace, whose default ServiceAccount is there."""
    await api.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    seen = Seen(api, name, [SERVICE_ACCOUNT])
    async with seen.watching():
        await seen.wait_for(lambda: Ref(SERVICE_ACCOUNT, "default") in seen.objects, "the default account")


async def _empty(api: API, namespace: str) -> None:
    """Delete a namespace and wait until it is gone: what is left of it would slow down the next round."""
    await api.call("DELETE", f"/api/v1/namespaces/{namespace}")
    for _ in range(600):
        listed = await api.call("GET", "/api/v1/namespaces")
        if all(one["metadata"]["name"] != namespace for one in listed["items"]):
            return
        await asyncio.sleep(0.5)
    raise TimeoutError(f"the namespace {namespace} doesn't go")


def _seconds(values: list[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in values)


if __name__ == "__main__":
    sys.exit(main())

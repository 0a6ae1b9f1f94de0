"""The same applies without an operator: what the client and the API server take by themselves."""

from __future__ import annotations

import time

from bench.fleet.api import API, Seen
from bench.fleet.pipelines import at_once, children, create, names
from ragfleet_operator.engine.client import KubernetesCluster
from ragfleet_operator.kinds import PIPELINE
from support.control_plane import ControlPlane


async def apply_all(api: API, cluster: ControlPlane, namespace: str, count: int) -> float:
    """Seconds until the children of that many pipelines exist, applied by a loop and nothing else."""
    await create(api, namespace, names(count))
    wanted = [child for found in await api.items(PIPELINE, namespace) for child in children(found)]
    refs = {child.ref for child in wanted}
    client = await KubernetesCluster.connect(cluster.kubeconfig)
    try:
        seen = Seen(api, namespace, sorted({child.kind for child in wanted}))
        async with seen.watching():
            start = time.monotonic()
            await at_once(wanted, lambda child: client.apply(child.kind, namespace, child.manifest))
            end = await seen.wait_for(lambda: refs <= seen.objects.keys(), "the children")
    finally:
        await client.close()
    return end - start

"""The same applies without an operator: what the client and the API server take by themselves."""

from __future__ import annotations

import time

from bench.fleet.creation import CREATION_SECONDS
from bench.fleet.pipelines import at_once, child_place, children, create, places
from bench.fleet.site import site
from ragfleet_operator.engine.client import KubernetesCluster


async def bare_loop(count: int, replicas: int) -> float:
    """Seconds until the children of that many pipelines exist, applied by a loop and nothing else."""
    pipelines = places(count)
    async with site(pipelines) as made:
        seen = made.seen
        await create(made.api, pipelines, replicas)
        await seen.all_so(pipelines, seen.__contains__, "the pipelines", 60)
        work = [(place, child) for place in pipelines for child in children(seen.get(place))]
        wanted = {child_place(place, child) for place, child in work}
        client = await KubernetesCluster.connect(made.cluster.kubeconfig)
        try:
            start = time.monotonic()
            await at_once(work, lambda item: client.apply(item[1].kind, item[0].namespace, item[1].manifest))
            return await seen.all_so(wanted, seen.__contains__, "the children", CREATION_SECONDS) - start
        finally:
            await client.close()

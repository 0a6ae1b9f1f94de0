"""A fleet that grows in one control plane, and what each size costs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from bench.fleet.creation import Fleet, make
from bench.fleet.drift import deleted, edited
from bench.fleet.operators import Operator
from bench.fleet.pipelines import percentile, places
from bench.fleet.site import Site, site
from bench.fleet.specs import respecified

# One pod each, and no PodDisruptionBudget: what isn't the operator's should fit on one machine.
REPLICAS = 1
_HARMED = 100
_EDITS = 20


class Row(NamedTuple):
    """One size; times in seconds.

    each, writes, cpu: of the operator for each pipeline that was added, until all their children existed;
    ready: how many more until all were ready. memory, peak: resident MB. restart: until ready; passed: until
    every pipeline was looked at. deleted, edited: p95 of a hundred at once until restored. event: p95 of an
    edit of a spec until its Deployment has changed. lag: of the event loop at most, in all that.
    """

    pipelines: int
    each: float
    ready: float
    writes: float
    cpu: float
    memory: float
    peak: float
    restart: float
    passed: float
    deleted: float
    edited: float
    event: float
    lag: float


async def curve(sizes: Sequence[int], done: Callable[[Row], None]) -> None:
    """Grow a fleet to each size. done: is called with each row."""
    pipelines = places(max(sizes))
    async with site(pipelines) as made:
        # Room for the pods of an edit beside the old ones.
        await made.make_room(2 * REPLICAS * max(sizes) + _HARMED * 10)
        operator = await made.operators.start()
        there = 0
        for size in sorted(sizes):
            row, operator = await _step(made, operator, there, size)
            done(row)
            there = size


async def _step(made: Site, operator: Operator, there: int, size: int) -> tuple[Row, Operator]:
    cost = await make(made, operator, places(size - there, there), REPLICAS)
    lags = [await operator.lag()]
    fleet = Fleet(made, places(size))
    harmed = min(_HARMED, size)
    gone = percentile(await deleted(fleet, harmed), 0.95)
    await made.seen.quiet(5)
    broken = percentile(await edited(fleet, harmed), 0.95)
    await made.seen.quiet(5)
    # The last, which no step before has edited.
    edits = min(_EDITS, size - there)
    event = percentile(await respecified(Fleet(made, fleet.pipelines[-edits:]), edits), 0.95)
    lags.append(await operator.lag())
    await made.seen.quiet(5)
    usage = operator.usage()
    await asyncio.to_thread(operator.process.terminate)
    start = time.monotonic()
    fresh = await made.operators.start()
    ready = time.monotonic() - start
    await fresh.wait_passed(size, seconds=1800)
    row = Row(
        pipelines=size,
        each=cost.seconds / cost.count,
        ready=cost.ready,
        writes=cost.writes / cost.count,
        cpu=cost.cpu / cost.count,
        memory=cost.memory / 1e6,
        peak=max(usage.peak, fresh.usage().peak) / 1e6,
        restart=ready,
        passed=time.monotonic() - start,
        deleted=gone,
        edited=broken,
        event=event,
        lag=max(*lags, await fresh.lag()),
    )
    return row, fresh

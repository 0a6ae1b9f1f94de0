"""A fleet is made, and what that costs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.fleet.operators import Operator
from bench.fleet.pipelines import child_place, children, create, is_ready
from bench.fleet.seen import Place
from bench.fleet.site import Site
from bench.table import Bar

# For a fleet of ten thousand on two cores.
CREATION_SECONDS = 3600.0
_QUIET_SECONDS = 8.0


@dataclass(frozen=True)
class Fleet:
    """Pipelines that an operator looks after."""

    site: Site
    pipelines: Sequence[Place]


@dataclass(frozen=True)
class Cost:
    """What the making of a fleet took.

    seconds: until all children existed; ready: how many more until every pipeline was ready. memory, peak:
    the operator's resident bytes at rest and at most; before: at rest before. cpu: seconds of the operator.
    """

    count: int
    seconds: float
    ready: float
    children: int
    writes: int
    refused: int
    before: int
    memory: int
    peak: int
    cpu: float

    @property
    def per_pipeline(self) -> tuple[float, float, float]:
        """Seconds, writes and bytes for each pipeline."""
        return self.seconds / self.count, self.writes / self.count, (self.memory - self.before) / self.count


async def make(site: Site, operator: Operator, pipelines: Sequence[Place], replicas: int) -> Cost:
    """Apply the pipelines at once, and wait until they are ready and nothing changes any more."""
    seen = site.seen
    mark, before, others = site.mark(), operator.usage(), seen.children_count
    start = time.monotonic()
    await create(site.api, pipelines, replicas)
    await seen.all_so(pipelines, seen.__contains__, "the pipelines", 60)
    each = len(children(seen.get(pipelines[0])))
    there = await seen.children_reach(others + each * len(pipelines), CREATION_SECONDS)
    # Which they should be is rendered only now: that would take processor time from what is measured.
    wanted = {child_place(place, child) for place in pipelines for child in children(seen.get(place))}
    if not all(place in seen for place in wanted):
        there = await seen.all_so(wanted, seen.__contains__, "the children", CREATION_SECONDS)
    ready = await seen.all_so(
        pipelines, lambda place: is_ready(seen.get(place)), "every pipeline to be ready", CREATION_SECONDS
    )
    await seen.quiet(_QUIET_SECONDS)
    made, after = site.writes_since(mark), operator.usage()
    cost = Cost(
        count=len(pipelines),
        seconds=there - start,
        ready=max(0.0, ready - there),
        children=len(wanted),
        writes=len(made),
        refused=sum(not write.endswith((" 200", " 201")) for write in made),
        before=before.memory,
        memory=after.memory,
        peak=after.peak,
        cpu=after.cpu - before.cpu,
    )
    print(told(cost), file=sys.stderr, flush=True)
    return cost


def told(cost: Cost) -> str:
    """A line for people."""
    return (
        f"{cost.count} pipelines: {cost.seconds:.1f} s, ready {cost.ready:.1f} s later, {cost.writes} writes "
        f"({cost.refused} refused) for {cost.children} children, {cost.cpu:.1f} s of CPU, "
        f"{cost.memory / 1e6:.0f} MB (peak {cost.peak / 1e6:.0f}, before {cost.before / 1e6:.0f})"
    )


def creation_bar(count: int, operators: Sequence[float], loops: Sequence[float]) -> Bar:
    """The operator's time beside the bare loop's; the best of each."""
    detail = f"{_listed(operators)} s, the bare loop {_listed(loops)} s"
    name = f"{count} pipelines until all children exist / bare loop"
    return Bar(name, min(operators) / min(loops), "<=", 1.3, "", detail)


def writes_bar(cost: Cost) -> Bar:
    """The operator's writes for each new pipeline."""
    detail = f"{cost.writes} writes, {cost.refused} of them refused; {cost.children} children of {cost.count}"
    allowed = cost.children / cost.count + 2
    return Bar("writes for a new pipeline", cost.writes / cost.count, "<=", allowed, "", detail)


def cost_bars(many: Cost, few: Sequence[Cost]) -> Iterator[Bar]:
    """What a pipeline costs in a large fleet beside a small one."""
    units = (("time", "s", 1.0), ("writes", "", 1.0), ("memory", "kB", 1e-3))
    for (what, unit, factor), large, *small in zip(
        units, many.per_pipeline, *(cost.per_pipeline for cost in few), strict=True
    ):
        beside = sum(small) / len(small)
        detail = f"{large * factor:.4g} {unit} beside {beside * factor:.4g} {unit}".replace(
            " beside", " each, beside"
        )
        name = f"{what} of a pipeline, {many.count} beside {few[0].count}"
        yield Bar(name, large / beside, "<=", 1.2, "", detail)


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in values)

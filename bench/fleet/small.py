"""What is measured with hundreds of pipelines, in one plan."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from bench.fleet.bare import bare_loop
from bench.fleet.creation import Cost, Fleet, creation_bar, make, writes_bar
from bench.fleet.drift import drift_bars
from bench.fleet.pipelines import places
from bench.fleet.site import site
from bench.fleet.specs import respecified, respecified_bar
from bench.table import Bar

ROUNDS = ("creation", "steady", "drift", "specs")
_TURNS = 2
_MOST_EDITS = 100
REPLICAS = 2


async def small_bars(count: int, seconds: float, only: Collection[str]) -> list[Bar]:
    """Bars of issue 6. seconds: how long the steady state is looked at."""
    loops: list[float] = []
    costs: list[Cost] = []
    with_creation = "creation" in only
    # Loop and operator in turn, so that the machine's moods meet both.
    for turn in range(_TURNS if with_creation else 1):
        if with_creation:
            loops.append(await bare_loop(count, REPLICAS))
        cost, bars = await _fleet_of(count, seconds, only if turn == 0 else ())
        costs.append(cost)
        if turn == 0:
            later = bars
    if not with_creation:
        return later
    times = [cost.seconds for cost in costs]
    return [creation_bar(count, times, loops), writes_bar(costs[-1]), *later]


async def _fleet_of(count: int, seconds: float, only: Collection[str]) -> tuple[Cost, list[Bar]]:
    pipelines = places(count)
    bars: list[Bar] = []
    async with site(pipelines) as made:
        operator = await made.operators.start()
        cost = await make(made, operator, pipelines, REPLICAS)
        fleet = Fleet(made, pipelines)
        if "steady" in only:
            bars.append(await _steady(fleet, seconds))
        if "drift" in only:
            bars += await drift_bars(fleet, count)
        if "specs" in only:
            bars.append(respecified_bar(await respecified(fleet, min(count, _MOST_EDITS))))
    return cost, bars


async def _steady(fleet: Fleet, seconds: float) -> Bar:
    """Writes to pipelines and children while nothing happens."""
    mark = fleet.site.mark()
    await asyncio.sleep(seconds)
    made = fleet.site.writes_since(mark)
    detail = f"{len(fleet.pipelines)} pipelines, {seconds:g} s" + "".join(f"; {write}" for write in made[:3])
    return Bar("writes in the steady state", len(made), "==", 0, "", detail)

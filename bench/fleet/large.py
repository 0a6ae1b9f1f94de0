"""What is measured with a thousand pipelines: one fleet serves all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

from bench.fleet.bare import bare_loop
from bench.fleet.creation import Cost, Fleet, cost_bars, creation_bar, make
from bench.fleet.drift import drift_bars
from bench.fleet.ends import restarted, taken_over, upgraded
from bench.fleet.operators import Operator
from bench.fleet.pipelines import places
from bench.fleet.site import site
from bench.fleet.small import REPLICAS
from bench.fleet.specs import rolled_back
from bench.table import Bar

# In the order in which the fleet meets them: a restart comes after what it has to remember.
_ENDS: dict[str, Callable[[Fleet, Operator], Awaitable[tuple[list[Bar], Operator]]]] = {
    "restart": restarted,
    "takeover": taken_over,
    "upgrade": upgraded,
}
ROUNDS = ("large-creation", "cost", "memory", "large-drift", "rollback", *_ENDS)
_FEW = 100
_TURNS = 2
_BAD_EDITS = 20
_MOST_BYTES = 256e6


async def large_bars(count: int, only: Collection[str]) -> list[Bar]:
    """Bars of issue 7."""
    loops = [await bare_loop(count, REPLICAS)] if "large-creation" in only else []
    few = min(_FEW, count)
    small = [await _cost_of(few) for _ in range(_TURNS)] if "cost" in only else []
    bars: list[Bar] = []
    pipelines = places(count)
    async with site(pipelines) as made:
        operator = await made.start_leader()
        cost = await make(made, operator, pipelines, REPLICAS)
        fleet = Fleet(made, pipelines)
        if loops:
            bars.append(creation_bar(count, [cost.seconds], loops))
        if small:
            bars += cost_bars(cost, small)
        if "large-drift" in only:
            bars += await drift_bars(fleet, count)
        if "rollback" in only:
            bars += await rolled_back(fleet, min(_BAD_EDITS, count))
        peaks = [operator.usage().peak]
        for name, end in _ENDS.items():
            if name in only:
                more, operator = await end(fleet, operator)
                bars += more
                peaks.append(operator.usage().peak)
    if "memory" in only:
        bars.append(_memory_bar(cost, peaks))
    return bars


async def _cost_of(count: int) -> Cost:
    pipelines = places(count)
    async with site(pipelines) as made:
        operator = await made.start_leader()
        return await make(made, operator, pipelines, REPLICAS)


def _memory_bar(cost: Cost, peaks: list[int]) -> Bar:
    told = ", ".join(f"{peak / 1e6:.0f}" for peak in peaks)
    detail = f"at rest {cost.memory / 1e6:.0f} MB; most of each operator: {told} MB"
    return Bar(
        f"resident memory with {cost.count} pipelines",
        max(peaks) / 1e6,
        "<=",
        _MOST_BYTES / 1e6,
        "MB",
        detail,
    )

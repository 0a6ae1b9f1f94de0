"""Children are deleted and edited by hand, and come back."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from bench.fleet.creation import Fleet
from bench.fleet.pipelines import at_once, percentile
from bench.fleet.seen import Place
from bench.table import Bar
from ragfleet_operator.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    NETWORK_POLICY,
    PDB,
    SERVICE,
    SERVICE_ACCOUNT,
    Kind,
)

_PATIENCE_SECONDS = 120.0
# What people break by hand, and how: fields that the operator applies. A ConfigMap can't be edited.
_EDITS: Mapping[Kind, Mapping[str, Any]] = {
    SERVICE: {"spec": {"selector": {"app.kubernetes.io/name": "x"}}},
    DEPLOYMENT: {"spec": {"replicas": 3}},
    PDB: {"spec": {"maxUnavailable": 2}},
    NETWORK_POLICY: {"metadata": {"labels": {"ragfleet.dev/pipeline": "x", "app.kubernetes.io/name": "x"}}},
    SERVICE_ACCOUNT: {"automountServiceAccountToken": True},
}
_DELETED = (SERVICE, DEPLOYMENT, PDB, NETWORK_POLICY, SERVICE_ACCOUNT, CONFIG_MAP)

Harm = Callable[[Place], Coroutine[Any, Any, None]]


async def drift_bars(fleet: Fleet, count: int) -> list[Bar]:
    """Bars of that many deletions, then that many edits, each at once."""
    bars = []
    for name, took in (
        ("children deleted by hand, until restored (p95)", await deleted(fleet, count)),
        ("children edited by hand, until restored (p95)", await edited(fleet, count)),
    ):
        await fleet.site.seen.quiet(5)
        bars.append(_bar(f"{count} {name}", took))
    return bars


async def deleted(fleet: Fleet, count: int) -> list[float]:
    """Seconds until each of that many children, deleted by hand, is there again; inf where it isn't."""
    seen, api = fleet.site.seen, fleet.site.api
    taken = _spread(fleet, _DELETED, count)
    uids = {place: seen.uid(place) for place in taken}
    when: dict[Place, float] = {}

    async def delete(place: Place) -> None:
        when[place] = time.monotonic()
        await api.call("DELETE", place.kind.path(place.namespace, place.name))

    return await _restored(fleet, taken, delete, lambda place: seen.uid(place) not in ("", uids[place]), when)


async def edited(fleet: Fleet, count: int) -> list[float]:
    """Seconds until each of that many children, edited by hand, is as it was; inf where it isn't."""
    seen, api = fleet.site.seen, fleet.site.api
    taken = _spread(fleet, tuple(_EDITS), count)
    before = {place: _shown(seen.get(place), _EDITS[place.kind]) for place in taken}
    when: dict[Place, float] = {}
    broken: dict[Place, int] = {}

    async def edit(place: Place) -> None:
        when[place] = time.monotonic()
        answer = await api.merge(place.kind, place.namespace, place.name, _EDITS[place.kind])
        broken[place] = int(answer["metadata"]["resourceVersion"])
        seen.look_again(place)

    def is_back(place: Place) -> bool:
        is_newer = place in broken and seen.version(place) > broken[place]
        return is_newer and _shown(seen.get(place), _EDITS[place.kind]) == before[place]

    return await _restored(fleet, taken, edit, is_back, when)


async def _restored(
    fleet: Fleet,
    taken: Sequence[Place],
    harm: Harm,
    is_back: Callable[[Place], bool],
    when: Mapping[Place, float],
) -> list[float]:
    """Seconds for each object, from the harm on."""
    seen = fleet.site.seen
    waiting = asyncio.create_task(seen.moments(taken, is_back, _PATIENCE_SECONDS))
    await asyncio.sleep(0)  # it listens from now on
    await at_once(taken, harm)
    back = await waiting
    # What was back before the answer to its harm came: since it was last seen to change.
    moments = {place: min(moment, seen.changed[place]) for place, moment in back.items()}
    return [moments.get(place, float("inf")) - when[place] for place in taken]


def _bar(name: str, took: Sequence[float]) -> Bar:
    restored = sum(seconds != float("inf") for seconds in took)
    p95 = percentile(took, 0.95) if restored == len(took) else float("inf")
    detail = (
        f"{restored} of {len(took)} restored, median {percentile(took, 0.5):.2f} s, longest {max(took):.2f} s"
    )
    return Bar(name, p95, "<=", 5.0, "s", detail)


def _spread(fleet: Fleet, kinds: Sequence[Kind], count: int) -> list[Place]:
    """That many objects of all the kinds, at random but always the same."""
    candidates = [place for kind in kinds for place in fleet.site.seen.places(kind)]
    return random.Random(0).sample(candidates, count)


def _shown(found: Mapping[str, Any], patch: Mapping[str, Any]) -> object:
    """What an object has in the places of a patch."""
    return {
        key: _shown(found.get(key) or {}, value) if isinstance(value, Mapping) else found.get(key)
        for key, value in patch.items()
    }

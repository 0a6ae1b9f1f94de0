"""Operators end and others begin: in order, by a crash, and with a newer version."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from bench.fleet.creation import Fleet
from bench.fleet.newer import NEWER_ANNOTATION
from bench.fleet.operators import Operator
from bench.fleet.seen import Place
from bench.fleet.specs import respecified
from bench.table import Bar
from ragfleet_operator.kinds import DEPLOYMENT, POD, SERVICE
from ragfleet_operator.names import NAME_LABEL

LEASE_SECONDS = 15.0
_NEWER = "bench.fleet.newer"
_NEWER_IMAGE = "registry.example/ragfleet:2"
# Writes that a pass would make come at once; what is due later comes within the debounce of a status.
_AFTER_SECONDS = 5.0
_HARMED = 5


async def restarted(fleet: Fleet, operator: Operator) -> tuple[list[Bar], Operator]:
    """Bars of a restart, and the operator that runs then."""
    site = fleet.site
    await site.seen.quiet(5)
    before = site.seen.versions()
    await asyncio.to_thread(operator.process.terminate)
    start = time.monotonic()
    fresh = await site.operators.start(with_lease=True)
    ready = time.monotonic() - start
    await fresh.wait_passed(len(fleet.pipelines))
    passed = time.monotonic() - start
    await asyncio.sleep(_AFTER_SECONDS)
    detail = f"every pipeline looked at after {passed:.1f} s"
    bars = [
        _unchanged_bar("children changed by a restart of the operator", before, site.seen.versions()),
        Bar("restart of the operator until ready", ready, "<=", 60.0, "s", detail),
    ]
    return bars, fresh


async def taken_over(fleet: Fleet, leader: Operator) -> tuple[list[Bar], Operator]:
    """Bars of a takeover after the leader is killed, and the operator that runs then."""
    site = fleet.site
    standby = await site.operators.start(with_lease=True)
    await site.seen.quiet(5)
    holder = await site.holder()
    passes = await standby.passes()
    before = site.seen.versions()
    harmed = site.seen.places(SERVICE)[:_HARMED]
    uids = {place: site.seen.uid(place) for place in harmed}
    killed = time.monotonic()
    leader.process.kill()
    for place in harmed:
        await site.api.call("DELETE", place.kind.path(place.namespace, place.name))
    waiting = asyncio.create_task(
        site.seen.moments(harmed, lambda place: site.seen.uid(place) not in ("", uids[place]), 120)
    )
    await site.wait_holder(lambda now: now not in ("", holder))
    held = time.monotonic() - killed
    back = await waiting
    restored = max(back.get(place, float("inf")) for place in harmed) - killed
    await standby.wait_passed(passes + len(fleet.pipelines))
    await asyncio.sleep(_AFTER_SECONDS)
    kept = {place: version for place, version in before.items() if place not in uids}
    bars = [
        _unchanged_bar("children changed by a takeover", kept, site.seen.versions()),
        Bar(
            "takeover: the Lease is held again",
            held,
            "<=",
            LEASE_SECONDS + 5,
            "s",
            "after SIGKILL of the leader",
        ),
        Bar(
            "takeover: drift is put right again",
            restored,
            "<=",
            LEASE_SECONDS + 5,
            "s",
            f"{_HARMED} Services",
        ),
    ]
    return bars, standby


async def upgraded(fleet: Fleet, operator: Operator) -> tuple[list[Bar], Operator]:
    """Bars of another image, and another rendering of pods, and the operator that runs then."""
    site = fleet.site
    await site.seen.quiet(5)
    pods = await site.api.uids(POD, f"{NAME_LABEL}=ragfleet")
    await asyncio.to_thread(operator.process.terminate)
    fresh = await site.operators.start(_NEWER_IMAGE, _NEWER, with_lease=True)
    await fresh.wait_passed(len(fleet.pipelines))
    await asyncio.sleep(_AFTER_SECONDS)
    await site.seen.quiet(5)
    lost = pods - await site.api.uids(POD, f"{NAME_LABEL}=ragfleet")
    bars = [Bar("pods replaced by an operator upgrade", len(lost), "==", 0, "", f"{len(pods)} pods before")]
    await _check_newer(fleet)
    return bars, fresh


async def _check_newer(fleet: Fleet) -> None:
    """Whether the newer operator does render otherwise where it may; else nothing was measured."""
    await respecified(fleet, 1)
    pipeline = fleet.pipelines[0]
    found = fleet.site.seen.get(Place(DEPLOYMENT, pipeline.namespace, pipeline.name))
    annotations = found["spec"]["template"]["metadata"].get("annotations") or {}
    if NEWER_ANNOTATION not in annotations:
        raise RuntimeError("the newer operator rendered a changed pipeline as the older one")


def _unchanged_bar(name: str, before: Mapping[Place, int], after: Mapping[Place, int]) -> Bar:
    changed = [place for place, version in before.items() if after.get(place) != version]
    examples = "".join(f"; {place.kind.kind} {place.namespace}/{place.name}" for place in changed[:3])
    return Bar(name, len(changed), "==", 0, "", f"{len(before)} children{examples}")

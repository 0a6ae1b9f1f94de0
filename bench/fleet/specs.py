"""Specs are edited: well, and badly."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.fleet.creation import Fleet
from bench.fleet.pipelines import SETTINGS, at_once, percentile
from bench.fleet.seen import Place
from bench.table import Bar
from ragfleet_operator.kinds import DEPLOYMENT, PIPELINE, POD
from ragfleet_operator.names import NAME_LABEL

_TOP_K = 7
_DEADLINE_SECONDS = 30
# What KWOK plays for an image with such a tag.
_BAD_TAGS = ("crash", "unready", "pull-failure")


async def respecified(fleet: Fleet, count: int) -> list[float]:
    """Seconds from an edit of a spec to the Deployment of its new configuration, one after the other."""
    seen = fleet.site.seen
    took: list[float] = []
    for pipeline in fleet.pipelines[:count]:
        place = _deployment(pipeline)
        before = _template(fleet, place)
        start = time.monotonic()
        await _edit(fleet, pipeline, {"retrieval": {"topK": _TOP_K}})
        end = await seen.all_so([place], _is_other(fleet, before), "a new template", 60)
        took.append(end - start)
    return took


def respecified_bar(took: Sequence[float]) -> Bar:
    """Whether edits of specs arrive soon."""
    detail = f"{len(took)} edits, median {percentile(took, 0.5):.2f} s, longest {max(took):.2f} s"
    return Bar("edit of a spec to its children updated (p95)", percentile(took, 0.95), "<=", 1.0, "s", detail)


async def rolled_back(fleet: Fleet, count: int) -> list[Bar]:
    """Bad edits of the last pipelines, at once: when they are undone, and whether the old pods stayed."""
    seen, api = fleet.site.seen, fleet.site.api
    repository = SETTINGS.image.rpartition(":")[0]
    chosen = fleet.pipelines[-count:]
    tags = {place: _BAD_TAGS[number % len(_BAD_TAGS)] for number, place in enumerate(chosen)}
    good = {place: _template(fleet, place) for place in map(_deployment, chosen)}
    pods = await api.uids(POD, f"{NAME_LABEL}=ragfleet")
    when: dict[Place, float] = {}

    async def spoil(pipeline: Place) -> None:
        when[_deployment(pipeline)] = time.monotonic()
        image = f"{repository}:{tags[pipeline]}"
        spec = {"runtime": {"image": image}, "upgrade": {"deadlineSeconds": _DEADLINE_SECONDS}}
        await _edit(fleet, pipeline, spec)

    await at_once(chosen, spoil)
    await seen.all_so(
        good,
        lambda place: _template(fleet, place) != good[place],
        "the bad revisions to be rolled out",
        30,
    )
    back = await seen.moments(
        good, lambda place: _template(fleet, place) == good[place], _DEADLINE_SECONDS + 60
    )
    took = [back.get(place, float("inf")) - when[place] - _DEADLINE_SECONDS for place in good]
    await seen.quiet(5)
    lost = pods - await api.uids(POD, f"{NAME_LABEL}=ragfleet")
    detail = f"{len(back)} of {count} undone; images {', '.join(_BAD_TAGS)}"
    return [
        Bar("bad edit until rolled back, beyond its deadline (longest)", max(took), "<=", 5.0, "s", detail),
        # Times of the API are whole seconds.
        Bar("bad edit until rolled back, beyond its deadline (earliest)", min(took), ">=", -2.0, "s"),
        Bar("pods that served lost in bad edits", len(lost), "==", 0, "", f"{len(pods)} pods before"),
    ]


async def _edit(fleet: Fleet, pipeline: Place, spec: Mapping[str, Any]) -> None:
    await fleet.site.api.merge(PIPELINE, pipeline.namespace, pipeline.name, {"spec": spec})


def _deployment(pipeline: Place) -> Place:
    return Place(DEPLOYMENT, pipeline.namespace, pipeline.name)


def _template(fleet: Fleet, deployment: Place) -> object:
    return fleet.site.seen.get(deployment)["spec"]["template"]


def _is_other(fleet: Fleet, before: object) -> Callable[[Place], bool]:
    return lambda place: _template(fleet, place) != before

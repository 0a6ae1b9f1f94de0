"""The measurements of a fleet, each of one property."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.fleet.api import API, Seen
from bench.fleet.pipelines import AT_ONCE, at_once, children, create, names, percentile
from bench.table import Bar
from ragfleet_operator.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    NETWORK_POLICY,
    PDB,
    PIPELINE,
    SERVICE,
    SERVICE_ACCOUNT,
    Kind,
)
from ragfleet_operator.model import Ref
from ragfleet_operator.names import CONFIG_ANNOTATION, PIPELINE_LABEL
from support.control_plane import ControlPlane
from support.control_plane_audit import writes

# What people break by hand, and how: fields that the operator applies. A ConfigMap can't be edited.
_EDITS: Mapping[Kind, Mapping[str, Any]] = {
    SERVICE: {"spec": {"selector": {"app.kubernetes.io/name": "x"}}},
    DEPLOYMENT: {"spec": {"replicas": 1}},
    PDB: {"spec": {"maxUnavailable": 2}},
    NETWORK_POLICY: {"metadata": {"labels": {"ragfleet.dev/pipeline": "x", "app.kubernetes.io/name": "x"}}},
    SERVICE_ACCOUNT: {"automountServiceAccountToken": True},
}
_DELETED = (SERVICE, DEPLOYMENT, PDB, NETWORK_POLICY, SERVICE_ACCOUNT, CONFIG_MAP)


@dataclass(frozen=True)
class Fleet:
    """A namespace with pipelines that an operator looks after, and what is seen of it."""

    api: API
    cluster: ControlPlane
    namespace: str
    pipelines: Sequence[str]
    seen: Seen

    def of(self, kind: Kind) -> list[Ref]:
        """The children of a kind, in an order that is always the same."""
        return [ref for ref in self.children() if ref.kind == kind]

    def children(self) -> list[Ref]:
        """The children of all kinds; Kubernetes puts objects of its own into every namespace."""
        found = self.seen.objects.items()
        return sorted(ref for ref, one in found if PIPELINE_LABEL in one["metadata"].get("labels", ()))

    def are_ready(self) -> bool:
        """Whether every pipeline says that it is ready."""
        return all(_is_ready(self.seen.objects.get(Ref(PIPELINE, name), {})) for name in self.pipelines)


async def create_all(api: API, seen: Seen, namespace: str, count: int) -> float:
    """Seconds from applying that many pipelines until all their children exist."""
    start = time.monotonic()
    await create(api, namespace, names(count))
    wanted = {child.ref for found in await api.items(PIPELINE, namespace) for child in children(found)}
    return await seen.wait_for(lambda: wanted <= seen.objects.keys(), "the children") - start


def writes_of_creation(fleet: Fleet, start: int) -> Iterator[Bar]:
    """Writes of the operator for each new pipeline, from a place in the audit log on."""
    made = [write for write in writes(fleet.cluster.audit_log, start) if _counts(write.resource)]
    refused = [write for write in made if write.code >= 400]
    own = len(fleet.children())
    allowed = own / len(fleet.pipelines) + 2
    told = f"{len(made)} writes, {len(refused)} of them refused; {own} children of {len(fleet.pipelines)}"
    yield Bar("writes for a new pipeline", len(made) / len(fleet.pipelines), "<=", allowed, "", told)


async def steady(fleet: Fleet, seconds: float) -> list[Bar]:
    """Writes to pipelines and children while nothing happens."""
    start = fleet.cluster.audit_log.stat().st_size
    await asyncio.sleep(seconds)
    made = [write for write in writes(fleet.cluster.audit_log, start) if _counts(write.resource)]
    told = f"{len(fleet.pipelines)} pipelines, {seconds:g} s" + "".join(f"; {write}" for write in made[:3])
    return [Bar("writes in the steady state", len(made), "==", 0, "", told)]


async def deleted(fleet: Fleet, count: int) -> list[Bar]:
    """Seconds until children that were deleted by hand are there again."""
    taken = _spread(fleet, _DELETED, count)
    uids = {ref: fleet.seen.objects[ref]["metadata"]["uid"] for ref in taken}
    when: dict[Ref, float] = {}

    async def delete(ref: Ref) -> None:
        when[ref] = time.monotonic()
        await fleet.api.call("DELETE", ref.kind.path(fleet.namespace, ref.name))

    def is_back(ref: Ref) -> bool:
        return bool(fleet.seen.objects.get(ref, {}).get("metadata", {}).get("uid", uids[ref]) != uids[ref])

    took = await _restored(fleet, taken, delete, is_back, when)
    return [_restored_bar("children deleted by hand, until restored (p95)", took, count)]


async def edited(fleet: Fleet, count: int) -> list[Bar]:
    """Seconds until children that were edited by hand are as they were."""
    taken = _spread(fleet, tuple(_EDITS), count)
    before = {ref: _shown(fleet.seen.objects[ref], _EDITS[ref.kind]) for ref in taken}
    when: dict[Ref, float] = {}
    broken: dict[Ref, int] = {}

    async def edit(ref: Ref) -> None:
        when[ref] = time.monotonic()
        answer = await fleet.api.merge(ref.kind, fleet.namespace, ref.name, _EDITS[ref.kind])
        broken[ref] = int(answer["metadata"]["resourceVersion"])
        fleet.seen.look_again()

    def is_back(ref: Ref) -> bool:
        found = fleet.seen.objects.get(ref, {})
        is_newer = ref in broken and int(found["metadata"]["resourceVersion"]) > broken[ref]
        return is_newer and _shown(found, _EDITS[ref.kind]) == before[ref]

    took = await _restored(fleet, taken, edit, is_back, when)
    return [_restored_bar("children edited by hand, until restored (p95)", took, count)]


async def respecified(fleet: Fleet, count: int) -> list[Bar]:
    """Seconds from an edit of a spec to the Deployment of its new configuration."""
    took: list[float] = []
    for name in fleet.pipelines[:count]:
        ref = Ref(DEPLOYMENT, name)
        before = _config(fleet.seen.objects[ref])
        start = time.monotonic()
        await fleet.api.merge(PIPELINE, fleet.namespace, name, {"spec": {"retrieval": {"topK": 7}}})
        await fleet.seen.wait_for(_has_changed(fleet, ref, before), f"the Deployment of {name}")
        took.append(fleet.seen.changed[ref] - start)
    p95 = percentile(took, 0.95)
    told = f"{count} edits, median {percentile(took, 0.5):.2f} s, longest {max(took):.2f} s"
    return [Bar("edit of a spec to its children updated (p95)", p95, "<=", 1.0, "s", told)]


async def _restored(
    fleet: Fleet,
    taken: Sequence[Ref],
    harm: Callable[[Ref], Any],
    is_back: Callable[[Ref], bool],
    when: Mapping[Ref, float],
) -> list[float]:
    """Seconds for each object, from the harm on."""
    back: dict[Ref, float] = {}

    def all_back() -> bool:
        for ref in taken:
            if ref not in back and ref in when and is_back(ref):
                back[ref] = max(fleet.seen.changed[ref], when[ref])
        return len(back) == len(taken)

    watching = asyncio.create_task(fleet.seen.wait_for(all_back, "what was harmed to be restored", 60))
    try:
        await at_once(taken, harm, AT_ONCE)
        await watching
    except TimeoutError:
        return [back.get(ref, float("inf")) - when[ref] for ref in taken]
    finally:
        watching.cancel()
    return [back[ref] - when[ref] for ref in taken]


def _restored_bar(name: str, took: Sequence[float], count: int) -> Bar:
    restored = sum(seconds != float("inf") for seconds in took)
    told = f"{restored} of {count} restored, median {percentile(took, 0.5):.2f} s, longest {max(took):.2f} s"
    return Bar(name, percentile(took, 0.95) if restored == count else float("inf"), "<=", 5.0, "s", told)


def _spread(fleet: Fleet, kinds: Sequence[Kind], count: int) -> list[Ref]:
    """That many objects of all the kinds."""
    candidates = [ref for kind in kinds for ref in fleet.of(kind)]
    return random.Random(0).sample(candidates, count)


def _counts(resource: str) -> bool:
    """Whether a resource is a pipeline or one of its children; Events aren't."""
    return resource.partition("/")[0] != "events"


def _shown(found: Mapping[str, Any], patch: Mapping[str, Any]) -> object:
    """What an object has in the places of a patch."""
    return {
        key: _shown(found.get(key) or {}, value) if isinstance(value, Mapping) else found.get(key)
        for key, value in patch.items()
    }


def _config(deployment: Mapping[str, Any]) -> str:
    annotations = deployment["spec"]["template"]["metadata"]["annotations"]
    found: str = annotations[CONFIG_ANNOTATION]
    return found


def _has_changed(fleet: Fleet, ref: Ref, before: str) -> Callable[[], bool]:
    return lambda: _config(fleet.seen.objects[ref]) != before


def _is_ready(pipeline: Mapping[str, Any]) -> bool:
    conditions = pipeline.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

"""Pipelines of the measurements, and what is rendered of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from bench.fleet.api import API
from bench.fleet.seen import Place
from ragfleet_api.resource import RAGPipeline
from ragfleet_operator.kinds import PIPELINE
from ragfleet_operator.model import Child, Key, Observation, Pipeline, Settings
from ragfleet_operator.render import render

T = TypeVar("T")

SETTINGS = Settings(image="registry.example/ragfleet:1", cluster="bench", namespace="ragfleet-system")
# As many as the operator has workers.
AT_ONCE = 16
# Kubernetes' own controllers look through a whole namespace at each change of a pod: a namespace of a
# thousand pipelines would measure them. A team has some dozens.
_IN_A_NAMESPACE = 50


def manifest(name: str, replicas: int) -> dict[str, Any]:
    """A pipeline on a server, with no Secret of its users'."""
    return {
        "apiVersion": PIPELINE.api_version,
        "kind": PIPELINE.kind,
        "metadata": {"name": name},
        "spec": {
            "vectorStore": {"type": "Qdrant", "qdrant": {"url": "http://qdrant.data:6333"}},
            "generation": {"type": "Extractive"},
            "replicas": replicas,
        },
    }


def places(count: int, first: int = 0) -> list[Place]:
    """Where that many pipelines are, from a number on; neighbours in one namespace."""
    numbers = range(first, first + count)
    return [
        Place(PIPELINE, f"fleet-{number // _IN_A_NAMESPACE:03}", f"fleet-{number:05}") for number in numbers
    ]


async def create(api: API, pipelines: Iterable[Place], replicas: int) -> None:
    """Make the pipelines, many at once; their namespaces are there."""
    await at_once(
        pipelines,
        lambda place: api.call("POST", PIPELINE.path(place.namespace), manifest(place.name, replicas)),
    )


def children(found: Mapping[str, Any]) -> tuple[Child, ...]:
    """What the operator makes for a pipeline that the API server holds."""
    resource = RAGPipeline.model_validate(
        {key: found[key] for key in ("apiVersion", "kind", "metadata", "spec")}
    )
    meta = found["metadata"]
    key = Key(meta["namespace"], meta["name"])
    pipeline = Pipeline(key, meta["uid"], meta["generation"], resource.spec)
    return render(pipeline, SETTINGS, Observation(), new_secret=lambda: "rf_bench")


def child_place(pipeline: Place, child: Child) -> Place:
    """Where a child is."""
    return Place(child.kind, pipeline.namespace, child.name)


def is_ready(pipeline: Mapping[str, Any]) -> bool:
    """Whether a pipeline says that it is ready."""
    conditions = pipeline.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


async def at_once(items: Iterable[T], work: Callable[[T], Awaitable[object]], limit: int = AT_ONCE) -> None:
    """Do the work for each item, so many at a time."""
    supply = iter(items)

    async def worker() -> None:
        for item in supply:
            await work(item)

    await asyncio.gather(*(worker() for _ in range(limit)))


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share of them is."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]

"""Pipelines of the measurements, and what is rendered of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from bench.fleet.api import API
from ragfleet_api.resource import RAGPipeline
from ragfleet_operator.kinds import PIPELINE
from ragfleet_operator.model import Child, Key, Observation, Pipeline, Settings
from ragfleet_operator.render import render

T = TypeVar("T")

SETTINGS = Settings(image="registry.example/ragfleet:1", cluster="bench", namespace="ragfleet-system")
# As many as the operator has workers.
AT_ONCE = 16


def manifest(name: str) -> dict[str, Any]:
    """A pipeline on a server, with two pods and no Secret of its users'."""
    return {
        "apiVersion": PIPELINE.api_version,
        "kind": PIPELINE.kind,
        "metadata": {"name": name},
        "spec": {
            "vectorStore": {"type": "Qdrant", "qdrant": {"url": "http://qdrant.data:6333"}},
            "generation": {"type": "Extractive"},
            "replicas": 2,
        },
    }


def names(count: int) -> list[str]:
    """Names of that many pipelines."""
    return [f"fleet-{number:05}" for number in range(count)]


async def create(api: API, namespace: str, pipelines: Iterable[str]) -> None:
    """Make the pipelines, many at once."""
    await at_once(pipelines, lambda name: api.call("POST", PIPELINE.path(namespace), manifest(name)))


def children(found: Mapping[str, Any]) -> tuple[Child, ...]:
    """What the operator makes for a pipeline that the API server holds."""
    resource = RAGPipeline.model_validate(
        {key: found[key] for key in ("apiVersion", "kind", "metadata", "spec")}
    )
    meta = found["metadata"]
    key = Key(meta["namespace"], meta["name"])
    pipeline = Pipeline(key, meta["uid"], meta["generation"], resource.spec)
    return render(pipeline, SETTINGS, Observation(), new_secret=lambda: "rf_bench")


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

"""The work of ``ragfleet rollback``: reads what is kept of a pipeline in a cluster, and pins a revision."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from ragfleet_cli.cluster import Cluster
from ragfleet_cli.errors import CliError
from ragfleet_cli.history import Entry, History, find, pin_value, previous, read_history
from ragfleet_operator.engine.errors import ApiError, Conflict, NotFound
from ragfleet_operator.kinds import CONTROLLER_REVISION, PIPELINE
from ragfleet_operator.model import Key, Object
from ragfleet_operator.names import PIN_ANNOTATION, PIPELINE_LABEL

_TRIES: Final = 5
_PAUSE_SECONDS: Final = 0.1
_NAMES_SHOWN: Final = 10


async def look(cluster: Cluster, key: Key) -> tuple[Object, History]:
    """A pipeline as it stands, and what is kept of it. Raises CliError, ApiError."""
    try:
        pipeline = await cluster.get(PIPELINE, key.namespace, key.name)
    except NotFound:
        raise CliError(await _no_such_pipeline(cluster, key)) from None
    kept = await cluster.list(CONTROLLER_REVISION, key.namespace, f"{PIPELINE_LABEL}={key.name}")
    return pipeline, read_history(pipeline, kept.objects)


async def pin(cluster: Cluster, key: Key, wanted: str | None) -> tuple[History, Entry]:
    """Pin the wanted revision (a number or an id), or the one to go back to.

    Gives what was seen before, and which it is. Raises CliError, ApiError.
    """
    pipeline, history = await look(cluster, key)
    if "deletionTimestamp" in pipeline["metadata"]:
        raise CliError(f"{key.name} is being deleted")
    if pipeline["spec"].get("suspend"):
        raise CliError(f"{key.name} is suspended, and the edit that ends that would end a pin: edit its spec")
    entry = previous(history) if wanted is None else find(history, wanted)
    value = pin_value(entry, history.generation)
    rejected = history.state.rejected
    if rejected is not None and (rejected.revision, rejected.pin) == (entry.id, value):
        raise CliError(f"{entry} was tried by this pin, and rolled back ({rejected.reason}): edit the spec")
    if value != history.pin:
        await _annotate(cluster, key, pipeline, value)
    return history, entry


async def clear(cluster: Cluster, key: Key) -> History:
    """Take the pin away, whoever set it; the history as it was before. Raises CliError, ApiError."""
    pipeline, history = await look(cluster, key)
    if history.pin:
        await _annotate(cluster, key, pipeline, None)
    return history


async def _annotate(cluster: Cluster, key: Key, seen: Object, value: str | None) -> None:
    """Set the annotation on the pipeline that was seen, or (None) take it away.

    It is never set on a spec that nobody has seen. Raises CliError, ApiError.
    """
    latest = seen
    for attempt in range(_TRIES):
        if attempt:
            await asyncio.sleep(_PAUSE_SECONDS * attempt)
            latest = await cluster.get(PIPELINE, key.namespace, key.name)
        metadata = latest["metadata"]
        if _identity(metadata, value) != _identity(seen["metadata"], value):
            raise CliError(f"{key.name} was changed meanwhile: look at it with --list, and try again")
        change = {"resourceVersion": metadata["resourceVersion"], "annotations": {PIN_ANNOTATION: value}}
        try:
            await cluster.merge(PIPELINE, key.namespace, key.name, {"metadata": change})
        except Conflict:
            continue
        return
    raise CliError(f"{key.name} is changed all the time by others: try again")


def _identity(metadata: Object, value: str | None) -> Sequence[Any]:
    """What must be as it was seen: the object, and its spec where one is pinned to it."""
    return metadata["uid"], None if value is None else metadata["generation"]


async def _no_such_pipeline(cluster: Cluster, key: Key) -> str:
    try:
        there = await cluster.list(PIPELINE, key.namespace)
    except NotFound:
        return "the cluster has no RAGPipelines: give it the definition that ragfleet crd prints"
    except ApiError:
        return f"no RAGPipeline {key.name} in namespace {key.namespace}"
    names = sorted(obj["metadata"]["name"] for obj in there.objects)
    if not names:
        return (
            f"no RAGPipeline {key.name} in namespace {key.namespace}, nor another: name it with --namespace"
        )
    more = ", …" if len(names) > _NAMES_SHOWN else ""
    shown = ", ".join(names[:_NAMES_SHOWN])
    return f"no RAGPipeline {key.name} in namespace {key.namespace}: there are {shown}{more}"

"""The fields of the status beside the conditions."""

from __future__ import annotations

from typing import Any, Final

from ragfleet_api.spec.generation import Generation
from ragfleet_operator import names
from ragfleet_operator.model import Observation, Pipeline
from ragfleet_operator.revisions import as_json
from ragfleet_operator.status.polled import index_counts
from ragfleet_operator.status.workload import Workload, fewest_replicas, has_service

# Written by the operator, and taken away where they have nothing to say.
FIELDS: Final = frozenset(
    {
        "observedGeneration",
        "conditions",
        "endpoint",
        "model",
        "runtime",
        "revisions",
        "index",
        "replicas",
        "readyReplicas",
        "selector",
    }
)


def facts(pipeline: Pipeline, seen: Observation, workload: Workload | None) -> dict[str, Any]:
    """All fields but the conditions; those of the stored status that aren't ours stay as they are."""
    name, namespace = pipeline.key.name, pipeline.key.namespace
    replicas, ready = (0, 0) if workload is None else (workload.replicas, workload.ready)
    desired = fewest_replicas(pipeline.spec) if workload is None else workload.desired
    image = "" if workload is None else workload.image
    runtime = {"replicas": f"{ready}/{desired}", **({"image": image} if image else {})}
    endpoint = f"http://{name}.{namespace}.svc:{names.PUBLIC_PORT}" if has_service(pipeline, seen) else None
    ours = {
        "observedGeneration": pipeline.generation,
        "endpoint": endpoint,
        "model": _model(pipeline.spec.generation),
        "runtime": runtime,
        "revisions": pipeline.status.get("revisions") if seen.revisions is None else as_json(seen.revisions),
        "index": index_counts(pipeline, seen),
        "replicas": replicas,
        "readyReplicas": ready,
        "selector": names.selector_text(names.selector(name)),
    }
    others = {field: value for field, value in pipeline.status.items() if field not in FIELDS}
    return {**others, **{field: value for field, value in ours.items() if value not in (None, {})}}


def _model(generation: Generation) -> str:
    """What writes the answers: the model's name, or Extractive."""
    provider = generation.open_ai or generation.anthropic
    return generation.type if provider is None else provider.model

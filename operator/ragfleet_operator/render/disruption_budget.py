"""How many pods may be taken away at once, as when nodes are drained."""

from __future__ import annotations

from typing import Final

from ragfleet_operator import names
from ragfleet_operator.kinds import PDB
from ragfleet_operator.model import Child, Pipeline
from ragfleet_operator.render.autoscaler import bounds
from ragfleet_operator.render.parts import child

_FEWEST: Final = 2


def disruption_budget(pipeline: Pipeline) -> Child | None:
    """The PodDisruptionBudget; None where there is never more than one pod, which it would not protect."""
    if _most_pods(pipeline) < _FEWEST:
        return None
    spec = {
        "maxUnavailable": 1,
        # A pod that never gets ready must not keep a node from being drained.
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": names.selector(pipeline.key.name)},
    }
    return child(PDB, pipeline, {"spec": spec})


def _most_pods(pipeline: Pipeline) -> int:
    spec = pipeline.spec
    if spec.autoscaling is not None:
        return bounds(spec.autoscaling)[1]
    return 1 if spec.replicas is None else spec.replicas

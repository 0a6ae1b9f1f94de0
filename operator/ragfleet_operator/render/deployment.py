"""The Deployment of the service."""

from __future__ import annotations

from typing import Any

from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_operator import names
from ragfleet_operator.kinds import DEPLOYMENT
from ragfleet_operator.model import Child, Pipeline, Settings
from ragfleet_operator.render.parts import child
from ragfleet_operator.render.pod import pod_template


def deployment(pipeline: Pipeline, settings: Settings, config: RuntimeConfig) -> Child:
    """The Deployment; without a number of pods where an autoscaler says how many."""
    spec = {
        **_replicas(pipeline),
        "strategy": _strategy(pipeline),
        "selector": {"matchLabels": names.selector(pipeline.key.name)},
        "minReadySeconds": 2,
        "revisionHistoryLimit": 5,
        "progressDeadlineSeconds": 600,
        "template": pod_template(pipeline, settings, config),
    }
    return child(DEPLOYMENT, pipeline, {"spec": spec})


def _replicas(pipeline: Pipeline) -> dict[str, Any]:
    spec = pipeline.spec
    if spec.autoscaling is not None:
        return {}
    return {"replicas": 1 if spec.replicas is None else spec.replicas}


def _strategy(pipeline: Pipeline) -> dict[str, Any]:
    # The embedded engine's data belongs to one process, so the old pod goes before the new one comes.
    if pipeline.spec.vector_store.type == "Embedded":
        return {"type": "Recreate"}
    return {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}

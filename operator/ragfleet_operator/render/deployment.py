"""The Deployment of the service."""

from __future__ import annotations

from typing import Any

from ragfleet_api.spec.upgrade import DEFAULT_DEADLINE_SECONDS, Upgrade
from ragfleet_operator import names
from ragfleet_operator.kinds import DEPLOYMENT
from ragfleet_operator.model import Child, Pipeline, Revision
from ragfleet_operator.render.parts import child, some


def deployment(pipeline: Pipeline, revision: Revision, secrets_digest: str, rotated_at: str) -> Child:
    """The Deployment; without a number of pods where an autoscaler says how many.

    secrets_digest: of what pods read only once, rotated_at: when they were last rolled for it; "" for none.
    """
    spec = {
        **_replicas(pipeline),
        "strategy": _strategy(pipeline),
        "selector": {"matchLabels": names.selector(pipeline.key.name)},
        "minReadySeconds": 2,
        "revisionHistoryLimit": 5,
        "progressDeadlineSeconds": _deadline(pipeline),
        "template": _template(revision, secrets_digest),
    }
    annotations = some(**{names.ROTATED_ANNOTATION: rotated_at})
    return child(DEPLOYMENT, pipeline, {"spec": spec}, annotations=annotations)


def _template(revision: Revision, secrets_digest: str) -> dict[str, Any]:
    metadata = revision.template["metadata"]
    labels = {**metadata["labels"], names.REVISION_LABEL: revision.id}
    annotations = {**metadata["annotations"], **some(**{names.SECRETS_ANNOTATION: secrets_digest})}
    return {**revision.template, "metadata": {**metadata, "labels": labels, "annotations": annotations}}


def _deadline(pipeline: Pipeline) -> int:
    return (pipeline.spec.upgrade or Upgrade()).deadline_seconds or DEFAULT_DEADLINE_SECONDS


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

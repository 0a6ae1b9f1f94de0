"""Who the pods are."""

from __future__ import annotations

from ragfleet_api.spec.runtime import Runtime, ServiceAccount
from ragfleet_operator.kinds import SERVICE_ACCOUNT
from ragfleet_operator.model import Child, Pipeline
from ragfleet_operator.render.parts import child


def account_name(pipeline: Pipeline) -> str:
    """The account of the pods: the one that the pipeline names, or the one that is made."""
    return _section(pipeline).name or pipeline.key.name


def service_account(pipeline: Pipeline) -> Child | None:
    """The account that is made; None where the pipeline names one."""
    section = _section(pipeline)
    if section.name is not None:
        return None
    # The service never calls Kubernetes.
    body = {"automountServiceAccountToken": False}
    return child(SERVICE_ACCOUNT, pipeline, body, annotations=section.annotations)


def _section(pipeline: Pipeline) -> ServiceAccount:
    return (pipeline.spec.runtime or Runtime()).service_account or ServiceAccount()

"""Which children are no longer wanted."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from ragfleet_operator.engine.ownership import is_deleting
from ragfleet_operator.kinds import (
    CONFIG_MAP,
    CONTROLLER_REVISION,
    DEPLOYMENT,
    HPA,
    PVC,
    SECRET,
    SERVICE_ACCOUNT,
)
from ragfleet_operator.model import Object, Ref, is_owned
from ragfleet_operator.revisions import is_rolled_out

# What a pod can't start without: pods of the template before need theirs until the last of them is gone.
_POD_NEEDS: Final = frozenset({CONFIG_MAP, SECRET, SERVICE_ACCOUNT})
_WORKLOAD: Final = frozenset({CONFIG_MAP, CONTROLLER_REVISION, DEPLOYMENT, HPA})


def leftovers(
    live: Mapping[Ref, Object], wanted: Collection[Ref], uid: str, *, workload_stays: bool = False
) -> list[Ref]:
    """The pipeline's own children that can be deleted.

    workload_stays: ConfigMap, Deployment and autoscaler aren't among those wanted because they are left as
    they are. A claim is never among them: data goes with its pipeline, by an ownerReference, or not at all.
    """
    deployments = [obj for ref, obj in live.items() if ref.kind == DEPLOYMENT and is_owned(obj, uid)]
    found = []
    for ref, obj in live.items():
        if ref in wanted or ref.kind == PVC or not is_owned(obj, uid) or is_deleting(obj):
            continue
        if workload_stays and ref.kind in _WORKLOAD | _POD_NEEDS:
            continue
        if ref.kind in _POD_NEEDS and not _is_free(ref, deployments):
            continue
        found.append(ref)
    return sorted(found)


def _is_free(ref: Ref, deployments: list[Object]) -> bool:
    """Whether no pod needs it. Without a Deployment nothing is known of the pods."""
    return bool(deployments) and all(
        is_rolled_out(deployment) and not _names(deployment["spec"].get("template"), ref.name)
        for deployment in deployments
    )


def _names(value: Any, name: str) -> bool:
    if isinstance(value, Mapping):
        return any(_names(item, name) for item in value.values())
    if isinstance(value, list):
        return any(_names(item, name) for item in value)
    return bool(value == name)

"""Passes ``spec.replicas`` of a Deployment to an autoscaler without a moment at its default of 1.

Whoever lets go of a field that nobody else holds removes it. So a second field manager takes the live count
first; then ours lets go; then the autoscaler is made, and changes a count that is still there.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#transferring-ownership
"""

from __future__ import annotations

from typing import Any

from ragfleet_operator.engine.cluster import Cluster
from ragfleet_operator.engine.errors import Conflict
from ragfleet_operator.engine.writes import Writes
from ragfleet_operator.kinds import DEPLOYMENT
from ragfleet_operator.model import Object, is_owned
from ragfleet_operator.names import FIELD_MANAGER, HANDOVER_MANAGER

_TRIES = 5


def lets_go(live: Object, desired: Object) -> bool:
    """Whether applying the desired Deployment would give up replicas that we hold."""
    if "replicas" in desired["spec"]:
        return False
    return any(
        entry.get("manager") == FIELD_MANAGER
        and entry.get("operation") == "Apply"
        and "f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
        for entry in live["metadata"].get("managedFields") or ()
    )


async def hand_over(cluster: Cluster, writes: Writes, live: Object, uid: str) -> Object:
    """Let the second manager hold the live count; the Deployment as it is then.

    A count of 0 becomes 1: an autoscaler doesn't touch what was scaled to nothing. Raises ApiError; Conflict
    where the Deployment changes faster than it can be read, or isn't the pipeline's any more.
    """
    namespace, name = live["metadata"]["namespace"], live["metadata"]["name"]
    for _ in range(_TRIES):
        try:
            # In the very state in which the count was read: a scaling meanwhile isn't undone.
            return await writes.apply(
                DEPLOYMENT, namespace, _claim(live), manager=HANDOVER_MANAGER, force=True
            )
        except Conflict:
            live = await cluster.get(DEPLOYMENT, namespace, name)
            if not is_owned(live, uid):
                break
    raise Conflict(f'Deployment "{name}" changes too fast for its replicas to be handed over')


def _claim(live: Object) -> dict[str, Any]:
    metadata = live["metadata"]
    identity = {field: metadata[field] for field in ("name", "namespace", "uid", "resourceVersion")}
    count = max(1, live["spec"].get("replicas", 1))
    return {
        "apiVersion": DEPLOYMENT.api_version,
        "kind": DEPLOYMENT.kind,
        "metadata": identity,
        "spec": {"replicas": count},
    }

"""What is wrong with a child, in words that say what to do."""

from __future__ import annotations

from datetime import datetime

from ragfleet_operator.engine.errors import ApiError, Forbidden, Invalid, QuotaExceeded
from ragfleet_operator.engine.ownership import owner_of
from ragfleet_operator.kinds import CONFIG_MAP, DEPLOYMENT, HTTP_ROUTE, PVC, Kind
from ragfleet_operator.model import ChildFault, Fault, Object, Pipeline, Ref

# A deletion takes some seconds where finalizers have work; after this, somebody has to look.
DELETION_SECONDS = 60.0


def foreign(ref: Ref, obj: Object) -> ChildFault:
    """There is an object of that name that isn't the pipeline's."""
    owner = owner_of(obj)
    whose = f"owned by {owner}" if owner else "nobody's"
    message = (
        f"{_the(ref)} is there already and {whose}: it is left alone; rename or delete it, "
        "or give the pipeline another name"
    )
    return ChildFault(ref, Fault.FOREIGN, message)


def unserved(pipeline: Pipeline, present: frozenset[Kind]) -> tuple[ChildFault, ...]:
    """What the spec asks for by a kind that the cluster lacks.

    A ServiceMonitor isn't among it: that one is made where it can be, as the spec says.
    """
    exposure = pipeline.spec.exposure
    if exposure is None or exposure.type != "HTTPRoute" or HTTP_ROUTE in present:
        return ()
    message = (
        f"the cluster has no kind HTTPRoute ({HTTP_ROUTE.api_version}): install the Gateway API, or set "
        "exposure.type to Ingress"
    )
    return (ChildFault(Ref(HTTP_ROUTE, pipeline.key.name), Fault.UNSERVED, message),)


def stuck(ref: Ref, obj: Object) -> ChildFault:
    """It was deleted, and isn't gone."""
    finalizers = ", ".join(obj["metadata"].get("finalizers") or ())
    waits = f"its finalizers {finalizers}" if finalizers else "what uses it"
    message = f"{_the(ref)} is being deleted and waits for {waits}: it is made again once it is gone"
    return ChildFault(ref, Fault.DELETING, message)


def is_stuck(obj: Object, now: datetime) -> bool:
    """Whether it should be gone by now."""
    since = datetime.fromisoformat(obj["metadata"]["deletionTimestamp"])
    return (now - since).total_seconds() > DELETION_SECONDS


def refused(ref: Ref, error: ApiError) -> ChildFault:
    """The API server's refusal as a fault."""
    if isinstance(error, QuotaExceeded):
        message = f"{_the(ref)} isn't made: {error}; raise the ResourceQuota or free some of it"
        return ChildFault(ref, Fault.QUOTA, message)
    if isinstance(error, Forbidden):
        message = (
            f"{_the(ref)}: {error}; give the operator this permission, or see which admission refuses it"
        )
        return ChildFault(ref, Fault.FORBIDDEN, message)
    if isinstance(error, Invalid):
        fault = Fault.IMMUTABLE if error.immutable else Fault.INVALID
        remedy = _remedy(ref) if error.immutable else "change what the pipeline's spec says of it"
        return ChildFault(ref, fault, f"{_the(ref)}: {error}; {remedy}")
    return ChildFault(ref, Fault.UNAVAILABLE, f"{_the(ref)}: {error}; it is tried again")


def _remedy(ref: Ref) -> str:
    command = f"kubectl delete {ref.kind.kind.lower()} {ref.name}"
    if ref.kind == PVC:
        return (
            "a claim can only grow: take back the change of vectorStore.embedded.storage, "
            "or delete the claim, and with it the index"
        )
    if ref.kind == DEPLOYMENT:
        return f"it is made again after {command}, and the service is away meanwhile"
    if ref.kind == CONFIG_MAP:
        return f"somebody made it with other content: it is made again after {command}"
    return f"it is made again after {command}"


def _the(ref: Ref) -> str:
    return f'{ref.kind.kind} "{ref.name}"'

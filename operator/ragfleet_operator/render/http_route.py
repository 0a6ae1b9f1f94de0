"""An HTTPRoute of the Gateway API to the service."""

from __future__ import annotations

from typing import Any, Final

from ragfleet_api.spec.network import ParentRef
from ragfleet_operator import names
from ragfleet_operator.kinds import HTTP_ROUTE
from ragfleet_operator.model import Child, Observation, Pipeline
from ragfleet_operator.render.parts import child, some

# None (https://gateway-api.sigs.k8s.io/guides/http-timeouts): the service has deadlines of its own, and some
# gateways would end an answer after 15 seconds.
_NO_TIMEOUT: Final = "0s"


def http_route(pipeline: Pipeline, seen: Observation) -> Child | None:
    """The HTTPRoute; None where the pipeline asks for none, or the cluster doesn't know the kind."""
    section = None if pipeline.spec.exposure is None else pipeline.spec.exposure.http_route
    if section is None or HTTP_ROUTE not in seen.kinds:
        return None
    spec = {
        "parentRefs": [_parent(parent) for parent in section.parent_refs],
        **some(hostnames=list(section.hostnames or ())),
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": [{"name": pipeline.key.name, "port": names.PUBLIC_PORT}],
                "timeouts": {"request": _NO_TIMEOUT},
            }
        ],
    }
    return child(HTTP_ROUTE, pipeline, {"spec": spec})


def _parent(parent: ParentRef) -> dict[str, Any]:
    return some(name=parent.name, namespace=parent.namespace, sectionName=parent.section_name)

"""The addresses of the pods' two ports."""

from __future__ import annotations

from typing import Any, Final

from ragfleet_operator import names
from ragfleet_operator.kinds import SERVICE
from ragfleet_operator.model import Child, Pipeline
from ragfleet_operator.render.parts import child

PUBLIC_PORT_NAME: Final = "http"
ADMIN_PORT_NAME: Final = "admin"


def services(pipeline: Pipeline) -> tuple[Child, Child]:
    """The Service that clients call, and one of the admin port, which nobody exposes by mistake that way."""
    name = pipeline.key.name
    public = {
        "type": "ClusterIP",
        "selector": names.selector(name),
        "ports": [_port(PUBLIC_PORT_NAME, names.PUBLIC_PORT)],
    }
    admin = {
        "type": "ClusterIP",
        "clusterIP": "None",
        # Metrics and status matter most while a pod isn't ready.
        "publishNotReadyAddresses": True,
        "selector": names.selector(name),
        "ports": [_port(ADMIN_PORT_NAME, names.ADMIN_PORT)],
    }
    return (
        child(SERVICE, pipeline, {"spec": public}),
        child(SERVICE, pipeline, {"spec": admin}, name=names.admin_service(name)),
    )


def _port(name: str, number: int) -> dict[str, Any]:
    return {"name": name, "port": number, "targetPort": name, "protocol": "TCP", "appProtocol": "http"}

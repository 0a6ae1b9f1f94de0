"""An Ingress to the service."""

from __future__ import annotations

from typing import Any, Final

from ragfleet_api.config.project import project_ingestion, project_requests
from ragfleet_api.spec.network import Ingress
from ragfleet_api.spec.pipeline import RAGPipelineSpec
from ragfleet_operator.kinds import INGRESS
from ragfleet_operator.model import Child, Pipeline
from ragfleet_operator.render.parts import child, some
from ragfleet_operator.render.service import PUBLIC_PORT_NAME

_MIB: Final = 2**20
# An ingestion is answered when all its documents are safe, which has no deadline.
_LONGEST_INGESTION_SECONDS: Final = 600
_MARGIN_SECONDS: Final = 5


def ingress(pipeline: Pipeline) -> Child | None:
    """The Ingress; None where the pipeline asks for none."""
    section = None if pipeline.spec.exposure is None else pipeline.spec.exposure.ingress
    if section is None:
        return None
    annotations = {**_for_nginx(pipeline.spec), **(section.annotations or {})}
    spec = {
        **some(ingressClassName=section.class_name),
        "rules": [{"host": section.host, "http": {"paths": [_path(pipeline)]}}],
        **some(tls=_tls(section)),
    }
    return child(INGRESS, pipeline, {"spec": spec}, annotations=annotations)


def _path(pipeline: Pipeline) -> dict[str, Any]:
    service = {"name": pipeline.key.name, "port": {"name": PUBLIC_PORT_NAME}}
    return {"path": "/", "pathType": "Prefix", "backend": {"service": service}}


def _tls(section: Ingress) -> list[dict[str, Any]]:
    if section.tls_secret_name is None:
        return []
    return [{"hosts": [section.host], "secretName": section.tls_secret_name}]


def _for_nginx(spec: RAGPipelineSpec) -> dict[str, str]:
    """What lets streams through ingress-nginx, and leaves limits to the service, whose errors say more.

    https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/
    """
    seconds = max(project_requests(spec).deadline_seconds, _LONGEST_INGESTION_SECONDS) + _MARGIN_SECONDS
    megabytes = project_ingestion(spec).max_request_bytes // _MIB + 1
    prefix = "nginx.ingress.kubernetes.io"
    return {
        f"{prefix}/proxy-buffering": "off",
        f"{prefix}/proxy-read-timeout": str(seconds),
        f"{prefix}/proxy-body-size": f"{megabytes}m",
    }

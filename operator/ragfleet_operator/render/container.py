"""The service's container."""

from __future__ import annotations

from typing import Any, Final

from ragfleet_api.spec.runtime import Runtime
from ragfleet_operator import names
from ragfleet_operator.render.environment import environment
from ragfleet_operator.render.resources import resources
from ragfleet_operator.render.service import ADMIN_PORT_NAME, PUBLIC_PORT_NAME
from ragfleet_operator.render.volumes import CONFIG_PATH, DATA_FOLDER, SECRETS_FOLDER, Mounted

# Until no address leads to the pod any more, it goes on taking connections.
PRE_STOP_SECONDS: Final = 5
_STARTUP_SECONDS: Final = 600
_STARTUP_PERIOD: Final = 2
_ARGUMENTS: Final = (
    "serve",
    *("--config", CONFIG_PATH),
    *("--secrets-dir", SECRETS_FOLDER),
    *("--data", DATA_FOLDER),
    *("--host", "0.0.0.0"),  # noqa: S104 - the address of the pod isn't known before
    *("--port", str(names.PUBLIC_PORT)),
    *("--admin-port", str(names.ADMIN_PORT)),
)


def container(runtime: Runtime, image: str, volumes: tuple[Mounted, ...]) -> dict[str, Any]:
    """The container, within Kubernetes' "restricted" pod security whatever the pipeline says."""
    made = resources(runtime.resources)
    return {
        "name": "ragfleet",
        "image": image,
        "imagePullPolicy": runtime.image_pull_policy or "IfNotPresent",
        "command": ["ragfleet"],
        "args": list(_ARGUMENTS),
        # So that a path of a model's files such as models/minilm leads to the mounted models.
        "workingDir": "/",
        "ports": [
            {"name": PUBLIC_PORT_NAME, "containerPort": names.PUBLIC_PORT, "protocol": "TCP"},
            {"name": ADMIN_PORT_NAME, "containerPort": names.ADMIN_PORT, "protocol": "TCP"},
        ],
        "env": environment(runtime),
        **({"resources": made} if made else {}),
        "volumeMounts": [volume.mount for volume in volumes],
        "startupProbe": _probe(
            "/ready",
            periodSeconds=_STARTUP_PERIOD,
            timeoutSeconds=2,
            failureThreshold=_STARTUP_SECONDS // _STARTUP_PERIOD,
        ),
        "livenessProbe": _probe("/live", periodSeconds=10, timeoutSeconds=5, failureThreshold=6),
        "readinessProbe": _probe("/ready", periodSeconds=5, timeoutSeconds=2, failureThreshold=3),
        "lifecycle": {"preStop": {"sleep": {"seconds": PRE_STOP_SECONDS}}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _probe(path: str, **how: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": PUBLIC_PORT_NAME}, **how}

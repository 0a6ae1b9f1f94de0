"""The pods of the service."""

from __future__ import annotations

from typing import Any, Final

from ragfleet_api.config.fingerprints import query_fingerprint
from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_api.spec.runtime import Runtime, Toleration
from ragfleet_operator import names
from ragfleet_operator.model import Pipeline
from ragfleet_operator.render.container import PRE_STOP_SECONDS, container
from ragfleet_operator.render.parts import some
from ragfleet_operator.render.service_account import account_name
from ragfleet_operator.render.volumes import mounted

_USER: Final = 65532  # nobody, as images without a shell have it
# To flush and close after the last stream is cut.
_MARGIN_SECONDS: Final = 10
_ZONE: Final = "topology.kubernetes.io/zone"
_NODE: Final = "kubernetes.io/hostname"


def pod_template(pipeline: Pipeline, config: RuntimeConfig, image: str, digest: str) -> dict[str, Any]:
    """The template of the pods: their labels, annotations and specification.

    digest: of the configuration as it is mounted. What is added when the Deployment is applied isn't in it.
    """
    runtime = pipeline.spec.runtime or Runtime()
    return {
        "metadata": {
            "labels": {**(runtime.labels or {}), **names.labels(pipeline.key.name)},
            "annotations": {
                **(runtime.annotations or {}),
                names.FINGERPRINT_ANNOTATION: query_fingerprint(config.retrieval.sparse, config.embedding),
                names.CONFIG_ANNOTATION: digest,
            },
        },
        "spec": _spec(pipeline, config, image, digest),
    }


def _spec(pipeline: Pipeline, config: RuntimeConfig, image: str, digest: str) -> dict[str, Any]:
    runtime = pipeline.spec.runtime or Runtime()
    volumes = mounted(pipeline, config, digest)
    return {
        "serviceAccountName": account_name(pipeline),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            # A big volume isn't walked through at each start.
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationGracePeriodSeconds": (
            PRE_STOP_SECONDS + config.requests.deadline_seconds + _MARGIN_SECONDS
        ),
        "containers": [container(runtime, image, volumes)],
        "volumes": [volume.volume for volume in volumes],
        **some(
            imagePullSecrets=[{"name": secret.name} for secret in runtime.image_pull_secrets or ()],
            nodeSelector=dict(runtime.node_selector or {}),
            tolerations=[_toleration(toleration) for toleration in runtime.tolerations or ()],
            priorityClassName=runtime.priority_class_name,
            topologySpreadConstraints=_spread(pipeline),
        ),
    }


def _toleration(toleration: Toleration) -> dict[str, Any]:
    return some(
        key=toleration.key,
        operator=toleration.operator,
        value=toleration.value,
        effect=toleration.effect,
        tolerationSeconds=toleration.toleration_seconds,
    )


def _spread(pipeline: Pipeline) -> list[dict[str, Any]]:
    """Replicas of one revision over zones, then over nodes, where that is possible."""
    if pipeline.spec.vector_store.type == "Embedded":
        return []
    return [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": names.selector(pipeline.key.name)},
            # Pods that are on their way out don't count.
            "matchLabelKeys": ["pod-template-hash"],
        }
        for key in (_ZONE, _NODE)
    ]

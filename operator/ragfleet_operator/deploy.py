"""The manifests that run the operator in a cluster: an account, its roles, and a Deployment of two.

``python -m ragfleet_operator.deploy --scope cluster|namespace`` prints them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, Final

import yaml

from ragfleet_operator.permissions import ELECTION_ROLE, election_role, role

_NAME: Final = "ragfleet-operator"
_PORT: Final = 8080
_LABELS: Final = {"app.kubernetes.io/name": _NAME}
# Longer than the program takes to finish its passes and to give its Lease back.
_GRACE_SECONDS: Final = 30


def manifests(scope: str, namespace: str, image: str) -> list[dict[str, Any]]:
    """What to apply. scope "namespace": the operator looks after the namespace that it runs in."""
    account = {"name": _NAME, "namespace": namespace}
    made: list[dict[str, Any]] = []
    if scope == "cluster":
        made.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    return [
        *made,
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account},
        role(scope, _NAME, None if scope == "cluster" else namespace),
        _binding(scope, _NAME, account),
        election_role(ELECTION_ROLE, namespace, _NAME),
        _binding("namespace", ELECTION_ROLE, account),
        _deployment(scope, account, image),
        _disruption_budget(account),
    ]


def _binding(scope: str, name: str, account: dict[str, str]) -> dict[str, Any]:
    cluster = scope == "cluster"
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding" if cluster else "RoleBinding",
        "metadata": {"name": name} if cluster else {**account, "name": name},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole" if cluster else "Role",
            "name": name,
        },
        "subjects": [{"kind": "ServiceAccount", **account}],
    }


def _deployment(scope: str, account: dict[str, str], image: str) -> dict[str, Any]:
    arguments = ["operator", "--health-host", "0.0.0.0", "--health-port", str(_PORT)]  # noqa: S104 - in a pod
    if scope == "namespace":
        arguments += ["--namespace", account["namespace"]]
    container = {
        "name": "operator",
        "image": image,
        "args": arguments,
        "env": [
            {"name": "RAGFLEET_IMAGE", "value": image},
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ],
        "ports": [{"name": "probes", "containerPort": _PORT}],
        "livenessProbe": _probe("/healthz", 20),
        "readinessProbe": _probe("/readyz", 5),
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        # Of the credentials that a kubeconfig holds, TLS wants files.
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - in the container
    }
    pod = {
        "serviceAccountName": _NAME,
        # On two nodes where there are two: the loss of one is the loss of one of them.
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": dict(_LABELS)},
            }
        ],
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {**account, "labels": dict(_LABELS)},
        "spec": {
            # One leads; the other knows as much, and waits for the Lease.
            "replicas": 2,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "selector": {"matchLabels": dict(_LABELS)},
            "template": {"metadata": {"labels": dict(_LABELS)}, "spec": pod},
        },
    }


def _disruption_budget(account: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {**account, "labels": dict(_LABELS)},
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": dict(_LABELS)},
        },
    }


def _probe(path: str, period_seconds: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": "probes"}, "periodSeconds": period_seconds, "timeoutSeconds": 5}


def to_yaml(scope: str, namespace: str, image: str) -> str:
    """The manifests as one file."""
    text: str = yaml.safe_dump_all(manifests(scope, namespace, image), sort_keys=False)
    return text


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the manifests."""
    parser = argparse.ArgumentParser(prog="ragfleet_operator.deploy", description=__doc__)
    parser.add_argument("--scope", choices=("cluster", "namespace"), required=True)
    parser.add_argument("--namespace", default="ragfleet-system")
    parser.add_argument("--image", default="ragfleet:0.1.0")
    chosen = parser.parse_args(arguments)
    sys.stdout.write(to_yaml(chosen.scope, chosen.namespace, chosen.image))


if __name__ == "__main__":
    main()

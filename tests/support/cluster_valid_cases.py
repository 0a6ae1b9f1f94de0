"""Valid objects with the sections that concern a cluster: every field, and the neighbours of what isn't."""

from __future__ import annotations

from typing import Any

from support.case import Case, Changes
from support.sections import EXPOSURES, MODELS, QDRANT, SECRET

_STORE: Changes = {"spec.vectorStore": QDRANT}
_SCALED: Changes = {**_STORE, "spec.autoscaling": {}}
_LABELS = {"example.com/team": "a", "tier": "", "A": "b_c.D"}
_PEERS: list[dict[str, Any]] = [
    {},
    {"podLabels": _LABELS},
    {"namespaceLabels": {"kubernetes.io/metadata.name": "web"}, "podLabels": {"app": "site"}},
    {"namespaceLabels": {}},
]
_POLICIES = [{"type": "Pods", "value": 4, "periodSeconds": 15}, {"type": "Percent", "value": 100,
                                                                "periodSeconds": 1800}]  # fmt: skip
_RUNTIME: dict[str, Any] = {
    "image": "registry.example:5000/team/ragfleet:1.2.3@sha256:" + "a" * 64,
    "upgradePolicy": "WithOperator",
    "imagePullPolicy": "Always",
    "imagePullSecrets": [{"name": "registry.example"}, {"name": "other"}],
    "resources": {
        "requests": {"cpu": "1500m", "memory": "0.5Gi", "nvidia.com/gpu": "1"},
        "limits": {"memory": "2Gi", "ephemeral-storage": "10G", "nvidia.com/gpu": "1"},
    },
    "models": MODELS["PersistentVolumeClaim"],
    "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/a"}},
    "labels": _LABELS,
    "annotations": {"example.com/note": "any text, and as long as it likes\n"},
    "nodeSelector": {"kubernetes.io/arch": "amd64"},
    "tolerations": [
        {"key": "dedicated", "operator": "Equal", "value": "rag", "effect": "NoSchedule"},
        {"key": "example.com/spot", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60},
    ],
    "priorityClassName": "high",
    "env": [
        {"name": "HTTPS_PROXY", "value": "http://proxy:3128"},
        {"name": "_TOKEN", "secretKeyRef": SECRET},
    ],
    "caBundle": {"configMapName": "authorities", "key": "ca.crt"},
}
_EVERY_FIELD = (
    Case(
        "every field of pods over a server, in a cluster",
        {
            **_STORE,
            "spec.vectorStore.deletionPolicy": "Retain",
            "spec.runtime": _RUNTIME,
            "spec.autoscaling": {
                "minReplicas": 2,
                "maxReplicas": 2,
                "targetCPUUtilizationPercentage": 1000,
                "targetMemoryUtilizationPercentage": 1,
                "metrics": [{"name": "http_requests_per_second", "averageValue": "100"},
                            {"name": "queue:depth", "averageValue": "0.5"}],
                "behavior": {
                    "scaleUp": {"stabilizationWindowSeconds": 0, "policies": _POLICIES},
                    "scaleDown": {"stabilizationWindowSeconds": 3600, "policies": _POLICIES},
                },
            },
            "spec.exposure": {"type": "Ingress", "ingress": {
                "className": "nginx", "host": "handbook.example.com", "tlsSecretName": "handbook-tls",
                "annotations": {"nginx.ingress.kubernetes.io/proxy-read-timeout": "900"}}},
            "spec.networkPolicy": {
                "clients": _PEERS,
                "scrapers": _PEERS,
                "egress": [
                    *({"peer": peer, "ports": [443, 6333]} for peer in _PEERS),
                    {"cidr": "10.0.0.0/8"},
                    {"cidr": "0.0.0.0/0", "ports": [1, 65535]},
                    {"cidr": "2001:DB8::/32", "ports": []},
                ],
            },
            "spec.monitoring": {"serviceMonitor": {"intervalSeconds": 5, "labels": {"release": "prom"}}},
            "spec.upgrade": {"deadlineSeconds": 30, "rollback": "Never", "historyLimit": 50},
            "spec.suspend": True,
        },
    ),
    Case(
        "every field of a pod with the embedded engine, in a cluster",
        {
            "spec.vectorStore": {
                "type": "Embedded",
                "embedded": {"storage": {"size": "20Gi", "storageClassName": "fast.ssd"}},
                "deletionPolicy": "Delete",
            },
            "spec.runtime": {**_RUNTIME, "models": MODELS["Image"], "serviceAccount": {"name": "reader"}},
            "spec.runtime.models.image.pullPolicy": "IfNotPresent",
            "spec.runtime.upgradePolicy": "Pinned",
            "spec.upgrade": {"deadlineSeconds": 86_400, "rollback": "Automatic", "historyLimit": 1},
            "spec.exposure": {"type": "HTTPRoute", "httpRoute": {
                "parentRefs": [{"name": "public", "namespace": "gateways", "sectionName": "https"}],
                "hostnames": ["handbook.example.com", "localhost"]}},
            "spec.suspend": False,
        },
    ),
)  # fmt: skip
_NEIGHBOURS = (
    Case("autoscaling by the defaults", _SCALED),
    Case("autoscaling with the most alone", {**_SCALED, "spec.autoscaling.maxReplicas": 1}),
    Case("autoscaling by CPU that is limited", {
        **_SCALED, "spec.runtime.resources": {"requests": {"memory": "1Gi"}, "limits": {"cpu": "1"}}}),
    Case("autoscaling beside limits alone", {
        **_SCALED, "spec.autoscaling.targetMemoryUtilizationPercentage": 80,
        "spec.runtime.resources": {"limits": {"memory": "2Gi"}}}),
    Case("autoscaling by memory that is limited by default", {
        **_SCALED, "spec.autoscaling.targetMemoryUtilizationPercentage": 80,
        "spec.runtime.resources": {"requests": {"cpu": "1"}}}),
    Case("no resources at all", {"spec.runtime.resources": {"requests": {}, "limits": {}}}),
    Case("every taint", {"spec.runtime.tolerations": [{"operator": "Exists"}]}),
    Case("a taint with an empty value", {"spec.runtime.tolerations": [{"key": "a", "value": ""}]}),
    Case("an empty variable", {"spec.runtime.env": [{"name": "NO_PROXY", "value": ""}]}),
    Case("certificates by a variable alone", {
        "spec.runtime.env": [{"name": "SSL_CERT_FILE", "value": "/models/ca.crt"}]}),
    Case("variables of the interpreter and the loader", {"spec.runtime.env": [
        {"name": "PYTHONHASHSEED", "value": "0"}, {"name": "LD_PRELOAD", "value": "/lib/jemalloc.so"}]}),
    Case("labels that only look like the operator's", {"spec.runtime.labels": {
        "kubernetes.io/name": "a", "ragfleet.dev": "a", "myapp.kubernetes.io/name": "a",
        "sub.ragfleet.dev/a": "a"}}),
    Case("the longest names of labels", {"spec.runtime.labels": {
        "a" * 63: "b" * 63, f"{'a' * 189}/{'b' * 63}": ""}}),
    Case("no client and no destination", {"spec.networkPolicy": {
        "clients": [], "scrapers": [], "egress": []}}),
    Case("a small volume", {"spec.vectorStore.embedded.storage.size": "0.05T"}),
    Case("a server's collection stays", {**_STORE, "spec.vectorStore.deletionPolicy": "Retain"}),
    Case("null is unset in what concerns a cluster", {
        "spec.runtime": {"labels": {"a": None, "b": "c"}, "env": None, "models": None,
                         "resources": {"requests": None, "limits": {"cpu": None}}},
        "spec.autoscaling": None, "spec.exposure": None, "spec.networkPolicy": {"clients": None},
        "spec.monitoring": None, "spec.upgrade": {"rollback": None}, "spec.suspend": None,
        "spec.vectorStore.embedded": None,
    }),
)  # fmt: skip

CLUSTER_VALID = (
    Case("empty sections of a cluster", {
        "spec.vectorStore.embedded": {}, "spec.runtime": {}, "spec.networkPolicy": {},
        "spec.monitoring": {"serviceMonitor": {}}, "spec.runtime.serviceAccount": {},
        "spec.runtime.labels": {}, "spec.runtime.annotations": {}, "spec.runtime.resources": {},
        "spec.runtime.env": [], "spec.runtime.tolerations": [], "spec.runtime.imagePullSecrets": [],
        "spec.upgrade": {},
        "spec.vectorStore.embedded.storage": {},
    }),
    Case("empty sections of autoscaling", {
        **_SCALED, "spec.autoscaling.behavior": {"scaleUp": {}, "scaleDown": {}},
        "spec.autoscaling.metrics": [],
    }),
    *(Case(f"reached by {type_}", {"spec.exposure": section}) for type_, section in EXPOSURES.items()),
    *(Case(f"models of {type_}", {"spec.runtime.models": section}) for type_, section in MODELS.items()),
    *_EVERY_FIELD,
    *_NEIGHBOURS,
)  # fmt: skip

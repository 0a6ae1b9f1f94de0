"""What breaks the rules of the sections that concern a cluster: runtime, scaling, network, storage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from support.case import Case, Changes, broken, union
from support.sections import EXPOSURES, MODELS, QDRANT, SECRET, around

_STORE = "spec.vectorStore"
_RUNTIME = "spec.runtime"
_SCALING = "spec.autoscaling"
_SCALED: Changes = {_STORE: QDRANT, _SCALING: {}}

_SELECTIONS = (
    "runtime.nodeSelector",
    *(f"networkPolicy.{side}[0].{name}" for side in ("clients", "scrapers") for name in (
        "namespaceLabels", "podLabels")),
    "networkPolicy.egress[0].peer.namespaceLabels",
    "networkPolicy.egress[0].peer.podLabels",
)  # fmt: skip
_LABELS = ("runtime.labels", "monitoring.serviceMonitor.labels")
_ANNOTATIONS = ("runtime.annotations", "runtime.serviceAccount.annotations", "exposure.ingress.annotations")
_AMOUNTS = ("runtime.resources.requests", "runtime.resources.limits")

_LABEL = "a label is named NAME or DOMAIN/NAME, as in example.com/team, in 253 characters at most"
_ANNOTATION = "an annotation is named NAME or DOMAIN/NAME, as in example.com/note, in 253 characters at most"
_RESOURCE = "a resource is cpu, memory, ephemeral-storage, or a device's, as in nvidia.com/gpu"
_OUR_LABELS = "labels of app.kubernetes.io and ragfleet.dev are the operator's own: take them away"
_OUR_ANNOTATIONS = "annotations of ragfleet.dev are the operator's own: take them away"
_PRIVILEGE = "annotations of AppArmor and seccomp would loosen what confines the pods: take them away"
_KEYLESS = "a toleration without a key is of every taint, which needs operator Exists"
_VALUE = "value has no effect with operator Exists: take it away, or set operator to Equal"
_SECONDS = "tolerationSeconds needs effect NoExecute"
_ENV = "give value or secretKeyRef, one of them"
_TARGET = "give cidr or peer, one of them"
_ON_A_SERVER = (
    "deletionPolicy Delete is for type Embedded: a server's collection stays until you delete it there"
)
_CPU = "autoscaling counts CPU by what pods ask for: add cpu to runtime.resources.requests"
_MEMORY = (
    "targetMemoryUtilizationPercentage is of what pods ask for: add memory to runtime.resources.requests"
)


def keyed(path: str, key: str, message: str, value: str = "1") -> Case:
    """A map with a key that a rule refuses; path from ``spec``."""
    shown = key if len(key) < 80 else f"{len(key)} characters"
    changes = {f"spec.{where}": item for where, item in around(path, {key: value}).items()}
    return broken(f"{path} with the key {shown!r}", changes, f"spec.{path}", message)


def _keys() -> Iterator[Case]:
    wrong = ("", "a b", "-a", "a.", "/a", "a/", "a/b/c", "A.b/c", "a..b/c", "é", "a\n", "a" * 64,
             f"{'a' * 252}/b")  # fmt: skip
    yield from (keyed("runtime.labels", key, _LABEL) for key in wrong)
    yield from (keyed(path, "a b", _LABEL) for path in (*_SELECTIONS, "monitoring.serviceMonitor.labels"))
    yield from (keyed(path, "a b", _ANNOTATION) for path in _ANNOTATIONS)
    yield from (keyed(path, "cpus", _RESOURCE) for path in _AMOUNTS)
    yield from (keyed(_AMOUNTS[0], key, _RESOURCE) for key in ("", "CPU", "hugepages-2Mi", "gpu", "/gpu"))
    for path in _LABELS:
        yield keyed(path, "app.kubernetes.io/name", _OUR_LABELS)
        yield keyed(path, "ragfleet.dev/pipeline", _OUR_LABELS)
    yield from (keyed(path, "ragfleet.dev/config", _OUR_ANNOTATIONS) for path in _ANNOTATIONS)
    yield from (
        keyed("runtime.annotations", key, _PRIVILEGE, "unconfined")
        for key in (
            "container.apparmor.security.beta.kubernetes.io/ragfleet",
            "seccomp.security.alpha.kubernetes.io/pod",
        )
    )


def _toleration(name: str, item: dict[str, Any], field: str, message: str) -> Case:
    path = f"{_RUNTIME}.tolerations"
    return broken(f"a toleration {name}", {path: [item]}, f"{path}[0].{field}", message)


_OF_PODS = (
    _toleration("of nothing", {}, "operator", _KEYLESS),
    _toleration("of a value without a key", {"operator": "Equal", "value": "a"}, "operator", _KEYLESS),
    _toleration("of any value, with one", {"key": "a", "operator": "Exists", "value": "b"}, "value", _VALUE),
    _toleration("for a time, of any effect", {"key": "a", "tolerationSeconds": 60},
                "tolerationSeconds", _SECONDS),
    _toleration("for a time, of another effect",
                {"key": "a", "effect": "NoSchedule", "tolerationSeconds": 60}, "tolerationSeconds", _SECONDS),
    broken("a variable without a value", {f"{_RUNTIME}.env": [{"name": "A"}]}, f"{_RUNTIME}.env[0]", _ENV),
    broken("a variable with two values",
           {f"{_RUNTIME}.env": [{"name": "A", "value": "", "secretKeyRef": SECRET}]},
           f"{_RUNTIME}.env[0]", _ENV),
    broken("a variable of the service's own", {f"{_RUNTIME}.env": [{"name": "RAGFLEET_HOME", "value": "a"}]},
           f"{_RUNTIME}.env[0].name", "names that start with RAGFLEET_ are the service's own"),
    broken("certificates given twice",
           {f"{_RUNTIME}.env": [{"name": "A", "value": ""}, {"name": "SSL_CERT_FILE", "value": "/ca.crt"}],
            f"{_RUNTIME}.caBundle": {"configMapName": "authorities", "key": "ca.crt"}},
           f"{_RUNTIME}.env", "SSL_CERT_FILE is what caBundle sets: take one of the two away"),
    broken("annotations of an account that isn't made",
           {f"{_RUNTIME}.serviceAccount": {"name": "reader", "annotations": {}}},
           f"{_RUNTIME}.serviceAccount.annotations",
           "annotations are for the account that is made: annotate the one you name yourself"),
)  # fmt: skip

_OF_SCALING = (
    broken("replicas beside autoscaling", {**_SCALED, "spec.replicas": 1}, "spec.replicas",
           "give replicas or autoscaling, one of them"),
    broken("autoscaling of an embedded engine", {_SCALING: {}}, _SCALING,
           "autoscaling is not for the Embedded engine: its data belongs to one process"),
    broken("more pods at least than at most",
           {**_SCALED, f"{_SCALING}.minReplicas": 3, f"{_SCALING}.maxReplicas": 2},
           f"{_SCALING}.minReplicas", "minReplicas must not be more than maxReplicas"),
    *(broken(f"a metric of {amount}", {**_SCALED, f"{_SCALING}.metrics": [
        {"name": "a", "averageValue": amount}]}, f"{_SCALING}.metrics[0].averageValue",
        "averageValue must be more than 0") for amount in ("0", "0.00", "000m")),
    broken("autoscaling by CPU that nobody asks for",
           {**_SCALED, f"{_RUNTIME}.resources": {"requests": {"memory": "1Gi"}}}, _RUNTIME, _CPU),
    broken("autoscaling by CPU that is neither asked for nor limited",
           {**_SCALED, f"{_RUNTIME}.resources": {"requests": {}, "limits": {"memory": "1Gi"}}},
           _RUNTIME, _CPU),
    broken("autoscaling by memory that nobody asks for",
           {**_SCALED, f"{_SCALING}.targetMemoryUtilizationPercentage": 80,
            f"{_RUNTIME}.resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}},
           _RUNTIME, _MEMORY),
)  # fmt: skip

_OF_THE_NETWORK = (
    broken("a destination that is none", {"spec.networkPolicy.egress": [{"ports": [443]}]},
           "spec.networkPolicy.egress[0]", _TARGET),
    broken("two destinations in one", {"spec.networkPolicy.egress": [{"cidr": "::/0", "peer": {}}]},
           "spec.networkPolicy.egress[0]", _TARGET),
)  # fmt: skip

_OF_THE_STORE = (
    broken("deletion of what is on a server", {_STORE: {**QDRANT, "deletionPolicy": "Delete"}},
           f"{_STORE}.deletionPolicy", _ON_A_SERVER),
    *(broken(f"a volume of {size}", {f"{_STORE}.embedded.storage.size": size},
             f"{_STORE}.embedded.storage.size", "size must be more than 0") for size in ("0", "0.0Gi")),
)  # fmt: skip

CLUSTER_RULES = (
    *union(f"{_RUNTIME}.models", MODELS, {}),
    *union("spec.exposure", EXPOSURES, {}),
    *_keys(),
    *_OF_PODS,
    *_OF_SCALING,
    *_OF_THE_NETWORK,
    *_OF_THE_STORE,
)

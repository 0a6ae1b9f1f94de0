"""The kinds of objects that the operator makes, reads and watches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote


@dataclass(frozen=True, slots=True, order=True)
class Kind:
    """A kind of namespaced objects, as the API server names it."""

    group: str
    version: str
    kind: str
    plural: str

    @property
    def api_version(self) -> str:
        """As in a manifest."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None, name: str = "") -> str:
        """Where an object is on the API server; without a name, all of a namespace or (None) cluster."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"
        place = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
        return f"{root}{place}/{self.plural}" + (f"/{quote(name, safe='')}" if name else "")


PIPELINE: Final = Kind("ragfleet.dev", "v1alpha1", "RAGPipeline", "ragpipelines")
CONFIG_MAP: Final = Kind("", "v1", "ConfigMap", "configmaps")
SECRET: Final = Kind("", "v1", "Secret", "secrets")
SERVICE_ACCOUNT: Final = Kind("", "v1", "ServiceAccount", "serviceaccounts")
PVC: Final = Kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims")
SERVICE: Final = Kind("", "v1", "Service", "services")
DEPLOYMENT: Final = Kind("apps", "v1", "Deployment", "deployments")
CONTROLLER_REVISION: Final = Kind("apps", "v1", "ControllerRevision", "controllerrevisions")
HPA: Final = Kind("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
PDB: Final = Kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")
NETWORK_POLICY: Final = Kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies")
INGRESS: Final = Kind("networking.k8s.io", "v1", "Ingress", "ingresses")
HTTP_ROUTE: Final = Kind("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes")
SERVICE_MONITOR: Final = Kind("monitoring.coreos.com", "v1", "ServiceMonitor", "servicemonitors")
POD: Final = Kind("", "v1", "Pod", "pods")

# In the order in which they are applied: what a pod needs is there before the pod.
CHILDREN: Final = (
    SERVICE_ACCOUNT,
    SECRET,
    CONFIG_MAP,
    PVC,
    NETWORK_POLICY,
    SERVICE,
    CONTROLLER_REVISION,
    DEPLOYMENT,
    HPA,
    PDB,
    INGRESS,
    HTTP_ROUTE,
    SERVICE_MONITOR,
)
# Kinds that a cluster may lack.
OPTIONAL: Final = frozenset({HTTP_ROUTE, SERVICE_MONITOR})

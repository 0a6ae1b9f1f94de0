"""How the service is reached, and what it may reach."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from ragfleet_api.base import ApiModel, Rule
from ragfleet_api.spec.common import union_rules
from ragfleet_api.spec.kubernetes import Annotations, HostName, Labels, NamespaceName, ObjectName, Selection

Port = Annotated[int, Field(ge=1, le=65535, description="A port's number.")]
_BYTE: Final = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
CIDR = Annotated[
    str,
    Field(
        min_length=1,
        max_length=43,
        pattern=(
            rf"^(({_BYTE}\.){{3}}{_BYTE}/(3[0-2]|[12]?[0-9])|"
            r"[0-9A-Fa-f]*:[0-9A-Fa-f:]*/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))$"
        ),
    ),
]


class Ingress(ApiModel):
    """An Ingress to the service."""

    class_name: ObjectName | None = Field(
        default=None, description="The ingress class. Default: the cluster's own."
    )
    host: HostName = Field(description="The name by which clients call it.")
    tls_secret_name: ObjectName | None = Field(
        default=None, description="Secret with the host's certificate. Default: plain HTTP."
    )
    annotations: Annotations | None = Field(
        default=None,
        description="Annotations for the controller; they win over those that let streams through.",
    )


class ParentRef(ApiModel):
    """A Gateway that the route hangs on."""

    name: ObjectName = Field(description="Name of the Gateway.")
    namespace: NamespaceName | None = Field(
        default=None, description="Its namespace. Default: the pipeline's."
    )
    section_name: ObjectName | None = Field(default=None, description="Its listener. Default: all.")


class HTTPRoute(ApiModel):
    """An HTTPRoute of the Gateway API to the service."""

    parent_refs: Annotated[list[ParentRef], Field(min_length=1, max_length=8)] = Field(
        description="The Gateways that it hangs on."
    )
    hostnames: Annotated[list[HostName], Field(max_length=16)] | None = Field(
        default=None, description="Names by which clients call it. Default: the Gateway's."
    )


class Exposure(ApiModel):
    """How clients outside the cluster reach the service."""

    type: Literal["Ingress", "HTTPRoute"] = Field(description="By which kind of object.")
    ingress: Ingress | None = Field(default=None, description="The Ingress.")
    http_route: HTTPRoute | None = Field(default=None, description="The HTTPRoute.", alias="httpRoute")

    rules: ClassVar[tuple[Rule, ...]] = union_rules({"Ingress": "ingress", "HTTPRoute": "httpRoute"})


class Peer(ApiModel):
    """Pods, by labels. Without namespaceLabels they are those of the pipeline's namespace."""

    namespace_labels: Selection | None = Field(
        default=None, description="Labels of their namespace; {} means every namespace."
    )
    pod_labels: Selection | None = Field(default=None, description="Labels of the pods. Default: all pods.")


class Destination(ApiModel):
    """Something that the service calls: addresses or pods, and their ports."""

    cidr: CIDR | None = Field(default=None, description="Addresses, as in 10.0.0.0/8.")
    peer: Peer | None = Field(default=None, description="Pods.")
    ports: Annotated[list[Port], Field(max_length=16)] | None = Field(
        default=None, description="TCP ports. Default: all."
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.cidr) != has(self.peer)",
            message="give cidr or peer, one of them",
            field="",
            holds=lambda self: (self.cidr is None) != (self.peer is None),
        ),
    )


class NetworkPolicy(ApiModel):
    """Who may open connections to the service's pods, and to whom they may open some."""

    clients: Annotated[list[Peer], Field(max_length=32)] | None = Field(
        default=None, description="Who may call the service. Default: everyone."
    )
    scrapers: Annotated[list[Peer], Field(max_length=32)] | None = Field(
        default=None,
        description="Who may read the metrics of the admin port, beside the operator. Default: nobody.",
    )
    egress: Annotated[list[Destination], Field(max_length=64)] | None = Field(
        default=None,
        description="What the service may call, beside the cluster's DNS. Default: everything.",
    )


class ServiceMonitor(ApiModel):
    """A ServiceMonitor of the Prometheus operator, made where the cluster has that kind."""

    interval_seconds: Annotated[int, Field(ge=5, le=3600)] | None = Field(
        default=None, description="How often metrics are read. Default: 30."
    )
    labels: Labels | None = Field(default=None, description="Its labels, by which a Prometheus selects it.")


class Monitoring(ApiModel):
    """How the service's metrics are read."""

    service_monitor: ServiceMonitor = Field(description="The ServiceMonitor.")

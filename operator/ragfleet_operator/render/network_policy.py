"""Who may open connections to the pods, and to whom they may open some."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from ragfleet_api.spec.network import Destination, NetworkPolicy, Peer
from ragfleet_operator import names
from ragfleet_operator.kinds import NETWORK_POLICY
from ragfleet_operator.model import Child, Pipeline, Settings
from ragfleet_operator.render.parts import child

Rule = dict[str, Any]

_NAMESPACE_LABEL: Final = "kubernetes.io/metadata.name"
_DNS_PORT: Final = 53


def network_policy(pipeline: Pipeline, settings: Settings) -> Child:
    """The policy of the pods; whatever it is, the admin port is for the operator and scrapers alone."""
    section = pipeline.spec.network_policy or NetworkPolicy()
    incoming = [*_clients(section.clients), *_readers(section.scrapers, settings)]
    outgoing = [] if section.egress is None else [_dns(), *map(_destination, section.egress)]
    spec = {
        "podSelector": {"matchLabels": names.selector(pipeline.key.name)},
        "policyTypes": ["Ingress", "Egress"] if outgoing else ["Ingress"],
        **({"ingress": incoming} if incoming else {}),
        **({"egress": outgoing} if outgoing else {}),
    }
    return child(NETWORK_POLICY, pipeline, {"spec": spec})


def _clients(clients: Sequence[Peer] | None) -> list[Rule]:
    ports = _tcp([names.PUBLIC_PORT])
    return [{"ports": ports}] if clients is None else _from([_peer(client) for client in clients], ports)


def _readers(scrapers: Sequence[Peer] | None, settings: Settings) -> list[Rule]:
    peers = [_peer(scraper) for scraper in scrapers or ()]
    if settings.namespace:
        peers.insert(0, {"namespaceSelector": {"matchLabels": {_NAMESPACE_LABEL: settings.namespace}}})
    return _from(peers, _tcp([names.ADMIN_PORT]))


def _from(peers: list[Rule], ports: list[Rule]) -> list[Rule]:
    # A rule without peers would let everyone in.
    return [{"from": peers, "ports": ports}] if peers else []


def _dns() -> Rule:
    # To anyone: a node's own cache of names is no pod, and has another address in each cluster.
    return {"ports": [{"protocol": protocol, "port": _DNS_PORT} for protocol in ("UDP", "TCP")]}


def _destination(destination: Destination) -> Rule:
    to = {"ipBlock": {"cidr": destination.cidr}} if destination.peer is None else _peer(destination.peer)
    return {"to": [to], **({"ports": _tcp(destination.ports)} if destination.ports else {})}


def _peer(peer: Peer) -> Rule:
    """A peer; a selector without labels means all, unlike one that is left out."""
    if peer.namespace_labels is None:
        return {"podSelector": _selector(peer.pod_labels or {})}
    pods = {} if peer.pod_labels is None else {"podSelector": _selector(peer.pod_labels)}
    return {"namespaceSelector": _selector(peer.namespace_labels), **pods}


def _selector(labels: dict[str, str]) -> Rule:
    return {"matchLabels": dict(labels)} if labels else {}


def _tcp(ports: Iterable[int]) -> list[Rule]:
    return [{"protocol": "TCP", "port": port} for port in ports]

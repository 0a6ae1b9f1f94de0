from __future__ import annotations

from typing import Any

import pytest

from ragfleet_operator import names
from ragfleet_operator.kinds import NETWORK_POLICY
from ragfleet_operator.model import Settings
from support.rendering import SETTINGS, one, rendered

PUBLIC = [{"protocol": "TCP", "port": 8080}]
ADMIN = [{"protocol": "TCP", "port": 8081}]
OPERATOR = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ragfleet-system"}}}
DNS = {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}


def spec(section: dict[str, Any] | None = None, settings: Settings = SETTINGS) -> dict[str, Any]:
    changes = {} if section is None else {"networkPolicy": section}
    found: dict[str, Any] = one(rendered(changes, settings=settings), NETWORK_POLICY)["spec"]
    return found


def test_by_default_everyone_may_call_and_only_the_operator_may_read_the_admin_port() -> None:
    assert spec() == {
        "podSelector": {"matchLabels": names.selector("handbook")},
        "policyTypes": ["Ingress"],
        "ingress": [{"ports": PUBLIC}, {"from": [OPERATOR], "ports": ADMIN}],
    }


def test_outside_a_cluster_the_admin_port_is_closed() -> None:
    assert spec(settings=Settings(image="a"))["ingress"] == [{"ports": PUBLIC}]


def test_no_clients_are_nobody_and_not_everyone() -> None:
    assert spec({"clients": []})["ingress"] == [{"from": [OPERATOR], "ports": ADMIN}]
    assert "ingress" not in spec({"clients": [], "scrapers": []}, Settings(image="a"))


def test_scrapers_may_read_the_admin_port_beside_the_operator() -> None:
    (_, admin) = spec({"scrapers": [{"podLabels": {"app": "prometheus"}}]})["ingress"]
    assert admin["ports"] == ADMIN
    assert admin["from"] == [OPERATOR, {"podSelector": {"matchLabels": {"app": "prometheus"}}}]


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ({}, {"podSelector": {}}),
        ({"podLabels": {}}, {"podSelector": {}}),
        ({"podLabels": {"a": "b"}}, {"podSelector": {"matchLabels": {"a": "b"}}}),
        ({"namespaceLabels": {}}, {"namespaceSelector": {}}),
        ({"namespaceLabels": {"a": "b"}}, {"namespaceSelector": {"matchLabels": {"a": "b"}}}),
        (
            {"namespaceLabels": {}, "podLabels": {"a": "b"}},
            {"namespaceSelector": {}, "podSelector": {"matchLabels": {"a": "b"}}},
        ),
    ],
)
def test_a_peer_is_the_pods_that_it_describes(peer: dict[str, Any], expected: dict[str, Any]) -> None:
    (public, _) = spec({"clients": [peer]})["ingress"]
    assert public == {"from": [expected], "ports": PUBLIC}


def test_what_may_be_called_is_the_destinations_and_the_names_of_the_cluster() -> None:
    egress = [{"cidr": "10.0.0.0/8", "ports": [443, 6333]}, {"peer": {"podLabels": {"app": "qdrant"}}}]
    found = spec({"egress": egress})
    assert found["policyTypes"] == ["Ingress", "Egress"]
    assert found["egress"] == [
        DNS,
        {
            "to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
            "ports": [{"protocol": "TCP", "port": 443}, {"protocol": "TCP", "port": 6333}],
        },
        {"to": [{"podSelector": {"matchLabels": {"app": "qdrant"}}}]},
    ]


def test_no_destinations_are_nothing_but_names() -> None:
    assert spec({"egress": []})["egress"] == [DNS]

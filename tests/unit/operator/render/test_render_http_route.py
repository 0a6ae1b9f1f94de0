from __future__ import annotations

from ragfleet_operator.kinds import HTTP_ROUTE, SERVICE_MONITOR
from ragfleet_operator.model import Observation
from support.rendering import of_kind, one, rendered
from support.sections import EXPOSURES


def test_it_leads_from_the_gateways_to_the_service_and_ends_no_stream() -> None:
    route = {
        "parentRefs": [{"name": "public", "namespace": "gateways", "sectionName": "https"}, {"name": "own"}],
        "hostnames": ["handbook.example"],
    }
    spec = one(rendered({"exposure": {"type": "HTTPRoute", "httpRoute": route}}), HTTP_ROUTE)["spec"]
    assert spec["parentRefs"] == route["parentRefs"]
    assert spec["hostnames"] == ["handbook.example"]
    (rule,) = spec["rules"]
    assert rule["backendRefs"] == [{"name": "handbook", "port": 8080}]
    assert rule["timeouts"] == {"request": "0s"}


def test_there_is_none_where_the_cluster_does_not_know_the_kind() -> None:
    changes = {"exposure": EXPOSURES["HTTPRoute"]}
    seen = Observation(kinds=frozenset({SERVICE_MONITOR}))
    assert of_kind(rendered(changes, seen=seen), HTTP_ROUTE) == []
    assert len(of_kind(rendered(changes), HTTP_ROUTE)) == 1


def test_there_is_none_where_an_ingress_is_asked_for() -> None:
    assert of_kind(rendered({"exposure": EXPOSURES["Ingress"]}), HTTP_ROUTE) == []

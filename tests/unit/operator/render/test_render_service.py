from __future__ import annotations

from ragfleet_operator import names
from ragfleet_operator.kinds import DEPLOYMENT, SERVICE
from support.rendering import of_kind, one, rendered


def test_the_service_that_clients_call_has_the_public_port_alone() -> None:
    public, _ = of_kind(rendered(), SERVICE)
    assert public.name == "handbook"
    (port,) = public.manifest["spec"]["ports"]
    assert (port["name"], port["port"], port["appProtocol"]) == ("http", 8080, "http")


def test_the_admin_port_has_a_service_of_its_own_for_pods_in_any_state() -> None:
    _, admin = of_kind(rendered(), SERVICE)
    spec = admin.manifest["spec"]
    assert admin.name == names.admin_service("handbook") == "handbook-admin"
    assert (spec["clusterIP"], spec["publishNotReadyAddresses"]) == ("None", True)
    assert [(port["name"], port["port"]) for port in spec["ports"]] == [("admin", 8081)]


def test_both_lead_to_the_pods_and_to_ports_that_they_have() -> None:
    children = rendered({"runtime.labels": {"team": "docs"}})
    template = one(children, DEPLOYMENT)["spec"]["template"]
    labels = template["metadata"]["labels"]
    ports = {port["name"] for port in template["spec"]["containers"][0]["ports"]}
    for service in of_kind(children, SERVICE):
        assert service.manifest["spec"]["selector"].items() <= labels.items()
        assert {port["targetPort"] for port in service.manifest["spec"]["ports"]} <= ports

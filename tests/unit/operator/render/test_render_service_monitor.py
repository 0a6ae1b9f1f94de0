from __future__ import annotations

from typing import Any

import pytest

from ragfleet_operator import names
from ragfleet_operator.kinds import HTTP_ROUTE, SECRET, SERVICE, SERVICE_MONITOR
from ragfleet_operator.model import Observation
from support.rendering import of_kind, one, rendered


def monitor(**section: Any) -> dict[str, Any]:
    return one(rendered({"monitoring": {"serviceMonitor": section}}), SERVICE_MONITOR)


def test_it_reads_the_admin_port_with_the_token_that_is_made() -> None:
    children = rendered({"monitoring": {"serviceMonitor": {}}})
    spec = one(children, SERVICE_MONITOR)["spec"]
    (endpoint,) = spec["endpoints"]
    credentials = endpoint["authorization"]["credentials"]
    (secret,) = [child for child in of_kind(children, SECRET) if child.name == credentials["name"]]
    assert credentials["key"] in secret.manifest["stringData"]
    selected = [
        child.name
        for child in of_kind(children, SERVICE)
        if spec["selector"]["matchLabels"].items() <= child.manifest["metadata"]["labels"].items()
        and endpoint["port"] in {port["name"] for port in child.manifest["spec"]["ports"]}
    ]
    assert selected == [names.admin_service("handbook")]


@pytest.mark.parametrize(
    ("section", "expected"),
    [({}, ("30s", "10s")), ({"intervalSeconds": 5}, ("5s", "5s")), ({"intervalSeconds": 60}, ("60s", "10s"))],
)
def test_reading_never_takes_longer_than_the_interval(
    section: dict[str, int], expected: tuple[str, str]
) -> None:
    (endpoint,) = monitor(**section)["spec"]["endpoints"]
    assert (endpoint["interval"], endpoint["scrapeTimeout"]) == expected


def test_its_labels_are_added_to_ours() -> None:
    labels = monitor(labels={"release": "prometheus"})["metadata"]["labels"]
    assert labels == {"release": "prometheus", **names.labels("handbook")}


def test_there_is_none_where_none_is_asked_for_or_the_cluster_does_not_know_the_kind() -> None:
    assert of_kind(rendered(), SERVICE_MONITOR) == []
    seen = Observation(kinds=frozenset({HTTP_ROUTE}))
    children = rendered({"monitoring": {"serviceMonitor": {}}}, seen=seen)
    assert of_kind(children, SERVICE_MONITOR) == []

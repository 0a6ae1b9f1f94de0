from __future__ import annotations

from typing import Any

import pytest

from ragfleet_operator.kinds import DEPLOYMENT, HPA
from support.rendering import of_kind, one, rendered
from support.sections import QDRANT


def spec(scaling: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = one(rendered({"vectorStore": QDRANT, "autoscaling": scaling}), HPA)["spec"]
    return found


def test_without_autoscaling_there_is_none() -> None:
    assert of_kind(rendered({"vectorStore": QDRANT, "replicas": 3}), HPA) == []


def test_it_scales_the_deployment_which_says_no_number_itself() -> None:
    children = rendered({"vectorStore": QDRANT, "autoscaling": {}})
    deployment = one(children, DEPLOYMENT)
    assert "replicas" not in deployment["spec"]
    assert one(children, HPA)["spec"] == {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "handbook"},
        "minReplicas": 2,
        "maxReplicas": 10,
        "metrics": [
            {
                "type": "Resource",
                "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
            }
        ],
    }


@pytest.mark.parametrize(
    ("scaling", "expected"),
    [
        ({"minReplicas": 12}, (12, 12)),
        ({"maxReplicas": 1}, (1, 1)),
        ({"minReplicas": 1}, (1, 10)),
        ({"minReplicas": 3, "maxReplicas": 4}, (3, 4)),
    ],
)
def test_a_bound_that_is_left_out_gives_way(scaling: dict[str, int], expected: tuple[int, int]) -> None:
    found = spec(scaling)
    assert (found["minReplicas"], found["maxReplicas"]) == expected


def test_memory_and_custom_metrics_count_where_they_are_named() -> None:
    scaling = {
        "targetCPUUtilizationPercentage": 50,
        "targetMemoryUtilizationPercentage": 80,
        "metrics": [{"name": "requests", "averageValue": "250m"}],
    }
    cpu, memory, requests = spec(scaling)["metrics"]
    assert cpu["resource"]["target"]["averageUtilization"] == 50
    assert memory["resource"] == {
        "name": "memory",
        "target": {"type": "Utilization", "averageUtilization": 80},
    }
    target = {"type": "AverageValue", "averageValue": "250m"}
    assert requests == {"type": "Pods", "pods": {"metric": {"name": "requests"}, "target": target}}


def test_behaviour_says_what_the_pipeline_says_and_a_wait_of_no_seconds_counts() -> None:
    policies = [{"type": "Percent", "value": 100, "periodSeconds": 15}]
    behavior = {"scaleUp": {"policies": policies}, "scaleDown": {"stabilizationWindowSeconds": 0}}
    assert spec({"behavior": behavior})["behavior"] == behavior


@pytest.mark.parametrize("behavior", [{}, {"scaleUp": {}}])
def test_behaviour_that_says_nothing_is_left_out(behavior: dict[str, Any]) -> None:
    assert "behavior" not in spec({"behavior": behavior})

from __future__ import annotations

from typing import Any

import pytest

from ragfleet_operator import names
from ragfleet_operator.kinds import PDB
from support.rendering import of_kind, one, rendered
from support.sections import QDRANT


def test_one_pod_at_a_time_may_go_and_unwell_ones_always() -> None:
    assert one(rendered({"vectorStore": QDRANT, "replicas": 2}), PDB)["spec"] == {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": names.selector("handbook")},
    }


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({"replicas": 1}, 0),
        ({"vectorStore": QDRANT}, 0),
        ({"vectorStore": QDRANT, "replicas": 0}, 0),
        ({"vectorStore": QDRANT, "replicas": 2}, 1),
        ({"vectorStore": QDRANT, "autoscaling": {"minReplicas": 1}}, 1),
        ({"vectorStore": QDRANT, "autoscaling": {"maxReplicas": 1}}, 0),
    ],
)
def test_there_is_one_where_there_may_be_two_pods(changes: dict[str, Any], count: int) -> None:
    assert len(of_kind(rendered(changes), PDB)) == count

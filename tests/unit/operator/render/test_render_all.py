from __future__ import annotations

from ragfleet_operator.kinds import CHILDREN, CONFIG_MAP, CONTROLLER_REVISION, DEPLOYMENT, HPA
from ragfleet_operator.model import Observation, Ref
from ragfleet_operator.render import without_workload
from support.rendering import one, rendered
from support.sections import EXPOSURES, QDRANT

SCALED = {"vectorStore": QDRANT, "autoscaling": {}, "exposure": EXPOSURES["Ingress"]}


def test_children_come_in_the_order_in_which_they_are_applied() -> None:
    order = [CHILDREN.index(child.kind) for child in rendered(SCALED)]
    assert order == sorted(order)


def test_the_workload_is_the_configuration_the_revision_and_the_deployment() -> None:
    children = rendered(SCALED)
    rest = without_workload(children)
    assert [child for child in children if child not in rest] == [
        child for child in children if child.kind in (CONFIG_MAP, CONTROLLER_REVISION, DEPLOYMENT)
    ]
    assert len(children) - len(rest) == 3


def test_an_autoscaler_waits_for_its_deployment() -> None:
    children = rendered(SCALED)
    there = Observation(children={Ref(DEPLOYMENT, "handbook"): one(children, DEPLOYMENT)})
    assert HPA not in {child.kind for child in without_workload(children, Observation())}
    assert HPA in {child.kind for child in without_workload(children, there)}

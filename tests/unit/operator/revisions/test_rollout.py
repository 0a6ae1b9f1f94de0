"""Three questions about a Deployment's numbers, and where their answers differ."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from ragfleet_api.spec.scaling import Autoscaling
from ragfleet_operator.kinds import DEPLOYMENT
from ragfleet_operator.model import Observation, Pipeline, Ref
from ragfleet_operator.revisions.rollout import is_rolled_out, runs_whole
from ragfleet_operator.status.workload import is_complete, workload_of
from support.rendering import UID, make_pipeline
from support.sections import QDRANT

COUNTS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")


def deployment(
    desired: int | None,
    counts: Mapping[str, int] = MappingProxyType({}),
    *,
    is_observed: bool = True,
    is_going: bool = False,
) -> Any:
    """As the API server has it: what is 0 isn't in a status."""
    metadata: dict[str, Any] = {
        "name": "handbook",
        "generation": 3,
        "ownerReferences": [{"uid": UID}],
        **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if is_going else {}),
    }
    status = {"observedGeneration": 3 if is_observed else 2, **{k: v for k, v in counts.items() if v}}
    return {
        "metadata": metadata,
        "spec": {} if desired is None else {"replicas": desired},
        "status": status,
    }


def all_of(count: int, **more: int) -> dict[str, int]:
    """Numbers of a Deployment that has so many pods, all of them well."""
    return {**dict.fromkeys(COUNTS, count), **more}


def answers(pipeline: Pipeline, obj: Any) -> tuple[bool, bool, bool]:
    """Whether it is rolled out, proven, and as the specification says."""
    seen = Observation(children={Ref(DEPLOYMENT, "handbook"): obj})
    workload = workload_of(pipeline, seen)
    assert workload is not None
    return (
        is_rolled_out(obj),
        runs_whole(obj, pipeline.spec.autoscaling),
        is_complete(pipeline, workload),
    )


def counting(replicas: int) -> Pipeline:
    return make_pipeline({"vectorStore": QDRANT, "replicas": replicas})


def scaled() -> Pipeline:
    return make_pipeline({"vectorStore": QDRANT, "autoscaling": {"minReplicas": 2, "maxReplicas": 9}})


@pytest.mark.parametrize(
    "obj",
    [
        deployment(2, all_of(2, replicas=3)),
        deployment(2, all_of(2, updatedReplicas=1)),
        deployment(2, all_of(2, availableReplicas=1)),
        deployment(2, all_of(1)),
        deployment(2, all_of(2), is_observed=False),
        deployment(2),
        {**deployment(2), "status": {}},
    ],
    ids=["an old pod", "not updated", "not available", "too few", "not observed", "none", "no status"],
)
def test_none_says_yes_during_a_rollout(obj: Any) -> None:
    assert answers(counting(2), obj) == (False, False, False)


def test_all_say_yes_after_it() -> None:
    assert answers(counting(2), deployment(2, all_of(2))) == (True, True, True)
    assert answers(counting(1), deployment(None, all_of(1))) == (True, True, True)
    assert answers(scaled(), deployment(3, all_of(3))) == (True, True, True)


def test_no_pods_are_a_finished_rollout_and_as_specified_and_prove_nothing() -> None:
    assert answers(counting(0), deployment(0)) == (True, False, True)


def test_under_an_autoscaler_a_pod_that_comes_is_on_its_way_and_nothing_to_wait_for() -> None:
    coming = deployment(5, all_of(4, availableReplicas=3))
    assert answers(scaled(), coming) == (False, True, True)
    assert answers(counting(5), coming) == (False, False, False)


def test_under_an_autoscaler_the_fewest_have_to_be_available_and_of_the_newest_version() -> None:
    assert answers(scaled(), deployment(1, all_of(1))) == (True, False, False)
    assert answers(scaled(), deployment(3, all_of(3, updatedReplicas=2))) == (False, False, False)
    assert answers(scaled(), deployment(0)) == (True, False, False)


def test_a_count_that_somebody_else_set_is_a_finished_rollout_of_what_is_not_specified() -> None:
    assert answers(counting(2), deployment(3, all_of(3))) == (True, True, False)


def test_what_is_being_deleted_proves_nothing_and_is_not_as_specified() -> None:
    assert answers(counting(2), deployment(2, all_of(2), is_going=True)) == (True, False, False)
    assert answers(scaled(), deployment(2, all_of(2), is_going=True)) == (True, False, False)


def test_pods_that_are_unavailable_beside_enough_that_are_not_keep_it_from_being_as_specified() -> None:
    obj = deployment(2, all_of(2, unavailableReplicas=1))
    assert answers(counting(2), obj) == (True, True, False)


@pytest.mark.parametrize("observed_by_status", [True, False], ids=["was ready", "was not"])
def test_a_step_of_an_autoscaler_that_is_not_taken_up_yet_leaves_ready_what_was(
    *, observed_by_status: bool
) -> None:
    ready = {"type": "Ready", "status": "True" if observed_by_status else "False", "observedGeneration": 1}
    pipeline = scaled()
    pipeline = Pipeline(pipeline.key, UID, 1, pipeline.spec, {"conditions": [ready]})
    obj = deployment(4, all_of(3), is_observed=False)
    assert answers(pipeline, obj) == (False, False, observed_by_status)


def test_the_bounds_that_are_left_out_count() -> None:
    fewest = deployment(2, all_of(2))
    assert runs_whole(fewest, Autoscaling())
    assert runs_whole(fewest, Autoscaling(max_replicas=2))
    assert not runs_whole(fewest, Autoscaling(min_replicas=3))

"""What other objects are made of while pods are of another revision."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from ragfleet_api.config.versions import CURRENT_VERSION
from ragfleet_operator.render import rendered
from ragfleet_operator.render.concern import BESIDE_PODS, as_json
from ragfleet_operator.revisions.mixed import mixed
from support.drawn_specs import drawn_specs
from support.rendering import SETTINGS, make_pipeline, pipeline_of
from support.sections import EXPOSURES, QDRANT, Json

SERVER = {"vectorStore": QDRANT}


def mix(now: dict[str, Any], then: dict[str, Any]) -> Json:
    return as_json(mixed(make_pipeline(now).spec, as_json(make_pipeline(then).spec)))


def test_pods_are_of_then_and_the_rest_is_of_now() -> None:
    now = {
        **SERVER,
        "retrieval.topK": 6,
        "replicas": 3,
        "exposure": EXPOSURES["Ingress"],
        "monitoring": {"serviceMonitor": {}},
        "upgrade.deadlineSeconds": 60,
    }
    then = {**SERVER, "retrieval.topK": 5, "replicas": 2, "networkPolicy": {"clients": []}, "suspend": True}
    expected = make_pipeline({**now, "retrieval.topK": 5})
    assert mix(now, then) == as_json(expected.spec)


def test_a_section_that_is_empty_says_something() -> None:
    assert mix({**SERVER, "autoscaling": {}}, {**SERVER, "replicas": 2})["autoscaling"] == {}


def test_the_claim_is_of_now_where_the_engine_is_the_same() -> None:
    storage = {"type": "Embedded", "deletionPolicy": "Delete", "embedded": {"storage": {"size": "20Gi"}}}
    assert mix({"vectorStore": storage}, {})["vectorStore"] == storage
    assert mix({}, {"vectorStore": storage})["vectorStore"] == {"type": "Embedded"}
    assert mix({"vectorStore": QDRANT}, {"vectorStore": storage})["vectorStore"] == storage


def test_the_annotations_of_the_account_that_is_made_are_of_now() -> None:
    def account(**fields: Any) -> Json:
        return {"runtime": {"serviceAccount": fields}}

    now, then = account(annotations={"a.example/b": "now"}), account(annotations={"a.example/b": "then"})
    assert mix(now, then)["runtime"] == now["runtime"]
    assert "runtime" not in mix({}, then)
    assert mix(now, account(name="own"))["runtime"] == {"serviceAccount": {"name": "own"}}


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ({**SERVER, "autoscaling": {}}, {}),
        ({**SERVER, "replicas": 3}, {}),
        (
            {**SERVER, "autoscaling": {}},
            {**SERVER, "replicas": 2, "runtime": {"resources": {"requests": {"memory": "1Gi"}}}},
        ),
    ],
)
def test_where_the_scaling_of_now_does_not_fit_it_is_of_then(now: Json, then: Json) -> None:
    now = {**now, "networkPolicy": {"clients": []}}
    expected = {**as_json(make_pipeline(then).spec), "networkPolicy": {"clients": []}}
    assert mix(now, then) == expected


@pytest.mark.parametrize("then", [{}, {"vectorStore": "text"}, {"unknown": 1}, {"vectorStore": {}}])
def test_what_cannot_be_read_counts_for_nothing(then: Json) -> None:
    now = make_pipeline(SERVER).spec
    assert mixed(now, then) == now


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(drawn_specs(), drawn_specs())
def test_pods_of_a_mix_are_those_of_then(now: Json, then: Json) -> None:
    before = pipeline_of(then)
    made = mixed(pipeline_of(now).spec, as_json(before.spec))
    template, expected = (
        rendered(pipeline, SETTINGS, "a:1", CURRENT_VERSION, 1).template
        for pipeline in (pipeline_of(as_json(made)), before)
    )
    assert template == expected
    sections = set(BESIDE_PODS) - {"replicas", "autoscaling"}
    present = as_json(pipeline_of(now).spec)
    assert {name: as_json(made).get(name) for name in sections} == {
        name: present.get(name) for name in sections
    }

from __future__ import annotations

from typing import Any

from ragfleet_operator.kinds import DEPLOYMENT
from support.rendering import one, rendered


def variables(env: list[dict[str, Any]]) -> list[dict[str, Any]]:
    pod = one(rendered({"runtime.env": env}), DEPLOYMENT)["spec"]["template"]["spec"]
    found: list[dict[str, Any]] = pod["containers"][0]["env"]
    return found


def test_what_is_written_at_home_goes_where_it_can_be_written() -> None:
    assert variables([]) == [{"name": "HOME", "value": "/tmp"}]


def test_variables_of_the_pipeline_are_added_in_the_order_of_names() -> None:
    ref = {"name": "hub", "key": "token"}
    env: list[dict[str, Any]] = [
        {"name": "HTTPS_PROXY", "value": "http://proxy"},
        {"name": "A", "secretKeyRef": ref},
    ]
    found = variables(env)
    assert [variable["name"] for variable in found] == ["A", "HOME", "HTTPS_PROXY"]
    assert found[0]["valueFrom"] == {"secretKeyRef": ref}
    assert found[-1] == {"name": "HTTPS_PROXY", "value": "http://proxy"}


def test_the_pipelines_value_wins_and_a_name_comes_once() -> None:
    found = variables([{"name": "HOME", "value": "/models"}])
    assert found == [{"name": "HOME", "value": "/models"}]


def test_an_empty_value_is_one_that_is_not_given() -> None:
    assert {"name": "NO_PROXY"} in variables([{"name": "NO_PROXY", "value": ""}])

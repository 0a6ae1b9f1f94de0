"""Whether a live object holds what was applied."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragfleet_operator.engine.drift import content, digest, holds, mark_of, marked, projection

CONTAINER = {
    "name": "ragfleet",
    "image": "x:1",
    "args": ["serve", "--port", "8080"],
    "env": [{"name": "A", "value": "1"}],
    "resources": {"requests": {"cpu": "1000m", "memory": "1Gi"}},
    "ports": [{"containerPort": 8080}],
}
DESIRED: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "a", "labels": {"team": "x"}, "ownerReferences": [{"uid": "u", "name": "a"}]},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"spec": {"containers": [CONTAINER], "nodeSelector": {"disk": "ssd"}}},
    },
}


def live() -> dict[str, Any]:
    """As a server has it: with defaults, others' additions, and quantities of its own spelling."""
    obj = copy.deepcopy(DESIRED)
    obj["metadata"]["labels"]["other"] = "y"
    obj["metadata"]["uid"] = "u9"
    obj["status"] = {"replicas": 2}
    pod = obj["spec"]["template"]["spec"]
    pod["restartPolicy"] = "Always"
    container = pod["containers"][0]
    container["imagePullPolicy"] = "IfNotPresent"
    container["resources"]["requests"]["cpu"] = "1"
    container["ports"][0]["protocol"] = "TCP"
    container["env"].insert(0, {"name": "INJECTED", "value": "z"})
    pod["containers"].insert(0, {"name": "sidecar", "image": "y:1"})
    return obj


def container_of(obj: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = obj["spec"]["template"]["spec"]["containers"][1]
    return found


def test_defaults_and_what_others_add_are_no_drift() -> None:
    assert holds(live(), DESIRED)


def _image(obj: dict[str, Any]) -> None:
    container_of(obj)["image"] = "x:2"


def _args(obj: dict[str, Any]) -> None:
    container_of(obj)["args"].append("--more")


def _environment(obj: dict[str, Any]) -> None:
    container_of(obj)["env"].pop()


def _requests(obj: dict[str, Any]) -> None:
    container_of(obj)["resources"]["requests"]["memory"] = "2Gi"


def _replicas(obj: dict[str, Any]) -> None:
    obj["spec"]["replicas"] = 3


def _label(obj: dict[str, Any]) -> None:
    del obj["metadata"]["labels"]["team"]


def _owner(obj: dict[str, Any]) -> None:
    obj["metadata"]["ownerReferences"] = []


def _node_selector(obj: dict[str, Any]) -> None:
    obj["spec"]["template"]["spec"]["nodeSelector"]["zone"] = "b"


def _container(obj: dict[str, Any]) -> None:
    obj["spec"]["template"]["spec"]["containers"].pop()


EDITS = [_image, _args, _environment, _requests, _replicas, _label, _owner, _node_selector, _container]


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__.strip("_"))
def test_an_edit_is_drift_whether_or_not_anything_is_remembered(edit: Any) -> None:
    before = live()
    after = copy.deepcopy(before)
    edit(after)
    assert not holds(after, DESIRED)
    assert digest(projection(before, DESIRED)) != digest(projection(after, DESIRED))


def test_what_others_change_of_their_own_is_no_drift() -> None:
    before, after = live(), live()
    after["status"] = {"replicas": 0}
    after["metadata"]["labels"]["other"] = "changed"
    after["spec"]["template"]["spec"]["containers"][0]["image"] = "y:2"
    assert digest(projection(before, DESIRED)) == digest(projection(after, DESIRED))


def test_a_list_that_is_one_value_is_compared_whole() -> None:
    policy = {"kind": "NetworkPolicy", "spec": {"ingress": [{"ports": [{"port": 8080, "protocol": "TCP"}]}]}}
    opened = {"spec": {"ingress": [*policy["spec"]["ingress"], {}]}}  # type: ignore[index]
    more = {"spec": {"ingress": [{"ports": [{"port": 8080, "protocol": "TCP"}, {"port": 22}]}]}}
    for edited in (opened, more):
        assert not holds(edited, policy)
        assert projection(edited, policy) != projection(policy, policy)


def test_the_mark_tells_one_manifest_from_another_and_is_not_part_of_itself() -> None:
    first = marked(DESIRED)
    assert mark_of(first) == mark_of(marked(copy.deepcopy(DESIRED)))
    other = copy.deepcopy(DESIRED)
    other["spec"]["replicas"] = 5
    assert mark_of(marked(other)) != mark_of(first)
    assert mark_of(DESIRED) is None


def test_a_status_and_a_version_are_not_content() -> None:
    before, after = live(), live()
    after["status"] = {"replicas": 1}
    after["metadata"] |= {"resourceVersion": "9", "generation": 4, "managedFields": [{"manager": "x"}]}
    assert content(after) == content(before)


@pytest.mark.parametrize("change", ["label", "annotation", "owner", "field", "gone"])
def test_all_else_is_content(change: str) -> None:
    obj = live()
    metadata = obj["metadata"]
    if change == "label":
        metadata["labels"]["team"] = "y"
    elif change == "annotation":
        metadata["annotations"] = {"a": "b"}
    elif change == "owner":
        metadata["ownerReferences"] = []
    elif change == "field":
        container_of(obj)["image"] = "x:2"
    else:
        del obj["spec"]["replicas"]
    assert content(obj) != content(live())


@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from([1, "x", "y:1"])), max_size=4))
def test_where_the_content_is_the_same_every_projection_is(edits: list[tuple[int, Any]]) -> None:
    obj = live()
    for position, value in edits:
        holders = list(_holders(obj))
        holder, name = holders[position % len(holders)]
        holder[name] = value
    if projection(obj, DESIRED) != projection(live(), DESIRED):
        assert content(obj) != content(live())


def _holders(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each place of a JSON value that holds no others."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, item in items:
        if isinstance(item, dict | list):
            yield from _holders(item)
        else:
            yield value, name

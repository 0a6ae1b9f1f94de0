"""The operator has exactly the permissions of its list: enough, and none of the cluster for namespaces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ragfleet_operator.deploy import manifests
from ragfleet_operator.permissions import role
from support.cluster_pipelines import CHILDREN, Place, pipeline
from support.control_plane import ControlPlane
from support.operator_process import operator_process

NAME = "ragfleet-operator"


@pytest.fixture
def other_namespace(control_plane: ControlPlane, namespace: str) -> Iterator[str]:
    name = f"{namespace}-other"
    control_plane.kubectl("create", "namespace", name)
    yield name
    control_plane.kubectl("delete", "namespace", name, "--wait=false")


def test_the_cluster_role_is_enough_and_the_manifests_can_be_applied(
    control_plane: ControlPlane, namespace: str
) -> None:
    made = [item for item in manifests("cluster", namespace, "ragfleet:v1") if item["kind"] != "Namespace"]
    try:
        _apply(control_plane, made)
        kubeconfig = control_plane.kubeconfig_for(NAME, namespace)
        with operator_process(control_plane, kubeconfig=kubeconfig) as operator:
            place = Place(control_plane, namespace)
            place.apply(pipeline())
            place.wait_ready()
            place.kubectl("delete", "service/handbook")
            place.wait_until(lambda: place.get("service/handbook"), "the service to come back")
            place.kubectl("delete", "ragp/handbook")
            assert operator.get("/readyz").text == "ok\n"
            assert '"level":"warning"' not in operator.log
    finally:
        control_plane.kubectl("delete", "clusterrole,clusterrolebinding", NAME, "--ignore-not-found")


def test_in_some_namespaces_it_needs_nothing_of_the_cluster_and_touches_no_other(
    control_plane: ControlPlane, namespace: str, other_namespace: str
) -> None:
    _apply(control_plane, manifests("namespace", namespace, "ragfleet:v1"))
    kubeconfig = control_plane.kubeconfig_for(NAME, namespace)
    for what in ("list customresourcedefinitions", "list namespaces", f"list secrets -n {other_namespace}"):
        answer = control_plane.kubectl("auth", "can-i", *what.split(), config=kubeconfig, check=False)
        assert answer.stdout.strip() == "no", what
    with operator_process(control_plane, namespaces=[namespace], kubeconfig=kubeconfig) as operator:
        place, other = Place(control_plane, namespace), Place(control_plane, other_namespace)
        other.apply(pipeline())
        place.apply(pipeline())
        place.wait_ready()
        assert all(place.get(child) for child in CHILDREN)
        assert not (other.get("ragp/handbook") or {}).get("status", {}).get("conditions")
        assert other.get("service/handbook") is None
        assert '"level":"warning"' not in operator.log


def test_a_namespace_whose_role_comes_later_is_looked_after_from_then_on(
    control_plane: ControlPlane, namespace: str, other_namespace: str
) -> None:
    _apply(control_plane, manifests("namespace", namespace, "ragfleet:v1"))
    kubeconfig = control_plane.kubeconfig_for(NAME, namespace)
    both = [namespace, other_namespace]
    with operator_process(control_plane, namespaces=both, kubeconfig=kubeconfig, ready=False) as operator:
        place, other = Place(control_plane, namespace), Place(control_plane, other_namespace)
        other.apply(pipeline())
        place.apply(pipeline())
        place.wait_ready()
        assert f"ragpipelines in {other_namespace}: forbidden" in operator.get("/readyz").text
        binding = next(
            item for item in manifests("namespace", namespace, "i") if item["kind"] == "RoleBinding"
        )
        there = {**binding, "metadata": {"name": NAME, "namespace": other_namespace}}
        _apply(control_plane, [role("namespace", NAME, other_namespace), there])
        other.wait_ready()
        operator.wait_ready()


def test_a_kind_that_may_not_be_touched_is_said_and_the_rest_goes_on(
    control_plane: ControlPlane, namespace: str
) -> None:
    made = manifests("namespace", namespace, "ragfleet:v1")
    for item in made:
        if item["kind"] == "Role":
            item["rules"] = [rule for rule in item["rules"] if rule["apiGroups"] != ["policy"]]
    _apply(control_plane, made)
    kubeconfig = control_plane.kubeconfig_for(NAME, namespace)
    with operator_process(control_plane, namespaces=[namespace], kubeconfig=kubeconfig) as operator:
        place = Place(control_plane, namespace)
        place.apply(pipeline())
        place.wait_until(lambda: "Forbidden" in str(place.get("ragp/handbook")), "it to be said")
        assert "poddisruptionbudgets" in str((place.get("ragp/handbook") or {})["status"])
        place.wait_until(lambda: (place.get("deployment/handbook") or {}).get("status"), "the deployment")
        assert "poddisruptionbudgets" in operator.get("/readyz").text
        warnings = [line for line in operator.log.splitlines() if "may not be watched" in line]
        assert len(warnings) == 1


@pytest.mark.parametrize("scope", ["cluster", "namespace"])
def test_the_manifests_are_what_the_list_makes(scope: str) -> None:
    path = Path(__file__).parents[2] / "deploy" / f"{scope}.yaml"
    kept: list[Any] = list(yaml.safe_load_all(path.read_text()))
    assert kept == manifests(scope, "ragfleet-system", "ragfleet:0.1.0")


def _apply(control_plane: ControlPlane, items: list[dict[str, Any]]) -> None:
    control_plane.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(items))

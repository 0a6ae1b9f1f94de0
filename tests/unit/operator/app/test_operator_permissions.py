"""The list of permissions is what the code can do, no more and no less."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest
import yaml

import ragfleet_operator.engine
from ragfleet_operator import permissions
from ragfleet_operator.engine.cluster import Cluster
from ragfleet_operator.engine.lease import Leases
from ragfleet_operator.kinds import CHILDREN, PIPELINE, POD
from ragfleet_operator.permissions import (
    LEASE_VERBS,
    PERMISSIONS,
    VERBS,
    election,
    election_role,
    role,
    rules,
)


def test_each_call_of_the_client_has_its_verbs() -> None:
    calls = {name for name, _ in inspect.getmembers(Cluster, inspect.isfunction) if not name.startswith("_")}
    assert calls == set(VERBS)


def test_each_call_of_the_elector_has_its_verb_on_one_lease() -> None:
    calls = {name for name, _ in inspect.getmembers(Leases, inspect.isfunction) if not name.startswith("_")}
    assert calls == set(LEASE_VERBS)
    assert rules(election("mine")) == [
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
        {
            "apiGroups": ["coordination.k8s.io"],
            "resources": ["leases"],
            "resourceNames": ["mine"],
            "verbs": ["get", "update"],
        },
    ]


def test_the_role_of_the_election_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    permissions.main(["--scope", "election", "--namespace", "team-a", "--lease-name", "mine"])
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed == election_role("ragfleet-operator-election", "team-a", "mine")
    assert printed["kind"] == "Role"


def test_the_children_get_the_verbs_of_the_calls_and_those_of_a_watch_and_no_others() -> None:
    of_children = {"apply", "create", "get", "list", "delete"}
    wanted = {"list", "watch"}.union(*(VERBS[call] for call in of_children))
    for kind in CHILDREN:
        assert _verbs(kind.group, kind.plural) == wanted, kind


def test_pipelines_are_read_and_only_their_status_is_written() -> None:
    assert _verbs(PIPELINE.group, PIPELINE.plural) == {"list", "watch"}
    assert _verbs(PIPELINE.group, f"{PIPELINE.plural}/status") == VERBS["patch_status"]
    assert _verbs(PIPELINE.group, f"{PIPELINE.plural}/finalizers") == {"update"}


def test_pods_are_listed_and_events_made() -> None:
    assert _verbs(POD.group, POD.plural) == VERBS["list"]
    assert _verbs("events.k8s.io", "events") == VERBS["post_event"]


def test_the_engine_calls_the_client_on_kinds_that_are_in_the_list() -> None:
    """Where a call names its kind, its verbs on that kind are allowed."""
    named = {"PIPELINE": PIPELINE, "POD": POD, **{_constant(kind.kind): kind for kind in CHILDREN}}
    found = set()
    for path in Path(ragfleet_operator.engine.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            call = _client_call(node)
            if call is not None and call[1] in named:
                found.add(call)
    assert ("list", "POD") in found
    for method, name in found:
        kind = named[name]
        assert VERBS[method] <= _verbs(kind.group, kind.plural), (method, name)


def test_no_resource_is_there_twice_and_nothing_is_for_all() -> None:
    pairs = [(item.group, resource) for item in PERMISSIONS for resource in item.resources]
    assert len(pairs) == len(set(pairs))
    assert "*" not in str(rules())
    assert all(item.why for item in PERMISSIONS)


@pytest.mark.parametrize(("scope", "kind"), [("cluster", "ClusterRole"), ("namespace", "Role")])
def test_the_role_is_printed(scope: str, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    permissions.main(["--scope", scope, "--namespace", "team-a"])
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed == role(scope, "ragfleet-operator", "team-a" if scope == "namespace" else None)
    assert printed["kind"] == kind
    assert printed["rules"] == rules()


def _verbs(group: str, resource: str) -> set[str]:
    return {
        verb
        for item in PERMISSIONS
        if item.group == group and resource in item.resources
        for verb in item.verbs
    }


def _constant(kind: str) -> str:
    return {
        "ConfigMap": "CONFIG_MAP",
        "ServiceAccount": "SERVICE_ACCOUNT",
        "PersistentVolumeClaim": "PVC",
        "HorizontalPodAutoscaler": "HPA",
        "PodDisruptionBudget": "PDB",
        "NetworkPolicy": "NETWORK_POLICY",
        "HTTPRoute": "HTTP_ROUTE",
        "ServiceMonitor": "SERVICE_MONITOR",
    }.get(kind, kind.upper())


def _client_call(node: ast.AST) -> tuple[str, str] | None:
    """The method and the kind's name, as in ``cluster.get(SECRET, …)``."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return None
    if not ast.unparse(node.func.value).endswith("cluster") or node.func.attr not in VERBS or not node.args:
        return None
    first = node.args[0]
    return (node.func.attr, first.id) if isinstance(first, ast.Name) else None

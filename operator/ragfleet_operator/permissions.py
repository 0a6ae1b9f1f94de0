"""What the operator needs to be allowed, and nothing more: the one list that roles are made from.

``python -m ragfleet_operator.permissions --scope cluster|namespace|election`` prints the role.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from ragfleet_operator.engine.lease import LEASE
from ragfleet_operator.kinds import CHILDREN, PIPELINE, POD

# By method of engine.cluster.Cluster: what RBAC calls it. An apply of what isn't there yet is a creation too.
VERBS: Final = {
    "apply": frozenset({"create", "patch"}),
    "create": frozenset({"create"}),
    "get": frozenset({"get"}),
    "list": frozenset({"list"}),
    "delete": frozenset({"delete"}),
    "patch_status": frozenset({"patch"}),
    "post_event": frozenset({"create"}),
    "kinds_present": frozenset[str](),  # discovery, which everybody may read
}
ELECTION_ROLE: Final = "ragfleet-operator-election"
# By method of engine.lease.Leases.
LEASE_VERBS: Final = {"get": "get", "create": "create", "update": "update"}
_WATCHED: Final = ("list", "watch")
_KEPT: Final = ("create", "delete", "get", "list", "patch", "watch")


@dataclass(frozen=True, slots=True)
class Permission:
    """Verbs on resources of one API group, and why. name: of the only object that they are for."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    why: str
    name: str = ""


def _children() -> tuple[Permission, ...]:
    groups: dict[str, list[str]] = {}
    for kind in CHILDREN:
        groups.setdefault(kind.group, []).append(kind.plural)
    return tuple(
        Permission(group, tuple(plurals), _KEPT, "Made for pipelines, kept as they should be, and deleted.")
        for group, plurals in sorted(groups.items())
    )


PERMISSIONS: Final = (
    Permission(PIPELINE.group, (PIPELINE.plural,), _WATCHED, "What is asked for."),
    Permission(PIPELINE.group, (f"{PIPELINE.plural}/status",), ("patch",), "What is reported."),
    Permission(
        PIPELINE.group,
        (f"{PIPELINE.plural}/finalizers",),
        ("update",),
        "Children name their pipeline as an owner that waits for them when it is deleted.",
    ),
    *_children(),
    Permission(POD.group, (POD.plural,), ("list",), "Why pods aren't ready."),
    Permission("events.k8s.io", ("events",), ("create",), "Told when a condition changes."),
)


def election(lease_name: str) -> tuple[Permission, ...]:
    """What is needed in the operator's own namespace, where several of them elect one."""
    why = "Which of several operators writes."
    return (
        # Of something that is made, RBAC doesn't know the name.
        Permission(LEASE.group, (LEASE.plural,), (LEASE_VERBS["create"],), why),
        Permission(
            LEASE.group, (LEASE.plural,), (LEASE_VERBS["get"], LEASE_VERBS["update"]), why, lease_name
        ),
    )


def rules(permissions: Sequence[Permission] = PERMISSIONS) -> list[dict[str, Any]]:
    """The rules of a Role or ClusterRole."""
    return [
        {
            "apiGroups": [permission.group],
            "resources": list(permission.resources),
            **({"resourceNames": [permission.name]} if permission.name else {}),
            "verbs": list(permission.verbs),
        }
        for permission in permissions
    ]


def role(scope: str, name: str, namespace: str | None = None) -> dict[str, Any]:
    """The ClusterRole (scope "cluster"), or the Role that each namespace needs (scope "namespace")."""
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole" if scope == "cluster" else "Role",
        "metadata": metadata,
        "rules": rules(),
    }


def election_role(name: str, namespace: str | None, lease_name: str) -> dict[str, Any]:
    """The Role of the namespace that the Lease is in."""
    return {**role("namespace", name, namespace), "rules": rules(election(lease_name))}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the role."""
    parser = argparse.ArgumentParser(prog="ragfleet_operator.permissions", description=__doc__)
    parser.add_argument("--scope", choices=("cluster", "namespace", "election"), required=True)
    parser.add_argument("--name", help="of the role")
    parser.add_argument("--namespace", help="of the Role")
    parser.add_argument("--lease-name", default="ragfleet-operator")
    chosen = parser.parse_args(arguments)
    if chosen.scope == "election":
        made = election_role(chosen.name or ELECTION_ROLE, chosen.namespace, chosen.lease_name)
    else:
        namespace = chosen.namespace if chosen.scope == "namespace" else None
        made = role(chosen.scope, chosen.name or "ragfleet-operator", namespace)
    yaml.safe_dump(made, sys.stdout, sort_keys=False)


if __name__ == "__main__":
    main()

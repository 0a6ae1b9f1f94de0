"""What the operator needs to be allowed, and nothing more: the one list that roles are made from.

``python -m ragfleet_operator.permissions --scope cluster|namespace`` prints the role.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

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
_WATCHED: Final = ("list", "watch")
_KEPT: Final = ("create", "delete", "get", "list", "patch", "watch")


@dataclass(frozen=True, slots=True)
class Permission:
    """Verbs on resources of one API group, and why."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    why: str


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


def rules() -> list[dict[str, Any]]:
    """The rules of a Role or ClusterRole."""
    return [
        {
            "apiGroups": [permission.group],
            "resources": list(permission.resources),
            "verbs": list(permission.verbs),
        }
        for permission in PERMISSIONS
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the role."""
    parser = argparse.ArgumentParser(prog="ragfleet_operator.permissions", description=__doc__)
    parser.add_argument("--scope", choices=("cluster", "namespace"), required=True)
    parser.add_argument("--name", default="ragfleet-operator")
    parser.add_argument("--namespace", help="of the Role")
    chosen = parser.parse_args(arguments)
    namespace = chosen.namespace if chosen.scope == "namespace" else None
    yaml.safe_dump(role(chosen.scope, chosen.name, namespace), sys.stdout, sort_keys=False)


if __name__ == "__main__":
    main()

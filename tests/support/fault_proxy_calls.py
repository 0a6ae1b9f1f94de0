"""Requests to an API server, as rules look at them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

import orjson

WRITES: Final = frozenset({"create", "apply", "patch", "update", "delete"})
READS: Final = frozenset({"get", "list"})
_METHODS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_OF_A_NAMESPACE: Final = frozenset({"status", "finalize"})


@dataclass(frozen=True, slots=True)
class Call:
    """A request. verb: get, list, watch, create, apply, patch, update or delete.

    resource: the plural with its subresource, as in ``ragpipelines/status``; "" where the path is of none.
    namespace: "" for all. name: "" for a list. manager: who applies or patches. number: counts from 1.
    tells: of a pipeline's status, "ready" or "rejected" where it says that it is, or that a revision is.
    """

    number: int
    method: str
    path: str
    verb: str
    resource: str
    namespace: str
    name: str
    manager: str = ""
    tells: str = ""

    @property
    def is_write(self) -> bool:
        """Whether it may change something."""
        return self.verb in WRITES

    def __str__(self) -> str:
        """On one line, for people."""
        place = "/".join(part for part in (self.namespace, self.name) if part)
        return f"{self.verb} {self.resource or self.path} {place}".rstrip()


def read_call(
    number: int, method: str, path: str, query: Mapping[str, str], content_type: str, body: bytes
) -> Call:
    """A request as rules look at it. The name of what is created is read from the body."""
    namespace, resource, name = _place([unquote(part) for part in path.strip("/").split("/")])
    verb = _METHODS.get(method, "get")
    if verb == "patch" and content_type.startswith("application/apply-patch"):
        verb = "apply"
    elif verb == "create" and not name:
        name = _name_of(body)
    elif verb == "get" and resource and not name:
        verb = "watch" if query.get("watch", "") in {"1", "true"} else "list"
    tells = _told(body) if resource == "ragpipelines/status" else ""
    return Call(number, method, path, verb, resource, namespace, name, query.get("fieldManager", ""), tells)


def calls(
    *,
    verbs: Collection[str] = (),
    resources: Collection[str] = (),
    namespaces: Collection[str] = (),
    managers: Collection[str] = (),
    name: Callable[[str], bool] = lambda _: True,
) -> Callable[[Call], bool]:
    """A filter: of these verbs, resources, namespaces and field managers; of all where none is given."""

    def fits(call: Call) -> bool:
        return (
            (not verbs or call.verb in verbs)
            and (not resources or call.resource in resources)
            and (not namespaces or call.namespace in namespaces)
            and (not managers or call.manager in managers)
            and name(call.name)
        )

    return fits


def _place(parts: list[str]) -> tuple[str, str, str]:
    """Namespace, resource and name of a path.

    https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris
    """
    if parts[0] == "api":
        parts = parts[2:]
    elif parts[0] == "apis":
        parts = parts[3:]
    else:
        return "", "", ""
    namespace = ""
    if len(parts) > 2 and parts[0] == "namespaces" and parts[2] not in _OF_A_NAMESPACE:
        namespace, parts = parts[1], parts[2:]
    resource, name, subresource = (*parts, "", "", "")[:3]
    return namespace, f"{resource}/{subresource}" if subresource else resource, name


def _name_of(body: bytes) -> str:
    try:
        found = orjson.loads(body)["metadata"]["name"]
    except (ValueError, KeyError, TypeError):
        return ""
    return str(found)


def _told(body: bytes) -> str:
    status = orjson.loads(body).get("status") or {}
    conditions = status.get("conditions") or ()
    if any((one.get("type"), one.get("status")) == ("Ready", "True") for one in conditions):
        return "ready"
    return "rejected" if (status.get("revisions") or {}).get("rejected") else ""

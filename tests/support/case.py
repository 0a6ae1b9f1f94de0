"""The minimal object, and how cases of the API change it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from support.sections import put

MINIMAL: dict[str, Any] = {
    "apiVersion": "ragfleet.dev/v1alpha1",
    "kind": "RAGPipeline",
    "metadata": {"name": "handbook"},
    "spec": {
        "vectorStore": {"type": "Embedded"},
        "generation": {"type": "Extractive"},
        "auth": {"required": False},
    },
}

Changes = dict[str, Any]
# Sections of a union that their type can do without.
_OPTIONAL = {"Extractive": "extractive", "Embedded": "embedded"}


@dataclass(frozen=True, slots=True)
class Case:
    """The minimal object with some fields changed.

    changes: values by path from the root; ``...`` takes the field away.
    path, message: what the one problem is about, and how it is told on a laptop; "" for a valid object.
    rule: whether a CEL rule finds it, so that the API server's message is the same.
    """

    name: str
    changes: Changes
    path: str = ""
    message: str = ""
    rule: bool = False

    def manifest(self) -> dict[str, Any]:
        """The object."""
        return changed(self.changes)


def changed(changes: Changes) -> dict[str, Any]:
    """The minimal object with fields changed, as in ``Case.changes``; ``a[0].b`` is in a list's item."""
    value = copy.deepcopy(MINIMAL)
    for path, new in changes.items():
        put(value, path, new)
    return value


def broken(name: str, changes: Changes, path: str, message: str) -> Case:
    """A case that breaks a rule."""
    return Case(name, changes, path, message, rule=True)


def union(path: str, members: Mapping[str, Changes], above: Changes) -> Iterator[Case]:
    """What can be wrong with a union: a type without its section, and a section beside another type.

    members: a valid value by type, with its section if it needs one. above: what the union needs around it.
    """
    for type_, value in members.items():
        section = next((key for key in value if key != "type"), _OPTIONAL.get(type_))
        if section is None:
            continue
        if section in value:
            message = f"type {type_} needs the section {section}"
            changes = {**above, f"{path}.type": type_}
            yield broken(f"{path} of {type_} without a section", changes, f"{path}.{section}", message)
        other = next(name for name in members if name != type_)
        changes = {
            **above,
            **{f"{path}.{key}": item for key, item in members[other].items()},
            f"{path}.{section}": value.get(section, {}),
        }
        message = f"{section} is for type {type_} only: take it away, or set type to {type_}"
        yield broken(f"{path} of {other} with the section {section}", changes, f"{path}.{section}", message)

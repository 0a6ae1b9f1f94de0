"""The minimal object, and how cases of the API change it."""

from __future__ import annotations

import copy
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


@dataclass(frozen=True, slots=True)
class Case:
    """The minimal object with some fields changed.

    changes: values by path from the root; ``...`` takes the field away.
    path, message: what the one problem is about, and how it is told on a laptop; "" for a valid object.
    rule: whether a CEL rule finds it, so that the API server's message is the same.
    """

    name: str
    changes: dict[str, Any]
    path: str = ""
    message: str = ""
    rule: bool = False

    def manifest(self) -> dict[str, Any]:
        """The object."""
        return changed(self.changes)


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    """The minimal object with fields changed, as in ``Case.changes``; ``a[0].b`` is in a list's item."""
    value = copy.deepcopy(MINIMAL)
    for path, new in changes.items():
        put(value, path, new)
    return value

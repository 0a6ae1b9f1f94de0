"""What the engine asks of a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ragfleet_operator.kinds import Kind
from ragfleet_operator.model import Key, Object
from ragfleet_operator.names import FIELD_MANAGER


class Listing(NamedTuple):
    """Objects of a kind as of one version of the cluster."""

    objects: Sequence[Object]
    version: str


class WriteObserver(Protocol):
    """Is told of each write; verb: apply, create, delete, status or event."""

    def wrote(self, verb: str, kind: Kind) -> None:
        """It succeeded."""

    def refused(self, verb: str, kind: Kind, reason: str) -> None:
        """It failed; reason: the name of the error."""


class Nobody:
    """Is told, and does nothing."""

    def wrote(self, verb: str, kind: Kind) -> None:
        """Do nothing."""

    def refused(self, verb: str, kind: Kind, reason: str) -> None:
        """Do nothing."""


class Cluster(Protocol):
    """An API server. Every call has a timeout and raises errors.ApiError."""

    async def apply(
        self,
        kind: Kind,
        namespace: str,
        manifest: Object,
        *,
        manager: str = FIELD_MANAGER,
        force: bool = False,
    ) -> Object:
        """Server-side apply; the object as it is then.

        With ``metadata.uid`` it changes that object or none; with a ``metadata.resourceVersion`` that object
        in that state or, where there is none, a new one.
        """

    async def create(self, kind: Kind, namespace: str, manifest: Object) -> Object:
        """Make an object. Conflict where there is one of its name."""

    async def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """Read an object."""

    async def list(self, kind: Kind, namespace: str | None, selector: str = "") -> Listing:
        """The objects of a kind, of one namespace or of all."""

    async def delete(
        self, kind: Kind, namespace: str, name: str, *, uid: str, version: str | None = None
    ) -> None:
        """Delete that very object, and in that very state where a version is given."""

    async def patch_status(self, key: Key, patch: Object, *, uid: str, version: str) -> Object:
        """Merge into the status of a pipeline that is still in the state of that version."""

    async def post_event(self, namespace: str, event: Object) -> None:
        """Make an Event of the group events.k8s.io/v1."""

    async def kinds_present(self) -> frozenset[Kind]:
        """Those of ``kinds.OPTIONAL`` that the cluster has."""

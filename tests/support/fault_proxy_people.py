"""What people do to pipelines and children while faults are on: past the proxy, and quicker than kubectl."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
import orjson

from ragfleet_operator.kinds import PIPELINE, Kind
from support.control_plane import ControlPlane

Object = Mapping[str, Any]


class People:
    """Requests of the admin."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def apply(self, namespace: str, *manifests: Object) -> None:
        """Apply pipelines, as ``kubectl apply --server-side`` does."""
        for manifest in manifests:
            answer = self.client.patch(
                PIPELINE.path(namespace, manifest["metadata"]["name"]),
                params={"fieldManager": "kubectl", "force": "true"},
                content=orjson.dumps(manifest),
                headers={"Content-Type": "application/apply-patch+yaml"},
            )
            assert answer.is_success, answer.text

    def delete(self, kind: Kind, namespace: str, name: str) -> None:
        """Delete an object, with what it owns in the background; one that isn't there is well."""
        answer = self.client.delete(kind.path(namespace, name), params={"propagationPolicy": "Background"})
        assert answer.is_success or answer.status_code == 404, answer.text

    def pipelines(self, namespace: str) -> Sequence[Object]:
        """The pipelines of a namespace."""
        found: list[Object] = self.client.get(PIPELINE.path(namespace)).raise_for_status().json()["items"]
        return found

    @contextmanager
    def namespaces(self, names: Sequence[str]) -> Iterator[list[str]]:
        """New namespaces, one for each name; deleted at the end without waiting."""
        found = [f"{name}-{uuid.uuid4().hex[:6]}" for name in names]
        for name in found:
            body = {"metadata": {"name": name}}
            self.client.post("/api/v1/namespaces", json=body).raise_for_status()
        try:
            yield found
        finally:
            for name in found:
                self.client.delete(f"/api/v1/namespaces/{name}")


@contextmanager
def people(control_plane: ControlPlane) -> Iterator[People]:
    """People at a control plane."""
    with control_plane.client() as client:
        yield People(client)

"""A cluster over HTTP, with the connections and the authentication of ``kubernetes.aio``.

Its ``DynamicClient`` discovers every group first, which needs requests and permissions that we don't, and
wraps each object; we know our kinds, and take and give plain JSON.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import orjson
from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject, RESTResponse

from ragfleet_operator.engine.answers import refusal
from ragfleet_operator.engine.cluster import Listing, Nobody, WriteObserver
from ragfleet_operator.engine.connect import authentication, load
from ragfleet_operator.engine.errors import ApiError, Gone, NotFound, Unavailable
from ragfleet_operator.engine.fence import told_by
from ragfleet_operator.kinds import OPTIONAL, PIPELINE, Kind
from ragfleet_operator.model import Key, Object
from ragfleet_operator.names import FIELD_MANAGER

# With a parameter: without one the client library would write JSON of its own, see as_yaml.
_APPLY = "application/apply-patch+yaml; charset=utf-8"
_MERGE = "application/merge-patch+json"
_JSON = "application/json"
_EVENT = Kind("events.k8s.io", "v1", "Event", "events")
_PAGE = 500
# https://yaml.org/spec/1.2.2/#51-character-set, and what is read as an end of a line or a byte order mark.
_NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_KINDS_SECONDS = 120.0


class KubernetesCluster:
    """An API server. observer: is told of writes. seconds: how long a call may take."""

    def __init__(self, configuration: Configuration, *, seconds: float = 15.0) -> None:
        self.observer: WriteObserver = Nobody()
        self._configuration = configuration
        self._rest = RESTClientObject(configuration)
        self._seconds = seconds
        self._kinds: tuple[float, frozenset[Kind]] | None = None

    @classmethod
    async def connect(cls, kubeconfig: Path | None = None, context: str | None = None) -> KubernetesCluster:
        """The cluster of a kubeconfig, else of the pod that we run in. Raises ConnectError."""
        return cls(await load(kubeconfig, context))

    async def close(self) -> None:
        """End the connections."""
        await self._rest.close()

    async def apply(
        self,
        kind: Kind,
        namespace: str,
        manifest: Object,
        *,
        manager: str = FIELD_MANAGER,
        force: bool = False,
    ) -> Object:
        """See Cluster."""
        query = {"fieldManager": manager, "force": "true" if force else "false", "fieldValidation": "Strict"}
        path = kind.path(namespace, manifest["metadata"]["name"])
        return await self._write("apply", kind, "PATCH", path, query, as_yaml(manifest), _APPLY)

    async def create(self, kind: Kind, namespace: str, manifest: Object) -> Object:
        """See Cluster."""
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        return await self._write("create", kind, "POST", kind.path(namespace), query, manifest, _JSON)

    async def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """See Cluster."""
        answer: Object = await self._request("GET", kind.path(namespace, name))
        return answer

    async def list(self, kind: Kind, namespace: str | None, selector: str = "") -> Listing:
        """See Cluster."""
        try:
            return await self._pages(kind, namespace, selector)
        except Gone:
            # The list changed under our pages for longer than the server remembers: once more from the start.
            return await self._pages(kind, namespace, selector)

    async def delete(
        self, kind: Kind, namespace: str, name: str, *, uid: str, version: str | None = None
    ) -> None:
        """See Cluster."""
        same = {"uid": uid} if version is None else {"uid": uid, "resourceVersion": version}
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": same,
            "propagationPolicy": "Background",
        }
        await self._write("delete", kind, "DELETE", kind.path(namespace, name), {}, body, _JSON)

    async def patch_status(self, key: Key, patch: Object, *, uid: str, version: str) -> Object:
        """See Cluster."""
        body = {"metadata": {"uid": uid, "resourceVersion": version}, "status": patch}
        path = PIPELINE.path(key.namespace, key.name) + "/status"
        query = {"fieldManager": FIELD_MANAGER}
        return await self._write("status", PIPELINE, "PATCH", path, query, body, _MERGE)

    async def post_event(self, namespace: str, event: Object) -> None:
        """See Cluster."""
        await self._write("event", _EVENT, "POST", _EVENT.path(namespace), {}, event, _JSON)

    async def kinds_present(self) -> frozenset[Kind]:
        """See Cluster; an answer holds for two minutes."""
        now = time.monotonic()
        if self._kinds is None or now - self._kinds[0] > _KINDS_SECONDS:
            found = frozenset([kind for kind in sorted(OPTIONAL) if await self._has(kind)])
            self._kinds = (now, found)
        return self._kinds[1]

    def forget_kinds(self) -> None:
        """Ask anew which kinds the cluster has."""
        self._kinds = None

    async def _has(self, kind: Kind) -> bool:
        try:
            group = await self._request("GET", f"/apis/{kind.group}/{kind.version}")
        except NotFound:
            return False
        return any(item.get("name") == kind.plural for item in group.get("resources") or ())

    async def _pages(self, kind: Kind, namespace: str | None, selector: str) -> Listing:
        objects: list[Object] = []
        query = {"limit": str(_PAGE), **({"labelSelector": selector} if selector else {})}
        while True:
            page = await self._request("GET", kind.path(namespace), query)
            objects += page.get("items") or ()
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                return Listing(objects, metadata.get("resourceVersion", ""))
            query["continue"] = metadata["continue"]

    async def _write(
        self,
        verb: str,
        kind: Kind,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Object | bytes,
        media: str,
    ) -> Object:
        try:
            answer: Object = await self._request(method, path, query, body, media)
        except ApiError as error:
            self.observer.refused(verb, kind, type(error).__name__)
            raise
        self.observer.wrote(verb, kind)
        return answer

    async def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | bytes | None = None,
        media: str = _JSON,
    ) -> Any:
        """The answer's JSON. Raises ApiError."""
        url = self._configuration.host.rstrip("/") + path + (f"?{urlencode(query)}" if query else "")
        timeout = aiohttp.ClientTimeout(total=self._seconds)
        try:
            headers = {**await authentication(self._configuration), "Accept": _JSON, "Content-Type": media}
            answer: RESTResponse = await self._rest.request(  # type: ignore[no-untyped-call]
                method, url, headers=headers, body=body, _request_timeout=timeout
            )
            text = await answer.read()  # type: ignore[no-untyped-call]
        except TimeoutError:
            raise Unavailable(f"no answer from the API server within {self._seconds:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            why = told_by(error) or Unavailable(f"can't reach the API server ({type(error).__name__})")
            raise why from None
        return _read(answer.status, text, answer.getheader("Retry-After"))  # type: ignore[no-untyped-call]


def as_yaml(manifest: Object) -> bytes:
    """A manifest as JSON that is YAML too: as that the server reads what is applied.

    Its YAML joins no pairs of surrogates, as JSON escapes characters above U+FFFF, and takes control
    characters as escapes only.
    """
    text = orjson.dumps(manifest).decode()
    return _NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()


def _read(code: int, text: bytes, retry_after: str | None) -> Any:
    try:
        value = orjson.loads(text)
    except ValueError:
        value = None
    if code < HTTPStatus.MULTIPLE_CHOICES and value is not None:
        return value
    error: ApiError = refusal(code, value if isinstance(value, dict) else {}, retry_after)
    raise error

"""The API server as the measurements use it: plain JSON over one session."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson

from ragfleet_operator.kinds import Kind
from support.control_plane import ControlPlane

_MERGE = "application/merge-patch+json"
# Only metadata: of pods nothing else is asked, and there are many.
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class API:
    """The admin's requests."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Any:
        """The JSON that is answered. Raises RuntimeError with what a refusal says."""
        data = None if body is None else orjson.dumps(body)
        headers = {"Content-Type": content_type, "Accept": accept}
        async with self._session.request(method, path, data=data, headers=headers) as reply:
            text = await reply.read()
            if reply.status >= 400:
                raise RuntimeError(f"{method} {path}: {reply.status} {text[:500].decode()}")
            return orjson.loads(text) if text else None

    async def merge(self, kind: Kind, namespace: str, name: str, patch: object) -> Any:
        """Change an object as people do by hand."""
        path = kind.path(namespace, name) + "?fieldManager=by-hand&fieldValidation=Strict"
        return await self.call("PATCH", path, patch, _MERGE)

    async def uids(self, kind: Kind, selector: str) -> set[str]:
        """The uids of all objects of a kind, in the whole cluster, that a label selector picks."""
        answer = await self.call("GET", f"{kind.path(None)}?labelSelector={selector}", accept=_METADATA_ONLY)
        return {item["metadata"]["uid"] for item in answer["items"]}

    async def lines(self, path: str) -> AsyncIterator[bytes]:
        """The lines of a watch, until the server ends it. Raises RuntimeError."""
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._session.get(path, timeout=timeout) as reply:
            if reply.status >= 400:
                raise RuntimeError(f"GET {path}: {reply.status} {(await reply.text())[:500]}")
            rest = b""
            async for chunk in reply.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield line


@asynccontextmanager
async def open_api(cluster: ControlPlane) -> AsyncIterator[API]:
    """The API of a control plane."""
    connector = aiohttp.TCPConnector(
        ssl=ssl.create_default_context(cafile=str(cluster.certificate)), limit=64
    )
    async with aiohttp.ClientSession(
        cluster.url, connector=connector, headers={"Authorization": f"Bearer {cluster.token}"}
    ) as session:
        yield API(session)

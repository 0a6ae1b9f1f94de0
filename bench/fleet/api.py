"""The API server as the measurements use it: plain JSON, and watches that note when things change."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson

from ragfleet_operator.kinds import Kind
from ragfleet_operator.model import Object, Ref
from support.control_plane import ControlPlane

_MERGE = "application/merge-patch+json"
_APPLY = "application/apply-patch+yaml"


class API:
    """The admin's requests."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def call(
        self, method: str, path: str, body: object = None, content_type: str = "application/json"
    ) -> Any:
        """The JSON that is answered. Raises ClientResponseError."""
        data = None if body is None else orjson.dumps(body)
        async with self._session.request(
            method, path, data=data, headers={"Content-Type": content_type}
        ) as reply:
            text = await reply.read()
            if reply.status >= 400:
                raise RuntimeError(f"{method} {path}: {reply.status} {text[:500].decode()}")
            return orjson.loads(text) if text else None

    async def merge(self, kind: Kind, namespace: str, name: str, patch: object) -> Any:
        """Change an object as people do by hand."""
        path = kind.path(namespace, name) + "?fieldManager=by-hand"
        return await self.call("PATCH", path, patch, _MERGE)

    async def apply(self, kind: Kind, namespace: str, manifest: Object) -> Any:
        """Apply a manifest as kubectl does."""
        path = kind.path(namespace, manifest["metadata"]["name"])
        return await self.call("PATCH", f"{path}?fieldManager=kubectl&force=true", manifest, _APPLY)

    async def items(self, kind: Kind, namespace: str) -> list[dict[str, Any]]:
        """All objects of a namespace."""
        found: list[dict[str, Any]] = (await self.call("GET", kind.path(namespace)))["items"]
        return found

    async def follow(self, path: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """The events of a watch, for ever."""
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._session.get(path, timeout=timeout) as reply:
            rest = b""
            async for chunk in reply.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    event = orjson.loads(line)
                    yield event["type"], event["object"]


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


class Seen:
    """The objects of a namespace as they are, and when each last changed (``time.monotonic``)."""

    def __init__(self, api: API, namespace: str, kinds: Iterable[Kind]) -> None:
        self.objects: dict[Ref, Mapping[str, Any]] = {}
        self.changed: dict[Ref, float] = {}
        self._api = api
        self._namespace = namespace
        self._kinds = tuple(kinds)
        self._wake = asyncio.Event()

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[Seen]:
        """Watch until the block ends."""
        tasks = [asyncio.create_task(self._watch(kind)) for kind in self._kinds]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def wait_for(self, is_so: Callable[[], bool], what: str, seconds: float = 600) -> float:
        """The moment at which something is so. Raises TimeoutError."""
        try:
            async with asyncio.timeout(seconds):
                while not is_so():
                    self._wake.clear()
                    await self._wake.wait()
        except TimeoutError:
            raise TimeoutError(f"waited {seconds:g} s for {what}") from None
        return time.monotonic()

    def look_again(self) -> None:
        """Have what is waited for be looked at, though nothing was seen to change."""
        self._wake.set()

    async def _watch(self, kind: Kind) -> None:
        path = kind.path(self._namespace)
        async for type_, found in self._api.follow(f"{path}?watch=1&resourceVersion=0"):
            ref = Ref(kind, found["metadata"]["name"])
            if type_ == "DELETED":
                self.objects.pop(ref, None)
            else:
                self.objects[ref] = found
            self.changed[ref] = time.monotonic()
            self._wake.set()

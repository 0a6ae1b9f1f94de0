"""As much of an API server as a watch of Services needs: lists in pages, and watches with a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import web
from kubernetes.aio.client import Configuration

from ragfleet_operator.names import PIPELINE_LABEL


def _resource(plural: str, kind: str, *, namespaced: bool) -> dict[str, Any]:
    verbs = ["get", "list", "watch", "patch"]
    return {
        "name": plural,
        "singularName": kind.lower(),
        "namespaced": namespaced,
        "kind": kind,
        "verbs": verbs,
    }


# kopf waits until it knows namespaces and definitions, whatever it watches.
_DEFINITIONS = "apiextensions.k8s.io"
_VERSION = {"groupVersion": f"{_DEFINITIONS}/v1", "version": "v1"}
_ROOTS: Mapping[str, Any] = {
    "/api": {"versions": ["v1"]},
    "/apis": {"groups": [{"name": _DEFINITIONS, "versions": [_VERSION], "preferredVersion": _VERSION}]},
    "/api/v1": {
        "resources": [
            _resource("services", "Service", namespaced=True),
            _resource("namespaces", "Namespace", namespaced=False),
        ]
    },
    f"/apis/{_DEFINITIONS}/v1": {
        "resources": [_resource("customresourcedefinitions", "CustomResourceDefinition", namespaced=False)]
    },
}


def service(name: str, version: int, namespace: str = "default", **more: Any) -> dict[str, Any]:
    """A Service of a pipeline, as a list holds it: without its kind."""
    labels = {PIPELINE_LABEL: name}
    place = {"name": name, "namespace": namespace, "uid": f"uid-{name}", "labels": labels}
    return {"metadata": {**place, "resourceVersion": str(version), **more}, "spec": {}}


def event(type_: str, obj: Mapping[str, Any]) -> bytes:
    """A line of a watch."""
    return orjson.dumps({"type": type_, "object": {"apiVersion": "v1", "kind": "Service", **obj}}) + b"\n"


def error(code: int) -> bytes:
    """The line of a watch that can't go on."""
    return event("ERROR", {"kind": "Status", "code": code, "message": "too old resource version: 1 (2)"})


class WatchServer:
    """Services by namespace, at a version. lists, watches: the path and the query of each that was asked.

    bodies: answers that the next lists get instead. opened: what the next watches tell at once, one after
    another. refuses: how often a question for what kinds there are is still answered with 410. Probes, which
    ask for one object, aren't in lists.
    """

    def __init__(self) -> None:
        self.objects: dict[str, list[dict[str, Any]]] = {}
        self.version = 100
        self.lists: list[tuple[str, Mapping[str, str]]] = []
        self.watches: list[tuple[str, Mapping[str, str]]] = []
        self.bodies: list[bytes] = []
        self.opened: list[bytes] = []
        self.refuses = 0
        self.url = ""
        self._open: list[asyncio.Queue[bytes | None]] = []

    @property
    def configuration(self) -> Configuration:
        """For clients."""
        return Configuration(host=self.url)

    def tell(self, *chunks: bytes) -> None:
        """Have every open watch tell something; each chunk in a write of its own."""
        for stream in self._open:
            for chunk in chunks:
                stream.put_nowait(chunk)

    def end(self) -> None:
        """End every open watch, in order."""
        for stream in self._open:
            stream.put_nowait(None)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        if request.path in ("/api", "/apis") and self.refuses:
            self.refuses -= 1
            return web.Response(
                status=410, body=b'{"kind":"Status","code":410}', content_type="application/json"
            )
        if request.path in _ROOTS:
            return web.json_response(_ROOTS[request.path])
        query = dict(request.query)
        if "watch" in query:
            self.watches.append((request.path, query))
            return await self._watch(request)
        if query.get("limit") != "1":
            self.lists.append((request.path, query))
            if self.bodies:
                return web.Response(body=self.bodies.pop(0), content_type="application/json")
        return web.Response(body=self._page(request.path, query), content_type="application/json")

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        await answer.prepare(request)
        stream: asyncio.Queue[bytes | None] = asyncio.Queue()
        if self.opened:
            await answer.write(self.opened.pop(0))
        self._open.append(stream)
        try:
            while (chunk := await stream.get()) is not None:
                await answer.write(chunk)
                await asyncio.sleep(0.01)
        finally:
            self._open.remove(stream)
        await answer.write_eof()
        return answer

    def _page(self, path: str, query: Mapping[str, str]) -> bytes:
        namespaces = [path.split("/")[4]] if "/namespaces/" in path else sorted(self.objects)
        found = [obj for namespace in namespaces for obj in self.objects.get(namespace, ())]
        start = int(query.get("continue", "0"))
        end = start + int(query.get("limit", "0") or len(found) + 1)
        metadata = {"resourceVersion": str(self.version)}
        if end < len(found):
            metadata["continue"] = str(end)
        body = {"kind": "ServiceList", "apiVersion": "v1", "metadata": metadata, "items": found[start:end]}
        return orjson.dumps(body)


@asynccontextmanager
async def watch_server() -> AsyncIterator[WatchServer]:
    """A server on the loopback, in this loop."""
    server = WatchServer()
    app = web.Application()
    app.router.add_get("/{path:.*}", server.handle)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        server.url = f"http://{host}:{port}"
        yield server
    finally:
        await runner.cleanup()

"""A small server that speaks the part of Qdrant's REST API that the service calls, over Qdrant Edge.

Test code only: one shard a collection, no cluster, no optimising; nobody should keep data in it. It exists
because Qdrant's own server can't be installed where the tests run. Requests and answers are held to the
models of Qdrant's client, and whatever it doesn't speak is answered with 501 and kept in ``unknown``, so that
a test notices. As a program, for benchmarks: ``python -m support.qdrant_server --port 0 --data DIR``.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import uvicorn
from pydantic import BaseModel, TypeAdapter, ValidationError
from qdrant_client.http import models as q
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from support.qdrant_collections import EdgeCollection, RefusedError
from support.qdrant_convert import UnknownError
from support.qdrant_faults import Fault, Faults

VERSION = "1.19.0"


class QdrantServer:
    """The server's state and its routes; ``serve`` and ``running_qdrant`` give it a port."""

    def __init__(self, folder: Path, *, version: str = VERSION, api_key: str | None = None) -> None:
        self.folder = folder
        self.version = version
        self.api_key = api_key
        self.faults = Faults()
        self.unknown: list[str] = []
        self.requests: list[str] = []
        self.aliases: dict[str, str] = {}
        self._collections: dict[str, EdgeCollection] = {}
        self._lock = threading.Lock()
        self._is_strict = False

    def load(self) -> None:
        """Open what an earlier run left in the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(self.folder.iterdir()):
            self._collections[path.name] = EdgeCollection.load(path)
        self.make_strict(self._is_strict)

    def close(self) -> None:
        """Flush and release everything."""
        for collection in self._collections.values():
            collection.close()
        self._collections.clear()

    def make_strict(self, is_strict: bool = True) -> None:
        """Refuse filters on fields without an index from now on, or stop doing so."""
        self._is_strict = is_strict
        for collection in self._collections.values():
            collection.is_strict = is_strict

    def collection(self, name: str) -> EdgeCollection:
        """A collection by its name or an alias."""
        found = self._collections.get(self.aliases.get(name, name))
        if found is None:
            raise RefusedError(404, f"Not found: Collection `{name}` doesn't exist!")
        return found

    @property
    def names(self) -> list[str]:
        """The collections that there are."""
        return sorted(self._collections)

    def make(self, name: str, wanted: q.CreateCollection) -> bool:
        """Make a collection."""
        with self._lock:
            if name in self.aliases:
                raise RefusedError(400, f"Bad request: Alias with the same name `{name}` already exists")
            if name in self._collections:
                raise RefusedError(409, f"Wrong input: Collection `{name}` already exists!")
            self._collections[name] = made = EdgeCollection.make(self.folder / name, wanted)
            made.is_strict = self._is_strict
        return True

    def drop(self, name: str) -> bool:
        """Delete a collection."""
        with self._lock:
            self.collection(name).close()
            del self._collections[name]
            shutil.rmtree(self.folder / name)
        return True

    def app(self) -> Starlette:
        """The routes."""
        c = "/collections/{name}"
        return Starlette(
            routes=[
                Route("/", self._route(self._root)),
                Route("/aliases", self._route(self._aliases)),
                Route("/collections", self._route(self._list)),
                Route(c, self._route(lambda r: self._of(r).info()), methods=["GET"]),
                Route(c, self._route(self._make), methods=["PUT"]),
                Route(c, self._route(self._change), methods=["PATCH"]),
                Route(c, self._route(lambda r: self.drop(r.path_params["name"])), methods=["DELETE"]),
                Route(f"{c}/index", self._route(self._index), methods=["PUT"]),
                Route(f"{c}/index/{{field:path}}", self._route(self._drop_index), methods=["DELETE"]),
                Route(f"{c}/points", self._route(self._upsert), methods=["PUT"]),
                Route(f"{c}/points", self._route(self._read("retrieve", q.PointRequest)), methods=["POST"]),
                Route(f"{c}/points/batch", self._route(self._batch), methods=["POST"]),
                Route(f"{c}/points/delete", self._route(self._delete), methods=["POST"]),
                Route(f"{c}/points/vectors", self._route(self._vectors), methods=["PUT"]),
                Route(
                    f"{c}/points/scroll", self._route(self._read("scroll", q.ScrollRequest)), methods=["POST"]
                ),
                Route(
                    f"{c}/points/count", self._route(self._read("count", q.CountRequest)), methods=["POST"]
                ),
                Route(f"{c}/points/query/batch", self._route(self._query), methods=["POST"]),
                Route(f"{c}/facet", self._route(self._read("facet", q.FacetRequest)), methods=["POST"]),
                Route("/{path:path}", self._unrouted, methods=["GET", "PUT", "POST", "PATCH", "DELETE"]),
            ]
        )

    # -- routes ------------------------------------------------------------------------------------------

    def _root(self, _: _Call) -> q.VersionInfo:
        return q.VersionInfo(title="qdrant - vector search engine", version=self.version)

    def _aliases(self, _: _Call) -> q.CollectionsAliasesResponse:
        return q.CollectionsAliasesResponse(
            aliases=[
                q.AliasDescription(alias_name=alias, collection_name=name)
                for alias, name in self.aliases.items()
            ]
        )

    def _list(self, _: _Call) -> q.CollectionsResponse:
        return q.CollectionsResponse(collections=[q.CollectionDescription(name=name) for name in self.names])

    def _make(self, call: _Call) -> bool:
        return self.make(call.path_params["name"], call.body(q.CreateCollection))

    def _change(self, call: _Call) -> bool:
        self._of(call).change(call.body(q.UpdateCollection))
        return True

    def _index(self, call: _Call) -> q.UpdateResult:
        call.only_parameters("wait", "ordering")
        self._of(call).index(call.body(q.CreateFieldIndex))
        return _done()

    def _drop_index(self, call: _Call) -> q.UpdateResult:
        call.only_parameters("wait", "ordering")
        self._of(call).drop_index(call.path_params["field"])
        return _done()

    def _upsert(self, call: _Call) -> q.UpdateResult:
        return self._update(call, [call.body(q.PointsList)])[0]

    def _delete(self, call: _Call) -> q.UpdateResult:
        return self._update(call, [call.body(q.PointIdsList)])[0]

    def _vectors(self, call: _Call) -> q.UpdateResult:
        return self._update(call, [call.body(q.UpdateVectors)])[0]

    def _batch(self, call: _Call) -> list[q.UpdateResult]:
        operations = call.body(q.UpdateOperations).operations
        members = [getattr(operation, next(iter(operation.model_fields_set))) for operation in operations]
        return self._update(call, members)

    def _update(self, call: _Call, operations: list[Any]) -> list[q.UpdateResult]:
        call.only_parameters("wait", "ordering")
        if call.parameters.get("wait") != "true":
            raise UnknownError("an update that isn't waited for")
        for operation in operations:
            self._of(call).update(operation)
        return [_done() for _ in operations]

    def _query(self, call: _Call) -> list[q.QueryResponse]:
        return self._of(call).query(call.body(q.QueryRequestBatch).searches)

    def _read(self, method: str, model: type[BaseModel]) -> Callable[[_Call], Any]:
        return lambda call: getattr(self._of(call), method)(call.body(model))

    def _of(self, call: _Call) -> EdgeCollection:
        return self.collection(call.path_params["name"])

    # -- what every route has ------------------------------------------------------------------------------

    def _route(self, handler: Callable[[_Call], Any]) -> Callable[[Request], Any]:
        async def route(request: Request) -> Response:
            call = _Call(request, await request.body())
            self.requests.append(f"{request.method} {request.url.path}")
            if self.api_key is not None and request.headers.get("api-key") != self.api_key:
                return Response("Invalid API key or JWT", 401, media_type="text/plain")
            fault = self.faults.next(request.method, request.url.path)
            if fault is not None:
                await asyncio.sleep(fault.seconds)
                if fault.status is not None:
                    if fault.carries_out:
                        await asyncio.to_thread(self._answer, handler, call)
                    return _faulty(fault)
            return await asyncio.to_thread(self._answer, handler, call)

        return route

    def _answer(self, handler: Callable[[_Call], Any], call: _Call) -> Response:
        started = time.perf_counter()
        try:
            result = TypeAdapter(Any).dump_python(handler(call), mode="json")
        except RefusedError as error:
            return _refusal(error.status, error.message)
        except (UnknownError, ValidationError) as error:
            return self._unknown(f"{call.name}: {error}")
        if call.name == "GET /":  # the one answer without an envelope
            return Response(orjson.dumps(result), media_type="application/json")
        body = {"result": result, "status": "ok", "time": time.perf_counter() - started}
        return Response(orjson.dumps(body), media_type="application/json")

    async def _unrouted(self, request: Request) -> Response:
        return self._unknown(f"{request.method} {request.url.path}: no such route")

    def _unknown(self, what: str) -> Response:
        self.unknown.append(what)
        return _refusal(501, f"not spoken here: {what}")


class _Call:
    """A request that was read."""

    def __init__(self, request: Request, body: bytes) -> None:
        self.name = f"{request.method} {request.url.path}"
        self.path_params = request.path_params
        self.parameters = dict(request.query_params)
        self._body = body

    def body(self, model: type[Any]) -> Any:
        """The body as a model of the client, which allows no other fields."""
        return model.model_validate_json(self._body)

    def only_parameters(self, *known: str) -> None:
        """Refuse other parameters of the address."""
        if unknown := set(self.parameters) - set(known):
            raise UnknownError(f"the parameters {sorted(unknown)}")


def _done() -> q.UpdateResult:
    return q.UpdateResult(operation_id=0, status=q.UpdateStatus.COMPLETED)


def _refusal(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    body = {"status": {"error": message}, "time": 0.0}
    return Response(orjson.dumps(body), status, headers, media_type="application/json")


def _faulty(fault: Fault) -> Response:
    if not fault.status:
        return _Broken()
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return _refusal(fault.status, fault.message, headers)


class _Broken(Response):
    """An answer that breaks off before its end."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{", "more_body": False})


class RunningQdrant:
    """A server in a thread of its own, on a loopback port that it keeps when it is stopped and started."""

    def __init__(self, server: QdrantServer, tls: tuple[Path, Path] | None = None) -> None:
        self.server = server
        self._tls = tls
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self._thread: threading.Thread | None = None
        self._uvicorn: uvicorn.Server | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def faults(self) -> Faults:
        """Its faults."""
        return self.server.faults

    def start(self) -> None:
        """Serve; returns when it answers."""
        self.server.load()
        certificate, key = self._tls or (None, None)
        config = uvicorn.Config(
            self.server.app(),
            host="127.0.0.1",
            port=self.port,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            ssl_certfile=certificate,
            ssl_keyfile=key,
            timeout_graceful_shutdown=1,
        )
        self._uvicorn = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._uvicorn.run, name="qdrant-server", daemon=True)
        self._thread.start()
        while not self._uvicorn.started:
            if not self._thread.is_alive():
                raise RuntimeError("the server didn't start")
            time.sleep(0.005)

    def stop(self) -> None:
        """Stop serving; what was written stays in the folder."""
        if self._uvicorn is None or self._thread is None:
            return
        self._uvicorn.should_exit = True
        self._thread.join(30)
        self._uvicorn = self._thread = None
        self.server.close()


@contextmanager
def running_qdrant(
    folder: Path,
    *,
    version: str = VERSION,
    api_key: str | None = None,
    tls: tuple[Path, Path] | None = None,
    start: bool = True,
) -> Iterator[RunningQdrant]:
    """A server until the block ends. tls: files of its certificate and key."""
    running = RunningQdrant(QdrantServer(folder, version=version, api_key=api_key), tls)
    if start:
        running.start()
    try:
        yield running
    finally:
        running.stop()
    assert running.server.unknown == [], running.server.unknown


def main() -> None:
    """Serve until Ctrl-C; prints the address first."""
    parser = argparse.ArgumentParser(description="A stand-in for a Qdrant server: test code only.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    server = QdrantServer(options.data)
    server.load()
    listener = socket.create_server(("127.0.0.1", options.port))
    sys.stdout.write(f"http://127.0.0.1:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    config = uvicorn.Config(server.app(), log_config=None, access_log=False, lifespan="off", ws="none")
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        server.close()


if __name__ == "__main__":
    main()

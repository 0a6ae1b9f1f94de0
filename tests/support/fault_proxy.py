"""A proxy on the loopback in front of an API server, that delays, drops, refuses, stalls and partitions.

``with fault_proxy(control_plane) as proxy`` runs it in a thread of its own; its faults can be changed from
any other at any time. It speaks plain HTTP, since what is between it and its clients is nobody's.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
import yaml
from aiohttp import web

from support.control_plane import ControlPlane
from support.control_plane_files import write_private
from support.fault_proxy_calls import Call, read_call
from support.fault_proxy_forward import Forwarder
from support.fault_proxy_rules import Fault, Rule, Rules
from support.fault_proxy_streams import Line, Stream

_REMEMBERED: Final = 200_000
_LARGEST_BODY: Final = 2**26


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a request. fault: None where it met none; code: of the answer, 0 where there was none.

    at: when it came, as ``time.monotonic`` tells.
    """

    call: Call
    fault: Fault | None
    code: int
    at: float


class FaultProxy:
    """A running proxy. log: what was done, the oldest first; calls that still wait aren't in it."""

    def __init__(self, server: str, tls: ssl.SSLContext, seed: int) -> None:
        self.log: deque[Done] = deque(maxlen=_REMEMBERED)
        self.rules = Rules(seed)
        self.line = Line()
        self.url = ""
        self._server = server
        self._tls = tls
        self._numbers = 0
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._forwarder: Forwarder | None = None
        self._thread = threading.Thread(target=self._run, name="fault proxy", daemon=True)

    def start(self) -> None:
        """Listen. Raises AssertionError where it can't."""
        self._thread.start()
        assert self._ready.wait(20), "the fault proxy doesn't start"

    def stop(self) -> None:
        """End every connection, and the thread."""
        if self._loop is not None and self._stopping is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(20)

    def kubeconfig(self, path: Path, token: str) -> Path:
        """Write a kubeconfig of a user who reaches the server through here."""
        name = "faults"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": name, "cluster": {"server": self.url}}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        }
        return write_private(path, yaml.safe_dump(config))

    def add(
        self,
        fault: Fault,
        where: Callable[[Call], bool],
        *,
        times: int | None = None,
        skip: int = 0,
        probability: float = 1.0,
    ) -> Rule:
        """Have a fault from now on; see Rule."""
        return self.rules.add(Rule(fault, where, times, skip, probability))

    def silence(self, where: Callable[[Call], bool] = lambda _: True) -> int:
        """Let open watches tell nothing more, for ever; how many."""
        found = self._streams(where)
        for stream in found:
            stream.is_silent = True
        return len(found)

    def cut(self, where: Callable[[Call], bool] = lambda _: True) -> int:
        """Break open watches off; how many."""
        found = self._streams(where)
        for stream in found:
            self._call(stream.abort)
        return len(found)

    @contextmanager
    def partition(self, *, hangs: bool = False) -> Iterator[None]:
        """Nothing passes until the end of the block.

        hangs: what is asked and told waits, and passes then. Else connections are broken off.
        """
        self._call(lambda: self.line.part(hangs=hangs))
        if not hangs:
            self.cut()
        try:
            yield
        finally:
            self._call(self.line.join)

    def writes(self, start: int = 0) -> list[Done]:
        """The writes among what was done, from a place in the log on."""
        return [done for done in list(self.log)[start:] if done.call.is_write]

    def _streams(self, where: Callable[[Call], bool] = lambda _: True) -> list[Stream]:
        assert self._forwarder is not None
        return [stream for stream in list(self._forwarder.streams) if where(stream.call)]

    def _call(self, action: Callable[[], None]) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(action)

    def _run(self) -> None:
        # Not uvloop, see ragfleet_operator.app: connections are given up here while they are made.
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        connector = aiohttp.TCPConnector(ssl=self._tls, limit=0)
        async with aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(total=None), auto_decompress=False
        ) as session:
            self._forwarder = Forwarder(self._server, session, self.line)
            app = web.Application(client_max_size=_LARGEST_BODY)
            app.router.add_route("*", "/{path:.*}", self._handle)
            # What isn't waited for any more is given up, as a server that is left does.
            runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            self.url = f"http://{host}:{port}"
            self._ready.set()
            await self._stopping.wait()
            for stream in self._streams():
                stream.abort()
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        at = time.monotonic()
        self._numbers += 1
        call = read_call(
            self._numbers, request.method, request.path, request.query, request.content_type, body
        )
        fault: Fault | None = None
        answer: web.StreamResponse | None = None
        try:
            if await self.line.passes():
                fault = self.rules.next(call)
                assert self._forwarder is not None
                answer = await self._forwarder.treat(request, call, body, fault)
        except (aiohttp.ClientError, OSError):
            answer = None  # the server is away: so are we
        finally:
            self.log.append(Done(call, fault, 0 if answer is None else answer.status, at))
        if answer is None:
            if request.transport is not None:
                request.transport.abort()
            raise asyncio.CancelledError
        return answer


@contextmanager
def fault_proxy(control_plane: ControlPlane, *, seed: int = 0) -> Iterator[FaultProxy]:
    """A proxy in front of a control plane's API server. seed: of what happens with a probability."""
    tls = ssl.create_default_context(cafile=str(control_plane.certificate))
    proxy = FaultProxy(control_plane.url, tls, seed)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()

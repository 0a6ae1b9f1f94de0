"""The HTTP server of probes and metrics."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from aiohttp import web

from ragfleet_operator.errors import OperatorError
from ragfleet_operator.metrics import CONTENT_TYPE

Reasons = Callable[[], Sequence[str]]


@asynccontextmanager
async def serve(
    host: str, port: int, *, sick: Reasons, unready: Reasons, limits: Reasons, metrics: Callable[[], bytes]
) -> AsyncIterator[str]:
    """Answer /healthz, /readyz and /metrics; gives the address. Port 0: a free one. Raises OperatorError."""

    async def healthz(_: web.Request) -> web.Response:
        return _verdict(sick(), ())

    async def readyz(_: web.Request) -> web.Response:
        return _verdict(unready(), limits())

    async def metrics_text(_: web.Request) -> web.Response:
        return web.Response(body=metrics(), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application()
    app.add_routes(
        [web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics_text)]
    )
    runner = web.AppRunner(app, handle_signals=False, access_log=None)
    await runner.setup()
    try:
        listener = _listen(host, port)
        await web.SockSite(runner, listener).start()
        yield _address(listener)
    finally:
        await runner.cleanup()


def _verdict(reasons: Sequence[str], notes: Sequence[str]) -> web.Response:
    lines = [*reasons, *notes] if reasons else ["ok", *notes]
    return web.Response(status=503 if reasons else 200, text="\n".join(lines) + "\n")


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server((address[0], port), family=family)
    except OSError as error:
        raise OperatorError(
            f"can't listen on {host}:{port} ({error.strerror}); "
            "choose another with --health-host and --health-port"
        ) from None


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

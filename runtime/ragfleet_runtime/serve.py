"""Serving a pipeline over HTTP."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn
import uvloop

from ragfleet_api.config import RuntimeConfig
from ragfleet_runtime.compose import open_runtime
from ragfleet_runtime.errors import StartError
from ragfleet_runtime.observe.logs import configure_logs

_BACKLOG = 2048
_GRACE_SECONDS = 30


def serve(
    config: RuntimeConfig,
    folder: Path,
    *,
    host: str,
    port: int,
    log_level: str,
    json_logs: bool,
    on_ready: Callable[[str], None],
) -> None:
    """Serve until SIGINT or SIGTERM, then finish what is under way.

    ``on_ready`` gets the service's address once it answers; port 0 takes a free one. Raises StartError.
    """
    configure_logs(log_level, as_json=json_logs)
    with _listen(host, port) as listener, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(config, folder, listener, on_ready))


async def _serve(
    config: RuntimeConfig, folder: Path, listener: socket.socket, on_ready: Callable[[str], None]
) -> None:
    async with open_runtime(config, folder) as runtime:
        server = uvicorn.Server(
            uvicorn.Config(
                runtime.app,
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )
        announcing = asyncio.create_task(_announce(server, listener, on_ready))
        try:
            await server.serve(sockets=[listener])
        finally:
            announcing.cancel()
            runtime.readiness.drain()


async def _announce(server: uvicorn.Server, listener: socket.socket, on_ready: Callable[[str], None]) -> None:
    while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
        await asyncio.sleep(0.005)
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    on_ready(f"http://{shown}:{port}")


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server((address[0], port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise StartError(
            f"can't listen on {host}:{port}: {error.strerror}; choose another with --host and --port"
        ) from error

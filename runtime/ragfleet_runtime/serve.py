"""Serving a pipeline over HTTP."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

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
        server = _Server(
            uvicorn.Config(
                runtime.app,
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            ),
            runtime.readiness.drain,
        )
        announcing = asyncio.create_task(_announce(server, listener, on_ready))
        try:
            await server.serve(sockets=[listener])
        finally:
            announcing.cancel()


class _Server(uvicorn.Server):
    """A server that a signal ends in order.

    uvicorn's own handling raises the signal again once it has stopped, which would end the process before
    the index is flushed.
    """

    def __init__(self, config: uvicorn.Config, on_exit: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_exit = on_exit

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let SIGINT and SIGTERM end ``serve``, and nothing else."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Say that the service drains, then stop taking connections; a second Ctrl-C doesn't wait."""
        self._on_exit()
        super().handle_exit(sig, frame)


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
            f"can't listen on {host}:{port}: {_reason(error)}; choose another with --host and --port"
        ) from error


def _reason(error: OSError) -> str:
    """The system's own words: Python adds the address to some."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)

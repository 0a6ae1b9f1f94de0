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

from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_runtime.compose import Starting, start_runtime
from ragfleet_runtime.errors import StartError
from ragfleet_runtime.observe.logs import configure_logs
from ragfleet_runtime.secrets import SecretSource

_BACKLOG = 2048
_GRACE_SECONDS = 30


def serve(
    config: RuntimeConfig,
    folder: Path,
    secrets: SecretSource,
    *,
    host: str,
    port: int,
    log_level: str,
    json_logs: bool,
    on_ready: Callable[[str], None],
) -> None:
    """Serve until SIGINT or SIGTERM, then finish what is under way.

    ``on_ready`` gets the service's address once it is ready; port 0 takes a free one. Where a server or a
    model's provider can't be reached yet, probes are answered meanwhile. Raises StartError.
    """
    configure_logs(log_level, as_json=json_logs)
    with _listen(host, port) as listener, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(config, folder, secrets, listener, on_ready))


async def _serve(
    config: RuntimeConfig,
    folder: Path,
    secrets: SecretSource,
    listener: socket.socket,
    on_ready: Callable[[str], None],
) -> None:
    async with start_runtime(config, folder, secrets) as starting:
        server = _Server(
            uvicorn.Config(
                starting.app,
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            ),
            starting.readiness.drain,
        )
        announcing = asyncio.create_task(_announce(server, starting, listener, on_ready))
        try:
            await server.serve(sockets=[listener])
        finally:
            announcing.cancel()
        if starting.opened.done() and not starting.opened.cancelled():
            starting.opened.result()  # raises what kept the service from opening


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


async def _announce(
    server: uvicorn.Server, starting: Starting, listener: socket.socket, on_ready: Callable[[str], None]
) -> None:
    """Tell the address when the service is open and answers, or end the server when it can't be opened."""
    try:
        await asyncio.shield(starting.opened)
    except Exception:
        server.should_exit = True
        return
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

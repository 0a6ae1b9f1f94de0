"""Serving a pipeline over HTTP."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

import structlog
import uvicorn
import uvloop
from starlette.types import ASGIApp

from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_runtime.compose import Starting, start_runtime
from ragfleet_runtime.errors import StartError
from ragfleet_runtime.observe.logs import configure_logs
from ragfleet_runtime.secrets import SecretSource

_BACKLOG: Final = 2048
# Beyond the deadline of requests: a stream that reaches it still tells its client so.
_MARGIN_SECONDS: Final = 2
_ADMIN_GRACE_SECONDS: Final = 1

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AdminPort:
    """Where status and metrics are served, and the Secret with the token that they need."""

    host: str
    port: int
    secret: str


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
    admin: AdminPort | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM, then finish what is under way, for as long as a request may take.

    ``on_ready`` gets the service's address once it is ready; port 0 takes a free one. Where a server or a
    model's provider can't be reached yet, probes are answered meanwhile. Raises StartError.

    admin: a second port, in the same process, that answers until the first has finished; with it, whatever
    else keeps the service from opening is told there and waited for too.
    """
    configure_logs(log_level, as_json=json_logs)
    with ExitStack() as stack:
        listener = stack.enter_context(_listen(host, port, "--host and --port"))
        admin_listener = None
        if admin is not None:
            names = "--admin-host and --admin-port"
            admin_listener = stack.enter_context(_listen(admin.host, admin.port, names))
            log.info("listening", address=_address(listener), admin_address=_address(admin_listener))
        runner = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        admin_secret = None if admin is None else admin.secret
        opening = start_runtime(config, folder, secrets, admin_secret=admin_secret)
        runner.run(_serve(opening, config.requests.deadline_seconds, listener, admin_listener, on_ready))


def log_ready(address: str) -> None:
    """Log that the service is ready at the address: for where nobody reads standard output."""
    log.info("ready", address=address)


async def _serve(
    opening: AbstractAsyncContextManager[Starting],
    deadline_seconds: int,
    listener: socket.socket,
    admin_listener: socket.socket | None,
    on_ready: Callable[[str], None],
) -> None:
    async with opening as starting, _beside(starting.admin, admin_listener):
        server = _Server(
            _settings(starting.app, deadline_seconds + _MARGIN_SECONDS), starting.readiness.drain
        )
        announcing = asyncio.create_task(_announce(server, starting, listener, on_ready))
        try:
            await server.serve(sockets=[listener])
        finally:
            announcing.cancel()
        if starting.opened.done() and not starting.opened.cancelled():
            starting.opened.result()  # raises what kept the service from opening


@asynccontextmanager
async def _beside(app: ASGIApp | None, listener: socket.socket | None) -> AsyncIterator[None]:
    """Serve the application of the admin port until the block ends; nothing where there is none."""
    if app is None or listener is None:
        yield
        return
    server = _Unsignalled(_settings(app, _ADMIN_GRACE_SECONDS))
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="admin port")
    try:
        yield
    finally:
        server.should_exit = True
        await serving


def _settings(app: ASGIApp, grace_seconds: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=grace_seconds,
    )


class _Unsignalled(uvicorn.Server):
    """A server that signals don't reach: another one gets them, and ends this one last."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the other server."""
        yield


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
    on_ready(_address(listener))


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}"


def _listen(host: str, port: int, options: str) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server((address[0], port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise StartError(
            f"can't listen on {host}:{port}: {_reason(error)}; choose another with {options}"
        ) from error


def _reason(error: OSError) -> str:
    """The system's own words: Python adds the address to some."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)

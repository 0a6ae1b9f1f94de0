"""Opening a pipeline's service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from starlette.types import ASGIApp

from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_runtime.api.admin import Admin
from ragfleet_runtime.api.auth import METRICS_PATH, guarded
from ragfleet_runtime.api.observed import Observed
from ragfleet_runtime.api.probes import Readiness
from ragfleet_runtime.api.status import Board
from ragfleet_runtime.api.waiting import Gate
from ragfleet_runtime.compose.app import ServiceParts, open_app
from ragfleet_runtime.compose.index import Index, open_index
from ragfleet_runtime.compose.opening import MENDABLE, PASSING, open_when_possible
from ragfleet_runtime.guard.admin import open_admin_token
from ragfleet_runtime.guard.keys import KeyRing, open_ring
from ragfleet_runtime.guard.needed import missing_entries
from ragfleet_runtime.index.collection import Collection
from ragfleet_runtime.ingest.ingester import Ingester
from ragfleet_runtime.observe.metrics import Metrics
from ragfleet_runtime.secrets import MissingSecretError, SecretSource


@dataclass(frozen=True)
class Runtime:
    """A service that is open."""

    config: RuntimeConfig
    app: ASGIApp
    collection: Collection
    ingester: Ingester
    readiness: Readiness


@dataclass(frozen=True)
class Starting:
    """A service whose ``app`` can be served at once; until it is open, it tells why it isn't.

    admin: the application of its admin port, None where it has none.
    """

    app: ASGIApp
    admin: ASGIApp | None
    readiness: Readiness
    opened: asyncio.Task[Runtime]


@asynccontextmanager
async def open_runtime(config: RuntimeConfig, folder: Path, secrets: SecretSource) -> AsyncIterator[Runtime]:
    """Open a pipeline's service over its data folder, and wait until it is open.

    Raises StartError with what to change where it can't start.
    """
    async with start_runtime(config, folder, secrets) as starting:
        yield await starting.opened


@asynccontextmanager
async def start_runtime(
    config: RuntimeConfig, folder: Path, secrets: SecretSource, *, admin_secret: str | None = None
) -> AsyncIterator[Starting]:
    """Begin to open a pipeline's service.

    admin_secret: the Secret with the token of its admin port; None where it has none. ``opened`` fails with
    StartError where the service can't start at all. With an admin port, where somebody reads the reason, that
    is waited for as well, and so are Secrets that aren't there.
    """
    metrics = Metrics()
    readiness = Readiness()
    board = Board(config, readiness)
    gate = Gate(readiness)
    has_admin_port = admin_secret is not None
    hidden = (METRICS_PATH,) if has_admin_port else ()

    def tell(error: Exception) -> None:
        readiness.wait(str(error))
        board.wait(error)

    async with AsyncExitStack() as stack:
        ring = await stack.enter_async_context(open_ring(config.auth, secrets, waits=has_admin_port))
        app = Observed(guarded(gate, ring, without=hidden), metrics)
        admin = None
        if admin_secret is not None:
            token = await stack.enter_async_context(open_admin_token(secrets, admin_secret))
            admin = Observed(Admin(token, readiness, board, metrics), metrics)
        opening = await stack.enter_async_context(AsyncExitStack())

        @asynccontextmanager
        async def service() -> AsyncIterator[tuple[Index, ASGIApp]]:
            if has_admin_port:
                await asyncio.to_thread(_require_secrets, config, secrets, ring)
            async with open_index(config, folder, secrets) as index:
                parts = ServiceParts(
                    config, folder, secrets, index, readiness, metrics, ring, has_admin_port=has_admin_port
                )
                async with open_app(parts) as inner:
                    yield index, inner

        async def open_all() -> Runtime:
            index, inner = await open_when_possible(
                opening, service, tell, MENDABLE if has_admin_port else PASSING
            )
            board.open(index.collection.store, index.ingester.recipe)
            opening.push_async_callback(board.aclose)
            gate.open(inner)
            return Runtime(config, app, index.collection, index.ingester, readiness)

        opened = asyncio.create_task(open_all(), name="opening")
        # Before what it has opened is closed: it may be in the middle of opening more.
        stack.push_async_callback(_cancel, opened)
        yield Starting(app, admin, readiness, opened)


def _require_secrets(config: RuntimeConfig, secrets: SecretSource, ring: KeyRing | None) -> None:
    """Raise MissingSecretError for what isn't there of what the configuration refers to. Blocks."""
    missing = missing_entries(config, secrets)
    if ring is not None:
        ring.reload()
        if ring.lack is not None:
            missing.append(ring.lack)
    if missing:
        raise MissingSecretError("; ".join(missing))


async def _cancel(task: asyncio.Task[Runtime]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await task

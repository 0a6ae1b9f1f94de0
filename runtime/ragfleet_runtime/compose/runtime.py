"""Opening a pipeline's service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from starlette.types import ASGIApp

from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_runtime.api.auth import guarded
from ragfleet_runtime.api.observed import Observed
from ragfleet_runtime.api.probes import Readiness
from ragfleet_runtime.api.waiting import Gate
from ragfleet_runtime.compose.app import ServiceParts, open_app
from ragfleet_runtime.compose.index import open_index
from ragfleet_runtime.compose.opening import open_when_possible
from ragfleet_runtime.guard.keys import open_ring
from ragfleet_runtime.index.collection import Collection
from ragfleet_runtime.ingest.ingester import Ingester
from ragfleet_runtime.observe.metrics import Metrics
from ragfleet_runtime.secrets import SecretSource


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
    """A service whose ``app`` can be served at once; until it is open, it tells why it isn't."""

    app: ASGIApp
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
    config: RuntimeConfig, folder: Path, secrets: SecretSource
) -> AsyncIterator[Starting]:
    """Begin to open a pipeline's service. ``opened`` fails with StartError where it can't start at all."""
    metrics = Metrics()
    readiness = Readiness()
    gate = Gate(readiness)
    async with AsyncExitStack() as stack:
        ring = await stack.enter_async_context(open_ring(config.auth, secrets))
        app = Observed(guarded(gate, ring), metrics)
        opening = await stack.enter_async_context(AsyncExitStack())

        async def open_all() -> Runtime:
            index = await open_when_possible(
                opening, lambda: open_index(config, folder, secrets), readiness.wait
            )
            parts = ServiceParts(config, folder, secrets, index, readiness, metrics, ring)
            gate.open(await opening.enter_async_context(open_app(parts)))
            return Runtime(config, app, index.collection, index.ingester, readiness)

        opened = asyncio.create_task(open_all(), name="opening")
        # Before what it has opened is closed: it may be in the middle of opening more.
        stack.push_async_callback(_cancel, opened)
        yield Starting(app, readiness, opened)


async def _cancel(task: asyncio.Task[Runtime]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await task

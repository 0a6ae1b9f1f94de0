"""Opening a collection on a Qdrant server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_runtime.embed.model import Vector
from ragfleet_runtime.errors import NotOpenYetError, StartError, StorageError
from ragfleet_runtime.index.collection import Collection, shape_of
from ragfleet_runtime.secrets import MissingSecretError, SecretSource


@asynccontextmanager
async def open_server_collection(
    config: RuntimeConfig, secrets: SecretSource, *, probe: Vector | None
) -> AsyncIterator[Collection]:
    """Open the pipeline's collection on its Qdrant server, made where there is none.

    probe: the vector of ``embed.model.PROBE``, which tells the model and its dimensions; None without one.

    Raises NotOpenYetError for what may get better by itself or by an operator's hand: call again. Raises
    StartError where the client library isn't installed.
    """
    try:
        from ragfleet_runtime.index.qdrant.assembly import assemble  # noqa: PLC0415 (it takes a second)
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "qdrant_client":
            raise
        raise StartError(
            "a Qdrant server needs its client library: pip install 'ragfleet[qdrant]'"
        ) from error
    if config.store.qdrant is None:
        raise ValueError("the vector store isn't a Qdrant server")
    shape = shape_of(config, probe)
    async with AsyncExitStack() as stack:
        try:
            collection = await assemble(config, config.store.qdrant, secrets, shape, probe, stack)
        except (StorageError, StartError, MissingSecretError) as error:
            raise NotOpenYetError(str(error)) from error
        yield collection

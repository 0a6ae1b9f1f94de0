"""Opening collections on either engine, for tests that hold both to the same."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_api.spec.common import SecretKeyRef
from ragfleet_runtime.embed.model import Vector
from ragfleet_runtime.index.collection import Collection, open_collection
from ragfleet_runtime.index.qdrant.open import open_server_collection
from ragfleet_runtime.index.writer import EncodedDocument
from ragfleet_runtime.secrets import MissingSecretError
from support.configs import make_config
from support.qdrant_server import RunningQdrant

EngineName = Literal["Embedded", "Qdrant"]
EMBEDDING = {"type": "FastEmbed", "fastEmbed": {"model": "test/axes"}}
# Each word is an axis: a text's vector is how often each word stands in it.
AXES = ("red", "blue", "green", "lamp", "boat", "tower")


def axes(text: str) -> Vector:
    """A text's dense vector."""
    words = text.lower().split()
    return [float(words.count(axis)) + 0.01 for axis in AXES]


@dataclass
class Secrets:
    """Secrets that a test sets, and may change."""

    values: dict[str, str] = field(default_factory=dict)

    def read(self, ref: SecretKeyRef) -> str:
        """See SecretSource."""
        if ref.key not in self.values:
            raise MissingSecretError(f"the Secret {ref.name} has no entry {ref.key}")
        return self.values[ref.key]

    def entries(self, name: str) -> Mapping[str, str]:
        """See SecretSource."""
        return self.values


def server_config(
    server: RunningQdrant, name: str = "handbook", *, qdrant: Mapping[str, Any] | None = None, **sections: Any
) -> RuntimeConfig:
    """The configuration of a pipeline on the server; ``vectorStore`` adds to that section."""
    store = {
        "type": "Qdrant",
        "qdrant": {"url": server.url, **(qdrant or {})},
        **sections.pop("vectorStore", {}),
    }
    return make_config(name, vectorStore=store, **sections)


@asynccontextmanager
async def on_server(
    server: RunningQdrant, config: RuntimeConfig | None = None, secrets: Secrets | None = None
) -> AsyncIterator[Collection]:
    """A replica's collection on the server."""
    config = config or server_config(server)
    probe = None if config.embedding is None else axes("red")
    async with open_server_collection(config, secrets or Secrets(), probe=probe) as collection:
        yield collection


@dataclass(frozen=True)
class Opener:
    """Opens collections on one of the engines; a name opens the same one again."""

    engine: EngineName
    folder: Path
    server: RunningQdrant | None

    def __call__(self, **sections: Any) -> AbstractAsyncContextManager[Collection]:
        """A collection with the given sections of the spec."""
        if self.server is not None:
            return on_server(self.server, server_config(self.server, **sections))
        store = {"type": "Embedded", **sections.pop("vectorStore", {})}
        config = make_config(vectorStore=store, **sections)
        probe = None if config.embedding is None else axes("red")
        return open_collection(config, self.folder, None, probe)


async def put(collection: Collection, *documents: EncodedDocument) -> None:
    """Index documents; on return they are acknowledged."""
    for done in [await collection.committer.submit(document) for document in documents]:
        await done

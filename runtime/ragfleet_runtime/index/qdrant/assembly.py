"""A collection on a Qdrant server, opened from its parts."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack

from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_api.config.store import QdrantConfig
from ragfleet_runtime.embed.model import Vector
from ragfleet_runtime.errors import StartError
from ragfleet_runtime.index.bm25 import Analyzer
from ragfleet_runtime.index.claim import OWNER, SETTINGS, claim, other_settings, owner_note
from ragfleet_runtime.index.collection import Collection
from ragfleet_runtime.index.committer import Committer
from ragfleet_runtime.index.flushing import NothingToSync
from ragfleet_runtime.index.maintenance import Maintenance
from ragfleet_runtime.index.plan import Planner
from ragfleet_runtime.index.qdrant.client import Server, connect
from ragfleet_runtime.index.qdrant.documents import QdrantDocumentStore
from ragfleet_runtime.index.qdrant.engine import QdrantEngine
from ragfleet_runtime.index.qdrant.lengths import SharedMeanLength
from ragfleet_runtime.index.qdrant.points import Points
from ragfleet_runtime.index.qdrant.reader import QdrantReader
from ragfleet_runtime.index.qdrant.schema import DOCUMENTS_SUFFIX, Schema
from ragfleet_runtime.index.qdrant.sweeper import Sweeper
from ragfleet_runtime.index.shape import Shape
from ragfleet_runtime.index.writer import DocumentWriter
from ragfleet_runtime.lanes import Lane
from ragfleet_runtime.secrets import SecretSource


async def assemble(
    config: RuntimeConfig,
    qdrant: QdrantConfig,
    secrets: SecretSource,
    shape: Shape,
    probe: Vector | None,
    stack: AsyncExitStack,
) -> Collection:
    """Connect, make the collections what they should be, and start what works beside the traffic.

    Everything opened is left on ``stack``. Raises StorageError, StartError and MissingSecretError.
    """
    server = connect(qdrant, secrets)
    stack.push_async_callback(server.aclose)
    await server.require_version()
    schema = Schema(server, config.store, shape)
    store = QdrantDocumentStore(Points(server, schema.documents))
    stack.push_async_callback(store.aclose)
    await _take(server, schema, store, config, probe)
    analyzer = Analyzer(config.retrieval.sparse.language)
    encode = Lane("encode", 1)
    stack.callback(encode.close)
    engine = QdrantEngine(server, schema.chunks, shape, qdrant.upsert_batch_size, encode)
    lengths = SharedMeanLength(store, store.settings)
    flushing = NothingToSync()
    writer = DocumentWriter(engine, store, lengths, flushing, encode)
    maintenance = Maintenance(engine, lengths, flushing, analyzer, encode)
    stack.push_async_callback(maintenance.aclose)
    sweeper = Sweeper(engine, store, writer, lengths, maintenance)
    stack.push_async_callback(sweeper.aclose)
    committer = Committer(writer)
    stack.push_async_callback(committer.aclose)
    planner = Planner(config.retrieval.candidates, config.retrieval.fusion)
    return Collection(
        name=config.store.collection,
        engine=engine,
        store=store,
        analyzer=analyzer,
        encode=encode,
        reader=QdrantReader(engine, store, analyzer, planner),
        writer=writer,
        committer=committer,
        maintenance=maintenance,
        flushing=flushing,
    )


async def _take(
    server: Server, schema: Schema, store: QdrantDocumentStore, config: RuntimeConfig, probe: Vector | None
) -> None:
    """Make the collections, or find that they are ours; nothing there is changed before."""
    await schema.refuse_aliases()
    chunks, documents = await schema.points(schema.chunks), await schema.points(schema.documents)
    is_claimed = documents is not None and await store.get_setting(OWNER) is not None
    if not is_claimed:
        if chunks or documents:
            name = schema.chunks if chunks else schema.documents
            raise StartError(
                f"the collection {name} on the Qdrant server has points that this service didn't write: "
                "choose another name with spec.vectorStore.collection, or delete it there"
            )
        await _refuse_forgotten_collection(server, config)
        await schema.make()
        await store.settings.put_new(OWNER, await _first_notes(config, probe))
    await claim(store, config, probe)
    await schema.make()
    await schema.reconcile()


class _NewCollection:
    """A store of settings that nobody has used yet."""

    def __init__(self) -> None:
        self.settings: dict[str, str] = {}

    async def get_setting(self, name: str) -> str | None:
        return self.settings.get(name)

    async def put_settings(self, settings: Mapping[str, str]) -> None:
        self.settings.update(settings)


async def _first_notes(config: RuntimeConfig, probe: Vector | None) -> dict[str, str]:
    """What a new collection is claimed with: written at once, by the first of those that claim it."""
    new = _NewCollection()
    await claim(new, config, probe)
    return new.settings


async def _refuse_forgotten_collection(server: Server, config: RuntimeConfig) -> None:
    """Raise StartError where this pipeline's documents are in a collection of another fingerprint.

    Without this, an edit that changes the index settings would start the service on an empty index.
    """
    beginning = f"{config.owner.namespace}-{config.owner.name}-"
    answer = await server.call("looking for collections", lambda api: api.collections_api.get_collections())
    for found in [] if answer.result is None else answer.result.collections:
        if not (found.name.startswith(beginning) and found.name.endswith(DOCUMENTS_SUFFIX)):
            continue
        store = QdrantDocumentStore(Points(server, found.name))
        values = await store.settings.read()
        if values.get(OWNER) == owner_note(config) and (await store.totals()).documents:
            name = found.name.removesuffix(DOCUMENTS_SUFFIX)
            raise other_settings(config, name, values.get(SETTINGS))

"""A collection in use: its engine, its documents, and everything that reads and writes them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_runtime.embed.model import LocalModel, Vector
from ragfleet_runtime.errors import StartError, StorageError
from ragfleet_runtime.index.bm25 import Analyzer
from ragfleet_runtime.index.claim import claim
from ragfleet_runtime.index.committer import Committer
from ragfleet_runtime.index.data_folder import (
    DOCUMENTS_FILE,
    locked,
    refuse_forgotten_collection,
)
from ragfleet_runtime.index.documents import DEFAULT_TENANT, DocumentStore, Key
from ragfleet_runtime.index.edge import EdgeEngine
from ragfleet_runtime.index.engine import Engine
from ragfleet_runtime.index.filters import Condition
from ragfleet_runtime.index.flushing import Flushing, Syncing
from ragfleet_runtime.index.lengths import MeanLength
from ragfleet_runtime.index.maintenance import Maintenance
from ragfleet_runtime.index.plan import Planner
from ragfleet_runtime.index.reader import EmbeddedReader, PassageReader
from ragfleet_runtime.index.shape import Shape
from ragfleet_runtime.index.sqlite import SQLiteDocumentStore
from ragfleet_runtime.index.writer import DocumentWriter
from ragfleet_runtime.lanes import Lane

_AUDIT_PAGE = 1024


@dataclass(frozen=True)
class Collection:
    """The parts of an open collection."""

    name: str
    engine: Engine
    store: DocumentStore
    analyzer: Analyzer
    encode: Lane
    reader: PassageReader
    writer: DocumentWriter
    committer: Committer
    maintenance: Maintenance
    flushing: Syncing

    async def delete(self, ids: Sequence[str]) -> int:
        """Delete documents by id; returns how many there were."""
        deleted = await self.writer.delete([Key(DEFAULT_TENANT, id_) for id_ in ids])
        self.maintenance.notice_change()
        return deleted

    async def delete_matching(self, condition: Condition) -> int:
        """Delete the documents for which the condition holds; returns how many."""
        return await self.delete(sorted(await self.engine.document_ids(condition)))


@asynccontextmanager
async def open_collection(
    config: RuntimeConfig, folder: Path, model: LocalModel | None = None, probe: Vector | None = None
) -> AsyncIterator[Collection]:
    """Open the pipeline's collection in its data folder, recovered from whatever interrupted its last use.

    model: embeds questions inside searches, where it is local.
    probe: the vector of ``embed.model.PROBE``, which tells the model and its dimensions; None without one.
    Raises StartError where the folder is in use, or holds another owner's data or other settings' vectors.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(locked(folder))
        try:
            await refuse_forgotten_collection(folder, config)
            place = folder / config.store.collection
            place.mkdir(exist_ok=True)
            store = SQLiteDocumentStore.open(place / DOCUMENTS_FILE)
            stack.push_async_callback(store.aclose)
            await claim(store, config, probe)
            engine = EdgeEngine.open(place, shape_of(config, probe))
            stack.push_async_callback(engine.aclose)
            lengths = await MeanLength.load(store)
        except (StorageError, OSError) as error:
            raise StartError(
                f"the collection {config.store.collection} in {folder} won't open: {error}"
            ) from error
        analyzer = Analyzer(config.retrieval.sparse.language)
        planner = Planner(config.retrieval.candidates, config.retrieval.fusion)
        reader = EmbeddedReader(engine, store, analyzer, planner, model)
        stack.callback(reader.close)
        encode = Lane("encode", 1)
        stack.callback(encode.close)
        flushing = await Flushing.load(engine, store)
        stack.push_async_callback(flushing.flush)
        writer = DocumentWriter(engine, store, lengths, flushing, encode)
        await writer.recover()
        maintenance = Maintenance(engine, lengths, flushing, analyzer, encode)
        stack.push_async_callback(maintenance.aclose)
        committer = Committer(writer)
        stack.push_async_callback(committer.aclose)
        yield Collection(
            name=config.store.collection,
            engine=engine,
            store=store,
            analyzer=analyzer,
            encode=encode,
            reader=reader,
            writer=writer,
            committer=committer,
            maintenance=maintenance,
            flushing=flushing,
        )


def shape_of(config: RuntimeConfig, probe: Vector | None) -> Shape:
    """What the engine is opened with."""
    return Shape(
        dimensions=None if probe is None else len(probe),
        dot=config.embedding is not None and not config.embedding.normalize,
        index=config.store.index,
    )


async def audit(collection: Collection) -> list[Key]:
    """Hold the engine against the records, after a start; returns documents whose chunks are missing.

    The sums tell at once when all is well, as it is after any crash of the process. After a power cut or
    damage to the disk, every point is looked at, and those of no record are removed.
    """
    totals = await collection.store.totals()
    if not collection.flushing.may_have_lost_writes and await collection.engine.count() == totals.chunks:
        return []
    found = await _remove_unknown_points(collection)
    damaged: list[Key] = []
    after: str | None = None
    while page := await collection.store.page(DEFAULT_TENANT, after=after, limit=_AUDIT_PAGE):
        damaged.extend(summary.key for summary in page if found.get(summary.key, 0) != summary.chunks)
        after = page[-1].key.id
    return damaged


async def _remove_unknown_points(collection: Collection) -> dict[Key, int]:
    """Delete points that aren't of a current revision; returns how many the current ones have."""
    found: dict[Key, int] = {}
    after: UUID | None = None
    while True:
        points, after = await collection.engine.scroll(after, _AUDIT_PAGE)
        keys = [Key(passage.tenant, passage.document_id) for _, passage in points]
        current = await collection.store.current(set(keys))
        unknown = []
        for key, (id_, passage) in zip(keys, points, strict=True):
            if current.get(key) == passage.revision:
                found[key] = found.get(key, 0) + 1
            else:
                unknown.append(id_)
        async with collection.flushing.writing():
            await collection.engine.delete(unknown)
        if after is None:
            return found

"""Ingestion: parse, chunk and analyse in worker processes, commit in groups."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ragfleet_api.config.fingerprints import recipe_fingerprint
from ragfleet_api.config.runtime import ChunkingConfig, SparseConfig
from ragfleet_runtime.embed.model import Embedder, Vector
from ragfleet_runtime.errors import ProviderError, StorageError
from ragfleet_runtime.index.collection import Collection
from ragfleet_runtime.index.documents import DEFAULT_TENANT, Identity, Key
from ragfleet_runtime.index.writer import EncodedChunk, EncodedDocument
from ragfleet_runtime.ingest.analyse import (
    Analysed,
    Recipe,
    analyse_again,
    analyse_file,
    analyse_texts,
)
from ragfleet_runtime.ingest.chunk.adaptive import RECIPE_VERSION
from ragfleet_runtime.ingest.chunk.settings import ChunkSettings
from ragfleet_runtime.ingest.embed_chunks import ChunkEmbedding
from ragfleet_runtime.ingest.identity import content_hash, default_id
from ragfleet_runtime.ingest.isolate import ParserPool
from ragfleet_runtime.ingest.metadata import metadata_error
from ragfleet_runtime.ingest.model import (
    FileDocument,
    Kind,
    Outcome,
    Parsed,
    ParseError,
    Prepared,
    TextDocument,
)

_TEXTS_AT_ONCE = 32
_CHARACTERS_AT_ONCE = 256 * 1024
_BATCHES_AT_ONCE = 8

Submitted = TextDocument | FileDocument


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What became of each document, in the order sent, and what failed beyond them: storage or embedding."""

    outcomes: list[Outcome]
    failure: StorageError | ProviderError | None


@dataclass(frozen=True, slots=True)
class _Job:
    """One document of a request on its way; the place is its index in the request."""

    place: int
    key: Key
    content_hash: str
    document: Submitted


class Ingester:
    """Takes documents in."""

    def __init__(
        self,
        collection: Collection,
        pool: ParserPool,
        chunking: ChunkingConfig,
        sparse: SparseConfig,
        embedder: Embedder | None,
    ) -> None:
        self._collection = collection
        self._pool = pool
        self._embedding = ChunkEmbedding(embedder)
        self._recipe = Recipe(ChunkSettings.of(chunking), sparse.language)
        self.recipe = recipe_fingerprint(chunking, RECIPE_VERSION)

    async def ingest(self, documents: Sequence[Submitted]) -> IngestReport:
        """Take documents in, in their order; on return, each that is "indexed" is durable and visible.

        A document that fails leaves its earlier version as it was, and the others land.
        """
        jobs = await self._collection.encode.run(_jobs, documents)
        try:
            known = await self._collection.store.identities({job.key for job in jobs})
        except StorageError as error:
            return IngestReport([Outcome(job.key.id, 0, "failed", str(error)) for job in jobs], error)
        outcomes: dict[int, Outcome] = {}
        work: list[_Job] = []
        repeats: dict[int, int] = {}
        latest: dict[Key, _Job] = {}
        for job in jobs:
            if (reason := metadata_error(job.document.metadata)) is not None:
                outcomes[job.place] = Outcome(job.key.id, 0, "failed", reason)
                continue
            identity = known.get(job.key)
            before = latest.get(job.key)
            if before is not None and before.content_hash == job.content_hash:
                repeats[job.place] = before.place
            elif before is None and identity is not None and self._is_same(identity, job):
                outcomes[job.place] = Outcome(job.key.id, identity.chunks, "unchanged")
            else:
                work.append(job)
                latest[job.key] = job
        failure = await self._work(work, outcomes)
        for place, first in repeats.items():
            outcomes[place] = _repeated(outcomes[first])
        self._collection.maintenance.notice_change()
        return IngestReport([outcomes[place] for place in range(len(documents))], failure)

    async def reindex(self, keys: Sequence[Key]) -> None:
        """Make the chunks of documents again from what the store keeps of them."""
        for key in keys:
            document = await self._collection.store.get(key)
            if document is None:
                continue
            kind = Kind(document.kind)
            chunks, counts = await self._pool.run(
                analyse_again, document.text, kind, document.title, self._recipe
            )
            parsed = Parsed(document.text, kind, document.title, dict(document.metadata))
            analysed = Analysed(Prepared(parsed, chunks), document.title, counts)
            vectors = await self._embedding.all([analysed])
            encoded = _encoded(
                key, document.content_hash, self.recipe, analysed, vectors[0], document.metadata
            )
            await (await self._collection.committer.submit(encoded))
        self._collection.maintenance.notice_change()

    def _is_same(self, identity: Identity, job: _Job) -> bool:
        return identity.content_hash == job.content_hash and identity.recipe == self.recipe

    async def _work(
        self, jobs: Sequence[_Job], outcomes: dict[int, Outcome]
    ) -> StorageError | ProviderError | None:
        """Make documents ready side by side, submit them in order; fills ``outcomes``."""
        batches = _batches(jobs)
        room = asyncio.Semaphore(_BATCHES_AT_ONCE)
        tasks = [asyncio.create_task(self._make(batch, room)) for batch in batches]
        waiting: list[tuple[_Job, int, asyncio.Future[None]]] = []
        failure: StorageError | ProviderError | None = None
        try:
            for batch, task in zip(batches, tasks, strict=True):
                for job, made in zip(batch, await task, strict=True):
                    if isinstance(made, EncodedDocument):
                        done = await self._collection.committer.submit(made)
                        waiting.append((job, len(made.chunks), done))
                        continue
                    outcomes[job.place] = Outcome(job.key.id, 0, "failed", str(made))
                    if isinstance(made, ProviderError):
                        failure = made
                room.release()
        finally:
            for task in tasks:
                task.cancel()
        for job, chunks, done in waiting:
            try:
                await done
                outcomes[job.place] = Outcome(job.key.id, chunks, "indexed")
            except StorageError as error:
                failure = error
                outcomes[job.place] = Outcome(job.key.id, 0, "failed", str(error))
        return failure

    async def _make(
        self, batch: Sequence[_Job], room: asyncio.Semaphore
    ) -> list[EncodedDocument | str | ProviderError]:
        """Documents ready to be written, each one or what is wrong with it.

        Takes a place in ``room``, which is free again when the batch is submitted: vectors take memory.
        """
        await room.acquire()
        made = await self._analyse(batch)
        vectors = iter(await self._embedding.each([one for one in made if isinstance(one, Analysed)]))
        ready: list[EncodedDocument | str | ProviderError] = []
        for job, one in zip(batch, made, strict=True):
            if isinstance(one, str):
                ready.append(one)
                continue
            dense = next(vectors)
            if isinstance(dense, ProviderError):
                ready.append(dense)
                continue
            metadata = {**one.prepared.parsed.metadata, **job.document.metadata}
            ready.append(_encoded(job.key, job.content_hash, self.recipe, one, dense, metadata))
        return ready

    async def _analyse(self, batch: Sequence[_Job]) -> Sequence[Analysed | str]:
        first = batch[0].document
        try:
            if isinstance(first, FileDocument):
                return [
                    await self._pool.run(
                        analyse_file, first.data, first.name, first.content_type, self._recipe
                    )
                ]
            texts = [(d.text, d.title) for job in batch if isinstance(d := job.document, TextDocument)]
            return await self._pool.run(analyse_texts, texts, self._recipe)
        except ParseError as error:
            if len(batch) == 1:
                return [str(error)]
        # A text that crashes or hangs the worker must not take its neighbours with it.
        return [made for job in batch for made in await self._analyse([job])]


def _jobs(documents: Sequence[Submitted]) -> list[_Job]:
    return [
        _Job(
            place, Key(DEFAULT_TENANT, document.id or default_id(document)), content_hash(document), document
        )
        for place, document in enumerate(documents)
    ]


def _batches(jobs: Sequence[_Job]) -> list[list[_Job]]:
    """Jobs in their order, in groups for one call to a worker: texts together, each file alone."""
    batches: list[list[_Job]] = []
    room = 0
    for job in jobs:
        size = len(job.document.text) if isinstance(job.document, TextDocument) else _CHARACTERS_AT_ONCE
        if batches and size < room and len(batches[-1]) < _TEXTS_AT_ONCE:
            batches[-1].append(job)
            room -= size
        else:
            batches.append([job])
            room = _CHARACTERS_AT_ONCE - size
    return batches


def _repeated(first: Outcome) -> Outcome:
    """The outcome of a document that stands twice in one request."""
    return first if first.status == "failed" else Outcome(first.id, first.chunks, "unchanged")


def _encoded(
    key: Key,
    content: str,
    recipe: str,
    analysed: Analysed,
    vectors: Sequence[Vector] | None,
    metadata: Mapping[str, Any],
) -> EncodedDocument:
    parsed = analysed.prepared.parsed
    dense: Sequence[Vector | None] = vectors or [None] * len(analysed.counts)
    return EncodedDocument(
        key=key,
        content_hash=content,
        recipe=recipe,
        kind=parsed.kind.value,
        title=analysed.title,
        metadata=metadata,
        text=parsed.text,
        chunks=tuple(
            EncodedChunk(*chunk, counts, vector)
            for chunk, counts, vector in zip(analysed.prepared.chunks, analysed.counts, dense, strict=True)
        ),
    )

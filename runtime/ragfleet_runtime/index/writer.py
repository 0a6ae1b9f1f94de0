"""Writing documents: the commit protocol of ``index.documents`` over an engine and a store."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import structlog

from ragfleet_runtime.embed.model import Vector
from ragfleet_runtime.errors import StorageError
from ragfleet_runtime.index.bm25 import TermCounts, document_vector
from ragfleet_runtime.index.documents import Document, DocumentStore, Key, Leftover
from ragfleet_runtime.index.engine import Engine, Passage, Point, point_ids
from ragfleet_runtime.index.flushing import Syncing
from ragfleet_runtime.index.lengths import Lengths
from ragfleet_runtime.lanes import Lane

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class EncodedChunk(NamedTuple):
    """A passage's place in its document's text, its headings, its analysed terms, and its dense vector."""

    start: int
    end: int
    headings: tuple[str, ...]
    counts: TermCounts
    dense: Vector | None = None


@dataclass(frozen=True, slots=True)
class EncodedDocument:
    """A document ready to be written."""

    key: Key
    content_hash: str
    recipe: str
    kind: str
    title: str | None
    metadata: Mapping[str, Any]
    text: str
    chunks: tuple[EncodedChunk, ...]

    @property
    def terms(self) -> int:
        """Analysed terms of all chunks."""
        return sum(sum(chunk.counts.values()) for chunk in self.chunks)


class Staged(NamedTuple):
    """A batch whose chunks are in the engine and whose records aren't committed yet."""

    revisions: tuple[Leftover, ...]
    records: tuple[Document, ...]


def new_revision() -> str:
    """A revision's name: 96 random bits as hex, so that two replicas never choose the same."""
    return secrets.token_hex(12)


class DocumentWriter:
    """Writes and deletes documents, whole or not at all."""

    def __init__(
        self, engine: Engine, store: DocumentStore, lengths: Lengths, flushing: Syncing, encode: Lane
    ) -> None:
        self._engine = engine
        self._flushing = flushing
        self._store = store
        self._lengths = lengths
        self._encode = encode

    async def stage(self, documents: Sequence[EncodedDocument]) -> Staged:
        """Write the chunks of a batch, not visible yet. Raises StorageError, and then nothing stays."""
        mean = await self._lengths.for_batch(documents)
        written = [(document, new_revision()) for document in documents]
        begun = [Leftover(revision, len(document.chunks)) for document, revision in written]
        await self._store.begin(begun)
        try:
            points = await self._encode.run(points_of, written, mean)
            async with self._flushing.writing():
                await self._engine.upsert(points)
        except StorageError:
            await self._discard(begun)
            raise
        now = datetime.now(UTC)
        return Staged(tuple(begun), tuple(_record(document, revision, now) for document, revision in written))

    async def commit(self, staged: Staged) -> None:
        """Make a staged batch current; on return its records and originals are durable, and it is visible.

        Batches are committed in the order in which they were staged. Raises StorageError, and then nothing of
        the batch is visible.
        """
        try:
            replaced = await self._store.commit(staged.records)
        except StorageError:
            await self._discard(staged.revisions)
            raise
        await self._discard(replaced)

    async def delete(self, keys: Sequence[Key]) -> int:
        """Delete documents; returns how many there were."""
        removed = await self._store.delete(keys)
        await self._discard(removed)
        return len(removed)

    async def recover(self) -> int:
        """Remove what an interrupted write or deletion left behind; returns how many revisions."""
        leftovers = await self._store.leftovers()
        await self._remove(leftovers)
        return len(leftovers)

    async def _discard(self, revisions: Sequence[Leftover]) -> None:
        # Their chunks are invisible already: what can't be removed now stays noted for the next recovery.
        try:
            await self._remove(revisions)
        except StorageError as error:
            log.warning("chunks not removed yet", revisions=len(revisions), error=str(error))

    async def _remove(self, revisions: Sequence[Leftover]) -> None:
        if not revisions:
            return
        async with self._flushing.writing():
            await self._engine.delete(
                id_ for revision in revisions for id_ in point_ids(revision.revision, revision.chunks)
            )
        await self._store.forget([revision.revision for revision in revisions])


def points_of(documents: Sequence[tuple[EncodedDocument, str]], mean_length: float) -> list[Point]:
    """The points of documents, each with its revision."""
    return [
        Point(
            Passage(
                tenant=document.key.tenant,
                document_id=document.key.id,
                revision=revision,
                number=number,
                start=chunk.start,
                end=chunk.end,
                text=document.text[chunk.start : chunk.end],
                kind=document.kind,
                title=document.title,
                headings=chunk.headings,
                metadata=document.metadata,
            ),
            document_vector(chunk.counts, mean_length),
            chunk.dense,
        )
        for document, revision in documents
        for number, chunk in enumerate(document.chunks)
    ]


def _record(document: EncodedDocument, revision: str, now: datetime) -> Document:
    return Document(
        key=document.key,
        revision=revision,
        content_hash=document.content_hash,
        recipe=document.recipe,
        kind=document.kind,
        title=document.title,
        metadata=document.metadata,
        text=document.text,
        chunks=len(document.chunks),
        terms=document.terms,
        created_at=now,
        updated_at=now,
    )

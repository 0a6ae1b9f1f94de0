"""The mean length of chunks that the stored weights assume, kept close to the real one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self
from uuid import UUID

from ragfleet_runtime.index.bm25 import Analyzer, SparseVector, document_vector
from ragfleet_runtime.index.documents import DocumentStore, Totals
from ragfleet_runtime.index.engine import Engine, Passage
from ragfleet_runtime.lanes import Lane

TOLERANCE = 0.05  # docs/adr/0003-bm25.md
MEAN = "mean_terms"
ENCODING = "encoding"
UNFINISHED = "unfinished"
PAGE = 256


class Sized(Protocol):
    """A document's chunks and the analysed terms of all of them."""

    @property
    def terms(self) -> int:
        """Analysed terms of all chunks."""

    @property
    def chunks(self) -> Sequence[object]:
        """The chunks."""


class Lengths(Protocol):
    """The mean in use, kept close to the real one."""

    async def for_batch(self, documents: Sequence[Sized]) -> float:
        """The mean in use; the first batch of a collection sets it."""

    async def needs_encoding(self) -> bool:
        """Whether weights should be renewed, and by this process."""

    async def encode_again(self, engine: Engine, analyzer: Analyzer, encode: Lane) -> int:
        """Give every chunk weights of the real mean; returns how many chunks."""


class MeanLength:
    """The mean in use, in analysed terms a chunk; it belongs to the collection, not to a fingerprint."""

    def __init__(self, store: DocumentStore, mean: float | None, unfinished: bool) -> None:
        self._store = store
        self._mean = mean
        self._unfinished = unfinished

    @classmethod
    async def load(cls, store: DocumentStore) -> Self:
        """The mean that the collection was left with."""
        mean = await store.get_setting(MEAN)
        unfinished = await store.get_setting(ENCODING) == UNFINISHED
        return cls(store, None if mean is None else float(mean), unfinished)

    async def for_batch(self, documents: Sequence[Sized]) -> float:
        """The mean in use; the first batch of a collection sets it."""
        if self._mean is None:
            self._mean = first_mean(documents)
            await self._store.put_settings({MEAN: repr(self._mean)})
        return self._mean

    async def needs_encoding(self) -> bool:
        """Whether the real mean has drifted, or an earlier encoding was interrupted."""
        if self._mean is None:
            return False
        if self._unfinished:
            return True
        return has_drifted(await self._store.totals(), self._mean)

    async def encode_again(self, engine: Engine, analyzer: Analyzer, encode: Lane) -> int:
        """Give every chunk weights of the real mean; returns how many chunks.

        Searches and writes go on meanwhile, on weights of either mean. After a crash it starts over.
        """
        totals = await self._store.totals()
        if totals.chunks:
            self._mean = real_mean(totals)
        mean = self._mean or 1.0
        self._unfinished = True
        await self._store.put_settings({MEAN: repr(mean), ENCODING: UNFINISHED})
        encoded = 0
        after: UUID | None = None
        while True:
            page, after = await engine.scroll(after, PAGE)
            await engine.replace_vectors(await encode.run(vectors_of, page, analyzer, mean))
            encoded += len(page)
            if after is None:
                break
        await self._store.put_settings({ENCODING: "finished"})
        self._unfinished = False
        return encoded


def first_mean(documents: Sequence[Sized]) -> float:
    """The mean of a collection's first batch, in terms a chunk."""
    chunks = sum(len(document.chunks) for document in documents)
    terms = sum(document.terms for document in documents)
    return max(terms / max(chunks, 1), 1.0)


def real_mean(totals: Totals) -> float:
    """The mean of all chunks, in terms a chunk; there must be some."""
    return max(totals.terms / totals.chunks, 1.0)


def has_drifted(totals: Totals, mean: float) -> bool:
    """Whether the real mean is further from the one in use than weights can bear."""
    return bool(totals.chunks) and abs(real_mean(totals) / mean - 1) > TOLERANCE


def vectors_of(
    page: Sequence[tuple[UUID, Passage]], analyzer: Analyzer, mean: float
) -> dict[UUID, SparseVector]:
    """Sparse vectors of points by the given mean."""
    return {id_: document_vector(analyzer.counts(passage.indexed_text), mean) for id_, passage in page}

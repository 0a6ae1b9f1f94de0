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
_MEAN = "mean_terms"
_ENCODING = "encoding"
_PAGE = 256


class _Sized(Protocol):
    @property
    def terms(self) -> int: ...
    @property
    def chunks(self) -> Sequence[object]: ...


class MeanLength:
    """The mean in use, in analysed terms a chunk; it belongs to the collection, not to a fingerprint."""

    def __init__(self, store: DocumentStore, mean: float | None, unfinished: bool) -> None:
        self._store = store
        self._mean = mean
        self._unfinished = unfinished

    @classmethod
    async def load(cls, store: DocumentStore) -> Self:
        """The mean that the collection was left with."""
        mean = await store.get_setting(_MEAN)
        unfinished = await store.get_setting(_ENCODING) == "unfinished"
        return cls(store, None if mean is None else float(mean), unfinished)

    async def for_batch(self, documents: Sequence[_Sized]) -> float:
        """The mean in use; the first batch of a collection sets it."""
        if self._mean is None:
            chunks = sum(len(document.chunks) for document in documents)
            terms = sum(document.terms for document in documents)
            self._mean = max(terms / max(chunks, 1), 1.0)
            await self._store.put_settings({_MEAN: repr(self._mean)})
        return self._mean

    async def needs_encoding(self) -> bool:
        """Whether the real mean has drifted, or an earlier encoding was interrupted."""
        if self._mean is None:
            return False
        if self._unfinished:
            return True
        totals = await self._store.totals()
        if not totals.chunks:
            return False
        return abs(_real_mean(totals) / self._mean - 1) > TOLERANCE

    async def encode_again(self, engine: Engine, analyzer: Analyzer, encode: Lane) -> int:
        """Give every chunk weights of the real mean; returns how many chunks.

        Searches and writes go on meanwhile, on weights of either mean. After a crash it starts over.
        """
        totals = await self._store.totals()
        if totals.chunks:
            self._mean = _real_mean(totals)
        mean = self._mean or 1.0
        self._unfinished = True
        await self._store.put_settings({_MEAN: repr(mean), _ENCODING: "unfinished"})
        encoded = 0
        after: UUID | None = None
        while True:
            page, after = await engine.scroll(after, _PAGE)
            await engine.replace_vectors(await encode.run(_vectors, page, analyzer, mean))
            encoded += len(page)
            if after is None:
                break
        await self._store.put_settings({_ENCODING: "finished"})
        self._unfinished = False
        return encoded


def _real_mean(totals: Totals) -> float:
    return max(totals.terms / totals.chunks, 1.0)


def _vectors(page: list[tuple[UUID, Passage]], analyzer: Analyzer, mean: float) -> dict[UUID, SparseVector]:
    return {id_: document_vector(analyzer.counts(passage.indexed_text), mean) for id_, passage in page}

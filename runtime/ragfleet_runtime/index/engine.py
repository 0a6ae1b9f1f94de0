"""The engine behind the index: what the service asks of Qdrant, embedded or as a server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from ragfleet_runtime.embed.model import Vector
from ragfleet_runtime.index.bm25 import SparseVector
from ragfleet_runtime.index.filters import Condition

SPARSE = "bm25"
DENSE = "dense"


class Passage(NamedTuple):
    """A chunk as the engine keeps it, beside its vectors.

    A tuple, like Hit and Key: a search makes dozens, and a frozen dataclass takes several times as long.
    """

    tenant: str
    document_id: str
    revision: str
    number: int
    start: int
    end: int
    text: str
    kind: str
    title: str | None = None
    headings: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = MappingProxyType({})

    @property
    def chunk_id(self) -> str:
        """Name of the chunk: its document's id and its place among the document's chunks."""
        return f"{self.document_id}#{self.number}"

    @property
    def indexed_text(self) -> str:
        """What is searched of it."""
        return indexed_text(self.title, self.headings, self.text)


@dataclass(frozen=True, slots=True)
class Point:
    """A passage and its vectors; dense is None where the pipeline has no embedding."""

    passage: Passage
    sparse: SparseVector
    dense: Vector | None = None


class Hit(NamedTuple):
    """A passage found and its score; higher is better."""

    passage: Passage
    score: float


def indexed_text(title: str | None, headings: Sequence[str], text: str) -> str:
    """What is searched: the passage under its title and headings."""
    return "\n".join((title or "", *headings, text))


def point_id(revision: str, number: int) -> UUID:
    """Id of a revision's chunk: the revision's 24 hex digits and the chunk's number.

    A new revision never overwrites the points of the one that is being read.
    """
    return UUID(hex=f"{revision}{number:08x}")


def point_ids(revision: str, chunks: int) -> list[UUID]:
    """Ids of all chunks of a revision."""
    return [point_id(revision, number) for number in range(chunks)]


class Engine(Protocol):
    """A collection of points. Every method raises EngineError where the engine fails."""

    async def inverse_document_frequencies(self, terms: Sequence[int]) -> dict[int, float]:
        """IDF of each term as the engine scores it; a term that no point has is left out."""

    async def upsert(self, points: Sequence[Point]) -> None:
        """Write points; durable after ``flush``."""

    async def delete(self, ids: Iterable[UUID]) -> None:
        """Remove points; those that don't exist are passed over."""

    async def flush(self) -> None:
        """Make everything written durable."""

    async def document_ids(self, condition: Condition) -> set[str]:
        """Ids of the documents that have a point for which the condition holds."""

    async def scroll(self, after: UUID | None, limit: int) -> tuple[list[tuple[UUID, Passage]], UUID | None]:
        """Points in the order of their ids, from ``after`` on, and where the next page starts, if any."""

    async def replace_vectors(self, vectors: Mapping[UUID, SparseVector]) -> None:
        """Give existing points new sparse vectors."""

    async def count(self) -> int:
        """Points in the collection."""

    async def put_in_order(self) -> bool:
        """Build the indexes of what was written, where it is worth its while; returns whether it was done."""

    async def aclose(self) -> None:
        """Flush and release the engine."""

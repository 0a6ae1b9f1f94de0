"""Qdrant Edge, the engine inside the process: one folder, one owner, durable on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Self
from uuid import UUID

import qdrant_edge as edge

from ragfleet_runtime.errors import EngineError
from ragfleet_runtime.index.bm25 import SparseVector
from ragfleet_runtime.index.edge_config import edge_config, payload_indexes
from ragfleet_runtime.index.edge_filters import to_edge
from ragfleet_runtime.index.edge_payload import passage_of
from ragfleet_runtime.index.edge_place import EnginePlace
from ragfleet_runtime.index.edge_queries import best_scores, one_term, request_of
from ragfleet_runtime.index.edge_rebuild import Rebuild
from ragfleet_runtime.index.edge_shard import ShardSlot, guard
from ragfleet_runtime.index.edge_writes import EdgeWrites
from ragfleet_runtime.index.engine import SPARSE, Hit, Passage, Point
from ragfleet_runtime.index.filters import Condition
from ragfleet_runtime.index.plan import Plan
from ragfleet_runtime.index.shape import Shape
from ragfleet_runtime.lanes import Lane

_SCROLL_PAGE = 512
_UPSERT_BATCH = 256


class EdgeEngine:
    """The Engine of one process. Writes run one after another; searches run beside them."""

    def __init__(self, shard: edge.EdgeShard, place: EnginePlace, shape: Shape) -> None:
        self._slot = ShardSlot(shard)
        self._shape = shape
        self._reading = Lane("read", 1)
        self._writing = Lane("index", 1)
        self._writes = EdgeWrites(self._slot, place)
        self._one_rebuild = asyncio.Lock()
        self._rebuild = Rebuild(self._writes, self._slot, place, shape, self._writing)

    @classmethod
    def open(cls, folder: Path, shape: Shape) -> Self:
        """Open the engine in a collection's folder, made where there is none. Blocks while it loads."""
        place = EnginePlace.find(folder)
        config = edge_config(shape)
        if not place.folder.exists():
            # Made under another name first, so that a crash never leaves a folder that can't be loaded.
            making = place.folder.with_name(place.folder.name + "-1")
            making.mkdir(parents=True)
            guard(edge.EdgeShard.create, str(making), config).close()
            making.rename(place.folder)
        shard = guard(edge.EdgeShard.load, str(place.folder), config)
        _index_metadata(shard, shape)
        return cls(shard, place, shape)

    def find(self, plan: Plan) -> list[Hit]:
        """The best points of a plan, best first; an empty plan finds nothing. Blocks."""
        if plan.is_empty:
            return []
        with self._slot.use() as shard:
            if plan.is_hybrid and plan.fusion.method == "Weighted":
                dense, sparse = guard(shard.query_batch, best_scores(plan, self._shape))
                best = (dense[0].score if dense else 0.0, sparse[0].score if sparse else 0.0)
                request = request_of(plan, self._shape, best)
            else:
                request = request_of(plan, self._shape)
            points = guard(shard.query, request)
        least = plan.min_score
        return [
            Hit(passage_of(point.payload or {}), point.score)
            for point in points
            if least is None or point.score >= least
        ]

    async def inverse_document_frequencies(self, terms: Sequence[int]) -> dict[int, float]:
        """See Engine. The engine doesn't tell IDF, but a one-term score divided by the weight is IDF."""
        return await self._reading.run(self._frequencies, terms) if terms else {}

    def _frequencies(self, terms: Sequence[int]) -> dict[int, float]:
        with self._slot.use() as shard:
            found = guard(shard.query_batch, edge.QueryBatchRequest([one_term(term) for term in terms]))
        return {
            term: points[0].score / _weight(points[0], term)
            for term, points in zip(terms, found, strict=True)
            if points
        }

    async def upsert(self, points: Sequence[Point]) -> None:
        """See Engine."""
        for start in range(0, len(points), _UPSERT_BATCH):
            await self._writing.run(self._writes.upsert, points[start : start + _UPSERT_BATCH])

    async def delete(self, ids: Iterable[UUID]) -> None:
        """See Engine."""
        await self._writing.run(self._writes.delete, list(ids))

    async def flush(self) -> None:
        """See Engine."""
        await self._writing.run(self._writes.flush)

    async def replace_vectors(self, vectors: Mapping[UUID, SparseVector]) -> None:
        """See Engine."""
        await self._writing.run(self._writes.replace_vectors, vectors)

    async def document_ids(self, condition: Condition) -> set[str]:
        """See Engine."""
        return await self._reading.run(self._document_ids, to_edge(condition))

    def _document_ids(self, condition: edge.Filter) -> set[str]:
        found: set[str] = set()
        after: edge.PointId | None = None
        while True:
            request = edge.ScrollRequest(
                offset=after, limit=_SCROLL_PAGE, filter=condition, with_payload=["document_id"]
            )
            with self._slot.use() as shard:
                records, after = guard(shard.scroll, request)
            found.update(record.payload["document_id"] for record in records if record.payload)
            if after is None:
                return found

    async def scroll(self, after: UUID | None, limit: int) -> tuple[list[tuple[UUID, Passage]], UUID | None]:
        """See Engine."""
        return await self._reading.run(self._scroll, after, limit)

    def _scroll(self, after: UUID | None, limit: int) -> tuple[list[tuple[UUID, Passage]], UUID | None]:
        request = edge.ScrollRequest(offset=after, limit=limit, with_payload=True)
        with self._slot.use() as shard:
            records, following = guard(shard.scroll, request)
        page = [(_uuid(record.id), passage_of(record.payload or {})) for record in records]
        return page, None if following is None else _uuid(following)

    async def count(self) -> int:
        """See Engine."""
        return await self._reading.run(self._count)

    def _count(self) -> int:
        with self._slot.use() as shard:
            return guard(shard.count, edge.CountRequest(exact=True))

    async def put_in_order(self) -> bool:
        """See Engine."""
        async with self._one_rebuild:
            points = await self.count()
            return self._rebuild.is_needed(points) and await self._rebuild.run(points)

    async def aclose(self) -> None:
        """See Engine."""
        await self._writing.run(self._writes.flush)
        self._rebuild.close()
        for lane in (self._reading, self._writing):
            lane.close()
        self._slot.close()


def _index_metadata(shard: edge.EdgeShard, shape: Shape) -> None:
    """Make the indexes on metadata keys that are missing, and drop those that aren't asked for any more."""
    wanted = dict(found for index in shape.index.metadata for found in payload_indexes(index))
    found = {path: info.data_type for path, info in guard(shard.info).payload_schema.items()}
    for path, schema in found.items():
        if wanted.get(path) != schema:
            guard(shard.update, edge.UpdateOperation.delete_field_index(path))
    for path, schema in wanted.items():
        if found.get(path) != schema:
            guard(shard.update, edge.UpdateOperation.create_field_index(path, schema))


def _weight(point: edge.ScoredPoint, term: int) -> float:
    vectors = point.vector
    sparse = vectors.get(SPARSE) if isinstance(vectors, dict) else None
    if not isinstance(sparse, edge.SparseVector):
        raise EngineError("the engine returned a point without its sparse vector")
    return sparse.values[sparse.indices.index(term)]


def _uuid(value: edge.PointId) -> UUID:
    return value if isinstance(value, UUID) else UUID(str(value))

"""Qdrant Edge, the engine inside the process: one folder, one owner, durable on disk."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar
from uuid import UUID

import qdrant_edge as edge
import structlog

from ragfleet_runtime.errors import EngineError, StorageFullError
from ragfleet_runtime.index.bm25 import SparseVector
from ragfleet_runtime.index.edge_filters import flags, to_edge
from ragfleet_runtime.index.engine import SPARSE, Hit, Passage, Point, point_id
from ragfleet_runtime.index.filters import Condition
from ragfleet_runtime.lanes import Lane

# One thread in the engine's own search pool: a wider one splits each query over threads that spend more on
# waking each other than on searching (measured: 69 µs against 181 µs at 1,000 chunks, a quarter of the CPU).
_ENGINE_SEARCH_THREADS = 1
_SCROLL_PAGE = 512
_ROUNDING = 1e-6

# The engine writes through memory maps: a disk that fills up under it ends the process (SIGBUS), so that it
# is never let near. Its log takes two segments of 32 MiB; a batch and its index, some times its text.
_RESERVE_TO_WRITE = 128 * 2**20
_RESERVE_TO_DELETE = 16 * 2**20
_GROWTH = 16

R = TypeVar("R")

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class EdgeEngine:
    """The Engine of one process. Writes run one after another; searches run beside them."""

    def __init__(self, shard: edge.EdgeShard, folder: Path) -> None:
        self._shard = shard
        self._folder = folder
        self._reads = Lane("read", 1)
        self._writes = Lane("index", 1)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the engine in ``folder``, made where there is none. Blocks while it loads."""
        config = edge.EdgeConfig(
            vectors={},
            sparse_vectors={SPARSE: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)},
            max_search_threads=_ENGINE_SEARCH_THREADS,
        )
        if folder.exists():
            engine = cls(_guard(edge.EdgeShard.load, str(folder), config), folder)
            engine._optimize()
            return engine
        # Made under another name first, so that a crash never leaves a folder that can't be loaded.
        making = folder.with_name(folder.name + ".new")
        _remove_tree(making)
        making.mkdir(parents=True)
        _guard(edge.EdgeShard.create, str(making), config).close()
        making.rename(folder)
        return cls(_guard(edge.EdgeShard.load, str(folder), config), folder)

    def find(
        self, query: SparseVector, limit: int, condition: Condition | None, min_score: float | None
    ) -> list[Hit]:
        """The best ``limit`` points by score, best first; an empty query finds nothing. Blocks."""
        if not query:
            return []
        request = edge.QueryRequest(
            limit=limit,
            query=_nearest(query),
            filter=None if condition is None else to_edge(condition),
            # The engine rounds to 32 bits and leaves out what equals the threshold: lower, then exact.
            score_threshold=None if min_score is None else min_score - abs(min_score) * _ROUNDING,
            with_payload=True,
        )
        points = _guard(self._shard.query, request)
        return [
            Hit(_passage(point.payload or {}), point.score)
            for point in points
            if min_score is None or point.score >= min_score
        ]

    async def inverse_document_frequencies(self, terms: Sequence[int]) -> dict[int, float]:
        """See Engine. The engine doesn't tell IDF, but a one-term score divided by the weight is IDF."""
        if not terms:
            return {}
        batch = edge.QueryBatchRequest(
            [edge.QueryRequest(limit=1, query=_nearest({term: 1.0}), with_vector=[SPARSE]) for term in terms]
        )
        found = await self._reads.run(_guard, self._shard.query_batch, batch)
        return {
            term: points[0].score / _weight(points[0], term)
            for term, points in zip(terms, found, strict=True)
            if points
        }

    async def upsert(self, points: Sequence[Point]) -> None:
        """See Engine."""
        await self._writes.run(self._upsert, points)

    def _upsert(self, points: Sequence[Point]) -> None:
        made = [
            edge.Point(
                point_id(point.passage.revision, point.passage.number),
                {SPARSE: _sparse(point.sparse)},
                _payload(point.passage),
            )
            for point in points
        ]
        text = sum(len(point.passage.text) for point in points)
        self._require_room(_RESERVE_TO_WRITE + _GROWTH * text)
        _guard(self._shard.update, edge.UpdateOperation.upsert_points(made))

    async def delete(self, ids: Iterable[UUID]) -> None:
        """See Engine."""
        doomed: list[edge.PointId] = list(ids)
        if doomed:
            await self._writes.run(self._delete, doomed)

    def _delete(self, doomed: list[edge.PointId]) -> None:
        self._require_room(_RESERVE_TO_DELETE)
        _guard(self._shard.update, edge.UpdateOperation.delete_points(doomed))

    async def flush(self) -> None:
        """See Engine."""
        await self._writes.run(_guard, self._shard.flush)

    async def document_ids(self, condition: Condition) -> set[str]:
        """See Engine."""
        return await self._reads.run(self._document_ids, to_edge(condition))

    def _document_ids(self, condition: edge.Filter) -> set[str]:
        found: set[str] = set()
        after: edge.PointId | None = None
        while True:
            request = edge.ScrollRequest(
                offset=after, limit=_SCROLL_PAGE, filter=condition, with_payload=["document_id"]
            )
            records, after = _guard(self._shard.scroll, request)
            found.update(record.payload["document_id"] for record in records if record.payload)
            if after is None:
                return found

    async def scroll(self, after: UUID | None, limit: int) -> tuple[list[tuple[UUID, Passage]], UUID | None]:
        """See Engine."""
        request = edge.ScrollRequest(offset=after, limit=limit, with_payload=True)
        records, following = await self._reads.run(_guard, self._shard.scroll, request)
        page = [(_uuid(record.id), _passage(record.payload or {})) for record in records]
        return page, None if following is None else _uuid(following)

    async def replace_vectors(self, vectors: Mapping[UUID, SparseVector]) -> None:
        """See Engine."""
        await self._writes.run(self._replace_vectors, vectors)

    def _replace_vectors(self, vectors: Mapping[UUID, SparseVector]) -> None:
        # Asked in the lane of the writes: a point that was deleted since would fail the whole operation.
        existing = _guard(self._shard.retrieve, list(vectors), False, False)
        made = [
            edge.PointVectors(record.id, {SPARSE: _sparse(vectors[_uuid(record.id)])}) for record in existing
        ]
        if made:
            self._require_room(_RESERVE_TO_WRITE)
            _guard(self._shard.update, edge.UpdateOperation.update_vectors(made))

    async def count(self) -> int:
        """See Engine."""
        return await self._reads.run(_guard, self._shard.count, edge.CountRequest(exact=True))

    def _optimize(self) -> None:
        """Rewrite the segments that have grown or lost much since the last start.

        Only before there is traffic: the engine's binding keeps the interpreter to itself meanwhile
        (docs/adr/0008). Searches don't need it; memory and the next start gain by it.
        """
        size = sum(path.stat().st_blocks * 512 for path in self._folder.rglob("*") if path.is_file())
        if shutil.disk_usage(self._folder).free < _RESERVE_TO_WRITE + size:
            log.warning("segments not optimised: not enough room on the disk", needed_mib=size // 2**20)
            return
        _guard(self._shard.optimize)

    def _require_room(self, needed: int) -> None:
        free = shutil.disk_usage(self._folder).free
        if free < needed:
            raise StorageFullError(
                f"the data folder's disk is full: {free // 2**20} MiB free, {needed // 2**20} MiB needed; "
                "free some space and try again"
            )

    async def aclose(self) -> None:
        """See Engine."""
        await self._writes.run(_guard, self._shard.flush)
        for lane in (self._reads, self._writes):
            lane.close()
        self._shard.close()


def _guard(function: Callable[..., R], *args: Any) -> R:
    """Call the engine; whatever it raises becomes an EngineError, a panic of its Rust code included."""
    try:
        return function(*args)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        raise EngineError(str(error) or type(error).__name__) from error


def _nearest(vector: SparseVector) -> edge.Query:
    return edge.Query.Nearest(_sparse(vector), using=SPARSE)


def _sparse(vector: SparseVector) -> edge.SparseVector:
    return edge.SparseVector(list(vector.keys()), list(vector.values()))


def _weight(point: edge.ScoredPoint, term: int) -> float:
    vectors = point.vector
    sparse = vectors.get(SPARSE) if isinstance(vectors, dict) else None
    if not isinstance(sparse, edge.SparseVector):
        raise EngineError("the engine returned a point without its sparse vector")
    return sparse.values[sparse.indices.index(term)]


def _payload(passage: Passage) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "tenant": passage.tenant,
        "document_id": passage.document_id,
        "revision": passage.revision,
        "number": passage.number,
        "start": passage.start,
        "end": passage.end,
        "text": passage.text,
        "kind": passage.kind,
    }
    if passage.title:
        payload["title"] = passage.title
    if passage.headings:
        payload["headings"] = list(passage.headings)
    if passage.metadata:
        payload["metadata"] = dict(passage.metadata)
        if (found := flags(payload["metadata"])) is not None:
            payload["flags"] = found
    return payload


def _passage(payload: Mapping[str, Any]) -> Passage:
    return Passage(
        tenant=payload["tenant"],
        document_id=payload["document_id"],
        revision=payload["revision"],
        number=payload["number"],
        start=payload["start"],
        end=payload["end"],
        text=payload["text"],
        kind=payload["kind"],
        title=payload.get("title"),
        headings=tuple(payload.get("headings", ())),
        metadata=payload.get("metadata", {}),
    )


def _uuid(value: edge.PointId) -> UUID:
    return value if isinstance(value, UUID) else UUID(str(value))


def _remove_tree(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)

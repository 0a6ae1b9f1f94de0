"""The Engine on a Qdrant server: one collection of chunks, shared by all replicas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

import orjson
from qdrant_client.http import models as q

from ragfleet_runtime.errors import EngineError
from ragfleet_runtime.index.bm25 import SparseVector
from ragfleet_runtime.index.edge_payload import passage_of, payload_of
from ragfleet_runtime.index.engine import DENSE, SPARSE, Hit, Passage, Point, point_id
from ragfleet_runtime.index.filters import Condition
from ragfleet_runtime.index.plan import Plan
from ragfleet_runtime.index.qdrant.client import Server
from ragfleet_runtime.index.qdrant.faults import NotThereError
from ragfleet_runtime.index.qdrant.filters import to_filter
from ragfleet_runtime.index.qdrant.queries import best_scores, one_term, request_of
from ragfleet_runtime.index.shape import Shape
from ragfleet_runtime.lanes import Lane

# The server takes 32 MiB; proxies before it often less.
_MOST_BYTES = 8 * 2**20
_DELETED_AT_ONCE = 4096
_TERMS_AT_ONCE = 64
_SCROLL_PAGE = 1024
_ATTEMPTS = 5


class QdrantEngine:
    """See Engine. Writes are waited for: when one returns, every replica's search sees it."""

    def __init__(
        self, server: Server, collection: str, shape: Shape, most_points_at_once: int, encode: Lane
    ) -> None:
        self._server = server
        self._collection = collection
        self._shape = shape
        self._most_points = most_points_at_once
        self._encode = encode

    async def find(self, plan: Plan) -> list[Hit]:
        """The best points of a plan, best first; an empty plan finds nothing.

        Raises StorageError, and FilterError where the server refuses a filter without an index.
        """
        if plan.is_empty:
            return []
        best = (1.0, 1.0)
        if plan.is_hybrid and plan.fusion.method == "Weighted":
            dense, sparse = await self._query(best_scores(plan, self._shape))
            best = (dense[0].score if dense else 0.0, sparse[0].score if sparse else 0.0)
        [points] = await self._query([request_of(plan, self._shape, best)])
        least = plan.min_score
        return [
            Hit(passage_of(point.payload or {}), point.score)
            for point in points
            if least is None or point.score >= least
        ]

    async def inverse_document_frequencies(self, terms: Sequence[int]) -> dict[int, float]:
        """See Engine. The server doesn't tell IDF, but a one-term score divided by the weight is IDF."""
        found: dict[int, float] = {}
        for batch in _groups(terms, _TERMS_AT_ONCE):
            answers = await self._query([one_term(term) for term in batch])
            for term, points in zip(batch, answers, strict=True):
                if points:
                    found[term] = points[0].score / _weight(points[0], term)
        return found

    async def upsert(self, points: Sequence[Point]) -> None:
        """See Engine; durable when it returns."""
        for batch in _groups(points, self._most_points):
            for body in await self._encode.run(_upserts, batch):
                await self._server.write(
                    "writing chunks", self._collection, "PUT", "points", body, in_order=False
                )

    async def delete(self, ids: Iterable[UUID]) -> None:
        """See Engine."""
        for batch in _groups(ids, _DELETED_AT_ONCE):
            body = orjson.dumps({"points": [str(id_) for id_ in batch]})
            await self._server.write(
                "deleting chunks", self._collection, "POST", "points/delete", body, in_order=False
            )

    async def flush(self) -> None:
        """See Engine: what the server has confirmed is in its log already."""

    async def document_ids(self, condition: Condition) -> set[str]:
        """See Engine."""
        found: set[str] = set()
        after: str | None = None
        while True:
            page = await self._scroll(
                q.ScrollRequest(
                    offset=after,
                    limit=_SCROLL_PAGE,
                    filter=to_filter(condition),
                    with_payload=["document_id"],
                    with_vector=False,
                )
            )
            found.update(record.payload["document_id"] for record in page.points if record.payload)
            if page.next_page_offset is None:
                return found
            after = str(page.next_page_offset)

    async def scroll(self, after: UUID | None, limit: int) -> tuple[list[tuple[UUID, Passage]], UUID | None]:
        """See Engine."""
        offset = None if after is None else str(after)
        page = await self._scroll(
            q.ScrollRequest(offset=offset, limit=limit, with_payload=True, with_vector=False)
        )
        following = page.next_page_offset
        return (
            [(UUID(str(record.id)), passage_of(record.payload or {})) for record in page.points],
            None if following is None else UUID(str(following)),
        )

    async def replace_vectors(self, vectors: Mapping[UUID, SparseVector]) -> None:
        """See Engine."""
        for _ in range(_ATTEMPTS):
            # A point that isn't there would fail the whole operation.
            existing = await self.existing(vectors)
            if not existing:
                return
            body = await self._encode.run(_vector_updates, {id_: vectors[id_] for id_ in existing})
            try:
                await self._server.write(
                    "renewing weights", self._collection, "PUT", "points/vectors", body, in_order=False
                )
            except NotThereError:
                continue  # deleted since: look again
            return
        raise EngineError("renewing weights: points vanished at each of several attempts; it is tried again")

    async def existing(self, ids: Iterable[UUID]) -> set[UUID]:
        """Those of the ids that there is a point for."""
        request = q.PointRequest(ids=[str(id_) for id_ in ids], with_payload=False, with_vector=False)
        answer = await self._server.call(
            "looking for chunks",
            lambda api: api.points_api.get_points(self._collection, point_request=request),
        )
        return {UUID(str(record.id)) for record in answer.result or ()}

    async def count(self) -> int:
        """See Engine."""
        answer = await self._server.call(
            "counting chunks",
            lambda api: api.points_api.count_points(
                self._collection, count_request=q.CountRequest(exact=True)
            ),
        )
        return 0 if answer.result is None else answer.result.count

    async def put_in_order(self) -> bool:
        """See Engine: the server does it by itself."""
        return False

    async def aclose(self) -> None:
        """See Engine: the connections are the server's."""

    async def _query(self, requests: list[q.QueryRequest]) -> list[list[q.ScoredPoint]]:
        batch = q.QueryRequestBatch(searches=requests)
        answer = await self._server.call(
            "searching",
            lambda api: api.search_api.query_batch_points(self._collection, query_request_batch=batch),
        )
        found = [one.points for one in answer.result or ()]
        if len(found) != len(requests):
            raise EngineError("the Qdrant server answered another number of searches than were asked")
        return found

    async def _scroll(self, request: q.ScrollRequest) -> q.ScrollResult:
        answer = await self._server.call(
            "reading chunks",
            lambda api: api.points_api.scroll_points(self._collection, scroll_request=request),
        )
        return answer.result or q.ScrollResult(points=[])


def _upserts(points: Sequence[Point]) -> list[bytes]:
    """Bodies of upserts, each below _MOST_BYTES unless one point alone is larger."""
    body = orjson.dumps({"points": [_point(point) for point in points]})
    if len(body) <= _MOST_BYTES or len(points) == 1:
        return [body]
    middle = len(points) // 2
    return [*_upserts(points[:middle]), *_upserts(points[middle:])]


def _point(point: Point) -> dict[str, Any]:
    vector: dict[str, Any] = {SPARSE: _sparse(point.sparse)}
    if point.dense is not None:
        vector[DENSE] = point.dense
    return {
        "id": str(point_id(point.passage.revision, point.passage.number)),
        "vector": vector,
        "payload": payload_of(point.passage),
    }


def _vector_updates(vectors: Mapping[UUID, SparseVector]) -> bytes:
    return orjson.dumps(
        {"points": [{"id": str(id_), "vector": {SPARSE: _sparse(vector)}} for id_, vector in vectors.items()]}
    )


def _sparse(vector: SparseVector) -> dict[str, Any]:
    return {"indices": list(vector.keys()), "values": list(vector.values())}


def _weight(point: q.ScoredPoint, term: int) -> float:
    vectors = point.vector
    sparse = vectors.get(SPARSE) if isinstance(vectors, dict) else None
    if not isinstance(sparse, q.SparseVector):
        raise EngineError("the Qdrant server returned a point without its sparse vector")
    return sparse.values[sparse.indices.index(term)]


def _groups(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(items)
    while group := list(islice(rest, size)):
        yield group

"""Points without vectors in a collection of a Qdrant server: read, written and deleted in one order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Literal, TypeVar

import orjson
from qdrant_client.http import models as q

from ragfleet_runtime.errors import EngineError
from ragfleet_runtime.index.qdrant.client import Server

MOST_AT_ONCE = 1024

_FACETS = 100_000
# The server takes 32 MiB; proxies before it often less.
_MOST_BYTES = 8 * 2**20

Payload = Mapping[str, Any]
Operation = dict[str, Any]
T = TypeVar("T")


class Points:
    """The points of one collection. Every method raises StorageError."""

    def __init__(self, server: Server, collection: str) -> None:
        self._server = server
        self._collection = collection

    async def get(
        self, doing: str, ids: Iterable[str], fields: Sequence[str] | None = None
    ) -> dict[str, Payload]:
        """Payloads of the points that exist, by id; only the given fields of them, if any are."""
        found: dict[str, Payload] = {}
        for batch in in_groups(ids, MOST_AT_ONCE):
            request = q.PointRequest(
                ids=batch, with_payload=True if fields is None else list(fields), with_vector=False
            )
            found.update(await self._get(doing, request))
        return found

    async def write(self, doing: str, operations: Sequence[Operation]) -> None:
        """Carry out operations one after another; everybody sees them when this returns."""
        wanted = [operation for operation in operations if operation]
        if wanted:
            body = orjson.dumps({"operations": wanted})
            await self._server.write(doing, self._collection, "POST", "points/batch", body, in_order=True)

    async def scroll(self, doing: str, where: q.Filter, fields: Sequence[str]) -> AsyncIterator[Payload]:
        """Those fields of the points that pass, in no order of ours."""
        after: str | None = None
        while True:
            request = q.ScrollRequest(
                offset=after, limit=MOST_AT_ONCE, filter=where, with_payload=list(fields), with_vector=False
            )
            page = await self._page(doing, request)
            for record in page.points:
                yield record.payload or {}
            if page.next_page_offset is None:
                return
            after = str(page.next_page_offset)

    async def highest(self, doing: str, where: q.Filter, field: str) -> Any:
        """The highest value of a numeric field among the points that pass; None where there are none."""
        request = q.ScrollRequest(
            limit=1,
            filter=where,
            order_by=q.OrderBy(key=field, direction=q.Direction.DESC),
            with_payload=[field],
            with_vector=False,
        )
        points = (await self._page(doing, request)).points
        return (points[0].payload or {}).get(field) if points else None

    async def count(self, doing: str, where: q.Filter) -> int:
        """How many points pass, exactly."""
        request = q.CountRequest(filter=where, exact=True)
        answer = await self._server.call(
            doing, lambda api: api.points_api.count_points(self._collection, count_request=request)
        )
        return 0 if answer.result is None else answer.result.count

    async def tally(self, doing: str, where: q.Filter, field: str) -> dict[int, int]:
        """How many of the points that pass have each value of an integer field, exactly."""
        request = q.FacetRequest(key=field, limit=_FACETS, filter=where, exact=True)
        answer = await self._server.call(
            doing, lambda api: api.points_api.facet(self._collection, facet_request=request)
        )
        hits = [] if answer.result is None else answer.result.hits
        if len(hits) >= _FACETS:
            raise EngineError(f"{doing}: more than {_FACETS} different values of {field}")
        return {int(hit.value): hit.count for hit in hits}

    async def _get(self, doing: str, request: q.PointRequest) -> dict[str, Payload]:
        answer = await self._server.call(
            doing, lambda api: api.points_api.get_points(self._collection, point_request=request)
        )
        return {str(record.id): record.payload or {} for record in answer.result or ()}

    async def _page(self, doing: str, request: q.ScrollRequest) -> q.ScrollResult:
        answer = await self._server.call(
            doing, lambda api: api.points_api.scroll_points(self._collection, scroll_request=request)
        )
        return answer.result or q.ScrollResult(points=[])


def upsert(
    points: Sequence[dict[str, Any]],
    mode: Literal["upsert", "insert_only", "update_only"] = "upsert",
    only_if: q.Filter | None = None,
) -> Operation:
    """Write points whole; only those that aren't there, or that are and pass the filter, where told so."""
    if not points:
        return {}
    operation: dict[str, Any] = {"points": list(points), "update_mode": mode}
    if only_if is not None:
        operation["update_filter"] = only_if.model_dump(mode="json", exclude_none=True)
    return {"upsert": operation}


def delete(where: q.Filter) -> Operation:
    """Delete the points that pass."""
    return {"delete": {"filter": where.model_dump(mode="json", exclude_none=True)}}


def in_requests(items: Iterable[T]) -> Iterator[list[T]]:
    """Items in their order, in groups that are small enough for a request as JSON."""
    group: list[T] = []
    size = 0
    for item in items:
        weight = len(orjson.dumps(item))
        if group and (size + weight > _MOST_BYTES or len(group) >= MOST_AT_ONCE):
            yield group
            group, size = [], 0
        group.append(item)
        size += weight
    if group:
        yield group


def in_groups(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Items in their order, in groups of that size."""
    rest = iter(items)
    while group := list(islice(rest, size)):
        yield group

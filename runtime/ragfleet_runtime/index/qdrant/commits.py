"""Committing documents on a Qdrant server: each record replaces the one that was seen, or isn't written."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import structlog
from qdrant_client.http import models as q

from ragfleet_runtime.errors import StorageError, UncertainError
from ragfleet_runtime.index.documents import Document, Leftover
from ragfleet_runtime.index.qdrant import records
from ragfleet_runtime.index.qdrant.filters import has, has_any
from ragfleet_runtime.index.qdrant.points import Operation, Points, delete, in_requests, upsert

_DOING = "committing documents"

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Commit:
    """One commit of documents.

    A writer that finds another revision than it saw came second, and its own version counts as replaced by
    the other: both were under way at once, so either order is right, and only one of the two stays.
    """

    def __init__(self, points: Points, documents: Sequence[Document]) -> None:
        self._points = points
        last = {document.key: document for document in documents}
        self._documents = list(last.values())
        self._replaced = [_leftover(one) for one in documents if last[one.key] is not one]
        self._before: dict[str, records.Payload] = {}

    async def run(self) -> list[Leftover]:
        """Commit; returns the revisions that must go. Raises StorageError, and then nothing is committed.

        Raises UncertainError where a part may be.
        """
        await self._look()
        parts = chain.from_iterable(records.part_points(document) for document in self._documents)
        for group in in_requests(parts):
            await self._points.write("writing texts", [upsert(group)])
        try:
            for operations in self._operations():
                await self._points.write(_DOING, operations)
            return await self._settle()
        except StorageError as error:
            raise UncertainError(
                f"{error}; whether the documents were taken in isn't known: send them again"
            ) from error

    async def _look(self) -> None:
        """See the records as they are, and that nobody has taken our revisions for dead."""
        ids = [records.record_id(document.key) for document in self._documents]
        notes = [records.note_id(document.revision) for document in self._documents]
        found = await self._points.get(_DOING, [*ids, *notes])
        self._before = {id_: found[id_] for id_ in ids if id_ in found}
        if any(found.get(id_, {}).get("state") != records.PENDING for id_ in notes):
            raise StorageError(f"{_DOING} took so long that their chunks were removed: send them again")

    def _operations(self) -> list[list[Operation]]:
        """Writes of the records: new ones only where there is none, others only over those that were seen."""
        points = [
            records.record_point(document, self._before.get(records.record_id(document.key)))
            for document in self._documents
        ]
        requests: list[list[Operation]] = []
        for group in in_requests(points):
            seen = [self._before[point["id"]] for point in group if point["id"] in self._before]
            notes = [records.note_point(records.replaced_by(one), records.REPLACED) for one in seen]
            # Revisions are unique, so that this lets each record be replaced only where it is the one seen.
            unchanged = q.Filter(must=[has_any("revision", [one["revision"] for one in seen])])
            requests.append(
                [
                    upsert(notes),
                    upsert([point for point in group if point["id"] not in self._before], "insert_only"),
                    upsert(
                        [point for point in group if point["id"] in self._before], "update_only", unchanged
                    ),
                ]
            )
        return requests

    async def _settle(self) -> list[Leftover]:
        """See which records stand; drop their notes."""
        ids = {records.record_id(document.key): document for document in self._documents}
        notes = {records.note_id(document.revision): document for document in self._documents}
        after = await self._points.get(_DOING, [*ids, *notes], ["revision", "state"])
        garbage = list(self._replaced)
        kept: list[str] = []
        buried: list[Document] = []
        for id_, document in ids.items():
            note = records.note_id(document.revision)
            stands = after.get(id_, {}).get("revision") == document.revision
            if stands and after.get(note, {}).get("state", records.DEAD) == records.DEAD:
                buried.append(document)
                continue
            if id_ in self._before:
                garbage.append(records.replaced_by(self._before[id_]))
            if stands:
                kept.append(note)
            else:
                garbage.append(_leftover(document))
        if buried:
            await self._take_back(buried)
        await self._drop_notes(kept)
        return garbage

    async def _take_back(self, documents: Sequence[Document]) -> None:
        operations: list[Operation] = []
        for document in documents:
            id_ = records.record_id(document.key)
            mine = has("revision", document.revision)
            if id_ in self._before:
                point = records.point_again(document.key, self._before[id_])
                operations.append(upsert([point], "update_only", q.Filter(must=[mine])))
            else:
                operations.append(delete(q.Filter(must=[q.HasIdCondition(has_id=[id_]), mine])))
        await self._points.write(_DOING, operations)
        raise UncertainError(f"{_DOING} took so long that their chunks were removed: send them again")

    async def _drop_notes(self, ids: Sequence[str]) -> None:
        """Drop notes of what is committed; one that says by now that it is being replaced stays."""
        if not ids:
            return
        pending = has("state", records.PENDING)
        try:
            await self._points.write(
                _DOING, [delete(q.Filter(must=[q.HasIdCondition(has_id=list(ids)), pending]))]
            )
        except StorageError as error:
            log.warning("notes not dropped yet", notes=len(ids), error=str(error))


def _leftover(document: Document) -> Leftover:
    return Leftover(document.revision, document.chunks)

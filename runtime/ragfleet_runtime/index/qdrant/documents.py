"""The DocumentStore on a Qdrant server: records that replicas replace one after another.

A record is replaced only by a writer that names the revision that it saw (see ``index.documents`` for the
protocol). Of two that write a document at once, the later one finds another revision: then its own is as good
as replaced already, and goes. What a crash leaves is found by its notes. A note isn't trusted by its age on a
clock: ``leftovers`` takes a revision for dead only after watching its note for ``grace_seconds``, marks the
note first, and looks whether the revision is current last. A writer that was asleep for that long finds the
mark when it has committed, and takes its commit back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

import structlog
from qdrant_client.http import models as q

from ragfleet_runtime.errors import StorageError
from ragfleet_runtime.index.documents import (
    Document,
    DocumentSummary,
    Identity,
    Key,
    Leftover,
    Totals,
)
from ragfleet_runtime.index.qdrant import records
from ragfleet_runtime.index.qdrant.commits import Commit
from ragfleet_runtime.index.qdrant.directory import Directory
from ragfleet_runtime.index.qdrant.filters import has, has_any
from ragfleet_runtime.index.qdrant.points import MOST_AT_ONCE, Points, delete, in_groups, upsert
from ragfleet_runtime.index.qdrant.settings import SharedSettings

GRACE_SECONDS = 600.0

_ATTEMPTS = 5
_DOCUMENTS = q.Filter(must=[has(records.TYPE, records.DOCUMENT)])

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class QdrantDocumentStore:
    """The DocumentStore of all replicas."""

    def __init__(self, points: Points, *, grace_seconds: float = GRACE_SECONDS) -> None:
        self.settings = SharedSettings(points)
        self._points = points
        self._directory = Directory(points)
        self._grace = grace_seconds
        self._first_seen: dict[str, float] = {}

    async def begin(self, revisions: Sequence[Leftover]) -> None:
        """See DocumentStore."""
        await self._points.write(
            "noting revisions", [upsert([records.note_point(one, records.PENDING) for one in revisions])]
        )

    async def commit(self, documents: Sequence[Document]) -> list[Leftover]:
        """See DocumentStore; each document for itself, where another writer is at some of them too.

        Raises UncertainError where it isn't known what became of the records: their chunks must stay.
        """
        return await Commit(self._points, documents).run()

    async def delete(self, keys: Sequence[Key]) -> list[Leftover]:
        """See DocumentStore. A version that is committed meanwhile stays: it came after the deletion."""
        removed: list[Leftover] = []
        for group in in_groups(dict.fromkeys(keys), MOST_AT_ONCE):
            ids = [records.record_id(key) for key in group]
            found = await self._points.get("deleting documents", ids, ["revision", "chunks"])
            gone = [records.replaced_by(payload) for payload in found.values()]
            if not gone:
                continue
            seen = has_any("revision", [one.revision for one in gone])
            await self._points.write(
                "deleting documents",
                [
                    upsert([records.note_point(one, records.REPLACED) for one in gone]),
                    delete(q.Filter(must=[q.HasIdCondition(has_id=list(found)), seen])),
                ],
            )
            removed.extend(gone)
        return removed

    async def forget(self, revisions: Sequence[str]) -> None:
        """See DocumentStore; the pieces of their texts go too."""
        for group in in_groups(revisions, MOST_AT_ONCE):
            kinds = has_any(records.TYPE, [records.NOTE, records.PART])
            await self._points.write(
                "forgetting revisions", [delete(q.Filter(must=[kinds, has_any("revision", group)]))]
            )

    async def leftovers(self) -> list[Leftover]:
        """See DocumentStore: those whose notes have been watched for long enough, and aren't current."""
        where = q.Filter(must=[has(records.TYPE, records.NOTE)])
        notes = {
            payload["revision"]: records.note_of(payload)
            async for payload in self._points.scroll(
                "looking for leftovers", where, ["revision", "note_chunks"]
            )
        }
        now = time.monotonic()
        self._first_seen = {revision: self._first_seen.get(revision, now) for revision in notes}
        old = [note for note in notes.values() if now - self._first_seen[note.revision] >= self._grace]
        dead: list[Leftover] = []
        for group in in_groups(old, MOST_AT_ONCE):
            dead.extend(await self._bury(group))
        return dead

    async def _bury(self, notes: Sequence[Leftover]) -> list[Leftover]:
        """Mark notes, then say which of their revisions aren't current; the notes of the others go."""
        doing = "looking for leftovers"
        marks = [records.note_point(note, records.DEAD) for note in notes]
        await self._points.write(doing, [upsert(marks, "update_only")])
        alive = await self.current_among([note.revision for note in notes])
        if alive:
            ids = [records.note_id(revision) for revision in alive]
            marked = has("state", records.DEAD)
            await self._points.write(doing, [delete(q.Filter(must=[q.HasIdCondition(has_id=ids), marked]))])
        return [note for note in notes if note.revision not in alive]

    async def current_among(self, revisions: Sequence[str]) -> set[str]:
        """Those of the revisions that are their document's current one."""
        kind = has(records.TYPE, records.DOCUMENT)
        where = q.Filter(must=[kind, has_any("revision", list(revisions))])
        found = self._points.scroll("looking for revisions", where, ["revision"])
        return {payload["revision"] async for payload in found}

    async def pending(self, revisions: Iterable[str]) -> set[str]:
        """Those of the revisions that are being written and aren't committed yet."""
        ids = {records.note_id(revision): revision for revision in revisions}
        notes = await self._points.get("searching", ids, ["state"])
        return {ids[id_] for id_, payload in notes.items() if payload.get("state") == records.PENDING}

    async def noted(self, revisions: Iterable[str]) -> set[str]:
        """Those of the revisions that there is a note of."""
        ids = {records.note_id(revision): revision for revision in revisions}
        return {ids[id_] for id_ in await self._points.get("looking for notes", ids, ["state"])}

    async def revisions(self) -> AsyncIterator[tuple[Key, str, int]]:
        """Every document with its current revision and its chunks, in no order."""
        fields = ["tenant", "id", "revision", "chunks"]
        async for payload in self._points.scroll("reading records", _DOCUMENTS, fields):
            yield records.key_of(payload), payload["revision"], payload["chunks"]

    async def current(self, keys: Iterable[Key]) -> dict[Key, str]:
        """See DocumentStore."""
        found = await self._records("looking for revisions", keys, ["revision"])
        return {key: payload["revision"] for key, payload in found.items()}

    async def identities(self, keys: Iterable[Key]) -> dict[Key, Identity]:
        """See DocumentStore."""
        fields = ["content_hash", "recipe", "chunks"]
        found = await self._records("looking for documents", keys, fields)
        return {key: records.identity_of(payload) for key, payload in found.items()}

    async def get(self, key: Key) -> Document | None:
        """See DocumentStore."""
        for _ in range(_ATTEMPTS):
            found = await self._records("reading a document", [key], None)
            if key not in found:
                return None
            parts = records.part_ids(found[key])
            texts = await self._points.get("reading a document", parts, ["text"])
            if len(texts) == len(parts):
                return records.document_of(found[key], [texts[part]["text"] for part in parts])
            # Replaced since: the record is another by now.
        raise StorageError(f"parts of the text of the document {key.id} are missing: send it again")

    async def page(self, tenant: str, *, after: str | None, limit: int) -> list[DocumentSummary]:
        """See DocumentStore."""
        found: list[DocumentSummary] = []
        while len(found) < limit:
            ids = await self._directory.after(tenant, after, limit)
            if not ids:
                break
            after = ids[-1]
            keys = [Key(tenant, id_) for id_ in ids]
            there = await self._records("listing documents", keys, None)
            found.extend(records.summary_of(there[key]) for key in keys if key in there)
        return found[:limit]

    async def totals(self) -> Totals:
        """See DocumentStore: counted by the server from its indexes, exactly."""
        chunks, terms = await asyncio.gather(
            self._points.tally("counting documents", _DOCUMENTS, "chunks"),
            self._points.tally("counting documents", _DOCUMENTS, "terms"),
        )
        return Totals(sum(chunks.values()), _sum(chunks), _sum(terms))

    async def stale(self, recipe: str) -> int:
        """See DocumentStore."""
        where = q.Filter(must=[has(records.TYPE, records.DOCUMENT)], must_not=[has("recipe", recipe)])
        return await self._points.count("counting documents", where)

    async def get_setting(self, name: str) -> str | None:
        """See DocumentStore."""
        return (await self.settings.read()).get(name)

    async def put_settings(self, settings: Mapping[str, str]) -> None:
        """See DocumentStore."""
        await self.settings.put(settings)

    async def aclose(self) -> None:
        """See DocumentStore: the connections are the server's."""
        self._directory.drop()

    async def _records(
        self, doing: str, keys: Iterable[Key], fields: Sequence[str] | None
    ) -> dict[Key, records.Payload]:
        ids = {records.record_id(key): key for key in keys}
        found = await self._points.get(doing, ids, fields)
        return {ids[id_]: payload for id_, payload in found.items()}


def _sum(tally: Mapping[int, int]) -> int:
    return sum(value * count for value, count in tally.items())

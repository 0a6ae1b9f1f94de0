"""What the collection of documents holds: points without vectors, of four types. Pure.

- ``document``: one for each document, its commit point; the id is made of tenant and id.
- ``part``: a piece of a revision's text.
- ``note``: a revision whose chunks and parts may have to go; the state says why.
- ``settings``: one point for all settings kept with the collection.

Texts are apart from records, because the server reads a point's whole payload whatever it is asked for, and
every search asks for the revisions of its hits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID, uuid5

from ragfleet_runtime.index.documents import Document, DocumentSummary, Identity, Key, Leftover

TYPE = "type"
DOCUMENT, PART, NOTE, SETTINGS = "document", "part", "note", "settings"
SETTINGS_ID = str(UUID("0f6f6d1e-8a1e-5c0e-9d3a-6c8f6f0b8a01"))

# The states of a note. A pending revision is being written. A replaced one was current when somebody set out
# to replace or delete its document. A dead one's chunks are being removed by a sweeper.
State = Literal["pending", "replaced", "dead"]
PENDING: State = "pending"
REPLACED: State = "replaced"
DEAD: State = "dead"

_NAMESPACE = UUID("5b4b1d26-6a58-5f0e-8b0f-2d9f3a4b7c11")
_NOTE_SUFFIX = "ffffffff"
_PART_CHARACTERS = 256 * 1024

Payload = Mapping[str, Any]


def record_id(key: Key) -> str:
    """The id of a document's record."""
    return str(uuid5(_NAMESPACE, f"{key.tenant}\0{key.id}"))


def note_id(revision: str) -> str:
    """The id of a revision's note: its 24 hex digits, and what no part has."""
    return str(UUID(hex=revision + _NOTE_SUFFIX))


def part_id(revision: str, number: int) -> str:
    """The id of a piece of a revision's text."""
    return str(UUID(hex=f"{revision}{number:08x}"))


def note_point(note: Leftover, state: State) -> dict[str, Any]:
    """The point of a note."""
    payload = {TYPE: NOTE, "revision": note.revision, "state": state, "note_chunks": note.chunks}
    return {"id": note_id(note.revision), "vector": {}, "payload": payload}


def note_of(payload: Payload) -> Leftover:
    """The revision that a note is about."""
    return Leftover(payload["revision"], payload["note_chunks"])


def part_points(document: Document) -> Iterator[dict[str, Any]]:
    """The points of a document's text."""
    for number, start in enumerate(range(0, len(document.text), _PART_CHARACTERS)):
        text = document.text[start : start + _PART_CHARACTERS]
        payload = {TYPE: PART, "revision": document.revision, "text": text}
        yield {"id": part_id(document.revision, number), "vector": {}, "payload": payload}


def part_ids(payload: Payload) -> list[str]:
    """The ids of the pieces of the text that a record speaks of."""
    return [part_id(payload["revision"], number) for number in range(payload["parts"])]


def record_point(document: Document, before: Payload | None) -> dict[str, Any]:
    """The point of a document's record; ``before`` is the record that it replaces."""
    created = document.created_at.timestamp()
    payload = {
        TYPE: DOCUMENT,
        "tenant": document.key.tenant,
        "id": document.key.id,
        "revision": document.revision,
        "content_hash": document.content_hash,
        "recipe": document.recipe,
        "kind": document.kind,
        "title": document.title,
        # As text: only chunks are filtered by metadata.
        "metadata": json.dumps(dict(document.metadata), ensure_ascii=False),
        "chunks": document.chunks,
        "terms": document.terms,
        "parts": -(-len(document.text) // _PART_CHARACTERS),
        "created_at": created if before is None else before["created_at"],
        "updated_at": document.updated_at.timestamp(),
    }
    return point_again(document.key, payload)


def point_again(key: Key, payload: Payload) -> dict[str, Any]:
    """The point of a record, from its payload."""
    return {"id": record_id(key), "vector": {}, "payload": dict(payload)}


def key_of(payload: Payload) -> Key:
    """The document that a record is of."""
    return Key(payload["tenant"], payload["id"])


def document_of(payload: Payload, texts: Sequence[str]) -> Document:
    """The document of a record and the pieces of its text."""
    return Document(
        key=key_of(payload),
        revision=payload["revision"],
        content_hash=payload["content_hash"],
        recipe=payload["recipe"],
        kind=payload["kind"],
        title=payload.get("title"),
        metadata=json.loads(payload["metadata"]),
        text="".join(texts),
        chunks=payload["chunks"],
        terms=payload["terms"],
        created_at=_time(payload["created_at"]),
        updated_at=_time(payload["updated_at"]),
    )


def summary_of(payload: Payload) -> DocumentSummary:
    """The document of a record, without its text."""
    return DocumentSummary(
        key_of(payload),
        payload.get("title"),
        json.loads(payload["metadata"]),
        payload["chunks"],
        payload["recipe"],
        _time(payload["created_at"]),
        _time(payload["updated_at"]),
    )


def identity_of(payload: Payload) -> Identity:
    """What the document of a record was made from."""
    return Identity(payload["content_hash"], payload["recipe"], payload["chunks"])


def replaced_by(payload: Payload) -> Leftover:
    """The revision of a record, as what must go when it is replaced."""
    return Leftover(payload["revision"], payload["chunks"])


def _time(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)

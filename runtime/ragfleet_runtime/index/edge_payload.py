"""Passages as payloads of points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ragfleet_runtime.index.edge_filters import flags
from ragfleet_runtime.index.engine import Passage


def payload_of(passage: Passage) -> dict[str, Any]:
    """The payload of a passage."""
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


def passage_of(payload: Mapping[str, Any]) -> Passage:
    """The passage of a payload."""
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

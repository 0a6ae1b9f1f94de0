"""What makes two submissions the same document, and the same content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from ragfleet_api.config.canonical import canonical_json
from ragfleet_runtime.ingest.model import FileDocument, TextDocument

# A file's times change when it is copied or checked out; that alone is no new content.
_TIMES = ("created_at", "modified_at")


def default_id(document: TextDocument | FileDocument) -> str:
    """Id of a document that came without one: SHA-256 of its text in UTF-8, or of its bytes, as hex."""
    return hashlib.sha256(_content(document)).hexdigest()


def content_hash(document: TextDocument | FileDocument) -> str:
    """SHA-256, as hex, over all that a document was sent with, but for a file's times."""
    fields: dict[str, Any] = {"metadata": _lasting(document.metadata)}
    if isinstance(document, TextDocument):
        fields["title"] = document.title
    else:
        fields["name"] = document.name
        fields["type"] = document.content_type
    digest = hashlib.sha256(canonical_json(fields).encode("utf-8", "surrogatepass"))
    digest.update(b"\0")
    digest.update(_content(document))
    return digest.hexdigest()


def _content(document: TextDocument | FileDocument) -> bytes:
    # Text that isn't valid Unicode is refused later; its refusal needs an id too.
    return (
        document.data
        if isinstance(document, FileDocument)
        else document.text.encode("utf-8", "surrogatepass")
    )


def _lasting(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in metadata.items() if key not in _TIMES}

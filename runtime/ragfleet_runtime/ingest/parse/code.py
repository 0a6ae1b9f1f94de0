"""Source code, as it is."""

from __future__ import annotations

from ragfleet_runtime.ingest.filetypes import LANGUAGES, PYTHON
from ragfleet_runtime.ingest.model import Kind, Parsed


def parse_code(text: str, type_: str) -> Parsed:
    """Source code of a type in ``LANGUAGES``."""
    kind = Kind.PYTHON if type_ == PYTHON else Kind.CODE
    return Parsed(text, kind, metadata={"language": LANGUAGES[type_]})

"""Takes the objects out of a list's answer, page by page."""

from __future__ import annotations

from collections.abc import Callable, Set

import orjson

from ragfleet_operator.stream import MalformedError, Take, checked, loads

# Namespace and name of each object that is there, and the version of the list that told it.
Ended = Callable[[Set[tuple[str, str]], str], None]


class Listing:
    """Reads one list. take: is given each object. ended: is called when all of them were.

    Of what was taken, only the names are kept until then.
    """

    def __init__(self, take: Take, ended: Ended) -> None:
        self._take = take
        self._ended = ended
        self._names: set[tuple[str, str]] = set()

    def page(self, body: bytes) -> bytes:
        """Take a page; what is left of it for kopf: the same without objects. Raises MalformedError."""
        page = loads(body)
        metadata = page.get("metadata")
        version = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
        if not isinstance(metadata, dict) or not isinstance(version, str) or not version:
            raise MalformedError("a list of the API server has no resourceVersion")
        for item in page.get("items") or ():
            obj = checked(item)
            self._take(None, obj)
            self._names.add((obj["metadata"]["namespace"], obj["metadata"]["name"]))
        if not metadata.get("continue"):
            self._ended(self._names, version)
        return orjson.dumps({**page, "items": []})

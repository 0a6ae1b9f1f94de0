"""Takes the events out of the bytes of a watch's answer: JSON, one on each line.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from ragfleet_operator.model import Object

# Takes an object with the type of its event, None for one of a list.
Take = Callable[[str | None, Object], None]

_OF_OBJECTS: Final = frozenset({"ADDED", "MODIFIED", "DELETED"})
_OF_EACH: Final = ("name", "namespace", "uid", "resourceVersion")


class MalformedError(Exception):
    """An answer isn't one of the API server's. The message holds nothing of it: that may be a Secret."""


class EventReader:
    """Reads one answer. take: is given each object as soon as the end of its line is read."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._begun: list[bytes] = []

    def feed(self, chunk: bytes) -> bytes:
        """Take what ends in this chunk; the lines that are left for kopf.

        These are a bookmark of the newest version, from which kopf goes on after the connection has ended,
        and errors as they are. Raises MalformedError.
        """
        *lines, rest = chunk.split(b"\n")
        if lines:
            lines[0] = b"".join((*self._begun, lines[0]))
            self._begun.clear()
        if rest:
            self._begun.append(rest)
        return self._read(lines)

    def end(self) -> bytes:
        """The same of a last line that has no end."""
        line = b"".join(self._begun)
        self._begun.clear()
        return self._read([line])

    def _read(self, lines: Sequence[bytes]) -> bytes:
        version = ""
        errors = []
        for line in lines:
            if not line.strip():
                continue
            type_, obj = _event(line)
            if type_ == "ERROR":
                errors.append(line + b"\n")
            elif type_ == "BOOKMARK":
                version = _version(obj)
            elif type_ in _OF_OBJECTS:
                self._take(type_, checked(obj))
                version = _version(obj)
        return b"".join([_bookmark(version) if version else b"", *errors])


def loads(text: bytes) -> dict[str, Any]:
    """A JSON object. Raises MalformedError."""
    try:
        value = orjson.loads(text)
    except ValueError:
        raise MalformedError("an answer of the API server isn't JSON") from None
    if not isinstance(value, dict):
        raise MalformedError("an answer of the API server isn't a JSON object")
    return value


def checked(obj: object) -> Object:
    """An object with all that every object of a namespace has. Raises MalformedError."""
    metadata = obj.get("metadata") if isinstance(obj, dict) else None
    if not isinstance(obj, dict) or not isinstance(metadata, dict):
        raise MalformedError("an object of the API server has no metadata")
    for name in _OF_EACH:
        value = metadata.get(name)
        if not isinstance(value, str) or not value:
            raise MalformedError(f"an object of the API server has no metadata.{name}")
    return obj


def _event(line: bytes) -> tuple[str, dict[str, Any]]:
    event = loads(line)
    type_, obj = event.get("type"), event.get("object")
    if not isinstance(type_, str) or not isinstance(obj, dict):
        raise MalformedError("an event of the API server has no type or no object")
    return type_, obj


def _version(obj: Object) -> str:
    """The resourceVersion; "" where a bookmark has none."""
    version = (obj.get("metadata") or {}).get("resourceVersion")
    return version if isinstance(version, str) else ""


def _bookmark(version: str) -> bytes:
    return orjson.dumps({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": version}}}) + b"\n"

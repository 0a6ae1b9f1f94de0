"""Server-sent events, as the service sends them (HTML Living Standard, 9.2)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from ragfleet_cli.errors import CliError

MAX_EVENT_BYTES: Final = 2**24


@dataclass(frozen=True, slots=True)
class Event:
    """An event: its name, and its data, which are an object."""

    name: str
    data: dict[str, Any]

    def text(self, member: str) -> str:
        """A member of the data that is a text. Raises CliError where it isn't."""
        value = self.data.get(member)
        if not isinstance(value, str):
            raise _foreign()
        return value

    def objects(self, member: str) -> list[dict[str, Any]]:
        """A member of the data that is a list of objects. Raises CliError where it isn't."""
        value = self.data.get(member)
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise _foreign()
        return value


async def read_events(chunks: AsyncIterable[bytes]) -> AsyncIterator[Event]:
    """The events in a stream, each as soon as it is whole; what is cut off at the end is left out.

    Raises CliError for an event that isn't one of Ragfleet's.
    """
    name, data = "", b""
    async for line in _lines(chunks):
        if not line:
            if data:
                yield Event(name, _object(data))
            name, data = "", b""
            continue
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            name = value.decode(errors="replace")
        elif field == b"data":
            data = data + b"\n" + value if data else value


async def _lines(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r")
        if len(rest) > MAX_EVENT_BYTES:
            raise CliError(f"the service sent an event of more than {MAX_EVENT_BYTES // 2**20} MiB")


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise _foreign()
    return value


def _foreign() -> CliError:
    return CliError("the service sent an event that is not one of Ragfleet's; check --url")
